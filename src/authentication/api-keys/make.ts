import { checkOptions, integer, required } from '../../core/options.js'
import type { Digests } from './digests.js'
import { newKeyId, newKeyText } from './key-text.js'
import {
  FACT_RULES,
  MAX_SECRETS,
  isOver,
  nowSeconds,
  readRecord,
  type ApiKeyRecord,
  type ApiKeySecret,
} from './record.js'

/** What a key is made of. */
export interface NewApiKey {
  /** What its holder may do. An empty array is nothing that a scope is needed for. */
  readonly scopes: readonly string[]
  readonly tenant?: string | undefined
  readonly rateTier?: string | undefined
  /** For people: what it is for. */
  readonly name?: string | undefined
  readonly clientId?: string | undefined
  /** Whose it is: `principal.subject`. @default `clientId`, or the id */
  readonly subject?: string | undefined
  /** **Seconds** since the epoch. @default it never ends */
  readonly expiresAt?: number | undefined
}

export interface ApiKeyRotation {
  /** How long the secrets so far go on working, in **seconds**, 0 to 90 days. 0 for a key that leaked. */
  readonly overlapSeconds: number
  /** When the key ends from now on, in **seconds** since the epoch. @default as it was */
  readonly expiresAt?: number | undefined
}

export interface MadeApiKey {
  /** The key itself. It is nowhere else: show it once, and forget it. */
  readonly key: string
  readonly id: string
  readonly record: ApiKeyRecord
}

/** Makes a key that is kept nowhere yet. Throws a `TypeError` for impossible facts. */
export function makeKey(prefix: string, facts: NewApiKey, digests: Digests): MadeApiKey {
  checkOptions('apiKeys: create', facts, { ...FACT_RULES, scopes: required(FACT_RULES.scopes) })
  refuseThePast('create', facts.expiresAt)
  const id = newKeyId()
  const key = newKeyText(prefix, id)
  const createdAt = nowSeconds()
  const secrets = [{ digest: digests.of(key), createdAt }]
  return { key, id, record: sound({ id, ...facts, createdAt, secrets }) }
}

/** The same key with another secret; those so far end after the overlap. */
export function rotateKey(
  prefix: string,
  record: ApiKeyRecord,
  rotation: ApiKeyRotation,
  digests: Digests,
): MadeApiKey {
  const { id, secrets } = record
  const key = newKeyText(prefix, id)
  const createdAt = nowSeconds()
  const ending = secrets.map((secret) => endingBy(secret, createdAt + rotation.overlapSeconds))
  const next = {
    ...record,
    ...(rotation.expiresAt === undefined ? {} : { expiresAt: rotation.expiresAt }),
    secrets: [...ending.slice(1 - MAX_SECRETS), { digest: digests.of(key), createdAt }],
  }
  return { key, id, record: sound(next) }
}

export function checkRotation(rotation: ApiKeyRotation): void {
  checkOptions('apiKeys: rotate', rotation, {
    overlapSeconds: required(integer(0, 7_776_000, 'seconds')),
    expiresAt: FACT_RULES.expiresAt,
  })
  refuseThePast('rotate', rotation.expiresAt)
}

/** A record with other members, which stays one. */
export function sound(record: ApiKeyRecord | object): ApiKeyRecord {
  const checked = readRecord(record)
  if (checked === undefined) throw new Error('apiKeys: a malformed record was made')
  return checked
}

function endingBy(secret: ApiKeySecret, latest: number): ApiKeySecret {
  return { ...secret, expiresAt: Math.min(secret.expiresAt ?? latest, latest) }
}

function refuseThePast(operation: string, expiresAt: number | undefined): void {
  if (isOver(expiresAt))
    throw new TypeError(
      `apiKeys: ${operation}: expiresAt must be in the future, in seconds, got ${String(expiresAt)}`,
    )
}
