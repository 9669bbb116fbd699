import type { X509Certificate } from 'node:crypto'
import { certificatesOfBase64, checkValue } from './certificates.js'
import { MalformedValue } from './malformed-value.js'

const ESCAPED = /^(?:[A-Za-z0-9,]|%(?:2B|2F|3D))+$/
const ESCAPE = /%(2B|2F|3D)/g

/**
 * Reads Traefik's `X-Forwarded-Tls-Client-Cert`: each certificate in base64 without PEM markers, leaf first, joined by
 * commas. Throws `MalformedValue`.
 */
export function traefikList(value: string): readonly X509Certificate[] {
  checkValue(value)
  return certificatesOfBase64(value.split(','))
}

/** As `traefikList`, of a Traefik that escapes each certificate as in a URL's query (version 2). */
export function escapedTraefikList(value: string): readonly X509Certificate[] {
  checkValue(value)
  if (!ESCAPED.test(value)) throw new MalformedValue('no percent-encoded base64')
  const list = value.replace(ESCAPE, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)))
  return certificatesOfBase64(list.split(','))
}
