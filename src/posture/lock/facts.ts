import { valueText } from '../render/plain.js'
import { shown } from '../render/words.js'
import { demandChange } from './demands.js'
import type { LockedGuard, LockedValue } from './format.js'

export type Severity = 'weaker' | 'stronger' | 'changed'

export interface FactChange {
  readonly severity: Severity
  /** `limit went from 10 to 100`, `went from any of a, b to all of a, b` */
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
const MORE_IS_WEAKER = /^(?:\w*limit|burst|max\w*|\w*tolerance\w*|\w*stale\w*)$/i
const MORE_IS_STRONGER = /^(?:\w*windowSeconds|min\w*)$/i
const MODE = /Mode$/
const MODES = ['enforce', 'report']
const TRUE_IS_STRONGER = new Set(['required', 'strict'])
/** From strict to lenient. */
const UNKNOWN_FIELDS = ['refused', 'strips-unknown']

/** What changed in the set-up of one guard, and whether more callers get further because of it. */
export function factChanges(
  before: LockedGuard['facts'],
  after: LockedGuard['facts'],
): readonly FactChange[] {
  const demand = demandChange(before, after)
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  const others = demand === undefined ? names : names.filter((name) => name !== 'all' && name !== 'any')
  const changes = others.flatMap((name) => {
    const was = ownFact(before, name)
    const is = ownFact(after, name)
    if (JSON.stringify(was) === JSON.stringify(is)) return []
    const severity = withModes(severityOf(name, was, is), modeOf(before, name), modeOf(after, name))
    return [{ severity, text: `${shown(name, 80)} ${changeText(was, is)}` }]
  })
  return demand === undefined ? changes : [demand, ...changes]
}

/** A rule that only reports keeps nobody out: what becomes of it makes nothing stronger, and its loss nothing weaker. */
function withModes(severity: Severity, was: unknown, is: unknown): Severity {
  if (severity === 'stronger' && is === 'report') return 'changed'
  return severity === 'weaker' && was === 'report' && is !== 'enforce' ? 'changed' : severity
}

/** Of `maxTokenAgeSeconds` and of `types`: what `maxTokenAgeMode` and `typesMode` say. */
function modeOf(facts: LockedGuard['facts'], name: string): unknown {
  return MODE.test(name) ? undefined : ownFact(facts, `${name.replace(/Seconds$/, '')}Mode`)
}

function ownFact(facts: LockedGuard['facts'], name: string): LockedValue | undefined {
  return Object.hasOwn(facts, name) ? facts[name] : undefined
}

function severityOf(name: string, was: LockedValue | undefined, is: LockedValue | undefined): Severity {
  if (MODE.test(name)) return severityOfMode(was, is)
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

function severityOfMode(was: LockedValue | undefined, is: LockedValue | undefined): Severity {
  if (is === undefined) return was === 'enforce' ? 'weaker' : 'changed'
  if (was === undefined) return is === 'enforce' ? 'stronger' : 'changed'
  const [from, to] = [MODES.indexOf(String(was)), MODES.indexOf(String(is))]
  return from === -1 || to === -1 ? 'changed' : severityOfOrder(to - from)
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
