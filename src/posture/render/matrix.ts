import type { LockChange } from '../lock.js'
import { subjectOf } from '../lock/rows.js'
import type { Posture, PostureGuard, PostureRow } from '../model.js'
import { byCodeUnit } from '../facts.js'
import { guardText, proofText, shown } from './words.js'

export interface MatrixOptions {
  /**
   * What changed since the posture.lock that is in the repository: a last column. What is about no row that is there has
   * a line of its own, at the end.
   */
  readonly changes?: readonly LockChange[]
}

/** What a scope or a role does on a route. */
export type Need = 'required' | 'one of' | 'required (report)' | 'one of (report)'

export interface AccessColumn {
  readonly what: 'scope' | 'role'
  readonly value: string
}

export interface AccessRow {
  /** Place of the row in the posture. */
  readonly index: number
  readonly row: PostureRow
  /** Who gets as far as the guards of the columns. */
  readonly caller: 'anyone' | 'any credential' | 'with a right' | 'refused by default' | 'unknown'
  /** In the order of the columns. */
  readonly needs: readonly (Need | undefined)[]
  /** Authorization that is neither a scope nor a role. */
  readonly further: readonly PostureGuard[]
}

export interface AccessMatrix {
  readonly columns: readonly AccessColumn[]
  readonly rows: readonly AccessRow[]
}

const RIGHTS: Readonly<Record<string, AccessColumn['what']>> = {
  requireScopes: 'scope',
  requireRoles: 'role',
}

// A spreadsheet takes 32,767 characters in a cell.
const MAX_CELL = 30_000

interface Right extends AccessColumn {
  readonly need: Need
}

/** Which scope and which role each route needs. Handlers that only pass requests on are left out. */
export function accessMatrix({ rows }: Posture): AccessMatrix {
  const kept = rows
    .map((row, index) => ({ row, index, rights: row.guards.flatMap(rightsOf) }))
    .filter(({ row }) => row.proof !== 'known')
  const columns = columnsOf(kept.flatMap(({ rights }) => rights))
  return {
    columns,
    rows: kept.map(({ row, index, rights }) => ({
      index,
      row,
      caller: callerOf(row),
      needs: columns.map((column) => strongest(rights.filter((right) => sameRight(right, column)))),
      further: row.guards.filter((guard) => guard.layer === 'authorization' && rightsOf(guard).length === 0),
    })),
  }
}

/**
 * The access matrix as CSV (RFC 4180): a line for each route, a column for each scope and each role.
 *
 * Values that a spreadsheet could take for a formula get a leading apostrophe.
 */
export function renderMatrix(posture: Posture, { changes }: MatrixOptions = {}): string {
  const { columns, rows } = accessMatrix(posture)
  const plain = [
    [
      'method',
      'path',
      'proof',
      'caller',
      ...columns.map(({ what, value }) => `${what} ${value}`),
      'further rules',
    ],
    ...rows.map(({ row, caller, needs, further }) => [
      row.method,
      nameOf(row),
      proofText(row),
      caller,
      ...needs.map((need) => need ?? ''),
      further.map(guardText).join('; '),
    ]),
  ]
  const cells = plain.map((line) => line.map((text) => csvCell(text)))
  const subjects = rows.map(({ row }) => subjectOf(row))
  const lines = changes === undefined ? cells : withChanges(cells, subjects, changes)
  return lines.map((line) => `${line.join(',')}\r\n`).join('')
}

/** As it is: what is made harmless no longer begins as it did. */
function nameOf({ kind, path, handler }: PostureRow): string {
  return kind === 'handler' && handler !== undefined && handler !== '' ? `${path} (${handler})` : path
}

/** Of several rows alike, the first one says what changed. */
function withChanges(
  [heading = [], ...lines]: readonly string[][],
  subjects: readonly string[],
  changes: readonly LockChange[],
): string[][] {
  const textsAbout = new Map<string | undefined, string[]>()
  for (const { severity, where, sentence } of changes)
    textsAbout.set(where, [...(textsAbout.get(where) ?? []), `${severity}: ${shown(sentence, 1000)}`])
  const take = (subject: string | undefined): string => {
    const texts = textsAbout.get(subject) ?? []
    textsAbout.delete(subject)
    return csvCell(texts.join('; '), MAX_CELL)
  }
  const changed = lines.map((line, at) => [...line, take(subjects[at])])
  const nothing = heading.map(() => '')
  const others = [...textsAbout.keys()].map((subject) => [...nothing, take(subject)])
  return [[...heading, 'changes'], ...changed, ...others]
}

function rightsOf({ kind, facts, mode }: PostureGuard): readonly Right[] {
  const what = Object.hasOwn(RIGHTS, kind) ? RIGHTS[kind] : undefined
  if (what === undefined) return []
  const suffix = mode === 'report' ? ' (report)' : ''
  const all = textsOf(facts['all'])
  const any = textsOf(facts['any'])
  return [
    ...all.map((value): Right => ({ what, value, need: `required${suffix}` })),
    ...any.map((value): Right => ({
      what,
      value,
      need: `${any.length === 1 ? 'required' : 'one of'}${suffix}`,
    })),
  ]
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

function columnsOf(rights: readonly Right[]): readonly AccessColumn[] {
  const seen = new Map(rights.map(({ what, value }) => [`${what} ${value}`, { what, value }]))
  return [...seen.values()].sort(
    (one, other) => byCodeUnit(other.what, one.what) || byCodeUnit(one.value, other.value),
  )
}

function sameRight(one: AccessColumn, other: AccessColumn): boolean {
  return one.what === other.what && one.value === other.value
}

/** Two guards may ask for the same right: what is enforced for certain is said. */
function strongest(rights: readonly Right[]): Need | undefined {
  const order: readonly Need[] = ['required', 'one of', 'required (report)', 'one of (report)']
  return order.find((need) => rights.some((right) => right.need === need))
}

function callerOf({ proof, guards, refusedByDefault }: PostureRow): AccessRow['caller'] {
  if (refusedByDefault && (proof === 'open' || proof === 'unknown')) return 'refused by default'
  if (proof === 'unknown') return 'unknown'
  if (proof === 'guarded' || proof === 'held' || (proof === 'optional' && refusedByDefault)) {
    // How a caller proved who it is gives it no right.
    const decides = guards.some(
      ({ layer, kind, mode }) =>
        layer === 'authorization' && kind !== 'requireAuthnLevel' && mode === 'enforce',
    )
    return decides ? 'with a right' : 'any credential'
  }
  return 'anyone'
}

/** A cell that begins like a formula would be run by a spreadsheet (OWASP: CSV injection). */
function csvCell(text: string, maxLength = 300): string {
  const kept = shown(text, maxLength)
  const safe = /^\s*[=+\-@|%]/.test(text) || /^[\t\r\n]/.test(text) ? `'${kept}` : kept
  return /[",\r\n;']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
