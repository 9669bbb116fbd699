import type { ServerResponse } from 'node:http'
import { wallClockMs } from '../../core/clock.js'
import { PERIOD_SECONDS } from '../../core/period.js'
import type { LimitRule, RateLimitState } from '../../core/ports.js'

/**
 * `draft-10`: `RateLimit` and `RateLimit-Policy` as lists (draft-ietf-httpapi-ratelimit-headers-10). `draft-7`: the same
 * names with one policy in the older syntax. `legacy`: `X-RateLimit-Limit`, `-Remaining`, and `-Reset` as express-rate-limit
 * and GitHub have it, a moment in **seconds** since 1970. `none`: nothing.
 */
export type FieldFormat = 'draft-10' | 'draft-7' | 'legacy' | 'none'

/** What one limit says of one request. */
export interface Told {
  readonly name: string
  readonly rule: LimitRule
  readonly state: RateLimitState
}

/** Adds the fields of these limits. Several limiters on one response make one list (RFC 9651 section 3.1). */
export function writeFields(
  res: ServerResponse,
  formats: readonly FieldFormat[],
  told: readonly Told[],
): void {
  if (res.headersSent || told.length === 0) return
  for (const format of formats) {
    if (format === 'draft-10') writeLists(res, told)
    else writeOne(res, format, tightest(told))
  }
}

function writeLists(res: ServerResponse, told: readonly Told[]): void {
  let policies = present(res, 'RateLimit-Policy')
  let limits = present(res, 'RateLimit')
  for (const each of told) {
    const { name, state } = each
    policies += `${policies === '' ? '' : ', '}${policyItem(each)}`
    limits += `${limits === '' ? '' : ', '}"${name}";r=${state.remaining};t=${toSeconds(state.resetMs)}`
  }
  res.setHeader('RateLimit-Policy', policies)
  res.setHeader('RateLimit', limits)
}

// A rule belongs to one policy, and is the same for every request of one plan.
const policyItems = new WeakMap<LimitRule, string>()

function policyItem({ name, rule }: Told): string {
  let item = policyItems.get(rule)
  if (item === undefined) {
    item = `"${name}";q=${rule.limit};w=${windowOf(rule)}`
    policyItems.set(rule, item)
  }
  return item
}

/** The older formats have room for one limit: the one that leaves least, of limiters before this one too. */
function writeOne(res: ServerResponse, format: FieldFormat, { rule, state }: Told): void {
  const { limit } = rule
  const { remaining } = state
  const field = format === 'legacy' ? 'X-RateLimit-Remaining' : 'RateLimit'
  const before = /(\d+)(?:, reset=\d+)?$/.exec(String(res.getHeader(field)))?.[1]
  if (before !== undefined && Number(before) <= remaining) return
  if (format === 'legacy') {
    res.setHeader('X-RateLimit-Limit', String(limit))
    res.setHeader('X-RateLimit-Remaining', String(remaining))
    res.setHeader('X-RateLimit-Reset', String(toSeconds(wallClockMs() + state.resetMs)))
    return
  }
  res.setHeader('RateLimit', `limit=${limit}, remaining=${remaining}, reset=${toSeconds(state.resetMs)}`)
  res.setHeader('RateLimit-Policy', `${limit};w=${windowOf(rule)}`)
}

function tightest(told: readonly Told[]): Told {
  return told.reduce((least, each) => (each.state.remaining < least.state.remaining ? each : least))
}

/** The window in whole seconds, at least 1, as the draft has it. */
function windowOf(rule: LimitRule): number {
  return rule.algorithm === 'fixed' ? PERIOD_SECONDS[rule.period] : Math.max(1, toSeconds(rule.windowMs))
}

function toSeconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000)
}

/** What limiters before this one have said. */
function present(res: ServerResponse, field: string): string {
  const value = res.getHeader(field)
  return value === undefined ? '' : String(value)
}
