import type { Store } from '../../core/ports.js'

export interface RevocationOptions {
  /** Where revocations are kept. @default the memory of this process */
  readonly store?: Store
  /** Services that give one name on one Redis share one list. @default 'revocation' */
  readonly name?: string
  /**
   * While Redis is out: 503, or the last answer about this very credential, as long as it is at most so old, 1 to 3600
   * **seconds**. @default 'deny'
   */
  readonly outage?: 'deny' | { readonly snapshotSeconds: number }
  /** How long an answer of Redis is believed without asking again, in **milliseconds**, 0 to 1000. @default 500 */
  readonly freshMs?: number
  /**
   * Longest life of any credential, in **seconds**, 60 to a year: how long a revocation is kept that does not say when it
   * ends. @default 604800 (seven days)
   */
  readonly maxTokenLifetimeSeconds?: number
  /** How far the issuer's clock may be ahead, in **seconds**, 0 to 60: tokens issued so soon after are revoked too. @default 0 */
  readonly clockToleranceSeconds?: number
  /** Revocations that are kept in memory, 1 to 1000000; further ones are rejected. @default 100000 */
  readonly maxEntries?: number
  /** Only `enforce`. */
  readonly mode?: 'enforce'
}

/** When a revocation may be forgotten, in **seconds** since the epoch, or `never`. */
interface Ending {
  /** @default `maxTokenLifetimeSeconds` after its moment */
  readonly expiresAt?: number | 'never'
}

/** One token by its `jti`; one API key by its id. */
export interface TokenRevocation extends Ending {
  readonly issuer: string
  readonly jti: string
}

/** Everything that was issued for a subject until a moment, in **seconds** since the epoch. */
export interface SubjectRevocation extends Ending {
  readonly issuer: string
  readonly subject: string
  /** @default now */
  readonly at?: number
}

/** Everything that belongs to a session (`sid`), whenever it was issued. */
export interface SessionRevocation extends Ending {
  readonly issuer: string
  readonly sessionId: string
}

/** Everything that an issuer, or an issuer for one client, issued until a moment, in **seconds** since the epoch. */
export interface IssuedBeforeRevocation extends Ending {
  readonly issuer: string
  readonly clientId?: string
  readonly at: number
}
