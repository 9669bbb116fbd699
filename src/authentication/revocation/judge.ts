import { wallClockMs } from '../../core/clock.js'
import { refusal } from '../refusal.js'
import type { Verified } from '../verifier.js'
import type { Name, RevocationKind } from './names.js'

/** For each name of a credential the moment of its revocation in **seconds**, or `undefined` where there is none. */
export type Moments = readonly (number | undefined)[]

const WHOLE: ReadonlySet<RevocationKind> = new Set(['token', 'session'])
const AHEAD_SECONDS = 60

/** Throws the refusal of a credential that one of these revocations reaches. */
export function judge(names: readonly Name[], moments: Moments, { issuedAt }: Verified): void {
  for (const [index, { kind }] of names.entries()) {
    const at = moments[index]
    if (at !== undefined && reaches(kind, at, issuedAt))
      throw refusal('token_revoked', { by: kind === 'client' || kind === 'issuer' ? 'issued before' : kind })
  }
}

/** What does not say when it was issued, or says an hour that has not come, may be older than it looks. */
function reaches(kind: RevocationKind, at: number, issuedAt: number | undefined): boolean {
  if (WHOLE.has(kind) || issuedAt === undefined) return true
  if (!(issuedAt <= wallClockMs() / 1000 + AHEAD_SECONDS)) return true
  // The moment is within a second of which the token says no more than the beginning.
  return !(issuedAt > at)
}
