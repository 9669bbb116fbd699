import { createHash, type X509Certificate } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { wallClockMs } from './clock.js'
import type { RequestContext } from './request-context.js'

/** A caller's certificate whose private key the caller was seen to hold. */
export interface ClientCertificate {
  readonly x509: X509Certificate
  /** Who saw the key and verified the chain: `tls`, this server itself, or the name of a proven hop. */
  readonly verifiedBy: string
  /** Certificates that came with `x509`, as far as they are still to be had. Nobody here verified them. */
  readonly chain: readonly X509Certificate[]
}

const MAX_LENGTH = 16_384
const MAX_CHAIN = 8

// Node.js hands the rest of a chain out once for each connection: the next time it has forgotten (nodejs/node#65579).
const chains = new WeakMap<object, readonly X509Certificate[]>()

/**
 * The caller's certificate: what the proven hop forwarded, else what this server verified on the connection.
 *
 * Behind a proven hop the connection's own certificate is the hop's, and never the caller's. A certificate whose time
 * is over, or has not come, is none, and so is one that a weak hop forwarded (`isHopWeak`).
 *
 * **Not checked:** whether it was revoked, unless the server was given a `crl`; and which authority issued it.
 */
export function clientCertificateOf(
  req: IncomingMessage,
  { provenHop, isHopWeak, client }: RequestContext,
): ClientCertificate | undefined {
  if (provenHop === undefined) return certificateOfConnection(req.socket as Partial<TLSSocket>)
  const { certificate } = client
  // A certificate is no secret: whoever can send from the network of a weak hop can send anybody's.
  if (isHopWeak || certificate === undefined) return undefined
  return isCurrent(certificate.x509) ? certificate : undefined
}

/** The certificate of whoever is at the other end of this connection, if this server verified it and its time is now. */
export function certificateOfConnection(socket: Partial<TLSSocket>): ClientCertificate | undefined {
  // A renegotiation that failed leaves `authorized` as it was, and an error beside it.
  if (socket.authorized !== true || (socket.authorizationError ?? null) !== null) return undefined
  const x509 = shownCertificate(socket)
  if (x509 === undefined || !isCurrent(x509)) return undefined
  return { x509, verifiedBy: 'tls', chain: chains.get(socket) ?? [] }
}

/**
 * The certificate that is shown on this connection, **verified or not**. Everybody here asks through this function: it
 * keeps the rest of the chain, which a resumed session (and whoever asks after somebody else) does not have.
 */
export function shownCertificate(socket: Partial<TLSSocket>): X509Certificate | undefined {
  const x509 = socket.getPeerX509Certificate?.()
  const issuer = x509?.issuerCertificate
  if (issuer !== undefined) chains.set(socket, chainFrom(issuer))
  return x509
}

function chainFrom(first: X509Certificate): readonly X509Certificate[] {
  const chain: X509Certificate[] = []
  let next: X509Certificate | undefined = first
  while (next !== undefined && chain.length < MAX_CHAIN) {
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}

/** Whether a certificate's time is now. A connection may outlive it; a time that cannot be read is over. */
export function isCurrent({ validFrom, validTo }: X509Certificate, nowMs = wallClockMs()): boolean {
  return Date.parse(validFrom) <= nowMs && nowMs <= Date.parse(validTo)
}

/** The certificate's `x5t#S256` (RFC 8705 section 3.1): SHA-256 of its DER form in base64url. */
export function certificateThumbprint({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('base64url')
}

/**
 * The subject alternative names of a certificate as Node.js prints them: `DNS:a.internal`, `URI:spiffe://example.org/a`.
 *
 * Node.js quotes a name that holds a comma, a quote or a control character. No honest service is called so, and such
 * names were made to be read as two (CVE-2021-44532): the whole certificate then bears none.
 */
export function namesOfCertificate({
  subjectAltName,
}: Pick<X509Certificate, 'subjectAltName'>): readonly string[] {
  if (subjectAltName === undefined || subjectAltName.length > MAX_LENGTH || subjectAltName.includes('"'))
    return []
  const names = subjectAltName.split(', ')
  const isPlain = names.every(
    (name) => /^[A-Za-z][A-Za-z0-9 ]{0,30}:[\x20-\x7e]+$/.test(name) && !name.includes(','),
  )
  return isPlain && new Set(names).size === names.length ? names : []
}
