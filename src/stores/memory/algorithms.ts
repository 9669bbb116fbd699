import { PERIOD_SECONDS } from '../../core/period.js'
import type { LimitRule, Period, RateLimitState } from '../../core/ports.js'

/** The moment of a take, on both clocks, in **milliseconds**. */
export interface Moment {
  /** Never goes back: for what is counted from now. */
  readonly monotonic: number
  /** The calendar: for what is counted by it. */
  readonly wall: number
}

/** What is counted from now, and not by the calendar. */
export type WindowRule = Exclude<LimitRule, { readonly algorithm: 'fixed' }>

/** What is kept for one key of one limit. */
export type Count = SlidingCount | GcraCount | FixedCount

/** Points by slot of the window, oldest first: slot, points, slot, points. */
export interface SlidingCount {
  readonly slots: number[]
  total: number
}

/**
 * What was charged, as the time it takes to drip away, and when that was written. Not the one moment at which all will
 * be gone (the "theoretical arrival time"): a point of a high rate would be lost in the last digits of a moment.
 */
export interface GcraCount {
  atMs: number
  usedMs: number
}

export interface FixedCount {
  start: number
  total: number
}

/**
 * Parts of a sliding window. A part leaves the count when the whole of it is out of the window, so that never more than
 * the limit passes in any window; a caller at a steady rate may wait longer, by one part.
 */
export const SLOTS = 50

/** How long a count means anything after it was charged. */
export function lifetimeMs(rule: WindowRule): number {
  return rule.algorithm === 'sliding'
    ? rule.windowMs + rule.windowMs / SLOTS
    : (rule.windowMs / rule.limit) * rule.burst
}

/** A count of nothing. */
export function emptyCount(rule: LimitRule): Count {
  if (rule.algorithm === 'sliding') return { slots: [], total: 0 }
  return rule.algorithm === 'gcra' ? { atMs: 0, usedMs: 0 } : { start: -Infinity, total: 0 }
}

/** What a limit says to a cost. Changes nothing but what time has taken out of the count. */
export function stateOf(rule: LimitRule, count: Count, cost: number, now: Moment): RateLimitState {
  if (rule.algorithm === 'sliding') return slidingState(rule, count as SlidingCount, cost, now.monotonic)
  if (rule.algorithm === 'gcra') return gcraState(rule, count as GcraCount, cost, now.monotonic)
  return fixedState(rule, count as FixedCount, cost, now.wall)
}

/** Charges points, or, with a negative cost, gives them back. */
export function charge(rule: LimitRule, count: Count, cost: number, now: Moment): void {
  if (rule.algorithm === 'sliding') chargeSliding(rule.windowMs, count as SlidingCount, cost, now.monotonic)
  else if (rule.algorithm === 'gcra') {
    const gcra = count as GcraCount
    const used = undrippedMs(gcra, now.monotonic) + (cost * rule.windowMs) / rule.limit
    gcra.usedMs = Math.max(0, used)
    gcra.atMs = now.monotonic
  } else {
    const fixed = count as FixedCount
    const { start, total } = countedIn(rule.period, fixed, now.wall)
    fixed.total = Math.max(0, total + cost)
    fixed.start = start
  }
}

type Rule<A extends LimitRule['algorithm']> = Extract<LimitRule, { readonly algorithm: A }>

function slidingState(rule: Rule<'sliding'>, count: SlidingCount, cost: number, now: number): RateLimitState {
  const { limit, windowMs } = rule
  dropFinished(count, Math.floor((now * SLOTS) / windowMs))
  const { slots, total } = count
  const leavesInMs = (slot: number): number => ((slot + SLOTS + 1) * windowMs) / SLOTS - now
  const resetMs = Math.ceil(slots[0] === undefined ? windowMs : leavesInMs(slots[0]))
  const remaining = Math.max(0, limit - total)
  if (cost <= remaining) return { allowed: true, remaining, resetMs, retryMs: 0 }
  let missing = cost - (limit - total)
  for (let index = 0; index < slots.length; index += 2) {
    missing -= slots[index + 1] as number
    if (missing > 0) continue
    return { allowed: false, remaining, resetMs, retryMs: Math.ceil(leavesInMs(slots[index] as number)) }
  }
  return { allowed: false, remaining, resetMs, retryMs: Infinity }
}

