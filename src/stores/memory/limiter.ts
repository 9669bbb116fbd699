import { monotonicMs, wallClockMs } from '../../core/clock.js'
import {
  hasRoom,
  type RateLimitAnswer,
  type RateLimitCheck,
  type RateLimitPort,
  type RateLimitState,
} from '../../core/ports.js'
import { charge, stateOf, type Count, type Moment } from './algorithms.js'
import { CountTable } from './count-table.js'

/** Most keys of one policy that are counted one by one. */
const MAX_KEYS = 100_000

/** Counts in the memory of this process, at once, without a timer. */
export class MemoryLimiter implements RateLimitPort {
  readonly #maxKeys: number
  readonly #tables = new Map<string, CountTable>()

  constructor(maxKeys = MAX_KEYS) {
    this.#maxKeys = maxKeys
  }

  /** How many keys are counted, in all. */
  get size(): number {
    let size = 0
    for (const table of this.#tables.values()) size += table.size
    return size
  }

  take(checks: readonly RateLimitCheck[]): RateLimitAnswer {
    const now = momentNow()
    const counts = this.#countsOf(checks, now)
    const states = statesOf(checks, counts, now)
    if (!hasRoom(checks, states)) return { allowed: false, states }
    return {
      allowed: true,
      states: checks.map((check, index) =>
        this.#charge(check, counts[index] as Count, states[index] as RateLimitState, now),
      ),
    }
  }

  peek(checks: readonly RateLimitCheck[]): RateLimitAnswer {
    const now = momentNow()
    const states = statesOf(checks, this.#countsOf(checks, now), now)
    return { allowed: hasRoom(checks, states), states }
  }

  refund(checks: readonly RateLimitCheck[]): void {
    const now = momentNow()
    for (const { name, rule, key, cost } of checks)
      charge(rule, this.#tableOf(name, now).find(key, rule, now), -cost, now)
  }

  reset(checks: readonly RateLimitCheck[]): void {
    const now = momentNow()
    for (const { name, key } of checks) this.#tableOf(name, now).forget(key)
  }

  /** Forgets a policy. */
  drop(name: string): void {
    this.#tables.delete(name)
  }

  clear(): void {
    this.#tables.clear()
  }

  #countsOf(checks: readonly RateLimitCheck[], now: Moment): readonly Count[] {
    return checks.map(({ name, rule, key }) => this.#tableOf(name, now).find(key, rule, now))
  }

  #charge(check: RateLimitCheck, count: Count, before: RateLimitState, now: Moment): RateLimitState {
    const { allowed, remaining, resetMs, retryMs } = before
    // A trial without room.
    if (!allowed) return before
    const { name, rule, key, cost } = check
    charge(rule, count, cost, now)
    this.#tableOf(name, now).keep(key, count)
    return { allowed, remaining: remaining - cost, resetMs, retryMs }
  }

  #tableOf(name: string, now: Moment): CountTable {
    let table = this.#tables.get(name)
    if (table === undefined) {
      table = new CountTable(name, this.#maxKeys, now)
      this.#tables.set(name, table)
    }
    return table
  }
}

function statesOf(
  checks: readonly RateLimitCheck[],
  counts: readonly Count[],
  now: Moment,
): readonly RateLimitState[] {
  return checks.map(({ rule, cost }, index) => stateOf(rule, counts[index] as Count, cost, now))
}

function momentNow(): Moment {
  return { monotonic: monotonicMs(), wall: wallClockMs() }
}
