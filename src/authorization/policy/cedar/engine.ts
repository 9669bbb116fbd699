import { randomUUID } from 'node:crypto'
import {
  checkParseEntities,
  policySetTextToParts,
  policyToJson,
  preparsePolicySet,
  preparseSchema,
  statefulIsAuthorized,
  validate,
  type DetailedError,
  type Entities,
  type Schema,
} from '@cedar-policy/cedar-wasm/nodejs'
import type { CedarCall } from './mapping.js'

/** What Cedar answered: ids of policies only, for its messages quote the request. */
export interface CedarAnswer {
  readonly allowed: boolean
  readonly determining: readonly string[]
  readonly failed: readonly string[]
}

/** Parses policies and schema once. Throws a `TypeError` for what does not parse or validate. */
export function loadEngine(
  policies: string,
  schema: string | object | undefined,
  entities: readonly object[],
): (call: CedarCall) => CedarAnswer {
  // Cedar keeps what it parsed under a name, for the whole process.
  const name = randomUUID()
  const policySet = { staticPolicies: policiesById(policies) }
  insist('policies', preparsePolicySet(name, policySet))
  const known = entities.map((entity) => ({ attrs: {}, parents: [], ...entity })) as unknown as Entities
  if (schema !== undefined) {
    insist('schema', preparseSchema(name, schema as Schema))
    const verdict = insist('schema', validate({ schema: schema as Schema, policies: policySet }))
    const faults = verdict.validationErrors.map(({ error }) => error)
    if (faults.length > 0) throw wrong('policies', faults)
  }
  insist('entities', checkParseEntities({ entities: known, schema: (schema ?? null) as Schema | null }))

  const preparsed = {
    preparsedPolicySetId: name,
    ...(schema === undefined ? {} : { preparsedSchemaName: name, validateRequest: true }),
  }
  return (call) => {
    const answer = statefulIsAuthorized({ ...preparsed, ...call })
    if (answer.type !== 'success') throw new Error('cedarPolicy: Cedar could not evaluate the request')
    const { decision, diagnostics } = answer.response
    return {
      allowed: decision === 'allow',
      determining: diagnostics.reason,
      failed: diagnostics.errors.map(({ policyId }) => policyId),
    }
  }
}

/** Each policy under its `@id`; one without is `policy<n>`, by its place in the text, counted from 0. */
function policiesById(source: string): Record<string, string> {
  const parts = insist('policies', policySetTextToParts(source))
  if (parts.policy_templates.length > 0) throw new TypeError('cedarPolicy: policies must hold no template')
  if (parts.policies.length === 0) throw new TypeError('cedarPolicy: policies must hold at least one policy')
  // Cedar sorts the parts by the ids it gave them, as text: policy0, policy1, policy10, policy2.
  const given = parts.policies.map((_policy, index) => `policy${index}`).toSorted()
  const byId = new Map<string, string>()
  for (const [index, policy] of parts.policies.entries()) {
    const { json } = insist('policies', policyToJson(policy))
    const id = json.annotations?.['id'] || (given[index] ?? '')
    if (byId.has(id)) throw new TypeError(`cedarPolicy: two policies have the id ${JSON.stringify(id)}`)
    byId.set(id, policy)
  }
  return Object.fromEntries(byId)
}

function insist<T extends { readonly type: string }>(
  what: string,
  answer: T | { readonly type: 'failure'; readonly errors: readonly DetailedError[] },
): Exclude<T, { readonly type: 'failure' }> {
  if ('errors' in answer) throw wrong(what, answer.errors)
  return answer as Exclude<T, { readonly type: 'failure' }>
}

function wrong(what: string, errors: readonly DetailedError[]): TypeError {
  return new TypeError(`cedarPolicy: ${what}: ${errors.map(({ message }) => message).join('; ')}`)
}
