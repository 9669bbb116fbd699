import type { BaselineRules, RuleName } from './model.js'
import { covers } from './pattern.js'
import { RULES, RULE_NAMES, type Order } from './rules.js'

type Value = number | boolean | readonly string[]

interface Named {
  readonly name: string
  readonly rules: BaselineRules
}

/**
 * The rules of a baseline and those of its parents, the tighter one of each.
 *
 * Throws a `TypeError` where the baseline would loosen a rule, and where two parents leave nothing to allow.
 */
export function tightened(own: Named, parents: readonly Named[]): BaselineRules {
  for (const parent of parents) refuseLoosening(own, parent)
  const rules: Partial<Record<RuleName, Value>> = {}
  for (const rule of RULE_NAMES) {
    const values = [...parents, own]
      .map((baseline) => baseline.rules[rule])
      .filter((value) => value !== undefined)
    if (values.length > 0) rules[rule] = tightestOf(own.name, rule, values)
  }
  return rules as BaselineRules
}

function refuseLoosening(own: Named, parent: Named): void {
  for (const rule of RULE_NAMES) {
    const [value, bound] = [own.rules[rule], parent.rules[rule]]
    if (value === undefined || bound === undefined || isWithin(RULES[rule].order, value, bound)) continue
    throw new TypeError(
      `defineBaseline "${own.name}": ${rule} may only be tightened: ` +
        `"${parent.name}" says ${JSON.stringify(bound)}, this says ${JSON.stringify(value)}`,
    )
  }
}

function isWithin(order: Order, value: Value, bound: Value): boolean {
  if (order === 'lower') return (value as number) <= (bound as number)
  if (order === 'true') return value === true || bound === false
  const [list, limits] = [value as readonly string[], bound as readonly string[]]
  if (order === 'more') return limits.every((item) => list.includes(item))
  if (order === 'fewer') return list.every((item) => limits.includes(item))
  return list.every((item) => limits.some((limit) => covers(limit, item)))
}

function tightestOf(name: string, rule: RuleName, values: readonly Value[]): Value {
  const { order } = RULES[rule]
  const tightest = values.reduce((a, b) => tighter(order, a, b))
  if (order === 'fewer' && (tightest as readonly string[]).length === 0) {
    throw new TypeError(
      `defineBaseline "${name}": ${rule} must have one value that all of its parents allow, got ${JSON.stringify(values)}`,
    )
  }
  return Array.isArray(tightest) ? Object.freeze([...(tightest as readonly string[])]) : tightest
}

function tighter(order: Order, a: Value, b: Value): Value {
  if (order === 'lower') return Math.min(a as number, b as number)
  if (order === 'true') return a === true || b === true
  const [one, other] = [a as readonly string[], b as readonly string[]]
  if (order === 'more') return [...new Set([...one, ...other])]
  if (order === 'fewer') return one.filter((item) => other.includes(item))
  const common = [
    ...one.filter((item) => other.some((limit) => covers(limit, item))),
    ...other.filter((item) => one.some((limit) => covers(limit, item))),
  ]
  return [...new Set(common)]
}
