import type { Severity } from './lock/facts.js'
import { lockedOf, type Lock, type LockedRow } from './lock/format.js'
import { guardChanges, type GuardChange } from './lock/guards.js'
import { readLock } from './lock/read.js'
import { goneRow, newRow, rowChanges, subjectOf } from './lock/rows.js'
import type { Posture } from './model.js'
import { jsonText } from './render/plain.js'

export { summariseChanges, type LockSentence } from './lock/summary.js'

/** One thing that is different between two lock files. */
export interface LockChange {
  /**
   * `weaker`: somebody gets further than before. `stronger`: somebody no longer does. `changed`: neither can be said,
   * so a person has to look.
   */
  readonly severity: Severity
  /** Stable: `guard-lost`, `row-new`, `proof-changed`, `mode-changed`, `fact-changed`, ... */
  readonly code: string
  /** `POST /orders`; `undefined` where it is about the application. */
  readonly where: string | undefined
  /** `POST /orders lost requireScopes(orders:write)` */
  readonly sentence: string
}

/**
 * The text of a posture.lock: what protects each route, without files and lines, sorted, so that it changes where the
 * protection changes and nowhere else.
 */
export function lockOf(posture: Posture): string {
  return jsonText(lockedOf(posture))
}

/**
 * What changed from one posture.lock to another, the weakening changes first.
 *
 * Routes are told apart by kind, method and path; several of one path by their order. A guard whose name and facts
 * both changed counts as lost and gained. Facts of unknown meaning are `changed`, never `stronger`.
 *
 * Throws a `TypeError` that says where, for a text that is not a lock file of this version.
 */
export function compareLocks(before: string, after: string): readonly LockChange[] {
  const was = readLock(before, 'the earlier posture.lock')
  const is = readLock(after, 'the later posture.lock')
  const changes = [...applicationChanges(was, is), ...routeChanges(was, is)]
  const order: readonly Severity[] = ['weaker', 'changed', 'stronger']
  return order.flatMap((severity) => changes.filter((change) => change.severity === severity))
}

const DEFAULTS = ['off', 'on', 'strict'] as const

function applicationChanges(was: Lock, is: Lock): readonly LockChange[] {
  const services = guardChanges(was.services, is.services).map((change) =>
    said('The application', undefined, change),
  )
  if (was.denyByDefault === is.denyByDefault) return services
  const weaker = DEFAULTS.indexOf(is.denyByDefault) < DEFAULTS.indexOf(was.denyByDefault)
  const text = `: deny-by-default went from ${was.denyByDefault} to ${is.denyByDefault}`
  const change: GuardChange = { severity: weaker ? 'weaker' : 'stronger', code: 'default-changed', text }
  return [said('The application', undefined, change), ...services]
}

function routeChanges(was: Lock, is: Lock): readonly LockChange[] {
  const earlier = keyed(was.rows)
  const later = keyed(is.rows)
  const sameDefault = was.denyByDefault === is.denyByDefault
  const gone = [...earlier].filter(([key]) => !later.has(key)).map(([, row]) => saidOf(row, goneRow(row)))
  const others = [...later].flatMap(([key, row]) => {
    const before = earlier.get(key)
    const changes = before === undefined ? [newRow(row)] : rowChanges(before, row, sameDefault)
    return changes.map((change) => saidOf(row, change))
  })
  return [...others, ...gone]
}

function keyed(rows: readonly LockedRow[]): ReadonlyMap<string, LockedRow> {
  const counts = new Map<string, number>()
  return new Map(
    rows.map((row) => {
      const route = JSON.stringify([row.kind, row.method, row.path, row.handler ?? ''])
      const count = (counts.get(route) ?? 0) + 1
      counts.set(route, count)
      return [`${route}#${count}`, row]
    }),
  )
}

function saidOf(row: LockedRow, change: GuardChange): LockChange {
  return said(subjectOf(row), subjectOf(row), change)
}

function said(subject: string, where: string | undefined, { severity, code, text }: GuardChange): LockChange {
  return { severity, code, where, sentence: `${subject}${text}` }
}
