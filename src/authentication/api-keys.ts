import { publishEvent } from '../core/events.js'
import type { Health, Stateful } from '../core/lifecycle.js'
import { SecurityProblem } from '../core/problem.js'
import { chain } from '../core/thenable.js'
import { Digests } from './api-keys/digests.js'
import { isKeyId, readKeyId } from './api-keys/key-text.js'
import { LastUsed } from './api-keys/last-used.js'
import { findRecord } from './api-keys/lookup.js'
import {
  checkRotation,
  makeKey,
  rotateKey,
  sound,
  type ApiKeyRotation,
  type MadeApiKey,
  type NewApiKey,
} from './api-keys/make.js'
import { apiKeysSettings, type ApiKeysOptions } from './api-keys/options.js'
import { isOver, readRecord, type ApiKeyRecord, type ApiKeySecret } from './api-keys/record.js'
import { refusal } from './refusal.js'

export type { PepperSource } from './api-keys/digests.js'
export type { ApiKeyRotation, MadeApiKey, NewApiKey } from './api-keys/make.js'
export type { ApiKeysOptions } from './api-keys/options.js'
export type { ApiKeyRecord, ApiKeySecret } from './api-keys/record.js'
export type { ApiKeyStore } from './api-keys/store.js'

/** A key that was accepted: what is kept of it, and which of its secrets it came with. */
export interface ApiKeyMatch {
  readonly record: ApiKeyRecord
  readonly secret: ApiKeySecret
}

/** The keys of one prefix: made, changed and verified here. What `apiKeyVerifier({ keys })` takes. */
export interface ApiKeys extends Stateful {
  readonly prefix: string
  /** Set-up facts for the posture report. Never a secret. */
  readonly facts: Readonly<Record<string, unknown>>
  create(facts: NewApiKey): Promise<MadeApiKey>
  /** Gives the key one more secret, and lets those so far end after an overlap. At most five are kept, the latest. */
  rotate(id: string, rotation: ApiKeyRotation): Promise<MadeApiKey>
  disable(id: string): Promise<void>
  enable(id: string): Promise<void>
  remove(id: string): Promise<void>
  /** What is kept of a key, or `undefined`. */
  get(id: string): Promise<ApiKeyRecord | undefined>
  /** The id in a key of this prefix whose digits check: what to disable when a key was found where it should not be. */
  idOf(key: string): string | undefined
  /**
   * Accepts a key, or throws (rejects with) a `SecurityProblem`: 401, or 503 where the store does not answer. At once
   * where the store answers at once.
   */
  match(key: string): ApiKeyMatch | Promise<ApiKeyMatch>
}

/**
 * API keys for services: `<prefix>_<id>_<secret><check digits>`, of which only a digest is kept (SHA-256, or with
 * `pepper` HMAC-SHA-256). No slow hash: 190 random bits cannot be guessed, and every request pays for it.
 *
 * A key with wrong check digits costs no look-up. One that is found is compared with all of its secrets in constant
 * time. Changes are told as events: `api_key_created`, `api_key_rotated`, `api_key_disabled`, `api_key_enabled`,
 * `api_key_removed`, and `api_key_used` at most once a minute for each key.
 *
 * Managing rejects with an `Error` where there is no such key or the store cannot be written to, with a `TypeError`
 * for impossible values.
 *
 * **Not checked:** who calls `create` and its kin; that is for the route that does.
 *
 * Throws a `TypeError` for missing, impossible or unknown options. It reads nothing until the first request or `warmUp()`.
 */
