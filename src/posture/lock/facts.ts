import { valueText } from '../render/plain.js'
import { shown } from '../render/words.js'
import type { LockedGuard, LockedValue } from './format.js'

export type Severity = 'weaker' | 'stronger' | 'changed'

export interface FactChange {
  readonly severity: Severity
  /** `limit went from 10 to 100` */
  readonly text: string
}

/** Lists of which a caller must hold every item: a lost one lets more callers in. */
const NEEDED = new Set(['all', 'claims', 'fields'])
/** Lists of which one item is enough: a new one lets more callers in. */
const ACCEPTED = new Set([
  'any',
  'issuer',
  'issuers',
  'audience',
  'audiences',
  'algorithms',
  'types',
  'contentTypes',
  'origins',
  'clients',
  'hops',
  'certificates',
])
const MORE_IS_WEAKER = /^(?:limit|burst|max\w*|\w*tolerance\w*|\w*stale\w*)$/i
const MORE_IS_STRONGER = /^(?:windowSeconds|min\w*)$/
const TRUE_IS_STRONGER = new Set(['required', 'strict'])
/** From strict to lenient. */
const UNKNOWN_FIELDS = ['refused', 'strips-unknown']

/** What changed in the set-up of one guard, and whether more callers get further because of it. */
export function factChanges(
  before: LockedGuard['facts'],
  after: LockedGuard['facts'],
): readonly FactChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return names.flatMap((name) => {
    const was = ownFact(before, name)
    const is = ownFact(after, name)
    if (JSON.stringify(was) === JSON.stringify(is)) return []
    return [{ severity: severityOf(name, was, is), text: `${shown(name, 80)} ${changeText(was, is)}` }]
  })
}

function ownFact(facts: LockedGuard['facts'], name: string): LockedValue | undefined {
  return Object.hasOwn(facts, name) ? facts[name] : undefined
}

function severityOf(name: string, was: LockedValue | undefined, is: LockedValue | undefined): Severity {
  if (was === undefined || is === undefined) return severityOfPresence(name, was === undefined)
  if (NEEDED.has(name)) return severityOfLists(minus(was, is), minus(is, was))
  if (ACCEPTED.has(name)) return severityOfLists(minus(is, was), minus(was, is))
  if (name === 'unknownFields') return severityOfOrder(placeOf(is) - placeOf(was))
  if (TRUE_IS_STRONGER.has(name)) return severityOfOrder(Number(was) - Number(is))
  if (typeof was !== 'number' || typeof is !== 'number') return 'changed'
  if (MORE_IS_WEAKER.test(name)) return severityOfOrder(is - was)
  return MORE_IS_STRONGER.test(name) ? severityOfOrder(was - is) : 'changed'
}

/** A bound or a list that is new narrows who passes; one that is gone no longer does. */
function severityOfPresence(name: string, isNew: boolean): Severity {
  const bounds = NEEDED.has(name) || ACCEPTED.has(name) || MORE_IS_WEAKER.test(name)
  if (!bounds) return 'changed'
  return isNew ? 'stronger' : 'weaker'
}

function severityOfLists(weakening: readonly unknown[], strengthening: readonly unknown[]): Severity {
  if (weakening.length > 0) return 'weaker'
  return strengthening.length > 0 ? 'stronger' : 'changed'
}

function severityOfOrder(weakening: number): Severity {
  if (weakening > 0) return 'weaker'
  return weakening < 0 ? 'stronger' : 'changed'
}

function placeOf(value: LockedValue): number {
  const place = UNKNOWN_FIELDS.indexOf(String(value))
  return place === -1 ? UNKNOWN_FIELDS.length : place
}

function minus(from: LockedValue, taken: LockedValue): readonly unknown[] {
  const without = new Set(itemsOf(taken))
  return itemsOf(from).filter((item) => !without.has(item))
}

function itemsOf(value: LockedValue): readonly unknown[] {
  return Array.isArray(value) ? value : [value]
}

function changeText(was: LockedValue | undefined, is: LockedValue | undefined): string {
  if (was === undefined) return `is new: ${textOf(is)}`
  if (is === undefined) return `is gone: it was ${textOf(was)}`
  if (!Array.isArray(was) || !Array.isArray(is)) return `went from ${textOf(was)} to ${textOf(is)}`
  const lost = minus(was, is)
  const gained = minus(is, was)
  const parts = [
    ...(lost.length === 0 ? [] : [`lost ${shown(lost.join(', '), 200)}`]),
    ...(gained.length === 0 ? [] : [`gained ${shown(gained.join(', '), 200)}`]),
  ]
  return parts.length === 0 ? 'stands in another order' : parts.join(' and ')
}

function textOf(value: LockedValue | undefined): string {
  return shown(valueText(value ?? null), 200)
}
