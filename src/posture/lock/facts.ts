import { CREDENTIALS, asOneOfSeveral } from '../flat-facts.js'
import { shown } from '../render/words.js'
import { demandChange } from './demands.js'
import { changeText, minus } from './fact-texts.js'
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
  'names',
  // Hops that nothing better than an address stands for.
  'weak',
  // Hops whose word for a client certificate is taken.
  'believed',
  CREDENTIALS,
])
/** What keeps somebody out by being there. */
const STRICT_BY_PRESENCE = new Set(['revocation', 'senderConstrained'])
/** Of a `gateway`: what nothing is proven for, so that it is there only where something is. */
const TRUSTED = new Set(['weak', 'believed'])
/** In place of a list: everything. */
const ANYTHING = 'any'
const MORE_IS_WEAKER = /^(?:\w*limit|burst|cacheSeconds|max\w*|\w*tolerance\w*|\w*stale\w*)$/i
const MORE_IS_STRONGER = /^(?:\w*windowSeconds|min\w*)$/i
const MODE = /Mode$/
const MODES = ['enforce', 'report']
const TRUE_IS_STRONGER = new Set(['required', 'strict'])
/** From strict to lenient. */
const ORDERS: Readonly<Record<string, readonly string[]>> = {
  unknownFields: ['refused', 'strips-unknown'],
  onOutage: ['deny', 'local', 'allow'],
  unproven: ['refuse', 'strip'],
}

/** What changed in the set-up of one guard, and whether more callers get further because of it. */
export function factChanges(
  was: LockedGuard['facts'],
  is: LockedGuard['facts'],
  kind: string,
): readonly FactChange[] {
  const [before, after] = kind === 'authenticate' ? alike(was, is) : [was, is]
  const demand = demandChange(before, after)
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  const others = demand === undefined ? names : names.filter((name) => name !== 'all' && name !== 'any')
  const changes = others.flatMap((name) => {
    const [earlier, later] = [ownFact(before, name), ownFact(after, name)]
    if (JSON.stringify(earlier) === JSON.stringify(later)) return []
    if (kind === 'authenticate' && !isInBoth(name, before, after)) return []
    const severity = withModes(
      severityIn(kind, name, earlier, later),
      modeOf(before, name),
      modeOf(after, name),
    )
    return [{ severity, text: `${shown(name, 120)} ${changeText(earlier, later)}` }]
  })
  return demand === undefined ? changes : [demand, ...changes]
}

/** One issuer among several is told apart by its name, also where it was the only one before. */
function alike(
  was: LockedGuard['facts'],
  is: LockedGuard['facts'],
): readonly [LockedGuard['facts'], LockedGuard['facts']] {
  const [had, has] = [was, is].map((facts) => Object.hasOwn(facts, CREDENTIALS))
  return had === has
    ? [was, is]
    : [had === true ? was : asOneOfSeveral(was), has === true ? is : asOneOfSeveral(is)]
}

/** Of a credential that is new or gone its name says enough; so does that of a part, as `dpop`. */
function isInBoth(name: string, before: LockedGuard['facts'], after: LockedGuard['facts']): boolean {
  const at = name.lastIndexOf(' ')
  if (at === -1) return true
  const part = name.slice(0, at)
  return [before, after].every((facts) => {
    const credentials = ownFact(facts, CREDENTIALS)
    return (Array.isArray(credentials) && credentials.includes(part)) || ownFact(facts, part) !== undefined
  })
}

/** A part of `authenticate` has facts of the same names as other guards, and some of them mean something else there. */
function severityIn(
  kind: string,
  name: string,
  was: LockedValue | undefined,
  is: LockedValue | undefined,
): Severity {
  // A chain: each of them must be proven, and `weak` says which are not, `believed` what else is taken on trust.
  if (kind === 'gateway' && name === 'hops') return 'changed'
  if (kind === 'gateway' && TRUSTED.has(name) && (was === undefined || is === undefined))
    return was === undefined ? 'weaker' : 'stronger'
  if (kind !== 'authenticate') return severityOf(name, was, is)
  const at = name.lastIndexOf(' ')
  const [part, fact] = [name.slice(0, Math.max(at, 0)), name.slice(at + 1)]
  const isOfProofs = part === 'dpop' || part === 'revocation'
  if (isOfProofs && fact !== 'algorithms' && fact !== 'clockToleranceSeconds') return 'changed'
  return severityOf(fact, was, is)
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
  if (ACCEPTED.has(name) && (was === ANYTHING || is === ANYTHING))
    return was === ANYTHING ? 'stronger' : 'weaker'
  if (NEEDED.has(name)) return severityOfLists(minus(was, is), minus(is, was))
  if (ACCEPTED.has(name)) return severityOfLists(minus(is, was), minus(was, is))
  const order = Object.hasOwn(ORDERS, name) ? ORDERS[name] : undefined
  if (order !== undefined) return severityOfOrder(placeIn(order, is) - placeIn(order, was))
  if (TRUE_IS_STRONGER.has(name)) return severityOfOrder(Number(was) - Number(is))
  if (typeof was !== 'number' || typeof is !== 'number') return 'changed'
  if (MORE_IS_WEAKER.test(name)) return severityOfOrder(is - was)
  return MORE_IS_STRONGER.test(name) ? severityOfOrder(was - is) : 'changed'
}

/** A bound or a list that is new narrows who passes; one that is gone no longer does. */
function severityOfPresence(name: string, isNew: boolean): Severity {
  const bounds =
    NEEDED.has(name) || ACCEPTED.has(name) || STRICT_BY_PRESENCE.has(name) || MORE_IS_WEAKER.test(name)
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

function placeIn(order: readonly string[], value: LockedValue): number {
  const place = order.indexOf(String(value))
  return place === -1 ? order.length : place
}
