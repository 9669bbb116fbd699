import { newEnforcer, newModelFromString, StringAdapter } from 'casbin'
import type { Policy } from '../../../../src/core/policy.js'

const MODEL = `
[request_definition]
r = subject, action, resource

[policy_definition]
p = name, condition

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = eval(p.condition)
`

/** Rules are lines of `p, name, condition`: Casbin evaluates a condition as code, so they are yours, never a caller's. */
export async function casbinPolicy(rules: string): Promise<Policy> {
  const enforcer = await newEnforcer(newModelFromString(MODEL), new StringAdapter(rules))

  return ({ subject, action, resource }) => {
    // Properties are always there, so that a condition may ask for one that was not sent.
    const asked = [subject, action, resource].map((part) => ({ properties: {}, ...part }))
    const [decision, matched] = enforcer.enforceExSync(...asked)
    return decision ? { decision, rule: matched[0] ?? 'unnamed' } : { decision: false }
  }
}
