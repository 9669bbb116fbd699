import { createHash } from 'node:crypto'
import { wallClockMs } from '../../core/clock.js'
import {
  hasRoom,
  type LimitRule,
  type RateLimitAnswer,
  type RateLimitCheck,
  type RateLimitPort,
  type RateLimitState,
} from '../../core/ports.js'
import { periodAt } from '../../stores/memory/algorithms.js'
import type { StoreGuard } from '../../stores/store-guard.js'
import type { AskedPolicy } from '../counting/adapted.js'
import {
  isFor,
  limiterFor,
  type FlexibleLimiter,
  type FlexiblePolicy,
  type FlexibleResult,
} from './limiters.js'
import { Returning } from './returning.js'

/** One limit of a request, and where it is counted. */
interface Place {
  readonly check: RateLimitCheck
  readonly limiter: FlexibleLimiter
  readonly key: string
  /** Length of the window that begins now, where none has begun, in **milliseconds**. */
  readonly windowMs: number
  readonly options: { readonly customDuration: number }
}

/** What was charged, and what the limiter said then. */
type Charge = readonly [Place, FlexibleResult]

/**
 * Counts with limiters of rate-limiter-flexible, one after the other. They charge a caller that they refuse too: that is
 * given back, and so is what others charged before. What costs more than one point is asked about first. But points that
 * come back when their window has ended are points of the next one, which a caller could collect: near the end of a window
 * nothing is given back.
 *
 * A decision is one operation under the store's guard, and waits for nothing that it does not need.
 */
export class FlexiblePort implements RateLimitPort {
  readonly #given: FlexibleLimiter | ((policy: FlexiblePolicy) => FlexibleLimiter)
  readonly #guard: StoreGuard
  readonly #tooLateMs: number
  readonly #returning: Returning
  readonly #limiters = new Map<string, FlexibleLimiter>()

  constructor(
    given: FlexibleLimiter | ((policy: FlexiblePolicy) => FlexibleLimiter),
    guard: StoreGuard,
    timeoutMs: number,
  ) {
    this.#given = given
    this.#guard = guard
    this.#tooLateMs = timeoutMs + 1000
    // What waits for them has to get its own answer in that time too.
    this.#returning = new Returning(timeoutMs / 10)
  }

  /** Throws a `TypeError` for a policy that these limiters cannot keep. */
  accept(policy: AskedPolicy): void {
    const held = this.#limiters.get(policy.name)
    // Another would not know what this one has counted.
    if (held !== undefined && isFor(held, policy)) return
    this.#limiters.set(policy.name, limiterFor(this.#given, policy))
  }

