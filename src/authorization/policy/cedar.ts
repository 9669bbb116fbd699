import { checkOptions, record, required, text, type OptionRule } from '../../core/options.js'
import type { Policy, PolicyDecision, PolicyRequest } from '../../core/policy.js'
import { loadEngine, type CedarAnswer } from './cedar/engine.js'
import { cedarEntities, readMapping, type CedarMapping } from './cedar/mapping.js'
import { hashVersion } from './engine-facts.js'

export type { CedarMapping } from './cedar/mapping.js'

/** An entity that the policies know beforehand, in Cedar's JSON format. */
export interface CedarEntity {
  readonly uid: { readonly type: string; readonly id: string }
  readonly attrs?: Readonly<Record<string, unknown>>
  readonly parents?: readonly { readonly type: string; readonly id: string }[]
}

export interface CedarPolicyOptions {
  /** Policies in Cedar's language, without templates. An `@id("...")` annotation is the rule's id in the record. */
  readonly policies: string
  /** A Cedar schema, as text or JSON: policies are validated against it once, every request each time. */
  readonly schema?: string | Readonly<Record<string, unknown>>
  /** Entities known beforehand. What stands here wins over the properties of a request for the same entity. */
  readonly entities?: readonly CedarEntity[]
  /** Version for the record. @default 'sha256:' and the first 12 hex digits of the policies' hash */
  readonly version?: string
  /** How AuthZEN's types and properties become Cedar's types, entities and parents. */
  readonly mapping?: CedarMapping
}

const MAX_POLICIES_LENGTH = 1024 * 1024
const entities: OptionRule = {
  says: 'an array of entities',
  holds: (value) => Array.isArray(value) && value.every(record.holds),
}
const schema: OptionRule = {
  says: 'a Cedar schema, as text or object',
  holds: (value) => (typeof value === 'string' && value !== '') || record.holds(value),
}

/**
 * A policy that Cedar decides, in this process and at once: `authorize(cedarPolicy({ policies }), ...)`.
 *
 * Policies are parsed (and with a schema validated) once, here. `subject` and `resource` become entities with their
 * properties as attributes, the action `Action::"<name>"`; its properties are `context.action`. The policies that
 * determined the answer are the `rule`.
 *
 * **Not checked:** how long an evaluation takes; Cedar has no loops, so it is bounded by the policies and the request.
 *
 * Throws a `TypeError` for policies, schema or entities that do not parse or validate. The policy throws where a
 * request cannot be expressed in Cedar, and where a policy failed while the answer would be "allow".
 */
export function cedarPolicy(options: CedarPolicyOptions): Policy {
  checkOptions('cedarPolicy', options, {
    policies: required(text(MAX_POLICIES_LENGTH)),
    schema,
    entities,
    version: text(100),
    mapping: record,
  })
  const mapping = readMapping(options.mapping)
  const known = options.entities ?? []
  const engine = loadEngine(options.policies, options.schema, known)
  const version = options.version ?? hashVersion(options.policies)

  return (request: PolicyRequest): PolicyDecision => {
    const answer = engine(cedarEntities(request, mapping, known))
    return { ...decisionOf(answer), version }
  }
}

function decisionOf({ allowed, determining, failed }: CedarAnswer): PolicyDecision {
  // One that failed may be the one that forbids: what it would have said is not known.
  if (allowed && failed.length > 0) {
    throw new Error(`cedarPolicy: ${listed(failed)} failed while others would allow`)
  }
  const rule = determining.length === 0 ? {} : { rule: listed(determining) }
  if (allowed) return { decision: true, ...rule }
  if (failed.length > 0) return { decision: false, ...rule, reason: `failed: ${listed(failed)}` }
  return { decision: false, ...rule, reason: determining.length === 0 ? 'no policy permits' : 'forbidden' }
}

function listed(ids: readonly string[]): string {
  return ids.toSorted().join(',').slice(0, 256)
}
