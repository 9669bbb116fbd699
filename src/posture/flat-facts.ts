import { credentialsOf, issuersOf } from './evidence.js'
import { plainFacts, type Plain } from './facts.js'
import type { PostureGuard } from './model.js'

type Flat = Readonly<Record<string, Plain>>

/** Fact of an `authenticate` that accepts several kinds of credential, or several issuers: the name of each. */
export const CREDENTIALS = 'credentials'
/** Facts that an `authenticate` of one issuer has itself, and one of several for each of them. */
const OF_ISSUER: ReadonlySet<string> = new Set([
  'issuer',
  'audience',
  'algorithms',
  'types',
  'typesMode',
  'clockToleranceSeconds',
  'maxTokenAgeSeconds',
  'maxTokenAgeMode',
  'maxTokenLifetimeSeconds',
  'maxTokenLifetimeMode',
  'keys',
])

/**
 * Facts without anything inside anything but lists of values: what an `authenticate` says of one credential is
 * `jwt https://id.example audience`, of its proofs of possession `dpop algorithms`. All others are as they are.
 */
export function flatFacts(guard: PostureGuard): Flat {
  const facts = plainFacts(guard.facts)
  if (guard.kind !== 'authenticate') return facts
  const { verifiers, issuers, ...others } = facts
  const flat = Object.fromEntries(Object.entries(others).flatMap(([name, value]) => spread(name, value)))
  return Array.isArray(verifiers) || Array.isArray(issuers) ? { ...byCredential(guard), ...flat } : flat
}

function byCredential(guard: PostureGuard): Flat {
  const counts = new Map<string, number>()
  const named = credentialsOf({ ...guard, facts: plainFacts(guard.facts) }).map(({ kind, label, facts }) => {
    const others = Object.fromEntries(
      Object.entries(facts as Flat).filter(([fact]) => fact !== 'kind' && fact !== 'issuer'),
    )
    const who = kind === 'unknown' ? label : issuersOf(facts).join(', ')
    const name = kind === 'certificate' ? kind : `${kind} ${who}`.trim()
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return { name: count === 1 ? name : `${name} #${count}`, facts: others }
  })
  const entries = named.flatMap(({ name, facts }) =>
    Object.entries(facts).map(([fact, value]) => [`${name} ${fact}`, value] as const),
  )
  return { [CREDENTIALS]: named.map(({ name }) => name), ...Object.fromEntries(entries) }
}

/** The facts of what is one of several others' facts already: `revocation: on`, `revocation store: redis`. */
function spread(name: string, value: Plain): readonly (readonly [string, Plain])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[name, value]]
  const inner = Object.entries(value as Flat).map(([fact, item]) => [`${name} ${fact}`, item] as const)
  return [[name, 'on'], ...inner]
}

/** As the facts of one of several: what an `authenticate` of one issuer was, beside what it has become. */
export function asOneOfSeveral<Value>(
  facts: Readonly<Record<string, Value>>,
): Readonly<Record<string, Value | readonly string[]>> {
  const name = `jwt ${String(facts['issuer'] ?? '')}`.trim()
  const entries = Object.entries(facts)
    .filter(([fact]) => fact !== 'issuer')
    .map(([fact, value]) => [OF_ISSUER.has(fact) ? `${name} ${fact}` : fact, value] as const)
  return { [CREDENTIALS]: [name], ...Object.fromEntries(entries) }
}
