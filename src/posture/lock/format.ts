import type { Posture, PostureGuard, PostureRow } from '../model.js'
import { isPublic } from '../evidence.js'
import { byCodeUnit, type Plain } from '../facts.js'
import { flatFacts } from '../flat-facts.js'
import { valueText } from '../render/plain.js'

/** Version of the lock file's shape; a file of another one is refused. */
export const LOCK_VERSION = 1

export type LockedValue = string | number | boolean | null | readonly (string | number | boolean | null)[]

export interface LockedGuard {
  readonly kind: string
  readonly name: string
  readonly mode: 'enforce' | 'report'
  readonly facts: Readonly<Record<string, LockedValue>>
}

export interface LockedRow {
  readonly kind: PostureRow['kind']
  readonly method: string
  readonly path: string
  readonly handler?: string
  readonly proof: PostureRow['proof']
  /** Of a route that says that it is public. */
  readonly reason?: string
  readonly refusedByDefault: boolean
  readonly guards: readonly LockedGuard[]
  /** Codes, sorted. */
  readonly faults: readonly string[]
}

export interface Lock {
  readonly lockVersion: typeof LOCK_VERSION
  readonly application: string
  readonly denyByDefault: Posture['denyByDefault']
  readonly services: readonly LockedGuard[]
  readonly rows: readonly LockedRow[]
}

export const MAX_TEXT = 4096

export function lockedOf({ application, denyByDefault, services, rows }: Posture): Lock {
  return {
    lockVersion: LOCK_VERSION,
    application: cut(application),
    denyByDefault,
    services: services.map(lockedGuard),
    rows: rows.map(lockedRow).sort(byRoute),
  }
}

/** Rows of one route keep their order: the first of them answers. */
function byRoute(one: LockedRow, other: LockedRow): number {
  return (
    byCodeUnit(one.path, other.path) ||
    byCodeUnit(one.method, other.method) ||
    byCodeUnit(one.kind, other.kind) ||
    byCodeUnit(one.handler ?? '', other.handler ?? '')
  )
}

function lockedRow(row: PostureRow): LockedRow {
  // Only what stands outside a route needs its function's name to be told apart.
  const named = row.kind !== 'route' && row.handler !== undefined && row.handler !== ''
  return {
    kind: row.kind,
    method: cut(row.method),
    path: cut(row.path),
    ...(named ? { handler: cut(row.handler) } : {}),
    proof: row.proof,
    ...(isPublic(row) ? { reason: cut(row.publicReason ?? row.why) } : {}),
    refusedByDefault: row.refusedByDefault,
    guards: row.guards.map(lockedGuard),
    faults: row.faults.map(({ code }) => cut(code)).sort(byCodeUnit),
  }
}

/** Neither file nor line: a lock that changed with every line above a guard would be signed unread. */
function lockedGuard(guard: PostureGuard): LockedGuard {
  const { kind, name, mode } = guard
  const entries = Object.entries(flatFacts(guard))
    .sort(([one], [other]) => byCodeUnit(one, other))
    .map(([fact, value]) => [cut(fact), lockedValue(value)])
  return {
    kind: cut(kind),
    name: cut(name),
    mode,
    facts: Object.fromEntries(entries) as LockedGuard['facts'],
  }
}

function lockedValue(value: Plain): LockedValue {
  if (Array.isArray(value)) return (value as readonly Plain[]).map(lockedScalar)
  return lockedScalar(value)
}

function lockedScalar(value: Plain): string | number | boolean | null {
  return typeof value === 'object' && value !== null ? cut(valueText(value)) : value
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 3)}...` : text
}
