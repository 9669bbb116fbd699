import { createPublicKey } from 'node:crypto'
import { monotonicMs } from '../../core/clock.js'
import { publishEvent } from '../../core/events.js'
import type { HealthStatus } from '../../core/lifecycle.js'
import { SecurityProblem } from '../../core/problem.js'
import { messageOf } from '../key-set/discovery.js'
import { readKeySet, type UsableKey } from '../key-set/usable-keys.js'
import { refusal } from '../refusal.js'
import type { AssertionKeys } from './assertion-proof.js'
import { fetchPem } from './fetch-pem.js'

type Json = Readonly<Record<string, unknown>>

interface Known {
  readonly key: UsableKey
  readonly loadedMs: number
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

// A load balancer signs with one key at a time and changes it seldom; others of the region may be asked for.
const MAX_KEYS = 16
const MAX_AGE_MS = 3_600_000
const STALE_MS = 86_400_000
// Whoever reaches this service can name any kid: these are all the fetches that they can cause.
const MAX_FETCHES = 5
const WINDOW_MS = 30_000
const FIRST_BACKOFF_MS = 1000
const MAX_BACKOFF_MS = 60_000

/**
 * The public keys of AWS load balancers in one region: one address and one PEM file each, named by a `kid`.
 *
 * Keys are kept for an hour, a day while the server is out. A flood of made-up `kid`s causes five fetches in half a
 * minute, and keeps a key that was never seen before out for as long; keys that are known go on, for no longer than a day.
 */
export class AlbKeys implements AssertionKeys {
  readonly #address: string
  readonly #timeoutMs: number
  readonly #known = new Map<string, Known>()
  readonly #loading = new Map<string, Promise<readonly UsableKey[]>>()
  #windowMs = -Infinity
  #fetches = 0
  #failures = 0
  #retryMs = -Infinity
  #lastProblem = ''

  constructor(address: string, timeoutMs: number) {
    this.#address = address
    this.#timeoutMs = timeoutMs
  }

  /** The key of that `kid`, or none. Rejects with 503 where that cannot be told. */
  select({ kid }: Json): readonly UsableKey[] | Promise<readonly UsableKey[]> {
    // It becomes part of an address.
    if (typeof kid !== 'string' || !UUID.test(kid)) throw refusal('token_malformed')
    const known = this.#known.get(kid)
    if (known === undefined) return this.#load(kid, known)
    // The one that was used least recently goes first: other keys, which anybody can name, must not push out the live one.
    this.#known.delete(kid)
    this.#known.set(kid, known)
    if (monotonicMs() - known.loadedMs <= MAX_AGE_MS) return [known.key]
    return this.#load(kid, known)
  }

  async warmUp(): Promise<void> {
    // Which key it will be is only known from the first assertion.
  }

  status(): HealthStatus {
    return this.#failures > 0 ? 'degraded' : 'ok'
  }

  detail(): string {
    const keys = `${this.#known.size} keys of ${this.#address}`
    return this.#failures === 0 ? keys : `${keys}, ${this.#failures} failed loads: ${this.#lastProblem}`
  }

  async #load(kid: string, known: Known | undefined): Promise<readonly UsableKey[]> {
    let loading = this.#loading.get(kid)
    if (loading === undefined) {
      if (monotonicMs() < this.#retryMs) return this.#staleOr503(known)
      if (!this.#mayFetch()) return known === undefined ? [] : this.#staleOr503(known)
      loading = this.#fetch(kid, known).finally(() => {
        this.#loading.delete(kid)
      })
      this.#loading.set(kid, loading)
    }
    return loading
  }

  async #fetch(kid: string, known: Known | undefined): Promise<readonly UsableKey[]> {
    try {
      const pem = await fetchPem(`${this.#address}/${kid}`, AbortSignal.timeout(this.#timeoutMs))
      const keys = pem === undefined ? [] : await usableKeys(pem, kid)
      this.#failures = 0
      this.#retryMs = -Infinity
      this.#keep(kid, keys[0])
      return keys
    } catch (cause) {
      this.#noteFailure(cause)
      return this.#staleOr503(known, cause)
    }
  }

  #keep(kid: string, key: UsableKey | undefined): void {
    this.#known.delete(kid)
    if (key === undefined) return
    this.#known.set(kid, { key, loadedMs: monotonicMs() })
    const [leastUsed] = this.#known.keys()
    if (this.#known.size > MAX_KEYS && leastUsed !== undefined) this.#known.delete(leastUsed)
  }

  #mayFetch(): boolean {
    const now = monotonicMs()
    if (now - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = now
      this.#fetches = 0
    }
    this.#fetches += 1
    return this.#fetches <= MAX_FETCHES
  }

  #noteFailure(cause: unknown): void {
    this.#failures += 1
    this.#lastProblem = messageOf(cause)
    const backoff = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (this.#failures - 1))
    this.#retryMs = monotonicMs() + backoff
    publishEvent('error', 'key_set_unavailable', {
      address: this.#address,
      failures: this.#failures,
      problem: this.#lastProblem,
    })
  }

  #staleOr503(known: Known | undefined, cause?: unknown): readonly UsableKey[] {
    if (known !== undefined && monotonicMs() - known.loadedMs <= MAX_AGE_MS + STALE_MS) return [known.key]
    const seconds = Math.max(1, Math.ceil((this.#retryMs - monotonicMs()) / 1000))
    throw new SecurityProblem('key_set_unavailable', {
      headers: { 'retry-after': String(seconds) },
      evidence: { address: this.#address, problem: this.#lastProblem },
      cause,
    })
  }
}

/** Vetted as the keys of any issuer are. Throws for what is no public key on P-256. */
async function usableKeys(pem: string, kid: string): Promise<readonly UsableKey[]> {
  const jwk = createPublicKey({ key: pem, format: 'pem' }).export({ format: 'jwk' })
  if (jwk.crv !== 'P-256') throw new Error('the key server answered another kind of key')
  const { keys } = await readKeySet({ keys: [{ ...jwk, kid, alg: 'ES256', use: 'sig' }] })
  return keys
}
