import { PERIOD_SECONDS } from '../core/period.js'
import type { PostureGuard } from './model.js'

type Facts = PostureGuard['facts']

/** Whom nobody knows before authentication. */
const CALLER: ReadonlySet<string> = new Set(['principal', 'client', 'api-key', 'tenant'])
/** What every request has. A function may look at anything. */
const ANYBODY: ReadonlySet<string> = new Set(['address', 'route', 'function'])

/** A month by the shortest there is: more requests a minute than in any other. */
const SECONDS: Readonly<Record<string, number>> = { ...PERIOD_SECONDS, month: 28 * PERIOD_SECONDS.day }

/** Whom a limit counts; none where its facts do not say. */
export function countedBy({ by }: Facts): readonly string[] {
  const facts: readonly unknown[] = Array.isArray(by) ? by : [by]
  return facts.filter((fact) => typeof fact === 'string')
}

/** Whether a limit counts callers, and cannot work where nobody knows them yet. */
export function needsCaller(facts: Facts): boolean {
  return countedBy(facts).some((fact) => CALLER.has(fact))
}

/** Whether a limit holds back a caller from however many addresses. */
export function countsCallers(facts: Facts): boolean {
  return countedBy(facts).some((fact) => CALLER.has(fact) || fact === 'function')
}

/** Whether a limit can hold back who is nobody yet. */
export function countsAnybody(facts: Facts): boolean {
  const by = countedBy(facts)
  return by.length > 0 && by.every((fact) => ANYBODY.has(fact))
}

/** `tenant and route`. */
export function byText(facts: Facts): string {
  const by = countedBy(facts)
  return by.length === 0 ? 'unknown' : by.join(' and ')
}

/** `rateLimit(orders: 60 in 60 s by principal)`. */
export function limitText({ name, facts }: PostureGuard): string {
  const { limit, windowSeconds, period, burst } = facts
  const window = typeof period === 'string' ? `a ${period}` : `in ${String(windowSeconds)} s`
  const most = limit === 'function' ? 'as many as a function says' : String(limit)
  const atOnce = typeof burst === 'number' ? `, ${burst} at once` : ''
  return `rateLimit(${name}: ${most} ${window}${atOnce} by ${byText(facts)})`
}

/**
 * Points that a limit gives in a **minute**, on average over its window. A limit whose facts cannot be read, or that a
 * function answers, gives any number.
 */
export function perMinute({ limit, windowSeconds, period }: Facts): number {
  const seconds = typeof period === 'string' ? SECONDS[period] : windowSeconds
  if (typeof limit !== 'number' || typeof seconds !== 'number') return Infinity
  return (limit / seconds) * 60
}

/**
 * The most that one caller may get through a limit in one window of a load test: a window may turn during the test, and
 * one that has a burst gives that at once besides. `undefined` where a function answers the limit.
 */
export function mostInTest({ limit, burst }: Facts): number | undefined {
  if (limit === 'function') return undefined
  const most = typeof limit === 'number' ? limit : 0
  return Math.max(2 * most, most + (typeof burst === 'number' ? burst : 0))
}
