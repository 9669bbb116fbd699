import type { KeyObject, X509Certificate } from 'node:crypto'
import { isCurrent } from './client-certificate.js'
import { wallClockMs } from './clock.js'

/** A way from a certificate to an authority that is believed. */
export interface CertificatePath {
  readonly authority: X509Certificate
  /** What stands between the two, the issuer of the certificate first. */
  readonly between: readonly X509Certificate[]
}

const MAX_BETWEEN = 8
const MAX_SIGNATURES = 8
// Verifying takes as long as the exponent is; honest ones have 17 bits, a few 32.
const MAX_EXPONENT = 2n ** 32n
const FOR_CLIENTS: ReadonlySet<string> = new Set(['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'])

/**
 * Finds the way from a certificate through the chain that came with it to one of these authorities; `undefined` where
 * there is none.
 *
 * The chain is the caller's word, so the way is looked for by names and key identifiers alone, and the signatures are
 * verified from the authority downwards: no key is used before somebody who is believed has vouched for it. At most 8
 * signatures are verified, at most 8 certificates of the chain looked at, and no RSA key with an exponent beyond 2^32
 * is used. All certificates on the way must be current; all but the authority must be for clients, where they say what
 * they are for.
 *
 * **Not checked:** the time of the certificate itself, path lengths, name constraints, and whether anything was revoked.
 */
export function certificatePath(
  certificate: X509Certificate,
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  nowMs = wallClockMs(),
): CertificatePath | undefined {
  const isUsable = (issuer: X509Certificate): boolean => issuer.ca && isCurrent(issuer, nowMs)
  const candidates = chain.slice(0, MAX_BETWEEN).filter((issuer) => isUsable(issuer) && isForClients(issuer))
  const believed = authorities.filter(isUsable)
  const ways = new Map<X509Certificate, CertificatePath | undefined>()
  let signatures = 0

  function hasSigned(issuer: X509Certificate, issued: X509Certificate): boolean {
    if (signatures >= MAX_SIGNATURES) return false
    signatures += 1
    return verifies(issuer, issued)
  }

  function wayTo(issued: X509Certificate): CertificatePath | undefined {
    if (ways.has(issued)) return ways.get(issued)
    // Whoever leads back here leads nowhere.
    ways.set(issued, undefined)
    const way = search(issued)
    ways.set(issued, way)
    return way
  }

  function search(issued: X509Certificate): CertificatePath | undefined {
    const isNamed = (issuer: X509Certificate): boolean => issued.checkIssued(issuer)
    const authority = believed.find((issuer) => isNamed(issuer) && hasSigned(issuer, issued))
    if (authority !== undefined) return { authority, between: [] }
    for (const issuer of candidates.filter(isNamed)) {
      const way = wayTo(issuer)
      if (way !== undefined && hasSigned(issuer, issued))
        return { authority: way.authority, between: [issuer, ...way.between] }
    }
    return undefined
  }

  return isForClients(certificate) ? wayTo(certificate) : undefined
}

/**
 * Whether a certificate is for TLS clients, by its own word: so is one for any purpose, and one without an extended key
 * usage (RFC 5280 section 4.2.1.12).
 */
export function isForClients({ keyUsage }: X509Certificate): boolean {
  // Node.js calls the extended key usage so; `undefined` where there is none.
  const purposes = keyUsage as readonly string[] | undefined
  return purposes === undefined || purposes.some((purpose) => FOR_CLIENTS.has(purpose))
}

function verifies(issuer: X509Certificate, issued: X509Certificate): boolean {
  try {
    const { publicKey } = issuer
    return isBounded(publicKey) && issued.verify(publicKey)
  } catch {
    // A kind of key that this OpenSSL does not know.
    return false
  }
}

function isBounded({ asymmetricKeyDetails }: KeyObject): boolean {
  return (asymmetricKeyDetails?.publicExponent ?? 0n) <= MAX_EXPONENT
}
