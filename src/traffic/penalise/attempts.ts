import { monotonicMs } from '../../core/clock.js'
import type { Health } from '../../core/lifecycle.js'
import { isSecurityProblem } from '../../core/problem.js'
import type { RateLimitCheck, RateLimitPort, Store } from '../../core/ports.js'
import { processValue } from '../../core/process-registry.js'
import { chain, isThenable } from '../../core/thenable.js'
import { leaseCounters } from '../counting/counters.js'
import { GuardedCounters, shareOf, type Counted } from '../counting/outage.js'
import type { Blocks, Culprit } from './blocks.js'
import { MemoryBlocks } from './memory-blocks.js'
import type { Penalty, PenaltyOptions } from './options.js'
import { RedisBlocks } from './redis-blocks.js'

/** A refusal, or a reservation: it stays charged unless it succeeded, and counts for nobody's block unless it failed. */
export type Attempt = Refused | { readonly outcome: 'reserved'; succeeded(): void; failed(): void }

export interface Refused {
  readonly outcome: 'blocked' | 'exhausted'
  readonly retryMs: number
  /** Policies, by the names that they were given. */
  readonly names: readonly string[]
  /** Beginnings of the digests of what functions answered: the same of one account, wherever it is tried from. */
  readonly keys: readonly string[]
}

/** The counts and the blocks of one `penalise`, in its store or, while that is down and `local` says so, here. */
export class Attempts {
  readonly #penalties: readonly Penalty[]
  readonly #lease: ReturnType<typeof leaseCounters>
  readonly #counters: GuardedCounters
  readonly #blocks: Blocks
  readonly #localBlocks: MemoryBlocks
  readonly #isLocalAllowed: boolean
  readonly #instances: number
  readonly #store: Store | undefined
  readonly #releases: readonly ((() => void) | undefined)[]

  constructor({ penalties, settings }: PenaltyOptions, store: Store | undefined) {
    this.#penalties = penalties
    this.#store = store
    this.#instances = settings.instances
    this.#lease = leaseCounters('penalise', penalties, store)
    this.#counters = new GuardedCounters(this.#lease, settings)
    this.#blocks = store?.kind === 'redis' ? new RedisBlocks(store) : memoryOf(this.#lease.port)
    this.#localBlocks = memoryOf(this.#lease.local)
    this.#isLocalAllowed = settings.onOutage === 'local'
    const names = penalties.map(({ name }) => name)
    this.#releases = [this.#blocks, this.#localBlocks].map((blocks) => blocks.hold?.(names))
  }

  healthBy(name: string): Health {
    return this.#counters.healthBy(this.#store, name)
  }

  /** Reserves an attempt under all limits, in one step: all of them or none. */
  begin(checks: readonly RateLimitCheck[]): Attempt | Promise<Attempt> {
    const culprits = this.#culpritsOf(checks)
    return chain(
      this.#remainingMs(culprits),
      (times) => blockedBy(culprits, times) ?? this.#take(checks, culprits),
    )
  }

  release(): void {
    this.#lease.release()
    for (const release of this.#releases) release?.()
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
      const full = checks
        .map(({ key }, index) => ({ key, penalty: this.#penalties[index] as Penalty }))
        .filter((_, index) => states[index]?.allowed === false)
      return {
        outcome: 'exhausted',
        retryMs: Math.max(...states.map((state) => state.retryMs)),
        ...told(full),
      }
    }
    if (by === 'store')
      return reservation({ counts: this.#lease.port, blocks: this.#blocks }, checks, culprits, chargedMs)
    // The store may have said who is blocked there, and have gone since.
    const blocked = blockedBy(culprits, this.#localBlocks.remainingMs(culprits))
    if (blocked !== undefined) {
      this.#lease.local.refund(checks)
      return blocked
    }
    const here = { counts: this.#lease.local, blocks: this.#localBlocks }
    return reservation(here, checks, this.#sharesOf(culprits), chargedMs)
  }

  #remainingMs(culprits: readonly Culprit[]): readonly number[] | Promise<readonly number[]> {
    if (culprits.length === 0) return []
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
      const penalty = this.#penalties[index] as Penalty
      const { block, asked } = penalty
      if (block === undefined || asked.limit === undefined) return []
      return [{ name, key, penalty, limit: asked.limit, windowMs: (asked.windowSeconds ?? 0) * 1000, block }]
    })
  }

  /** What is counted here is refused at the share: who fails as often has failed as often as here is possible. */
  #sharesOf(culprits: readonly Culprit[]): readonly Culprit[] {
    return culprits.map((culprit) => ({
      ...culprit,
      limit: shareOf(culprit.limit, this.#instances),
    }))
  }
}

function blockedBy(culprits: readonly Culprit[], times: readonly number[]): Refused | undefined {
  const blocked = culprits.filter((_, index) => (times[index] ?? 0) > 0)
  if (blocked.length === 0) return undefined
  return { outcome: 'blocked', retryMs: Math.max(...times), ...told(blocked) }
}

const SHOWN_OF_A_DIGEST = 16

/** For the record: which policies, and whom an attack is about where an address does not say it. */
function told(
  refusing: readonly { readonly key: string; readonly penalty: Penalty }[],
): Pick<Refused, 'names' | 'keys'> {
  return {
    names: refusing.map(({ penalty }) => penalty.asked.name),
    keys: refusing
      .filter(({ penalty }) => penalty.isByFunction)
      .map(({ key }) => key.slice(0, SHOWN_OF_A_DIGEST)),
  }
}

/** Where an attempt was counted, and where it leads to a block. */
interface Place {
  readonly counts: RateLimitPort
  readonly blocks: Blocks
}

function reservation(
  { counts, blocks }: Place,
  checks: readonly RateLimitCheck[],
  culprits: readonly Culprit[],
  chargedMs: number,
): Attempt {
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

/** What is blocked goes with what is counted: one for each place where counts are kept, for every copy of this library. */
function memoryOf(port: RateLimitPort): MemoryBlocks {
  const memories = processValue('penalties', 'memories', () => new WeakMap<RateLimitPort, MemoryBlocks>())
  const blocks = memories.get(port) ?? new MemoryBlocks()
  memories.set(port, blocks)
  return blocks
}
