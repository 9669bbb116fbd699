import { monotonicMs } from '../../core/clock.js'
import { isSecurityProblem } from '../../core/problem.js'
import type { RateLimitCheck, RateLimitPort, Store } from '../../core/ports.js'
import { chain, isThenable } from '../../core/thenable.js'
import { leaseCounters } from '../rate-limit/counters.js'
import { GuardedCounters, type Counted } from '../rate-limit/outage.js'
import type { Blocks, Culprit } from './blocks.js'
import { MemoryBlocks } from './memory-blocks.js'
import type { Penalty, PenaltyOptions } from './options.js'
import { RedisBlocks } from './redis-blocks.js'

/** A refusal, or a reservation that is settled once the attempt has shown how it ended. */
export type Attempt =
  | { readonly outcome: 'blocked'; readonly retryMs: number }
  | { readonly outcome: 'exhausted'; readonly retryMs: number; readonly names: readonly string[] }
  | { readonly outcome: 'reserved'; succeeded(): void; failed(): void }

// What is blocked goes with what is counted: one for each place where counts are kept.
const memories = new WeakMap<RateLimitPort, MemoryBlocks>()

/** The counts and the blocks of one `penalise`, in its store or, while that is down and `local` says so, here. */
export class Attempts {
  readonly #penalties: readonly Penalty[]
  readonly #lease: ReturnType<typeof leaseCounters>
  readonly #counters: GuardedCounters
  readonly #blocks: Blocks
  readonly #localBlocks: Blocks
  readonly #isLocalAllowed: boolean

  constructor({ penalties, settings }: PenaltyOptions, store: Store | undefined) {
    this.#penalties = penalties
    this.#lease = leaseCounters(penalties, store)
    this.#counters = new GuardedCounters(this.#lease, settings)
    this.#blocks = store?.kind === 'redis' ? new RedisBlocks(store) : memoryOf(this.#lease.port)
    this.#localBlocks = memoryOf(this.#lease.local)
    this.#isLocalAllowed = settings.onOutage === 'local'
  }

  get byShare(): number {
    return this.#counters.tally.byShare
  }

  /** Reserves an attempt under all limits, in one step: all of them or none. */
  begin(checks: readonly RateLimitCheck[]): Attempt | Promise<Attempt> {
    const culprits = this.#culpritsOf(checks)
    return chain(this.#remainingMs(culprits), (retryMs) =>
      retryMs > 0 ? { outcome: 'blocked', retryMs } : this.#take(checks, culprits),
    )
  }

  release(): void {
    this.#lease.release()
  }

  #take(checks: readonly RateLimitCheck[], culprits: readonly Culprit[]): Attempt | Promise<Attempt> {
    // From before it is asked: the charge is younger than that, whenever a store makes it.
    const chargedMs = monotonicMs()
    return chain(this.#counters.take(checks), (counted) =>
      this.#reserved(checks, culprits, counted, chargedMs),
    )
  }

  #reserved(
    checks: readonly RateLimitCheck[],
    culprits: readonly Culprit[],
    { allowed, states, by }: Counted,
    chargedMs: number,
  ): Attempt {
    if (!allowed) {
      const full = checks.filter((_, index) => states[index]?.allowed === false)
      const retryMs = Math.max(...states.map((state) => state.retryMs))
      return { outcome: 'exhausted', retryMs, names: full.map(({ name }) => name) }
    }
    const isHere = by === 'share'
    const counts = isHere ? this.#lease.local : this.#lease.port
    const blocks = isHere ? this.#localBlocks : this.#blocks
    let isSettled = false
    const settle = (how: () => void | Promise<void>) => (): void => {
      if (isSettled) return
      isSettled = true
      forgiven(how)
    }
    return {
      outcome: 'reserved',
      succeeded: settle(() => {
        const held = stillCharged(checks, chargedMs)
        return held.length === 0 ? undefined : counts.refund(held)
      }),
      failed: settle(() => (culprits.length === 0 ? undefined : blocks.noteFailure(culprits))),
    }
  }

  #remainingMs(culprits: readonly Culprit[]): number | Promise<number> {
    if (culprits.length === 0) return 0
    const times = this.#blocks.remainingMs(culprits)
    if (!isThenable(times)) return times
    return times.catch((cause: unknown) => {
      if (!this.#isLocalAllowed || !isSecurityProblem(cause) || cause.reason !== 'store_unavailable')
        throw cause
      return this.#localBlocks.remainingMs(culprits)
    })
  }

  #culpritsOf(checks: readonly RateLimitCheck[]): readonly Culprit[] {
    return checks.flatMap(({ name, key }, index) => {
      const { block, asked } = this.#penalties[index] as Penalty
      if (block === undefined || asked.limit === undefined) return []
      return [{ name, key, limit: asked.limit, windowMs: (asked.windowSeconds ?? 0) * 1000, block }]
    })
  }
}

/** A charge whose window has passed is gone by itself: given back as well, it would pay for a later failure. */
function stillCharged(checks: readonly RateLimitCheck[], chargedMs: number): readonly RateLimitCheck[] {
  const ageMs = monotonicMs() - chargedMs
  return checks.filter(({ rule }) => rule.algorithm !== 'fixed' && ageMs < rule.windowMs)
}

/** The answer is out already. What cannot be given back stays charged, which is the safe side. */
function forgiven(how: () => void | Promise<void>): void {
  try {
    const done = how()
    if (isThenable(done)) done.then(undefined, () => undefined)
  } catch {
    // As above.
  }
}

function memoryOf(port: RateLimitPort): MemoryBlocks {
  const blocks = memories.get(port) ?? new MemoryBlocks()
  memories.set(port, blocks)
  return blocks
}
