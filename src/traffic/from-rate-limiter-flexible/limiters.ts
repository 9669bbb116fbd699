import { misuse } from '../../core/options.js'
import { PERIOD_SECONDS } from '../../core/period.js'
import type { AskedPolicy } from '../counting/adapted.js'

/** What a limiter of rate-limiter-flexible answers, and rejects with where a caller has used its points up. */
export interface FlexibleResult {
  readonly consumedPoints: number
  readonly msBeforeNext: number
}

/** A limiter of rate-limiter-flexible, as far as it is used here. */
export interface FlexibleLimiter {
  readonly points: number
  readonly duration: number
  consume(key: string, points?: number, options?: object): Promise<FlexibleResult>
  reward(key: string, points?: number, options?: object): Promise<unknown>
  penalty(key: string, points?: number, options?: object): Promise<unknown>
  get(key: string, options?: object): Promise<FlexibleResult | null>
  delete(key: string, options?: object): Promise<unknown>
}

/** What to make a limiter with. */
export interface FlexiblePolicy {
  /** The policy's name. It is part of every key already. */
  readonly name: string
  readonly points: number
  /** Whole **seconds**. */
  readonly duration: number
}

const ME = 'fromRateLimiterFlexible'

/** More than any limit: where a function answers the limit, the limiter itself never refuses. */
const ANY_POINTS = 1_000_000_000
/** Longest delay of a timer in Node.js: a longer one fires at once, and would forget every count at once. */
const LONGEST_TIMER_SECONDS = Math.floor((2 ** 31 - 1) / 1000)

/** The limiter of one policy, made or checked. Throws a `TypeError` where it would count something else. */
export function limiterFor(
  given: FlexibleLimiter | ((policy: FlexiblePolicy) => FlexibleLimiter),
  policy: AskedPolicy,
): FlexibleLimiter {
  const { name, algorithm } = policy
  if (algorithm !== 'fixed')
    throw misuse(
      'rateLimit',
      'algorithm',
      '"fixed" in a store of rate-limiter-flexible, which has no other windows',
      algorithm,
    )
  const { points, duration } = pointsAndDuration(policy)
  if (!Number.isInteger(duration) || duration < 1)
    throw misuse('rateLimit', 'windowSeconds', 'whole seconds in a store of rate-limiter-flexible', duration)
  const limiter = suitable(typeof given === 'function' ? given({ name, points, duration }) : given)
  if (limiter.points !== points)
    throw misuse(ME, `points of the limiter for "${name}"`, `${points}, as the policy says`, limiter.points)
  if (limiter.duration !== duration)
    throw misuse(
      ME,
      `duration of the limiter for "${name}"`,
      `${duration}, as the policy says`,
      limiter.duration,
    )
  if (duration > LONGEST_TIMER_SECONDS && isInMemory(limiter))
    throw misuse(
      ME,
      `duration of the limiter for "${name}"`,
      `at most ${LONGEST_TIMER_SECONDS} seconds (24.8 days) in memory`,
      duration,
    )
  return limiter
}

/** Whether a limiter that is there counts what a policy says. */
export function isFor(limiter: FlexibleLimiter, policy: AskedPolicy): boolean {
  const { points, duration } = pointsAndDuration(policy)
  return policy.algorithm === 'fixed' && limiter.points === points && limiter.duration === duration
}

function pointsAndDuration({ limit, windowSeconds, period }: AskedPolicy): Omit<FlexiblePolicy, 'name'> {
  return {
    points: limit ?? ANY_POINTS,
    duration: period === undefined ? (windowSeconds ?? 0) : PERIOD_SECONDS[period],
  }
}

/** Throws a `TypeError` for what is no limiter, and for one whose settings would count wrongly. */
export function suitable(limiter: FlexibleLimiter): FlexibleLimiter {
  const kind = kindsOf(limiter)[0] ?? 'nothing'
  const settings = limiter as unknown as Readonly<Record<string, unknown>>
  const methods = ['consume', 'reward', 'penalty', 'get', 'delete']
  const isLimiter =
    kind !== 'nothing' &&
    methods.every((method) => typeof settings[method] === 'function') &&
    Number.isFinite(limiter.points) &&
    Number.isFinite(limiter.duration)
  if (!isLimiter)
    throw misuse(
      ME,
      'limiter',
      'a limiter of rate-limiter-flexible, and no union, burst or queue of them',
      kind,
    )
  if (kind.startsWith('RLWrapper'))
    throw misuse(ME, 'limiter', 'the limiter itself (time-out and breaker are here)', kind)
  const leftOut = (option: string, why: string, value: unknown): TypeError =>
    misuse(ME, `${option} of the limiter (${kind})`, `left out: ${why}`, value)
  for (const [option, why] of Object.entries(UNWANTED))
    if (settings[option]) throw leftOut(option, why, settings[option])
  // It is installed on the client.
  const script = settings['_incrTtlLuaScript']
  if (typeof script === 'string' && !script.startsWith(OWN_SCRIPT))
    throw leftOut('customIncrTtlLuaScript', 'it replaces the script of every limiter on that client', script)
  return limiter
}

const UNWANTED: Readonly<Record<string, string>> = {
  blockDuration: 'it makes a refusal outlast its window',
  execEvenly: 'it holds requests back',
  inMemoryBlockOnConsumed: 'it looks through all blocked keys for each new one',
  insuranceLimiter: 'onOutage says what happens, and each instance counts its share',
}
const OWN_SCRIPT = "redis.call('set', KEYS[1], 0, 'EX', ARGV[2], 'NX')"

function isInMemory(limiter: object): boolean {
  return kindsOf(limiter).some((name) => /^RateLimiter(?:Memory|Cluster\w*)$/.test(name))
}

/** The names of a value's classes, its own first. */
function kindsOf(value: unknown): readonly string[] {
  const names: string[] = []
  if (typeof value !== 'object' || value === null) return names
  for (
    let prototype = Object.getPrototypeOf(value) as object | null;
    prototype !== null;
    prototype = Object.getPrototypeOf(prototype) as object | null
  )
    names.push(prototype.constructor.name)
  return names
}
