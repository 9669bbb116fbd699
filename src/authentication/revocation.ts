import { wallClockMs } from '../core/clock.js'
import { publishEvent } from '../core/events.js'
import type { Stateful } from '../core/lifecycle.js'
import {
  checkOptions,
  either,
  enforceOnly,
  integer,
  oneOf,
  record,
  required,
  ruleName,
  type OptionRule,
} from '../core/options.js'
import type { Store } from '../core/ports.js'
import { storeRule } from '../core/store-rules.js'
import { neutralise } from '../core/text.js'
import { warnOnce } from '../core/warnings.js'
import { checkCall, momentOf } from './revocation/entries.js'
import { digestOf, NamesOf, type RevocationKind } from './revocation/names.js'
import type {
  IssuedBeforeRevocation,
  RevocationOptions,
  SessionRevocation,
  SubjectRevocation,
  TokenRevocation,
} from './revocation/options.js'
import { MemoryRevocations, type RevocationStore } from './revocation/revocation-store.js'
import { SharedRevocations } from './revocation/shared-revocations.js'
import type { Verified } from './verifier.js'

export type {
  IssuedBeforeRevocation,
  RevocationOptions,
  SessionRevocation,
  SubjectRevocation,
  TokenRevocation,
} from './revocation/options.js'

/** Says of an accepted credential whether somebody revoked it since it was issued. */
export interface RevocationList {
  /**
   * Throws a `SecurityProblem`: 401 `token_revoked` where it was revoked, 503 where that cannot be told. Answers at once
   * where it can.
   */
  check(verified: Verified): void | Promise<void>
  readonly facts: Readonly<Record<string, unknown>>
}

/**
 * A list that is written here and asked by `authenticate({ revocation })`. Each call resolves when it is in force: in
 * this process at once, in others that share the store within `freshMs`. It rejects with a `TypeError` for what makes no
 * sense, and with a `SecurityProblem` (503) where it could not be kept: call again.
 */
export interface Revocation extends RevocationList, Stateful {
  revokeToken(token: TokenRevocation): Promise<void>
  revokeSubject(subject: SubjectRevocation): Promise<void>
  revokeSession(session: SessionRevocation): Promise<void>
  revokeIssuedBefore(issued: IssuedBeforeRevocation): Promise<void>
}

const ME = 'revocation'
const store: OptionRule = { ...storeRule, says: 'what redisStore() or memoryStore() makes' }

/**
 * Takes credentials back before they end: one token by its `jti` (an API key by its id), everything of a subject or of
 * a session, everything that an issuer, or one client of it, got before a moment.
 *
 * `authenticate({ revocation })` asks with every request, also about a credential that it remembers. Entries end by
 * themselves; what is full rejects the next revocation and forgets none.
 *
 * **Not checked:** that the store keeps what it was given: a Redis that evicts, or starts anew without persistence,
 * forgets. That the credential exists.
 *
 * Throws a `TypeError` for impossible or unknown options, and for `mode: 'report'`.
 */
export function revocation(options: RevocationOptions = {}): Revocation {
  const settings = settingsOf(options)
  const { name, kind, maxTokenLifetimeSeconds } = settings
  const kept = storeOf(settings)
  const known = new NamesOf()

  async function revoke(
    what: RevocationKind,
    given: { readonly issuer: string; readonly at?: number; readonly expiresAt?: number | 'never' },
    value: string,
  ): Promise<void> {
    const { at, endsMs } = momentOf(given, settings)
    await kept.add(digestOf(what, given.issuer, value), at, endsMs)
    publishEvent('info', 'revoked', { list: name, kind: what, issuer: given.issuer })
  }

  return Object.freeze({
    facts: Object.freeze({
      name,
      store: kind,
      outage: options.outage ?? 'deny',
      freshMs: settings.freshMs,
      maxTokenLifetimeSeconds,
    }),
    check: (verified: Verified) => {
      warnOfLongLife(verified, settings)
      if (!kept.isEmpty) return kept.check(known.of(verified), verified)
    },
    revokeToken: async (given: TokenRevocation) => {
      checkCall('revokeToken', given, 'jti')
      await revoke('token', given, given.jti)
    },
    revokeSubject: async (given: SubjectRevocation) => {
      checkCall('revokeSubject', given, 'subject', 'at')
      await revoke('subject', given, given.subject)
    },
    revokeSession: async (given: SessionRevocation) => {
      checkCall('revokeSession', given, 'sessionId')
      await revoke('session', given, given.sessionId)
    },
    revokeIssuedBefore: async (given: IssuedBeforeRevocation) => {
      checkCall('revokeIssuedBefore', given, 'clientId', 'at')
      const { clientId } = given
      await revoke(clientId === undefined ? 'issuer' : 'client', given, clientId ?? '')
    },
    warmUp: () => Promise.resolve(),
    health: () => ({ ...kept.health(), name }),
    close: async () => {
      kept.close()
      await Promise.resolve()
    },
  })
}

interface Settings {
  readonly name: string
  readonly kind: Store['kind']
  readonly store: Store | undefined
  readonly freshMs: number
  readonly snapshotSeconds: number
  readonly maxTokenLifetimeSeconds: number
  readonly clockToleranceSeconds: number
  readonly maxEntries: number
}

function settingsOf(options: RevocationOptions): Settings {
  checkOptions(
    ME,
    options,
    {
      store,
      name: ruleName,
      mode: enforceOnly,
      outage: either(oneOf('deny'), record),
      freshMs: integer(0, 1000, 'milliseconds'),
      maxTokenLifetimeSeconds: integer(60, 31_536_000, 'seconds'),
      clockToleranceSeconds: integer(0, 60, 'seconds'),
      maxEntries: integer(1, 1_000_000),
    },
    { onStoreError: 'outage', ttl: 'maxTokenLifetimeSeconds (seconds)', maxAge: 'freshMs (milliseconds)' },
  )
  const { outage = 'deny' } = options
  if (outage !== 'deny') {
    checkOptions(`${ME}: outage`, outage, { snapshotSeconds: required(integer(1, 3600, 'seconds')) })
  }
  return {
    name: options.name ?? ME,
    kind: options.store?.kind ?? 'memory',
    store: options.store,
    freshMs: options.freshMs ?? 500,
    snapshotSeconds: outage === 'deny' ? 0 : outage.snapshotSeconds,
    maxTokenLifetimeSeconds: options.maxTokenLifetimeSeconds ?? 604_800,
    clockToleranceSeconds: options.clockToleranceSeconds ?? 0,
    maxEntries: options.maxEntries ?? 100_000,
  }
}

function storeOf({ store: shared, name, freshMs, snapshotSeconds, maxEntries }: Settings): RevocationStore {
  if (shared?.kind !== 'redis') return new MemoryRevocations(name, maxEntries)
  return new SharedRevocations({ store: shared, name, freshMs, snapshotMs: snapshotSeconds * 1000 })
}

/** Its revocation would be forgotten before it ends. */
function warnOfLongLife({ principal }: Verified, { name, maxTokenLifetimeSeconds }: Settings): void {
  const { expiresAt, authenticatedBy, issuer } = principal
  if (expiresAt !== undefined && expiresAt <= wallClockMs() / 1000 + maxTokenLifetimeSeconds) return
  warnOnce(
    'revocation_outlived',
    `a credential of "${neutralise(issuer)}" (${authenticatedBy}) outlives maxTokenLifetimeSeconds of revocation "${name}": revoke such ones with expiresAt, or they come back`,
    `${name} ${authenticatedBy}`,
  )
}