export function apiKeys(options: ApiKeysOptions): ApiKeys {
  const { prefix, store, kind, pepper, timeoutMs } = apiKeysSettings(options)
  const digests = new Digests(pepper)
  const used = new LastUsed()

  function match(key: string): ApiKeyMatch | Promise<ApiKeyMatch> {
    const id = readKeyId(prefix, key)
    if (id === undefined) throw refusal('api_key_malformed')
    return chain(findRecord(store, id, timeoutMs), (record) => judge(key, id, record))
  }

  function judge(key: string, id: string, record: ApiKeyRecord | undefined): ApiKeyMatch {
    const secret = digests.match(key, record)
    if (record === undefined) throw refusal('api_key_unknown', { apiKeyId: id })
    if (digests.cannotRead(record)) throw misconfigured(id)
    if (secret === undefined) throw refusal('api_key_unknown', { apiKeyId: id })
    if (record.disabled === true) throw refusal('api_key_disabled', { apiKeyId: id })
    if (isOver(record.expiresAt) || isOver(secret.expiresAt))
      throw refusal('api_key_expired', { apiKeyId: id })
    used.note(prefix, id)
    return { record, secret }
  }

  /** Changes what is kept of a key that is there, and tells of it. */
  async function change(
    id: string,
    event: string,
    next: (current: unknown) => ApiKeyRecord | undefined,
  ): Promise<void> {
    requireKeyId(id)
    await write(id, (current) => {
      if (current === undefined || current === null) throw new Error(`apiKeys: there is no key ${id}`)
      return next(current)
    })
    publishEvent('info', event, { prefix, id })
  }

  async function write(id: string, next: (current: unknown) => ApiKeyRecord | undefined): Promise<void> {
    if (store.update === undefined) throw new Error(READ_ONLY[kind] ?? READ_ONLY.own)
    await store.update(id, next)
  }

  return Object.freeze<ApiKeys>({
    prefix,
    facts: Object.freeze({ prefix, store: kind, keyed: digests.keyed }),
    match,
    async create(facts) {
      const made = makeKey(prefix, facts, digests)
      await write(made.id, (current) => {
        if (current === undefined || current === null) return made.record
        throw new Error('apiKeys: this id is taken; try again')
      })
      publishEvent('info', 'api_key_created', { prefix, id: made.id })
      return made
    },
    async rotate(id, rotation) {
      checkRotation(rotation)
      let made: MadeApiKey | undefined
      await change(id, 'api_key_rotated', (current) => {
        made = rotateKey(prefix, recordOf(id, current), rotation, digests)
        return made.record
      })
      if (made === undefined) throw new Error('apiKeys: update() of the store did not call change')
      return made
    },
    disable: (id) =>
      change(id, 'api_key_disabled', (current) => sound({ ...recordOf(id, current), disabled: true })),
    enable: (id) =>
      change(id, 'api_key_enabled', (current) => sound({ ...recordOf(id, current), disabled: undefined })),
    remove: (id) => change(id, 'api_key_removed', () => undefined),
    async get(id) {
      requireKeyId(id)
      return findRecord(store, id, timeoutMs)
    },
    idOf: (key) => readKeyId(prefix, key),
    warmUp: async () => {
      await store.warmUp?.()
    },
    health: (): Health => store.health?.() ?? { name: 'apiKeys', status: 'ok' },
    close: async () => {
      used.clear()
      await store.close?.()
    },
  })
}

const READ_ONLY: Readonly<Record<string, string>> & { readonly own: string } = {
  own: 'apiKeys: these keys are only read here: their store has no update()',
  file: 'apiKeys: a key file is only read here: set "disabled": true in its record, or use express-bulwark key disable (new, enable, rotate)',
}

/** Only a good record is changed; a malformed one can be removed. */
function recordOf(id: string, current: unknown): ApiKeyRecord {
  const record = readRecord(current)
  if (record?.id === id) return record
  throw new Error(`apiKeys: the record of ${id} is malformed`)
}

/** Says nothing of what was given: it may be a whole key. */
function requireKeyId(id: unknown): void {
  if (!isKeyId(id))
    throw new TypeError(
      'apiKeys: id must be 12 letters and digits: the part of a key between its underscores',
    )
}

function misconfigured(id: string): SecurityProblem {
  return new SecurityProblem('store_unavailable', {
    headers: { 'retry-after': '1' },
    evidence: { store: 'api-keys', apiKeyId: id, problem: 'kept with a pepper, or without one, unlike here' },
  })
}
