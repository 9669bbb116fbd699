const BODY_PARSERS = new Set(['jsonParser', 'urlencodedParser', 'rawParser', 'textParser'])

/** Functions of Express and its companions that pass requests on. */
const KNOWN = new Set([
  ...BODY_PARSERS,
  'compression',
  'cookieParser',
  'corsMiddleware',
  'expressInit',
  'helmetMiddleware',
  'methodOverride',
  'multerMiddleware',
  'query',
  'responseTime',
])

/** Whether a function is named like one that passes requests on. Its name proves nothing. */
export function isKnownByName(handle: unknown): boolean {
  return isKnownName(nameOf(handle))
}

export function isKnownName(name = ''): boolean {
  return KNOWN.has(name)
}

export function isNamedLikeBodyParser(handle: unknown): boolean {
  return BODY_PARSERS.has(nameOf(handle) ?? '')
}

/** Whether a function is one of body-parser's, by its name and by what it ends with. */
export function isBodyParser(handle: unknown): boolean {
  return (
    isNamedLikeBodyParser(handle) &&
    /\bread\(req, res, next, (?:parse|passthrough), debug,/.test(sourceOf(handle))
  )
}

/** Whether a function is seen to change where a request goes: what stood before it looked at another path. */
export function rewritesUrl(handle: unknown): boolean {
  return /\.url\s*=(?!=)|\[['"]url['"]\]\s*=(?!=)/.test(sourceOf(handle))
}

export function nameOf(handle: unknown): string | undefined {
  const name: unknown = typeof handle === 'function' ? handle.name : undefined
  return typeof name === 'string' && name !== '' ? name : undefined
}

const sources = new WeakMap<object, string>()

function sourceOf(handle: unknown): string {
  if (typeof handle !== 'function') return ''
  const known = sources.get(handle)
  if (known !== undefined) return known
  const source = Function.prototype.toString.call(handle)
  sources.set(handle, source)
  return source
}
