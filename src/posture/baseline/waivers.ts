import { checkOptions, misuse, oneOf, required, text, type OptionRule } from '../../core/options.js'
import type { RuleName, Waiver } from './model.js'
import { APPLICATION, matches, waiverPattern } from './pattern.js'
import { RULE_NAMES } from './rules.js'

const DAY_MS = 86_400_000
const MOST_DAYS = 365
const SOON_DAYS = 14

/** A space is nobody's name and no reason. */
const said: OptionRule = {
  says: 'a text of 1 to 500 characters that says something',
  holds: (value) => text(500).holds(value) && (value as string).trim() !== '',
}

const day: OptionRule = {
  says: 'a day that there is, YYYY-MM-DD',
  holds: (value) => typeof value === 'string' && endOf(value) !== undefined,
}

const OPTIONS: Readonly<Record<keyof Waiver, OptionRule>> = {
  rule: required(oneOf(...RULE_NAMES)),
  where: required(waiverPattern),
  owner: required(said),
  reason: required(said),
  expires: required(day),
}

/** Checks one waiver, when it is written down. An expired one is no mistake here: it fails the check. */
export function checkedWaiver(baseline: string, waiver: Waiver, nowMs: number): Waiver {
  const me = `defineBaseline "${baseline}": waiver`
  checkOptions(me, waiver, OPTIONS)
  const { rule, where, owner, reason, expires } = waiver
  if (expiryOf(waiver) > nowMs + (MOST_DAYS + 1) * DAY_MS)
    throw misuse(me, 'expires', `a day at most ${MOST_DAYS} days away`, expires)
  return Object.freeze({ rule, where, owner, reason, expires })
}

/** Throws where a waiver is for a rule that may not be waived. */
export function refuseUnwaivable(
  baseline: string,
  waivers: readonly Waiver[],
  unwaivable: readonly RuleName[],
): void {
  const refused = waivers.find(({ rule }) => unwaivable.includes(rule))
  if (refused === undefined) return
  throw new TypeError(
    `defineBaseline "${baseline}": ${refused.rule} may not be waived, got a waiver of ${refused.owner} for ${refused.where}`,
  )
}

/** Whether a waiver speaks of a rule in one of the places that a finding stands for. */
export function speaksOf(waiver: Waiver, rule: RuleName, places: readonly string[]): boolean {
  return waiver.rule === rule && places.some((place) => isThere(waiver.where, place))
}

function isThere(where: string, place: string): boolean {
  return where === APPLICATION || place === APPLICATION ? where === place : matches(where, place)
}

export function isExpired(waiver: Waiver, nowMs: number): boolean {
  return nowMs >= expiryOf(waiver)
}

export function expiresSoon(waiver: Waiver, nowMs: number): boolean {
  return expiryOf(waiver) - nowMs <= SOON_DAYS * DAY_MS
}

/** The first moment at which a waiver no longer holds; long ago where its day cannot be read. */
function expiryOf({ expires }: Waiver): number {
  return endOf(expires) ?? 0
}

function endOf(value: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return undefined
  const start = new Date(`${value}T00:00:00Z`)
  // The 31st of a month that has none becomes the 1st of the next.
  const exists = !Number.isNaN(start.getTime()) && start.toISOString().startsWith(value)
  return exists ? start.getTime() + DAY_MS : undefined
}
