import type { X509Certificate } from 'node:crypto'
import { checkValue } from './certificates.js'
import { MalformedValue } from './malformed-value.js'
import { certificatesOfPem } from './pem.js'

// Unescaped stand what PEM has beside white space. Some escape `+`, `/` and `=` (nginx, Envoy, CloudFront), some do not
// (AWS ALB): `+` is a plus sign in both, and never a space.
const ESCAPED = /^(?:[A-Za-z0-9+/=-]|%(?:0A|20|2B|2F|3D))+$/i
const ESCAPE = /%(0A|20|2B|2F|3D)/gi

/**
 * Reads PEM certificates that were percent-encoded (RFC 3986 section 2.1) to stand on one line, leaf first: nginx's
 * `$ssl_client_escaped_cert`, AWS ALB, CloudFront, and `Cert` and `Chain` of Envoy.
 *
 * Only the five characters that PEM has and a header or URL may not are ever escaped; anything else is malformed.
 * Throws `MalformedValue`.
 */
export function escapedPem(value: string): readonly X509Certificate[] {
  checkValue(value)
  if (!ESCAPED.test(value)) throw new MalformedValue('no percent-encoded PEM')
  const pem = value.replace(ESCAPE, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)))
  return certificatesOfPem(pem)
}