  async take(checks: readonly RateLimitCheck[]): Promise<RateLimitAnswer> {
    if (checks.length === 0) return { allowed: true, states: [] }
    const places = checks.map((check) => this.#placeOf(check))
    // What can never fit charges nobody.
    if (places.some(({ check }) => neverFits(check) && check.isTrial !== true)) return this.#ask(places)
    const charged: Charge[] = []
    try {
      const answer = await this.#takeEach(places, charged)
      this.#giveBack(charged.filter(([place, result]) => !answer.allowed || isOver(place, result)))
      return answer
    } catch (cause) {
      this.#giveBack(charged)
      throw cause
    }
  }

  /**
   * One after the other, until one refuses; then, for the fields of the refusal, it looks at those that nobody asked. That
   * is in the same time, and the refusal stands where it is not enough.
   */
  async #takeEach(places: readonly Place[], charged: Charge[]): Promise<RateLimitAnswer> {
    const taken: RateLimitState[] = []
    const isRefused = (): boolean => !hasRoom(checksOf(places), taken)
    let others: readonly RateLimitState[] | undefined
    let hasEnded = false
    const isOverdue = (): boolean => hasEnded
    try {
      await this.#run(places, async () => {
        while (!isOverdue() && !isRefused() && taken.length < places.length) {
          const [state, charge] = await takeOne(places[taken.length] as Place, isOverdue)
          taken.push(state)
          if (charge === undefined) continue
          // The others were given back when the time was over.
          if (isOverdue()) this.#giveBack([charge])
          else charged.push(charge)
        }
        if (!isOverdue()) others = await statesOf(places.slice(taken.length))
      })
    } catch (cause) {
      if (!isRefused()) throw cause
    } finally {
      hasEnded = true
    }
    if (!isRefused()) return { allowed: true, states: taken }
    const unknown = places.slice(taken.length).map((place) => stateAfter(place, NOTHING, 0))
    return { allowed: false, states: [...unchargedOf(places, taken), ...(others ?? unknown)] }
  }

  async peek(checks: readonly RateLimitCheck[]): Promise<RateLimitAnswer> {
    return this.#ask(checks.map((check) => this.#placeOf(check)))
  }

  async #ask(places: readonly Place[]): Promise<RateLimitAnswer> {
    const states = await this.#run(places, () => statesOf(places))
    return { allowed: hasRoom(checksOf(places), states), states }
  }

  /** Under the store's guard, after what is on its way back to these places. */
  #run<T>(places: readonly Place[], operation: () => Promise<T>): Promise<T> {
    return this.#guard.run(async () => {
      await this.#returning.settled(places.map(({ key }) => key))
      return operation()
    })
  }

  async refund(checks: readonly RateLimitCheck[]): Promise<void> {
    const places = checks.map((check) => this.#placeOf(check))
    await this.#run(places, async () => {
      const kept = await Promise.all(places.map(({ limiter, key }) => settled(limiter.get(key))))
      await Promise.all(places.map((place, at) => this.#reward([place, live(kept[at] ?? null)])))
    })
  }

  async reset(checks: readonly RateLimitCheck[]): Promise<void> {
    const places = checks.map((check) => this.#placeOf(check))
    await this.#run(places, () => Promise.all(places.map(({ limiter, key }) => limiter.delete(key))))
  }

  /**
   * Goes out at once, and nobody waits for it but whoever asks for the same keys next. Best effort: points that do not come
   * back are points that somebody has to wait for.
   */
  #giveBack(charged: readonly Charge[]): void {
    const due = charged.filter((charge) => this.#dueTo(charge) > 0)
    // What asks the store for nothing says nothing about the store.
    if (due.length === 0) return
    this.#returning.add(
      due.map(([{ key }]) => key),
      this.#guard.run(() => Promise.all(due.map((charge) => this.#reward(charge)))),
    )
  }

  /** Points to give back: none that would come back in the next window. */
  #dueTo([{ check }, { consumedPoints, msBeforeNext }]: Charge): number {
    return msBeforeNext < this.#tooLateMs ? 0 : Math.min(check.cost, consumedPoints)
  }

  /** Never below nothing: a count below nothing would be points that nobody was promised. */
  async #reward(charge: Charge): Promise<void> {
    const [{ limiter, key, options }] = charge
    const points = this.#dueTo(charge)
    if (points <= 0) return
    const after = (await limiter.reward(key, points, options)) as FlexibleResult
    if (after.consumedPoints < 0) await limiter.penalty(key, -after.consumedPoints, options)
  }

  #placeOf(check: RateLimitCheck): Place {
    const { name, rule, key } = check
    let limiter = this.#limiters.get(name)
    if (limiter === undefined) {
      limiter = limiterFor(this.#given, askedBy(check))
      this.#limiters.set(name, limiter)
    }
    // Short and plain whatever the caller is called: some stores take 250 bytes, and no spaces.
    const digest = createHash('sha256').update(key).digest('base64url')
    const [began, windowMs] = windowOf(rule)
    return {
      check,
      limiter,
      key: `${name}:${began}${digest}`,
      windowMs,
      options: { customDuration: Math.max(1, Math.ceil(windowMs / 1000)) },
    }
  }
}

/** A calendar period has keys of its own, so that it ends when the calendar says and not so long after the first request. */
function windowOf(rule: LimitRule): readonly [string, number] {
  if (rule.algorithm !== 'fixed') return ['', rule.windowMs]
  const now = wallClockMs()
  const { start, end } = periodAt(rule.period, now)
  return [`${start / 1000}:`, end - now]
}

