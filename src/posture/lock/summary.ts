import type { LockChange } from '../lock.js'

/** One sentence for a person. */
export type LockSentence = Pick<LockChange, 'severity' | 'sentence'>

const MOST_NAMED = 3

// What is new or gone, and why a route is public, is to be read one by one.
const SAID_EACH: ReadonlySet<string> = new Set(['row-new', 'row-gone', 'reason-changed'])

/**
 * The changes as a person reads them: what happened to more than three rows alike, as where a middleware that stood before
 * all of them is gone, is said once, of the first and of how many more.
 *
 * JSON and SARIF have every change.
 */
export function summariseChanges(changes: readonly LockChange[]): readonly LockSentence[] {
  const groups = new Map<string, LockChange[]>()
  for (const [index, change] of changes.entries()) {
    const key = keyOf(change) ?? String(index)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [change])
    else group.push(change)
  }
  return [...groups.values()].flatMap((group) => (group.length > MOST_NAMED ? [together(group)] : group))
}

function keyOf({ severity, code, where, sentence }: LockChange): string | undefined {
  if (where === undefined || SAID_EACH.has(code) || !sentence.startsWith(where)) return undefined
  return JSON.stringify([severity, code, sentence.slice(where.length)])
}

function together(group: readonly LockChange[]): LockSentence {
  const [{ severity, where = '', sentence }] = group as readonly [LockChange, ...LockChange[]]
  const word = group.every(isRoute) ? 'routes' : 'rows'
  const text = inPlural(sentence.slice(where.length))
  return { severity, sentence: `${where} and ${group.length - 1} more ${word}${text}` }
}

function isRoute({ where = '' }: LockChange): boolean {
  return !/ \((?:handler|application)\b/.test(where)
}

/** ` has a new fault` reads on from one row. */
function inPlural(text: string): string {
  return text
    .replace(/^ is /, ' are ')
    .replace(/^ has /, ' have ')
    .replace(/^ no longer has /, ' no longer have ')
    .replace(/^ runs its /, ' run their ')
}
