import type { Verified } from './verifier.js'

/** Says of an accepted credential whether somebody revoked it since it was issued. */
export interface RevocationList {
  /**
   * Throws a `SecurityProblem`: 401 `token_revoked` where it was revoked, 503 where that cannot be told. Answers at once
   * where it can.
   */
  check(verified: Verified): void | Promise<void>
  readonly facts: Readonly<Record<string, unknown>>
}
