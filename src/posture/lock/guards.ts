import { guardText, shown } from '../render/words.js'
import { isNamedAfterPowers, powersKeyOf } from './demands.js'
import { factChanges, type Severity } from './facts.js'
import type { LockedGuard } from './format.js'

export interface GuardChange {
  readonly severity: Severity
  /** Stable: `guard-lost`, `guard-gained`, `mode-changed`, `fact-changed`, `order-changed`. */
  readonly code: string
  /** Reads on from the route: ` lost requireScopes(orders:write)`, `: rateLimit(orders) limit went from 10 to 100`. */
  readonly text: string
}

interface Pair {
  readonly was: LockedGuard
  readonly is: LockedGuard
}

/** What changed between two chains of guards. `publicRoute` is left to the row's proof, which says more. */
export function guardChanges(
  before: readonly LockedGuard[],
  after: readonly LockedGuard[],
): readonly GuardChange[] {
  const { pairs, lost, gained } = paired(before.filter(isGuard), after.filter(isGuard))
  return [
    ...lost.map((guard) => change('weaker', 'guard-lost', ` lost ${guardText(guard)}`)),
    ...gained.map((guard) =>
      change(guard.mode === 'report' ? 'changed' : 'stronger', 'guard-gained', ` gained ${guardText(guard)}`),
    ),
    ...pairs.flatMap(pairChanges),
    ...orderChanges(before.filter(isGuard), after.filter(isGuard), lost.length + gained.length),
  ]
}

function isGuard({ kind }: LockedGuard): boolean {
  return kind !== 'publicRoute'
}

/** The same kind and name first; then, for one that was only renamed, the same facts, or the same powers, all or any of them. */
function paired(
  before: readonly LockedGuard[],
  after: readonly LockedGuard[],
): {
  readonly pairs: readonly Pair[]
  readonly lost: readonly LockedGuard[]
  readonly gained: readonly LockedGuard[]
} {
  const named = matched(before, after, ({ kind, name }) => JSON.stringify([kind, name]))
  const renamed = matched(named.lost, named.gained, ({ kind, mode, facts }) =>
    JSON.stringify([kind, mode, facts]),
  )
  const { pairs, lost, gained } = matched(renamed.lost, renamed.gained, powersKeyOf)
  return { pairs: [...named.pairs, ...renamed.pairs, ...pairs], lost, gained }
}

function matched(
  before: readonly LockedGuard[],
  after: readonly LockedGuard[],
  keyOf: (guard: LockedGuard) => string,
): { readonly pairs: Pair[]; readonly lost: LockedGuard[]; readonly gained: LockedGuard[] } {
  const waiting = new Map<string, LockedGuard[]>()
  for (const guard of after) {
    const key = keyOf(guard)
    waiting.set(key, [...(waiting.get(key) ?? []), guard])
  }
  const pairs: Pair[] = []
  const lost: LockedGuard[] = []
  for (const was of before) {
    const is = waiting.get(keyOf(was))?.shift()
    if (is === undefined) lost.push(was)
    else pairs.push({ was, is })
  }
  const taken = new Set(pairs.map(({ is }) => is))
  return { pairs, lost, gained: after.filter((guard) => !taken.has(guard)) }
}

function pairChanges({ was, is }: Pair): readonly GuardChange[] {
  const label = guardText({ ...is, mode: 'enforce' })
  const mode =
    was.mode === is.mode
      ? []
      : [
          change(
            is.mode === 'report' ? 'weaker' : 'stronger',
            'mode-changed',
            `: ${label} went from ${was.mode} to ${is.mode}`,
          ),
        ]
  const facts = factChanges(was.facts, is.facts, is.kind).map(({ severity, text }) =>
    change(severity, 'fact-changed', `: ${label} ${text}`),
  )
  const renamed =
    was.name === is.name || (isNamedAfterPowers(was) && isNamedAfterPowers(is))
      ? []
      : [
          change(
            'changed',
            'guard-renamed',
            `: ${shown(is.kind, 80)} ${shown(was.name, 120)} is now called ${shown(is.name, 120)}`,
          ),
        ]
  return [...mode, ...facts, ...renamed]
}

function orderChanges(
  before: readonly LockedGuard[],
  after: readonly LockedGuard[],
  others: number,
): readonly GuardChange[] {
  const order = (guards: readonly LockedGuard[]): string => JSON.stringify(guards.map(({ kind }) => kind))
  if (others > 0 || order(before) === order(after)) return []
  const now = after.map((guard) => guardText({ ...guard, mode: 'enforce' })).join(', ')
  return [change('changed', 'order-changed', ` runs its guards in another order: ${shown(now, 600)}`)]
}

function change(severity: Severity, code: string, text: string): GuardChange {
  return { severity, code, text }
}
