import { wallClockMs } from '../../core/clock.js'
import { checkOptions, either, misuse, oneOf, required, text, type OptionRule } from '../../core/options.js'

/** What a call to revoke is checked and completed with. */
export interface EntryPolicy {
  readonly maxTokenLifetimeSeconds: number
  readonly clockToleranceSeconds: number
}

interface Given {
  readonly at?: number
  readonly expiresAt?: number | 'never'
}

// The longest clock tolerance of any verifier: a token may pass for so long after its end.
const MARGIN_SECONDS = 60
const YEAR_SECONDS = 31_622_400

const ALIASES: Readonly<Record<string, string>> = {
  iss: 'issuer',
  sub: 'subject',
  sid: 'sessionId',
  session: 'sessionId',
  client_id: 'clientId',
  azp: 'clientId',
  credentialId: 'jti',
  id: 'jti',
  exp: 'expiresAt (seconds)',
  until: 'expiresAt (seconds)',
  issuedBefore: 'at (seconds)',
  before: 'at (seconds)',
}

/** Seconds since the epoch; milliseconds would lie thousands of years ahead. */
const secondsWithin = (years: number): OptionRule => ({
  says: `seconds since the epoch, at most ${years} year${years === 1 ? '' : 's'} ahead`,
  holds: (value) =>
    typeof value === 'number' && value >= 0 && value <= wallClockMs() / 1000 + years * YEAR_SECONDS,
})

const RULES = {
  issuer: required(text()),
  jti: required(text(8192)),
  subject: required(text(8192)),
  sessionId: required(text(8192)),
  clientId: text(8192),
  at: secondsWithin(1),
  expiresAt: either(oneOf('never'), secondsWithin(10)),
}

/** Throws a `TypeError` for a call that says something else than it means. */
export function checkCall(method: string, given: object, ...names: readonly (keyof typeof RULES)[]): void {
  const rules = Object.fromEntries(names.map((name) => [name, RULES[name]]))
  checkOptions(
    `revocation: ${method}`,
    given,
    { ...rules, issuer: RULES.issuer, expiresAt: RULES.expiresAt },
    ALIASES,
  )
  if (names.includes('at') && method === 'revokeIssuedBefore' && (given as Given).at === undefined)
    throw misuse(`revocation: ${method}`, 'at', RULES.at.says, undefined)
}

/** The moment that is revoked until, in **seconds**, and the end of the entry, in **milliseconds**. */
export function momentOf(
  { at, expiresAt }: Given,
  { maxTokenLifetimeSeconds, clockToleranceSeconds }: EntryPolicy,
): { readonly at: number; readonly endsMs: number } {
  const now = wallClockMs() / 1000
  const moment = at ?? now + clockToleranceSeconds
  if (expiresAt === 'never') return { at: moment, endsMs: Infinity }
  const end = expiresAt ?? Math.max(now, moment) + maxTokenLifetimeSeconds
  return { at: moment, endsMs: (Math.max(now, end) + MARGIN_SECONDS) * 1000 }
}
