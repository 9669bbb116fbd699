import { basename, isAbsolute, relative } from 'node:path'
import type { GuardMetadata } from '../../core/metadata.js'
import { neutralise } from '../../core/text.js'
import { SAID, plainFacts } from '../facts.js'
import type { PostureGuard } from '../model.js'
import type { Passed } from './evidence.js'

const MAX_TEXT = 500

type Written = readonly PostureGuard[]

/** Writes guards down for the report; one that stands before many routes is written once. */
export class GuardWriter {
  readonly #root: string
  readonly #written = {
    before: new Map<GuardMetadata, Written>(),
    route: new Map<GuardMetadata, Written>(),
  }

  constructor(root: string) {
    this.#root = root
  }

  /** One guard, or one for each limit of a `rateLimit` that has several. */
  write({ about, mounted }: Passed): Written {
    const known = this.#written[mounted].get(about)
    if (known !== undefined) return known
    const { kind, layer, name, mode, facts, definedAt } = about
    const guard: PostureGuard = Object.freeze({
      kind: neutralise(kind, 64),
      layer,
      name: neutralise(name, MAX_TEXT),
      mode,
      facts: plainFacts(kind === 'authenticate' ? levelled(facts) : facts, SAID),
      file: definedAt === undefined ? undefined : shownFile(definedAt.file, this.#root),
      line: definedAt?.line,
      mounted,
    })
    const written = policiesOf(guard)
    this.#written[mounted].set(about, written)
    return written
  }
}

/** Issuers of one verifier stand beside the other verifiers: further down they would be cut off. */
function levelled(facts: PostureGuard['facts']): PostureGuard['facts'] {
  try {
    const { verifiers } = facts
    if (!Array.isArray(verifiers)) return facts
    return { ...facts, verifiers: (verifiers as readonly unknown[]).flatMap(issuersIn) }
  } catch {
    // Facts that cannot be read are said to be so.
    return facts
  }
}

function issuersIn(verifier: unknown): readonly unknown[] {
  const { kind, issuers } = (verifier ?? {}) as PostureGuard['facts']
  if (kind !== 'jwt' || !Array.isArray(issuers)) return [verifier]
  return (issuers as readonly unknown[]).map((issuer) =>
    typeof issuer === 'object' && issuer !== null ? { kind, ...issuer } : issuer,
  )
}

/** Each limit has a name, a mode and counts of its own, and is judged by itself. */
function policiesOf(guard: PostureGuard): Written {
  const { policies, ...shared } = guard.facts
  if (guard.kind !== 'rateLimit' || !Array.isArray(policies) || policies.length === 0) return [guard]
  return (policies as readonly unknown[]).map((policy) => policyOf(guard, policy, shared))
}

function policyOf(guard: PostureGuard, policy: unknown, shared: PostureGuard['facts']): PostureGuard {
  const isRecord = typeof policy === 'object' && policy !== null && !Array.isArray(policy)
  const { name, mode, ...facts } = (isRecord ? policy : {}) as PostureGuard['facts']
  return Object.freeze({
    ...guard,
    name: typeof name === 'string' ? name : guard.name,
    mode: mode === 'report' ? 'report' : guard.mode,
    facts: { ...facts, ...shared },
  })
}

/** Relative to the root, with forward slashes; of a file outside it the name alone, for the rest is the machine's own. */
function shownFile(file: string, root: string): string {
  const path = isAbsolute(file) ? relative(root, file) : file
  const shown = path.replaceAll('\\', '/')
  const isOutside = /^(?:\.\.(?:\/|$)|\/|[A-Za-z]:|[a-z-]+:)/.test(shown)
  return neutralise(isOutside ? basename(shown) : shown, MAX_TEXT)
}
