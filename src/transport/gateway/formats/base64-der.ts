import type { X509Certificate } from 'node:crypto'
import { certificateOfBase64, checkValue } from './certificates.js'

/**
 * Reads one certificate in DER form as base64 on one line: HAProxy's `ssl_c_der,base64`, Caddy's
 * `certificate_der_base64`.
 *
 * Throws `MalformedValue`.
 */
export function base64Der(value: string): readonly X509Certificate[] {
  checkValue(value)
  return [certificateOfBase64(value)]
}
