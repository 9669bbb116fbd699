import { monotonicMs } from '../../core/clock.js'
import { publishEvent } from '../../core/events.js'
import type { HealthStatus } from '../../core/lifecycle.js'
import { processValue } from '../../core/process-registry.js'
import { SecurityProblem } from '../../core/problem.js'
import { discoverJwksUri, messageOf } from './discovery.js'
import { fetchJson } from './fetch-json.js'
import type { KeySet } from './key-set.js'
import { readKeySet, selectKeys, type KeyRing, type UsableKey } from './usable-keys.js'

type Header = Readonly<Record<string, unknown>>

/** Where the keys are: an address, or an issuer whose metadata names it. */
export type KeySetAddress = { readonly jwksUri: string } | { readonly issuer: string }

export interface KeySetPolicy {
  /** Longest wait for one load, metadata and keys together, in milliseconds. */
  readonly timeoutMs: number
  /** After a successful load, how long an unknown `kid` is believed to be unknown. */
  readonly cooldownMs: number
  /** Age from which a set is refreshed in the background. */
  readonly maxAgeMs: number
  /** How long beyond that age the last good set still serves while the key server is out. */
  readonly staleMs: number
}

const FIRST_BACKOFF_MS = 1000
const MAX_BACKOFF_MS = 60_000

/**
 * The key set of an authorization server, loaded when first needed.
 *
 * One load at a time, whoever asks. After a success, unknown `kid`s cause no load for the cool-down, but for one extra
 * load, so that one forged `kid` just before a rotation does not lock out the real one; a steady flood of them may, for
 * as long as a cool-down. After a failure, nothing is asked
 * for an exponentially growing time. A failed load never throws away a good set; a successful one replaces it whole, so
 * that a removed key is gone.
 */
export class RemoteKeySet implements KeySet {
  readonly #address: KeySetAddress
  readonly #policy: KeySetPolicy
  #jwksUri: string | undefined
  #ring: KeyRing | undefined
  #loadedMs = -Infinity
  #loading: Promise<KeyRing> | undefined
  #failures = 0
  #retryMs = -Infinity
  #extraLoadMs = -Infinity
  #lastProblem = ''

  constructor(address: KeySetAddress, policy: KeySetPolicy) {
    this.#address = address
    this.#policy = policy
    this.#jwksUri = 'jwksUri' in address ? address.jwksUri : undefined
  }

  /** At once where the keys are here, as they nearly always are. */
  select(header: Header): readonly UsableKey[] | Promise<readonly UsableKey[]> {
    const ring = this.#usableRing()
    const keys = ring === undefined ? [] : selectKeys(ring, header)
    return keys.length > 0 ? keys : this.#selectAfterLoad(ring, header)
  }

  async #selectAfterLoad(ring: KeyRing | undefined, header: Header): Promise<readonly UsableKey[]> {
    const keys = ring === undefined ? selectKeys(await this.#load(), header) : []
    return keys.length > 0 ? keys : this.#selectAfterReload(header)
  }

  stillTrusts(thumbprint: string): boolean {
    return this.#usableRing()?.thumbprints.has(thumbprint) ?? false
  }

  async warmUp(): Promise<void> {
    if (this.#usableRing() === undefined) await this.#load()
  }

  /**
   * `down` only while requests are refused untried: what keeps requests away while it says `down`, as a readiness probe
   * does, must not be what keeps it down.
   */
  status(): HealthStatus {
    const now = monotonicMs()
    if (now - this.#loadedMs > this.#policy.maxAgeMs + this.#policy.staleMs) {
      return now < this.#retryMs ? 'down' : 'degraded'
    }
    return this.#failures > 0 ? 'degraded' : 'ok'
  }

  detail(): string {
    const age =
      this.#ring === undefined
        ? 'never loaded'
        : `${Math.round((monotonicMs() - this.#loadedMs) / 1000)} s old`
    return this.#failures === 0 ? age : `${age}, ${this.#failures} failed loads: ${this.#lastProblem}`
  }

  /** The last good set while it may still be used; starts the refresh that its age calls for. */
  #usableRing(): KeyRing | undefined {
    const age = monotonicMs() - this.#loadedMs
    if (age > this.#policy.maxAgeMs + this.#policy.staleMs) return undefined
    if (age > this.#policy.maxAgeMs) this.#load().catch(() => undefined)
    return this.#ring
  }

  async #selectAfterReload(header: Header): Promise<readonly UsableKey[]> {
    if (this.#loading !== undefined) {
      const keys = selectKeys(await this.#loading, header)
      if (keys.length > 0) return keys
    }
    if (this.#failures === 0 && !this.#mayReload()) return []
    return selectKeys(await this.#load(), header)
  }

  #mayReload(): boolean {
    const now = monotonicMs()
    if (now - this.#loadedMs >= this.#policy.cooldownMs) return true
    if (now - this.#extraLoadMs < this.#policy.cooldownMs) return false
    this.#extraLoadMs = now
    return true
  }

  /** Joins the load under way, or starts one. Rejects with 503 where it fails or is not tried yet again. */
  async #load(): Promise<KeyRing> {
    if (this.#loading === undefined) {
      if (monotonicMs() < this.#retryMs) throw this.#unavailable()
      this.#loading = this.#fetch().finally(() => {
        this.#loading = undefined
      })
    }
    return this.#loading
  }

  async #fetch(): Promise<KeyRing> {
    try {
      const ring = await this.#read(AbortSignal.timeout(this.#policy.timeoutMs))
      this.#ring = ring
      this.#loadedMs = monotonicMs()
      if (this.#failures > 0) publishEvent('info', 'key_set_back', { address: this.#shownAddress() })
      this.#failures = 0
      this.#retryMs = -Infinity
      return ring
    } catch (cause) {
      this.#noteFailure(cause)
      throw this.#unavailable(cause)
    }
  }

  async #read(signal: AbortSignal): Promise<KeyRing> {
    this.#jwksUri ??= await discoverJwksUri((this.#address as { issuer: string }).issuer, signal)
    const ring = await readKeySet(await fetchJson(this.#jwksUri, signal))
    if (ring.keys.length === 0) throw new Error('the key set has no usable key')
    return ring
  }

  #noteFailure(cause: unknown): void {
    this.#failures += 1
    this.#lastProblem = messageOf(cause)
    const backoff = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (this.#failures - 1))
    this.#retryMs = monotonicMs() + backoff * (0.75 + Math.random() / 4)
    // The address may have moved: the next load asks the metadata again.
    if ('issuer' in this.#address) this.#jwksUri = undefined
    publishEvent('error', 'key_set_unavailable', {
      address: this.#shownAddress(),
      failures: this.#failures,
      problem: this.#lastProblem,
    })
  }

  #unavailable(cause?: unknown): SecurityProblem {
    const seconds = Math.max(1, Math.ceil((this.#retryMs - monotonicMs()) / 1000))
    return new SecurityProblem('key_set_unavailable', {
      headers: { 'retry-after': String(seconds) },
      evidence: { address: this.#shownAddress(), problem: this.#lastProblem },
      cause,
    })
  }

  #shownAddress(): string {
    return 'jwksUri' in this.#address ? this.#address.jwksUri : this.#address.issuer
  }
}

/**
 * The one key set of this process for an issuer, an address and a policy: any number of middlewares, one fetch. Two
 * issuers never share one, also where they say the same address.
 */
export function sharedKeySet(issuer: string, address: KeySetAddress, policy: KeySetPolicy): RemoteKeySet {
  const name = JSON.stringify([issuer, address, policy])
  return processValue('key-sets', name, () => new RemoteKeySet(address, policy))
}
