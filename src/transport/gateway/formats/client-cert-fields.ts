import type { X509Certificate } from 'node:crypto'
import { certificateOfBase64, certificatesOfBase64, checkValue } from './certificates.js'
import { MalformedValue } from './malformed-value.js'

const BYTE_SEQUENCE = /^:([A-Za-z0-9+/=]+):$/

/**
 * Reads the RFC 9440 field `Client-Cert`: one certificate as a byte sequence (RFC 9651 section 3.3.5), without
 * parameters.
 *
 * Throws `MalformedValue`, also for `::`, which some gateways send where there is no certificate.
 */
export function clientCert(value: string): readonly X509Certificate[] {
  checkValue(value)
  return [certificateOfBase64(contentOf(value))]
}

/** Reads the RFC 9440 field `Client-Cert-Chain`: byte sequences in a list, leaf not among them. Throws `MalformedValue`. */
export function clientCertChain(value: string): readonly X509Certificate[] {
  checkValue(value)
  return certificatesOfBase64(value.split(',').map((item) => contentOf(item.trim())))
}

function contentOf(item: string): string {
  const content = BYTE_SEQUENCE.exec(item)?.[1]
  if (content === undefined) throw new MalformedValue('no byte sequence')
  return content
}
