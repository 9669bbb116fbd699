import { isCanonicalBase64url } from '../jwt-verifier/compact.js'
import { refusal } from '../refusal.js'

/** What a token is bound to (RFC 7800 `cnf`): a key (RFC 9449), a certificate (RFC 8705), or both. */
export interface Confirmation {
  /** SHA-256 thumbprint (RFC 7638) of the key that the caller must prove to hold. */
  readonly jkt?: string
  /** SHA-256 of the certificate that the caller must come with. */
  readonly 'x5t#S256'?: string
}

const MEMBERS: ReadonlySet<string> = new Set(['jkt', 'x5t#S256'])
const SHA256 = /^[\w-]{43}$/

/**
 * The `cnf` of a token, or `undefined` where it has none. A member that is not known here may be the one that matters:
 * it refuses (RFC 7800 section 3.1 leaves that to the application).
 */
export function readConfirmation(claims: Readonly<Record<string, unknown>>): Confirmation | undefined {
  if (!Object.hasOwn(claims, 'cnf')) return undefined
  const { cnf } = claims
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf)) throw unsupported()
  const members = Object.entries(cnf)
  const isKnown = members.every(([name, value]) => MEMBERS.has(name) && isThumbprint(value))
  if (members.length === 0 || !isKnown) throw unsupported()
  return Object.freeze({ ...cnf })
}

function isThumbprint(value: unknown): boolean {
  return typeof value === 'string' && SHA256.test(value) && isCanonicalBase64url(value)
}

function unsupported(): Error {
  return refusal('confirmation_unsupported')
}
