import { monotonicMs, wallClockMs } from '../../core/clock.js'
import {
  hasRoom,
  type RateLimitAnswer,
  type RateLimitCheck,
  type RateLimitPort,
  type RateLimitState,
} from '../../core/ports.js'
import { charge, stateOf, type Moment } from './algorithms.js'
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
    const answer = this.#ask(checks, now)
    if (!answer.allowed) return answer
    const states = checks.map((check, index) =>
      this.#charge(check, answer.states[index] as RateLimitState, now),
    )
    return { allowed: true, states }
  }

  peek(checks: readonly RateLimitCheck[]): RateLimitAnswer {
    return this.#ask(checks, momentNow())
  }

  refund(checks: readonly RateLimitCheck[]): void {
    const now = momentNow()
    for (const { name, rule, key, cost } of checks)
      charge(rule, this.#tableOf(name, now).find(key, rule, now.monotonic), -cost, now)
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

  #ask(checks: readonly RateLimitCheck[], now: Moment): RateLimitAnswer {
    const states = checks.map(({ name, rule, key, cost }) =>
      stateOf(rule, this.#tableOf(name, now).find(key, rule, now.monotonic), cost, now),
    )
    return { allowed: hasRoom(checks, states), states }
  }

  #charge({ name, rule, key, cost }: RateLimitCheck, before: RateLimitState, now: Moment): RateLimitState {
    // A trial without room.
    if (!before.allowed) return before
    const table = this.#tableOf(name, now)
    const count = table.find(key, rule, now.monotonic)
    charge(rule, count, cost, now)
    table.keep(key, count)
    return { ...before, remaining: before.remaining - cost }
  }

  #tableOf(name: string, { monotonic }: Moment): CountTable {
    let table = this.#tables.get(name)
    if (table === undefined) {
      table = new CountTable(name, this.#maxKeys, monotonic)
      this.#tables.set(name, table)
    }
    return table
  }
}

function momentNow(): Moment {
  return { monotonic: monotonicMs(), wall: wallClockMs() }
}
