import type { X509Certificate } from 'node:crypto'
import { checkValue } from './certificates.js'
import { escapedPem } from './escaped-pem.js'
import { MalformedValue } from './malformed-value.js'
import { splitOutsideQuotes, unquoted } from './quoted-list.js'

/** What an element of `X-Forwarded-Client-Cert` says that can be checked. Names in it are text, and left alone. */
export interface ForwardedElement {
  readonly certificate: X509Certificate
  /** Certificates above it, where `Chain` was sent. */
  readonly chain: readonly X509Certificate[]
}

/** Known keys, in lower case; of these, one may stand more than once in an element. */
const KEYS: ReadonlySet<string> = new Set(['by', 'hash', 'cert', 'chain', 'subject', 'uri', 'dns'])
const REPEATED = 'dns'

/** One proxy writes one element; more than these is no topology. */
const MAX_PAIRS = 100

/**
 * Reads Envoy's `X-Forwarded-Client-Cert`, the last element of exactly `elements`: the one that the gateway wrote.
 *
 * Envoy writes `By`, `URI` and `DNS` without quotes, so that a name with a comma or a semicolon in a caller's
 * certificate looks like another element or pair. Therefore any other number of elements than expected, an unknown key
 * and a key that stands twice are malformed; `Cert` must be there, and `Hash`, which Envoy always writes, be its SHA-256.
 * Where several elements are expected, one more could be such a name: `URI` and `DNS` are then malformed altogether.
 *
 * **Not checked:** the elements before the last, and the texts of `By`, `Subject`, `URI` and `DNS`, which nobody may
 * take an identity from. Throws `MalformedValue`.
 */
export function xfcc(value: string, elements = 1): ForwardedElement {
  checkValue(value)
  const found = splitOutsideQuotes(value, ',')
  if (found.length !== elements)
    throw new MalformedValue(`${found.length} elements where ${elements} hops are configured`)
  // Those before it are another's word, but where one does not parse, nobody can say where it ends.
  const parsed = found.map(pairsOf)
  if (elements > 1 && parsed.some((pairs) => pairs.has('uri') || pairs.has('dns')))
    throw new MalformedValue('uri or dns beside several elements')
  return certificateOf(parsed[parsed.length - 1] ?? new Map<string, string>())
}

function pairsOf(element: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>()
  const texts = splitOutsideQuotes(element, ';')
  if (texts.length > MAX_PAIRS) throw new MalformedValue('too many pairs')
  for (const text of texts) {
    const equals = text.indexOf('=')
    const key = text.slice(0, Math.max(equals, 0)).toLowerCase()
    if (!KEYS.has(key)) throw new MalformedValue('an unknown key')
    if (key !== REPEATED && pairs.has(key)) throw new MalformedValue(`${key} stands twice`)
    pairs.set(key, unquoted(text.slice(equals + 1)))
  }
  return pairs
}

function certificateOf(pairs: ReadonlyMap<string, string>): ForwardedElement {
  const certificate = onlyOne(escapedPem(pairs.get('cert') ?? ''))
  if (pairs.get('hash')?.toLowerCase() !== sha256(certificate))
    throw new MalformedValue('hash is not that of cert')
  const chain = pairs.get('chain')
  return { certificate, chain: chain === undefined ? [] : chainAbove(certificate, escapedPem(chain)) }
}

/** Envoy's `Chain` begins with the certificate itself. */
function chainAbove(
  certificate: X509Certificate,
  [first, ...rest]: readonly X509Certificate[],
): readonly X509Certificate[] {
  if (first?.raw.equals(certificate.raw) !== true) throw new MalformedValue('chain does not begin with cert')
  return rest
}

function onlyOne(certificates: readonly X509Certificate[]): X509Certificate {
  const [certificate] = certificates
  if (certificate === undefined || certificates.length > 1)
    throw new MalformedValue('cert is not one certificate')
  return certificate
}

function sha256({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase()
}
