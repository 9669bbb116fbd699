/** An http or https URI in normal form (RFC 3986 sections 6.2.2 and 6.2.3), without query and fragment. */
export interface TargetUri {
  readonly origin: string
  readonly path: string
}

const VISIBLE_ASCII = /^[\x21-\x7e]+$/
// No user information, which a URI of a request never has: after the host comes a path, or nothing more.
const HTTP_URI = /^(https?):\/\/([^/?#@\\]+)((?:\/[^?#]*)?)(?:[?#]|$)/i
const AUTHORITY = /^(\[[\da-f:.]+\]|[^:[\]]+)(?::(\d*))?$/i
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' }
const DOT_SEGMENT = /\/\.\.?(?:\/|$)/
const UNRESERVED = /[\w.~-]/

/**
 * Reads what a proof says it is for, or answers `undefined`.
 *
 * By grammar, and not by `URL`, which repairs: it drops tabs, turns `\` into `/` and finds a host where RFC 3986 sees
 * none. Nothing is joined and then read again, so that no text can move from the path into the origin.
 */
export function targetUri(text: string): TargetUri | undefined {
  if (!VISIBLE_ASCII.test(text)) return undefined
  const [, scheme = '', authority = '', path = ''] = HTTP_URI.exec(text) ?? []
  const [, host, port = ''] = AUTHORITY.exec(authority) ?? []
  if (host === undefined) return undefined
  const protocol = scheme.toLowerCase()
  const shownPort = port === '' || port === DEFAULT_PORTS[protocol] ? '' : `:${port}`
  return {
    origin: `${protocol}://${host.toLowerCase()}${shownPort}`,
    path: withoutDotSegments(normalPath(path)),
  }
}

/**
 * The path of a request in the same form, or `undefined` where it has none that a proof could be for: `*`, an absolute
 * URI, characters that stand in no URI, dot segments. Clients resolve those before they send; Express would not, and
 * route to another place than the one that the proof names.
 */
export function requestPath(originalUrl: string): string | undefined {
  const [path = ''] = originalUrl.split('?', 1)
  if (!path.startsWith('/') || !VISIBLE_ASCII.test(path) || /[\\#]/.test(path)) return undefined
  const normal = normalPath(path)
  return DOT_SEGMENT.test(normal) ? undefined : normal
}

/** One spelling for each escape, and none for what needs none. Reserved characters stay escaped: `%2F` is no `/`. */
function normalPath(path: string): string {
  if (path === '') return '/'
  return path.replace(/%([\da-f]{2})/gi, (escape, digits: string) => {
    const character = String.fromCharCode(Number.parseInt(digits, 16))
    return UNRESERVED.test(character) ? character : escape.toUpperCase()
  })
}

function withoutDotSegments(path: string): string {
  if (!DOT_SEGMENT.test(path)) return path
  const kept: string[] = []
  const segments = path.split('/').slice(1)
  for (const segment of segments) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  }
  const endsInDots = /^\.\.?$/.test(segments.at(-1) ?? '')
  return `/${kept.join('/')}${endsInDots && kept.length > 0 ? '/' : ''}`
}
