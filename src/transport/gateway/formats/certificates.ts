import { X509Certificate } from 'node:crypto'
import { MalformedValue } from './malformed-value.js'

/** Longest header value that is looked at: what Node.js lets all headers of a request hold together. */
export const MAX_VALUE_LENGTH = 16_384

/** Most certificates in one value. Chains have three or four. */
export const MAX_CERTIFICATES = 10

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** Throws for an empty value, a long one, and for any character that no certificate format has. */
export function checkValue(value: string): void {
  if (value === '') throw new MalformedValue('the value is empty')
  if (value.length > MAX_VALUE_LENGTH)
    throw new MalformedValue(`the value is longer than ${MAX_VALUE_LENGTH} characters`)
  if (!/^[\x20-\x7e]+$/.test(value)) throw new MalformedValue('the value has characters outside ASCII')
}

/**
 * The certificate in base64 text (RFC 4648 section 4), padded, in its one spelling.
 *
 * What follows the certificate, and a certificate that is not in DER, is malformed. The comparison with what was read is
 * also what keeps out a certificate that holds another in PEM form: Node.js looks for that first, anywhere in the bytes.
 */
export function certificateOfBase64(text: string): X509Certificate {
  if (text.length % 4 !== 0 || !BASE64.test(text)) throw new MalformedValue('no base64')
  const der = Buffer.from(text, 'base64')
  if (der.toString('base64') !== text) throw new MalformedValue('base64 with stray bits')
  const certificate = parsed(der)
  if (!certificate.raw.equals(der)) throw new MalformedValue('more, or other, than one DER certificate')
  return certificate
}

/** The certificates in several base64 texts. */
export function certificatesOfBase64(texts: readonly string[]): readonly X509Certificate[] {
  if (texts.length > MAX_CERTIFICATES) throw new MalformedValue(`more than ${MAX_CERTIFICATES} certificates`)
  return texts.map(certificateOfBase64)
}

function parsed(der: Buffer): X509Certificate {
  try {
    return new X509Certificate(der)
  } catch {
    // OpenSSL's message is about the bytes; ours goes into a record.
    throw new MalformedValue('no certificate')
  }
}
