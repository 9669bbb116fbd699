import { shown } from '../render/words.js'
import type { FactChange } from './facts.js'
import type { LockedGuard, LockedValue } from './format.js'

/** What a guard asks of a caller's scopes or roles: all of some, or any of them. */
interface Demand {
  readonly of: 'all' | 'any'
  readonly powers: readonly LockedValue[]
}

type Facts = LockedGuard['facts']

/** `undefined` where a guard asks neither, or both: then each list speaks for itself. */
function demandOf({ all, any }: Facts): Demand | undefined {
  if ((all === undefined) === (any === undefined)) return undefined
  return all === undefined ? { of: 'any', powers: listed(any) } : { of: 'all', powers: listed(all) }
}

function listed(value: LockedValue | undefined): readonly LockedValue[] {
  return Array.isArray(value) ? (value as readonly LockedValue[]) : value === undefined ? [] : [value]
}

/** From all of some powers to any of some, or back: one change, which says more than that one list went and one came. */
export function demandChange(before: Facts, after: Facts): FactChange | undefined {
  const [was, is] = [demandOf(before), demandOf(after)]
  if (was === undefined || is === undefined || was.of === is.of) return undefined
  return { severity: severityOf(was, is), text: `went from ${demandText(was)} to ${demandText(is)}` }
}

/** Whoever holds all of some powers holds any of those: only where none of them is left does anybody new get through. */
function severityOf(was: Demand, is: Demand): FactChange['severity'] {
  const kept = is.powers.filter((power) => was.powers.includes(power))
  if (kept.length === 1 && was.powers.length === 1 && is.powers.length === 1) return 'changed'
  return is.of === 'all' && kept.length > 0 ? 'stronger' : 'weaker'
}

function demandText({ of, powers }: Demand): string {
  return `${of} of ${shown(powers.join(', '), 200)}`
}

/** The same for guards that ask for the same powers, all or any of them; the guard's own where it asks for none. */
export function powersKeyOf({ kind, name, mode, facts }: LockedGuard): string {
  const demand = demandOf(facts)
  if (demand === undefined) return JSON.stringify([kind, name])
  const others = Object.entries(facts).filter(([fact]) => fact !== demand.of)
  return JSON.stringify([kind, mode, demand.powers.map(String).sort(), others])
}

/** Whether a guard is called after its powers: then its name changes with them, and says nothing more. */
export function isNamedAfterPowers({ name, facts }: LockedGuard): boolean {
  const demand = demandOf(facts)
  return demand !== undefined && name === demand.powers.join(demand.of === 'all' ? ' ' : '|')
}
