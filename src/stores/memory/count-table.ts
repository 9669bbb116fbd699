import { publishEvent } from '../../core/events.js'
import type { LimitRule, Period } from '../../core/ports.js'
import { emptyCount, lifetimeMs, periodAt, type Count, type Moment, type WindowRule } from './algorithms.js'

// What keys share that came when the table was full of live counts. No caller's key is empty.
const OVERFLOW = ''

/**
 * The counts of one policy, by key, without a timer.
 *
 * Two generations: what is used moves to the young one; when as much time has passed as a count can mean anything, all
 * that is left in the old one means nothing any more and goes, in one step; counts of a calendar period go with their
 * period. When the table is full no live count is
 * forgotten, for that would hand an attacker a fresh allowance for the price of junk keys: further keys share one count
 * until there is room.
 */
export class CountTable {
  readonly #name: string
  readonly #maxKeys: number
  #lifetimeMs = 0
  #turnedMs: number
  #young = new Map<string, Count>()
  #old = new Map<string, Count>()
  #overflowing = false
  #period = -Infinity

  constructor(name: string, maxKeys: number, { monotonic }: Moment) {
    this.#name = name
    this.#maxKeys = maxKeys
    this.#turnedMs = monotonic
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** The count of a key, or a count of nothing that is not kept. */
  find(key: string, rule: LimitRule, now: Moment): Count {
    if (rule.algorithm === 'fixed') this.#endPeriod(rule.period, now)
    else this.#turn(rule, now.monotonic)
    const known = this.#known(key)
    if (known !== undefined) return known
    if (this.size < this.#maxKeys) return emptyCount(rule)
    return this.#known(OVERFLOW) ?? emptyCount(rule)
  }

  /** Keeps a count that `find` answered, because something was charged to it. */
  keep(key: string, count: Count): void {
    if (this.#young.get(key) === count || this.#young.get(OVERFLOW) === count) return
    if (this.#old.delete(key) || this.size < this.#maxKeys) {
      this.#young.set(key, count)
      return
    }
    this.#overflow(count)
  }

  forget(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }

  #known(key: string): Count | undefined {
    return this.#young.get(key) ?? this.#old.get(key)
  }

  #overflow(count: Count): void {
    this.#old.delete(OVERFLOW)
    this.#young.set(OVERFLOW, count)
    if (this.#overflowing) return
    this.#overflowing = true
    publishEvent('error', 'limiter_overflow', { rule: this.#name, keys: this.size })
  }

  /** A clock that went back a little ends none: what was counted in the later period still is. */
  #endPeriod(period: Period, { wall }: Moment): void {
    const { start, end } = periodAt(period, wall)
    if (this.#period === start || this.#period === end) return
    this.#period = start
    this.clear()
    this.#overflowing = false
  }

  #turn(rule: WindowRule, nowMs: number): void {
    // Plans may differ in how long a count lives: the longest holds for all.
    this.#lifetimeMs = Math.max(this.#lifetimeMs, lifetimeMs(rule))
    const passedMs = nowMs - this.#turnedMs
    if (passedMs < this.#lifetimeMs) return
    this.#old = passedMs < 2 * this.#lifetimeMs ? this.#young : new Map<string, Count>()
    this.#young = new Map()
    this.#turnedMs = nowMs
    if (this.size < this.#maxKeys) this.#overflowing = false
  }
}
