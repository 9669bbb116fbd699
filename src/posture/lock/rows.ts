import type { PostureRow, Proof } from '../model.js'
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
export function subjectOf(
  row: Pick<PostureRow, 'kind' | 'method' | 'path'> & { handler?: string | undefined },
): string {
  if (row.kind === 'route') return routeText(row)
  const name = row.handler === undefined || row.handler === '' ? '' : ` ${shown(row.handler, 80)}`
  return `${routeText(row)} (${row.kind}${name})`
}

export function newRow(row: LockedRow): GuardChange {
  const reason = reasonText(row)
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
  const reason = reasonText(is)
  if (was.proof !== is.proof) {
    const text = ` went from ${was.proof} to ${is.proof}${reason}${refusal(is)}`
    return [{ severity: severityOf(STRENGTH[is.proof] - STRENGTH[was.proof]), code: 'proof-changed', text }]
  }
  if (was.reason === is.reason) return []
  if (is.reason === undefined)
    return [{ severity: 'changed', code: 'reason-changed', text: ' no longer says that it is public' }]
  const text =
    was.reason === undefined
      ? ` says that it is public now${reason}`
      : ` is public for another reason${reason}`
  return [{ severity: 'changed', code: 'reason-changed', text }]
}

function refusalChanges(was: LockedRow, is: LockedRow): readonly GuardChange[] {
  if (was.refusedByDefault === is.refusedByDefault) return []
  // That it lost or gained its authentication says more.
  if (is.refusedByDefault)
    return STRENGTH[is.proof] < STRENGTH[was.proof]
      ? []
      : [{ severity: 'stronger', code: 'default-changed', text: ' is refused by default now' }]
  return STRENGTH[is.proof] >= STRENGTH.known
    ? []
    : [{ severity: 'weaker', code: 'default-changed', text: ' is no longer refused by default' }]
}

function reasonText({ reason }: LockedRow): string {
  return reason === undefined ? '' : `: ${shown(reason)}`
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
  return STRENGTH[proof] >= STRENGTH.known || (refusedByDefault && (proof === 'open' || proof === 'optional'))
}

function refusal({ proof, refusedByDefault }: LockedRow): string {
  if (!refusedByDefault) return ''
  if (proof === 'optional') return ', and refused by default without a credential'
  return proof === 'open' ? ', and refused by default' : ''
}

function severityOf(difference: number): Severity {
  if (difference === 0) return 'changed'
  return difference < 0 ? 'weaker' : 'stronger'
}
