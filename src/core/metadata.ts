import { callSite, type CallSite } from './call-site.js'
import type { Layer, Mode } from './decision.js'

const METADATA = Symbol.for('express-bulwark.guard.v1')
const MAX_WRAPPERS = 5

/** What a reader of the route table may know of a middleware of this library. Never a secret. */
export interface GuardMetadata {
  /** The middleware's exported name: `requireScopes`. */
  readonly kind: string
  readonly layer: Layer | 'audit'
  /** The rule's id in audit and metrics. */
  readonly name: string
  readonly mode: Mode
  readonly facts: Readonly<Record<string, unknown>>
  /** Where it was made. */
  readonly definedAt: CallSite | undefined
  /** The middleware this belongs to: a wrapper that copied the property is not it. */
  readonly fn: unknown
}

/** Says what a middleware is, for the posture report, the doctor and deny-by-default. Not enumerable. */
export function describeMiddleware<F extends object>(
  middleware: F,
  about: Pick<GuardMetadata, 'kind' | 'layer'> & Partial<Pick<GuardMetadata, 'name' | 'mode' | 'facts'>>,
): F {
  const { kind, layer, name = kind, mode = 'enforce', facts = {} } = about
  const metadata: GuardMetadata = Object.freeze({
    kind,
    layer,
    name,
    mode,
    facts: frozenFacts(facts),
    definedAt: callSite(),
    fn: middleware,
  })
  return Object.defineProperty(middleware, METADATA, { value: metadata })
}

/** What is known of a middleware that this library made; `undefined` for any other, and for a wrapper around one. */
export function guardMetadataOf(middleware: unknown): GuardMetadata | undefined {
  const metadata = claimedMetadataOf(middleware)
  return metadata?.fn === middleware ? metadata : undefined
}

/** Whether a middleware finds out who the caller is. `publicRoute` is of the same layer, and finds out nothing. */
export function isAuthentication(about: Pick<GuardMetadata, 'layer' | 'kind'>): boolean {
  return about.layer === 'authentication' && about.kind !== 'publicRoute'
}

/**
 * What is known of the middleware that a function is, or is wrapped around. Tracing tools put wrappers around handlers
 * and either copy what those had or leave `__original` behind. It proves nothing: a wrapper need not call what it
 * wraps. Only for places where a decision is asked for all the same.
 */
export function wrappedMetadataOf(middleware: unknown): GuardMetadata | undefined {
  let inner = middleware
  for (let depth = 0; depth < MAX_WRAPPERS && typeof inner === 'function'; depth += 1) {
    const metadata = claimedMetadataOf(inner)
    if (metadata !== undefined) return metadata
    inner = (inner as { __original?: unknown }).__original
  }
  return undefined
}

function claimedMetadataOf(middleware: unknown): GuardMetadata | undefined {
  if (typeof middleware !== 'function') return undefined
  return (middleware as { [METADATA]?: GuardMetadata })[METADATA]
}

/** Facts are for reading: a list among them may be the very list that a check looks at. */
function frozenFacts(facts: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const entries = Object.entries(facts).map(([name, value]) => [
    name,
    Array.isArray(value) ? Object.freeze([...(value as unknown[])]) : value,
  ])
  return Object.freeze(Object.fromEntries(entries) as Record<string, unknown>)
}