function askedBy({ name, rule }: RateLimitCheck): AskedPolicy {
  const { limit } = rule
  if (rule.algorithm === 'fixed') return { name, limit, algorithm: 'fixed', period: rule.period }
  if (rule.algorithm === 'gcra') return { name, limit, algorithm: 'gcra' }
  return { name, limit, algorithm: 'fixed', windowSeconds: rule.windowMs / 1000 }
}

function checksOf(places: readonly Place[]): readonly RateLimitCheck[] {
  return places.map(({ check }) => check)
}

function neverFits({ rule, cost }: RateLimitCheck): boolean {
  return cost > rule.limit
}

function isOver({ check }: Place, { consumedPoints }: FlexibleResult): boolean {
  return consumedPoints > check.rule.limit
}

/**
 * What never fits is told, and not charged. Nor is what costs more than is left: a limiter charges before it refuses, so
 * that whoever is only refused would hold the points of others, as many as the request would cost.
 */
async function takeOne(place: Place, isOverdue: () => boolean): Promise<readonly [RateLimitState, Charge?]> {
  const { check, limiter, key, options } = place
  if (neverFits(check)) return [stateAfter(place, { consumedPoints: check.rule.limit, msBeforeNext: -1 }, 0)]
  if (check.cost > 1) {
    const found = stateAfter(place, live(await settled(limiter.get(key))), 0)
    // Nobody reads what is said after the time is over.
    if (!found.allowed || isOverdue()) return [found]
  }
  const result = await settled(limiter.consume(key, check.cost, options))
  return [stateAfter(place, result, check.cost), [place, result]]
}

function statesOf(places: readonly Place[]): Promise<readonly RateLimitState[]> {
  return Promise.all(
    places.map(async (place) => stateAfter(place, live(await settled(place.limiter.get(place.key))), 0)),
  )
}

/** What was charged for a request that is refused, as it will be. */
function unchargedOf(places: readonly Place[], states: readonly RateLimitState[]): readonly RateLimitState[] {
  return states.map((state, at) => {
    const { cost } = (places[at] as Place).check
    return state.allowed ? { ...state, remaining: state.remaining + cost } : state
  })
}

const NOTHING: FlexibleResult = { consumedPoints: 0, msBeforeNext: -1 }

/** In memory an entry may still be there when its time is over. */
function live(kept: FlexibleResult | null): FlexibleResult {
  return kept === null || kept.msBeforeNext <= 0 ? NOTHING : kept
}

/** `charged`: what of the consumed points this request has just charged. */
function stateAfter({ check, windowMs }: Place, result: FlexibleResult, charged: number): RateLimitState {
  const { rule, cost } = check
  const resetMs = Math.ceil(result.msBeforeNext > 0 ? result.msBeforeNext : windowMs)
  const before = result.consumedPoints - charged
  const allowed = before + cost <= rule.limit
  const left = rule.limit - (allowed ? result.consumedPoints : before)
  const remaining = Math.min(rule.limit, Math.max(0, left))
  return { allowed, remaining, resetMs, retryMs: allowed ? 0 : neverFits(check) ? Infinity : resetMs }
}

/**
 * What a limiter found, whether it resolved with it or rejected: it rejects a caller without points with a plain result.
 * Anything else that it rejects with, an Error or not, means that it has not counted.
 */
async function settled<T extends FlexibleResult | null>(answer: Promise<T>): Promise<T> {
  try {
    return checked(await answer) as T
  } catch (cause) {
    if (cause instanceof Error) throw cause
    return checked(cause) as T
  }
}

function checked(answer: unknown): FlexibleResult | null {
  if (answer === null) return null
  const { consumedPoints, msBeforeNext } = (answer ?? {}) as Partial<FlexibleResult>
  if (!Number.isFinite(consumedPoints) || !Number.isFinite(msBeforeNext))
    throw new Error('the limiter answered something else')
  return answer as FlexibleResult
}
