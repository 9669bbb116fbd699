import type { X509Certificate } from 'node:crypto'
import { checkValue } from './certificates.js'
import { certificatesOfPem } from './pem.js'

/**
 * Reads PEM certificates whose line ends became spaces, leaf first: Apache's `%{SSL_CLIENT_CERT}s`.
 *
 * One space for each line end, and none elsewhere. Throws `MalformedValue`.
 */
export function spacedPem(value: string): readonly X509Certificate[] {
  checkValue(value)
  // The markers are the only lines that have a space of their own.
  const pem = value
    .replaceAll(' ', '\n')
    .replace(/-----(BEGIN|END)\nCERTIFICATE-----/g, '-----$1 CERTIFICATE-----')
  return certificatesOfPem(pem)
}
