import { wallClockMs } from '../core/clock.js'
import {
  checkOptions,
  either,
  listOf,
  misuse,
  oneOf,
  record,
  required,
  ruleName,
  type OptionRule,
} from '../core/options.js'
import { examine } from './baseline/examine.js'
import type { BaselineRules, RuleName, Waiver } from './baseline/model.js'
import { RULES, RULE_NAMES } from './baseline/rules.js'
import { tightened } from './baseline/tighten.js'
import { checkedWaiver, refuseUnwaivable } from './baseline/waivers.js'
import type { Finding, Posture } from './model.js'

export type { BaselineRules, RequiredMiddleware, RuleName, Waiver } from './baseline/model.js'

const BASELINE = Symbol.for('express-bulwark.baseline.v1')

export interface BaselineOptions {
  /** Stands in messages. */
  readonly name: string
  /** Baselines whose rules hold here too: the tighter one of each. */
  readonly extends?: readonly Baseline[]
  readonly rules?: BaselineRules
  readonly waivers?: readonly Waiver[]
  /** Rules that no waiver, here or in a baseline that extends this one, may speak of. */
  readonly unwaivable?: readonly RuleName[]
}

/** The rules that a service is held against. Made by `defineBaseline`. */
export interface Baseline {
  readonly name: string
  readonly rules: BaselineRules
  readonly waivers: readonly Waiver[]
  readonly unwaivable: readonly RuleName[]
}

export interface BaselineTime {
  /** Today, for the days of waivers. @default now */
  readonly now?: Date
}

const baseline: OptionRule = { says: 'a baseline made by defineBaseline()', holds: isBaseline }
const date: OptionRule = {
  says: 'a Date',
  holds: (value) => value instanceof Date && !Number.isNaN(value.getTime()),
}

/** As the options of the middlewares say it, or without the unit. */
const OTHER_SPELLINGS: Readonly<Record<string, RuleName>> = {
  maxTokenAge: 'maxTokenAgeSeconds',
  maxTokenLifetimeSeconds: 'maxTokenAgeSeconds',
  maxClockTolerance: 'maxClockToleranceSeconds',
  clockToleranceSeconds: 'maxClockToleranceSeconds',
  requireScopes: 'requireScopesOnWrites',
  denyByDefault: 'requireDenyByDefault',
}

const OPTIONS: Readonly<Record<keyof BaselineOptions, OptionRule>> = {
  name: required(ruleName),
  extends: listOf(baseline),
  rules: record,
  waivers: either(listOf(record), { says: 'an empty array', holds: isEmptyList }),
  unwaivable: listOf(oneOf(...RULE_NAMES)),
}

/**
 * Writes down what an organisation asks of its services, in a package that they share.
 *
 * A baseline that extends others may tighten their rules: a lower number, a shorter list of what is allowed, a longer
 * list of what is required, `true` for `false`, public routes that the parent's patterns already name. A rule that is
 * left out is inherited. Waivers add up; those of a parent's `unwaivable` rules are refused.
 *
 * **Not checked:** that a service uses the baseline at all: run the check where the service cannot leave it out.
 *
 * Throws a `TypeError` for unknown and impossible options, for a rule that would be loosened (with both values), for a
 * waiver that may not be, has no owner, reason or real day, or lasts more than 365 days.
 */
export function defineBaseline(options: BaselineOptions, time: BaselineTime = {}): Baseline {
  checkOptions('defineBaseline', options, OPTIONS)
  const { name, extends: parents = [], waivers = [], unwaivable = [] } = options
  const rules = checkedRules(name, options.rules ?? {})
  const nowMs = nowOf('defineBaseline', time)

  const made = {
    name,
    rules: Object.freeze(tightened({ name, rules }, parents)),
    waivers: Object.freeze([
      ...parents.flatMap((parent) => parent.waivers),
      ...waivers.map((waiver) => checkedWaiver(name, waiver, nowMs)),
    ]),
    unwaivable: Object.freeze([
      ...new Set([...parents.flatMap((parent) => parent.unwaivable), ...unwaivable]),
    ]),
  }
  refuseUnwaivable(name, made.waivers, made.unwaivable)
  // Names the very object: a spread copy with other rules is not it.
  Object.defineProperty(made, BASELINE, { value: made })
  return Object.freeze(made)
}

/**
 * Holds a posture against a baseline and answers what breaks it, with the place and the remedy.
 *
 * Severity `error`: a rule is broken, a waiver has expired, or there are no rows. `warning`: a waiver expires within 14
 * days or matches nothing. `note`: a waiver is in use.
 *
 * **Not checked:** what the posture cannot see: the routes of a hidden application, upgrades, and what handlers do.
 *
 * Throws a `TypeError` for a baseline that `defineBaseline` did not make.
 */
export function checkBaseline(posture: Posture, against: Baseline, time: BaselineTime = {}): Finding[] {
  if (!isBaseline(against)) throw misuse('checkBaseline', 'baseline', baseline.says, against)
  return [...examine(posture, against, nowOf('checkBaseline', time))]
}

/** Whether a value was made by `defineBaseline`, of this copy of the library or another one in the process. */
export function isBaseline(value: unknown): value is Baseline {
  return (
    typeof value === 'object' && value !== null && (value as { [BASELINE]?: unknown })[BASELINE] === value
  )
}

export function nowOf(me: string, time: BaselineTime): number {
  checkOptions(me, time, { now: date })
  return time.now?.getTime() ?? wallClockMs()
}

function checkedRules(name: string, rules: BaselineRules): BaselineRules {
  const options = Object.fromEntries(RULE_NAMES.map((rule) => [rule, RULES[rule].option]))
  try {
    checkOptions(`defineBaseline "${name}"`, rules, options, OTHER_SPELLINGS)
  } catch (error) {
    throw aboutRules(error)
  }
  return rules
}

/** What is an option elsewhere is a rule here. A name is letters and dots, so the first match is ours. */
function aboutRules(error: unknown): unknown {
  if (!(error instanceof TypeError)) return error
  return new TypeError(
    error.message
      .replace(': unknown option "', ': unknown rule "')
      .replace(/ Known options: ([^"]*)$/, ' Known rules: $1'),
  )
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}
