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
import type { StoreGuard } from '../../stores/redis/store-guard.js'
import type { AskedPolicy } from '../rate-limit/adapted.js'
import {
  isFor,
  limiterFor,
  type FlexibleLimiter,
  type FlexiblePolicy,
  type FlexibleResult,
} from './limiters.js'

/** One limit of a request, and where it is counted. */
interface Place {
  readonly check: RateLimitCheck
  readonly limiter: FlexibleLimiter
  readonly key: string
  /** Length of the window that begins now, where none has begun, in **milliseconds**. */
  readonly windowMs: number
  readonly options: { readonly customDuration: number }
}

/**
 * Counts with limiters of rate-limiter-flexible, one after the other. They charge a caller that they refuse too: that is
 * given back, and so is what others charged before. But points that come back when their window has ended are points of
 * the next one, which a caller could collect: near the end of a window nothing is given back.
 */
export class FlexiblePort implements RateLimitPort {
  readonly #given: FlexibleLimiter | ((policy: FlexiblePolicy) => FlexibleLimiter)
  readonly #guard: StoreGuard
  readonly #tooLateMs: number
  readonly #limiters = new Map<string, FlexibleLimiter>()

  constructor(
    given: FlexibleLimiter | ((policy: FlexiblePolicy) => FlexibleLimiter),
    guard: StoreGuard,
    timeoutMs: number,
  ) {
    this.#given = given
    this.#guard = guard
    this.#tooLateMs = timeoutMs + 1000
  }

  /** Throws a `TypeError` for a policy that these limiters cannot keep. */
  accept(policy: AskedPolicy): void {
    const held = this.#limiters.get(policy.name)
    // Another would not know what this one has counted.
    if (held !== undefined && isFor(held, policy)) return
    this.#limiters.set(policy.name, limiterFor(this.#given, policy))
  }

  async take(checks: readonly RateLimitCheck[]): Promise<RateLimitAnswer> {
    const places = checks.map((check) => this.#placeOf(check))
    // What can never fit charges nobody.
    if (places.some(({ check }) => neverFits(check) && check.isTrial !== true)) return this.#ask(places)
    const charged: (readonly [Place, FlexibleResult])[] = []
    try {
      const answer = await this.#takeEach(places, charged)
      await this.#giveBack(
        charged.filter(([place], at) => !answer.allowed || isOver(place, charged[at]?.[1])),
      )
      return answer
    } catch (cause) {
      // Nobody waits for a store that has just failed.
      void this.#giveBack(charged.splice(0))
      throw cause
    }
  }

  /** One after the other, until one refuses. A step whose time is over is the last one. */
  async #takeEach(
    places: readonly Place[],
    charged: (readonly [Place, FlexibleResult])[],
  ): Promise<RateLimitAnswer> {
    let isDone = false
    try {
      const states = await this.#guard.run(async () => {
        const states: RateLimitState[] = []
        for (const place of places) {
          if (isDone) break
          const { check } = place
          if (neverFits(check)) {
            states.push(stateAfter(place, { consumedPoints: check.rule.limit, msBeforeNext: -1 }, 0))
            continue
          }
          const result = await settled(place.limiter.consume(place.key, check.cost, place.options))
          charged.push([place, result])
          states.push(stateAfter(place, result, check.cost))
          if (states.at(-1)?.allowed === false && check.isTrial !== true) break
        }
        return states
      })
      const allowed = states.length === places.length && hasRoom(checksOf(places), states)
      return { allowed, states: allowed ? states : await this.#completed(places, states) }
    } finally {
      isDone = true
    }
  }

  /** For the fields of a refusal: those that were charged as they will be, and those that nobody asked. */
  async #completed(
    places: readonly Place[],
    states: readonly RateLimitState[],
  ): Promise<readonly RateLimitState[]> {
    const before = states.map((state, at) => {
      const { cost } = (places[at] as Place).check
      return state.allowed ? { ...state, remaining: state.remaining + cost } : state
    })
    const others = places.slice(states.length)
    const unknown = others.map((place) => stateAfter(place, NOTHING, 0))
    const asked = await this.#ask(others).catch(() => ({ states: unknown }))
    return [...before, ...asked.states]
  }

  async peek(checks: readonly RateLimitCheck[]): Promise<RateLimitAnswer> {
    return this.#ask(checks.map((check) => this.#placeOf(check)))
  }

  async #ask(places: readonly Place[]): Promise<RateLimitAnswer> {
    if (places.length === 0) return { allowed: true, states: [] }
    const states = await this.#guard.run(() =>
      Promise.all(
        places.map(async (place) => {
          const kept = await settled(place.limiter.get(place.key))
          return stateAfter(place, live(kept), 0)
        }),
      ),
    )
    return { allowed: hasRoom(checksOf(places), states), states }
  }

  async refund(checks: readonly RateLimitCheck[]): Promise<void> {
    const places = checks.map((check) => this.#placeOf(check))
    await this.#guard.run(async () => {
      const kept = await Promise.all(places.map(({ limiter, key }) => settled(limiter.get(key))))
      await Promise.all(places.map((place, at) => this.#reward(place, live(kept[at] ?? null))))
    })
  }

  async reset(checks: readonly RateLimitCheck[]): Promise<void> {
    const places = checks.map((check) => this.#placeOf(check))
    await this.#guard.run(() => Promise.all(places.map(({ limiter, key }) => limiter.delete(key))))
  }

  /** Best effort: points that do not come back are points that somebody has to wait for. */
  async #giveBack(charged: readonly (readonly [Place, FlexibleResult])[]): Promise<void> {
    if (charged.length === 0) return
    await this.#guard
      .run(() => Promise.all(charged.map(([place, result]) => this.#reward(place, result))))
      .catch(() => undefined)
  }

  /** Never below nothing: a count below nothing would be points that nobody was promised. */
  async #reward({ check, limiter, key, options }: Place, kept: FlexibleResult): Promise<void> {
    const points = Math.min(check.cost, kept.consumedPoints)
    if (points <= 0 || kept.msBeforeNext < this.#tooLateMs) return
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

function isOver({ check }: Place, result: FlexibleResult | undefined): boolean {
  return (result?.consumedPoints ?? 0) > check.rule.limit
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
