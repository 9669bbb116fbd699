import { monotonicMs } from '../../core/clock.js'
import { publishEvent } from '../../core/events.js'
import type { RateLimitCheck, RateLimitPort, RateLimitState } from '../../core/ports.js'

export interface MemoryCounterPolicy {
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number
  /** Most keys that are counted one by one. @default 100000 */
  readonly maxKeys?: number
}

interface Window {
  count: number
  readonly endsMs: number
}

// What keys share that came when the map was full of live counters. No caller's key is empty.
const OVERFLOW = ''

/**
 * Counts in the memory of this process: fixed windows from a key's first request, synchronous, no timer.
 *
 * All windows have one length, so the map's insertion order is their order of ending and finished ones are dropped
 * from its front. When it is full of live counters none is forgotten, for that would hand an attacker a fresh
 * allowance for the price of junk keys: further keys share one counter until there is room.
 */
export class MemoryCounter implements RateLimitPort {
  readonly #policy: Required<MemoryCounterPolicy>
  readonly #windows = new Map<string, Window>()
  #overflowing = false

  constructor(policy: MemoryCounterPolicy) {
    this.#policy = { maxKeys: 100_000, ...policy }
  }

  get size(): number {
    return this.#windows.size
  }

  take({ key, cost }: RateLimitCheck): RateLimitState {
    const now = monotonicMs()
    const window = this.#windowOf(key, now)
    const allowed = window.count + cost <= this.#policy.limit
    if (allowed) window.count += cost
    return this.#state(window, allowed, now)
  }

  /** What `take` would find, without charging or opening a window. */
  peek(key: string): RateLimitState {
    const now = monotonicMs()
    this.#dropFinished(now)
    const shared = this.#windows.size >= this.#policy.maxKeys ? this.#live(OVERFLOW, now) : undefined
    const fresh = { count: 0, endsMs: now + this.#policy.windowSeconds * 1000 }
    const window = this.#live(key, now) ?? shared ?? fresh
    return this.#state(window, window.count < this.#policy.limit, now)
  }

  clear(): void {
    this.#windows.clear()
  }

  #state(window: Window, allowed: boolean, now: number): RateLimitState {
    return {
      allowed,
      remaining: Math.max(0, this.#policy.limit - window.count),
      // The clock has fractions, and a sum of them a last digit too much: 60 seconds must not read 61.
      resetMs: Math.max(0, Math.round(window.endsMs - now)),
    }
  }

  #windowOf(key: string, now: number): Window {
    const live = this.#live(key, now)
    if (live !== undefined) return live
    this.#dropFinished(now)
    if (key !== OVERFLOW && this.#windows.size >= this.#policy.maxKeys) return this.#overflow(now)
    const window = { count: 0, endsMs: now + this.#policy.windowSeconds * 1000 }
    this.#windows.delete(key)
    this.#windows.set(key, window)
    return window
  }

  #live(key: string, now: number): Window | undefined {
    const window = this.#windows.get(key)
    return window !== undefined && window.endsMs > now ? window : undefined
  }

  #dropFinished(now: number): void {
    for (const [key, window] of this.#windows) {
      if (window.endsMs > now) break
      this.#windows.delete(key)
    }
    if (this.#windows.size < this.#policy.maxKeys) this.#overflowing = false
  }

  #overflow(now: number): Window {
    if (!this.#overflowing) {
      this.#overflowing = true
      publishEvent('error', 'limiter_overflow', { rule: this.#policy.name, keys: this.#windows.size })
    }
    return this.#windowOf(OVERFLOW, now)
  }
}