function dropFinished(count: SlidingCount, slotNow: number): void {
  const { slots } = count
  let finished = 0
  while (finished < slots.length && (slots[finished] as number) < slotNow - SLOTS) {
    count.total -= slots[finished + 1] as number
    finished += 2
  }
  if (finished > 0) slots.splice(0, finished)
}

function chargeSliding(windowMs: number, count: SlidingCount, cost: number, now: number): void {
  const { slots } = count
  if (cost < 0) {
    takeBack(count, -cost)
    return
  }
  const slot = Math.floor((now * SLOTS) / windowMs)
  if (slots.at(-2) === slot) slots[slots.length - 1] = (slots.at(-1) as number) + cost
  else slots.push(slot, cost)
  count.total += cost
}

/** From the newest slots: what was charged last is what is given back. */
function takeBack(count: SlidingCount, points: number): void {
  const { slots } = count
  let left = points
  while (left > 0 && slots.length > 0) {
    const newest = slots.at(-1) as number
    const back = Math.min(left, newest)
    left -= back
    count.total -= back
    if (back === newest) slots.length -= 2
    else slots[slots.length - 1] = newest - back
  }
}

function undrippedMs({ atMs, usedMs }: GcraCount, now: number): number {
  return Math.max(0, usedMs - (now - atMs))
}

function gcraState(rule: Rule<'gcra'>, count: GcraCount, cost: number, now: number): RateLimitState {
  const interval = rule.windowMs / rule.limit
  const capacity = interval * rule.burst
  const used = undrippedMs(count, now)
  // A sum of fractions has a last digit too much: a bucket that is full to that digit is full.
  const remaining = Math.max(0, Math.floor((capacity - used) / interval + 1e-6))
  const resetMs = Math.ceil(used === 0 ? interval : used % interval || interval)
  if (cost <= remaining) return { allowed: true, remaining, resetMs, retryMs: 0 }
  const retryMs = cost > rule.burst ? Infinity : Math.ceil(used + cost * interval - capacity)
  return { allowed: false, remaining, resetMs, retryMs }
}

function fixedState(rule: Rule<'fixed'>, count: FixedCount, cost: number, now: number): RateLimitState {
  const { end, total } = countedIn(rule.period, count, now)
  const remaining = Math.max(0, rule.limit - total)
  const resetMs = Math.ceil(end - now)
  if (cost <= remaining) return { allowed: true, remaining, resetMs, retryMs: 0 }
  return { allowed: false, remaining, resetMs, retryMs: cost > rule.limit ? Infinity : resetMs }
}

/**
 * The period that a moment is counted in, and what is charged to it. A clock that went back over the period's end goes on
 * in the later one: it would hand out a quota that is used up.
 */
function countedIn(period: Period, count: FixedCount, now: number): Counted {
  const present = periodAt(period, now)
  if (count.start === present.start) return { ...present, total: count.total }
  return count.start === present.end
    ? { ...periodAt(period, present.end), total: count.total }
    : { ...present, total: 0 }
}

interface Counted {
  readonly start: number
  readonly end: number
  readonly total: number
}

/** The calendar period in UTC that a moment is in. */
export function periodAt(period: Period, now: number): { readonly start: number; readonly end: number } {
  if (period !== 'month') {
    const length = PERIOD_SECONDS[period] * 1000
    const start = Math.floor(now / length) * length
    return { start, end: start + length }
  }
  const date = new Date(now)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return { start: Date.UTC(year, month), end: Date.UTC(year, month + 1) }
}
