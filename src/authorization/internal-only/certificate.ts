import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { wallClockMs } from '../../core/clock.js'

const MAX_LENGTH = 16_384

/**
 * The subject alternative names of the client certificate that this server verified on a connection; none where there
 * is no such certificate, or where it ended while the connection was open.
 */
export function namesOfPeer(socket: Partial<TLSSocket>): readonly string[] {
  // A renegotiation that failed leaves `authorized` as it was, and an error beside it.
  if (socket.authorized !== true || (socket.authorizationError ?? null) !== null) return []
  const certificate = socket.getPeerX509Certificate?.()
  if (certificate === undefined || !isCurrent(certificate)) return []
  return namesIn(certificate.subjectAltName)
}

/**
 * The names in a text as Node.js prints it: `DNS:a.internal, URI:spiffe://example.org/a`.
 *
 * Node.js quotes a name that holds a comma, a quote or a control character. No honest service is called so, and such
 * names were made to be read as two (CVE-2021-44532): the whole certificate then bears none.
 */
export function namesIn(text: string | undefined): readonly string[] {
  if (text === undefined || text.length > MAX_LENGTH || text.includes('"')) return []
  const names = text.split(', ')
  const isPlain = names.every(
    (name) => /^[A-Za-z][A-Za-z0-9 ]{0,30}:[\x20-\x7e]+$/.test(name) && !name.includes(','),
  )
  return isPlain && new Set(names).size === names.length ? names : []
}

/** A connection may outlive the certificate that it was opened with. A time that cannot be read is over. */
function isCurrent({ validFrom, validTo }: X509Certificate): boolean {
  const now = wallClockMs()
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo)
}
