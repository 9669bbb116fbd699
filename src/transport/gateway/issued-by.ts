import { X509Certificate } from 'node:crypto'
import { isCurrent } from '../../core/client-certificate.js'
import type { OptionRule } from '../../core/options.js'

const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g
const MAX_DEPTH = 5

/** Authorities in PEM form, one or several in a text. */
export const authorityRule: OptionRule = {
  says: 'PEM text with certificates of authorities',
  holds: (value) => typeof value === 'string' && value.length <= 1_000_000 && authoritiesIn(value).length > 0,
}

/** The certificates in PEM text; none where one of them is no authority's. */
export function authoritiesIn(pem: string): readonly X509Certificate[] {
  try {
    const found = (pem.match(PEM) ?? []).map((text) => new X509Certificate(text))
    return found.every(({ ca }) => ca) ? found : []
  } catch {
    return []
  }
}

/**
 * Whether one of the authorities issued a certificate, itself or through current intermediate authorities of the chain.
 *
 * **Not checked:** path lengths, name constraints, and whether anything was revoked.
 */
export function isIssuedBy(
  certificate: X509Certificate,
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  depth = 0,
): boolean {
  if (authorities.some((authority) => hasIssued(authority, certificate))) return true
  if (depth >= MAX_DEPTH) return false
  const issuer = chain.find((candidate) => candidate.ca && hasIssued(candidate, certificate))
  if (issuer === undefined) return false
  return isIssuedBy(
    issuer,
    chain.filter((candidate) => candidate !== issuer),
    authorities,
    depth + 1,
  )
}

function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return isCurrent(issuer) && certificate.checkIssued(issuer) && verifies(issuer, certificate)
}

function verifies(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey)
  } catch {
    // A kind of key that this OpenSSL does not know.
    return false
  }
}
