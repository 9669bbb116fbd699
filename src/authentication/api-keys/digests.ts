import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import type { OptionRule } from '../../core/options.js'
import { SecurityProblem } from '../../core/problem.js'
import { disarm } from '../../core/thenable.js'
import type { ApiKeyRecord, ApiKeySecret } from './record.js'

/**
 * A secret that the store does not hold, each of 32 characters or more: one, or several of which the first makes new
 * digests and all are tried, or a function that gives them at once, so that they can change while the service runs.
 */
export type PepperSource = string | readonly string[] | (() => string | readonly string[])

const MAX_PEPPERS = 5

const pepper = (value: unknown): boolean =>
  typeof value === 'string' && value.length >= 32 && value.length <= 1000
const peppers = (value: unknown): value is string | readonly string[] =>
  pepper(value) ||
  (Array.isArray(value) && value.length >= 1 && value.length <= MAX_PEPPERS && value.every(pepper))

export const pepperRule: OptionRule = {
  says: `text of 32 to 1000 characters, an array of 1 to ${MAX_PEPPERS} of them, or a function that gives them`,
  // Shown in no message: see `apiKeys`.
  holds: (value) => typeof value === 'function' || peppers(value),
}

/** What stands for the secrets of a key that is not there, so that looking takes as long. Nothing has this digest. */
const NOBODY: readonly ApiKeySecret[] = [{ digest: `sha256:${'A'.repeat(43)}`, createdAt: 0 }]

/** Makes and compares what is kept of keys. */
export class Digests {
  readonly #source: PepperSource | undefined
  readonly #kind: string

  constructor(source: PepperSource | undefined) {
    this.#source = source
    this.#kind = source === undefined ? 'sha256' : 'hmac-sha256'
  }

  get keyed(): boolean {
    return this.#source !== undefined
  }

  /** What is to be kept of a new key. */
  of(key: string): string {
    return `${this.#kind}:${this.#all(key)[0] ?? ''}`
  }

  /** The secret of the record that the key has, if any. All are compared, each in constant time. */
  match(key: string, record: ApiKeyRecord | undefined): ApiKeySecret | undefined {
    const digests = this.#all(key).map((digest) => Buffer.from(`${this.#kind}:${digest}`))
    let matched: ApiKeySecret | undefined
    for (const secret of record?.secrets ?? NOBODY) {
      const kept = Buffer.from(secret.digest)
      for (const digest of digests) {
        if (kept.length === digest.length && timingSafeEqual(kept, digest)) matched = secret
      }
    }
    return record === undefined ? undefined : matched
  }

  /** Whether none of the record's secrets can be compared here: they were made with a pepper, or without one. */
  cannotRead({ secrets }: ApiKeyRecord): boolean {
    return !secrets.some(({ digest }) => digest.startsWith(`${this.#kind}:`))
  }

  #all(key: string): readonly string[] {
    if (this.#source === undefined) return [hash('sha256', key, 'base64url')]
    return this.#peppers(this.#source).map((each) =>
      createHmac('sha256', each).update(key).digest('base64url'),
    )
  }

  #peppers(source: PepperSource): readonly string[] {
    const given = ask(source)
    if (peppers(given)) return typeof given === 'string' ? [given] : given
    disarm(given)
    throw new SecurityProblem('store_unavailable', {
      headers: { 'retry-after': '1' },
      evidence: { store: 'api-keys', problem: 'the pepper that was given is none' },
    })
  }
}

function ask(source: PepperSource): unknown {
  try {
    return typeof source === 'function' ? source() : source
  } catch {
    // What it says may hold the secret.
    return undefined
  }
}
