import type { X509Certificate } from 'node:crypto'
import { certificatesOfBase64 } from './certificates.js'
import { MalformedValue } from './malformed-value.js'

const BEGIN = '-----BEGIN CERTIFICATE-----'
const END = '-----END CERTIFICATE-----'

// OpenSSL writes lines of 64 characters; RFC 7468 section 2 lets a reader take others. RFC 1421's are at most 76.
const LINE = /^[A-Za-z0-9+/=]{1,76}$/

/**
 * The certificates in PEM text (RFC 7468 section 5): nothing before, between or after them, and no other kind of block.
 * The last line need not end.
 */
export function certificatesOfPem(text: string): readonly X509Certificate[] {
  const body = text.endsWith('\n') ? text.slice(0, -1) : text
  const bodies: string[] = []
  let lines: string[] | undefined
  for (const line of body.split('\n')) {
    if (lines === undefined) {
      if (line !== BEGIN) throw new MalformedValue('text outside a certificate')
      lines = []
    } else if (line === END) {
      bodies.push(lines.join(''))
      lines = undefined
    } else {
      if (!LINE.test(line)) throw new MalformedValue('a line that is no base64')
      lines.push(line)
    }
  }
  if (lines !== undefined) throw new MalformedValue('a certificate without an end')
  return certificatesOfBase64(bodies)
}
