import type { Proof } from '../model.js'
import { routeText, shown } from '../render/words.js'
import type { Severity } from './facts.js'
import type { LockedRow } from './format.js'
import { guardChanges, type GuardChange } from './guards.js'

/** How much stands in a stranger's way. */
const STRENGTH: Readonly<Record<Proof, number>> = {
  open: 0,
  unknown: 0,
  public: 1,
  optional: 2,
  known: 3,
  held: 4,
  guarded: 4,
}

/** `POST /orders`; outside a route also what it is. */
export function subjectOf(row: LockedRow): string {
  if (row.kind === 'route') return routeText(row)
  return `${routeText(row)} (${row.kind}${row.handler === undefined ? '' : ` ${shown(row.handler, 80)}`})`
}

export function newRow(row: LockedRow): GuardChange {
  const reason = row.proof === 'public' ? `: ${shown(row.reason ?? '')}` : ''
  const severity = isSafe(row) ? 'changed' : 'weaker'
  return { severity, code: 'row-new', text: ` is new: ${row.proof}${reason}${refusal(row)}` }
}

export function goneRow({ proof }: LockedRow): GuardChange {
  return { severity: 'changed', code: 'row-gone', text: ` is gone: it was ${proof}` }
}

export function rowChanges(was: LockedRow, is: LockedRow, sameDefault: boolean): readonly GuardChange[] {
  return [
    ...proofChanges(was, is),
    ...(sameDefault ? refusalChanges(was, is) : []),
    ...guardChanges(was.guards, is.guards),
    ...faultChanges(was, is),
  ]
}

function proofChanges(was: LockedRow, is: LockedRow): readonly GuardChange[] {
  const reason = is.proof === 'public' ? `: ${shown(is.reason ?? '')}` : ''
  if (was.proof !== is.proof) {
    const text = ` went from ${was.proof} to ${is.proof}${reason}${refusal(is)}`
    return [{ severity: severityOf(STRENGTH[is.proof] - STRENGTH[was.proof]), code: 'proof-changed', text }]
  }
  if (is.proof !== 'public' || was.reason === is.reason) return []
  return [{ severity: 'changed', code: 'reason-changed', text: ` is public for another reason${reason}` }]
}

function refusalChanges(was: LockedRow, is: LockedRow): readonly GuardChange[] {
  if (was.refusedByDefault === is.refusedByDefault) return []
  return is.refusedByDefault
    ? [{ severity: 'stronger', code: 'default-changed', text: ' is refused by default now' }]
    : [{ severity: 'weaker', code: 'default-changed', text: ' is no longer refused by default' }]
}

function faultChanges(was: LockedRow, is: LockedRow): readonly GuardChange[] {
  const added = is.faults.filter((code) => !was.faults.includes(code))
  const removed = was.faults.filter((code) => !is.faults.includes(code))
  return [
    ...added.map((code): GuardChange => ({
      severity: 'weaker',
      code: 'fault-new',
      text: ` has a new fault: ${shown(code, 80)}`,
    })),
    ...removed.map((code): GuardChange => ({
      severity: 'stronger',
      code: 'fault-gone',
      text: ` no longer has the fault ${shown(code, 80)}`,
    })),
  ]
}

function isSafe({ proof, refusedByDefault }: LockedRow): boolean {
  return STRENGTH[proof] >= STRENGTH.known || (refusedByDefault && proof === 'open')
}

function refusal({ proof, refusedByDefault }: LockedRow): string {
  return refusedByDefault && proof === 'open' ? ', and refused by default' : ''
}

function severityOf(difference: number): Severity {
  if (difference === 0) return 'changed'
  return difference < 0 ? 'weaker' : 'stronger'
}
