import { checkOptions, listOf, misuse, record, required, type OptionRule } from '../../core/options.js'

type Rules = Readonly<Record<string, OptionRule>>

/** What may stand in one policy, beside all of them, and beside a list of them only. */
export interface PolicyRules {
  readonly policy: Rules
  readonly settings: Rules
  readonly beside?: Rules
  readonly aliases: Readonly<Record<string, string>>
}

const MAX_POLICIES = 16

/** Checks options that are one policy or hold a list of them, `policies`, and answers the list. Throws a `TypeError`. */
export function policyList<P extends { readonly name: string }>(
  me: string,
  options: P | { readonly policies: readonly P[] },
  { policy, settings, beside = {}, aliases }: PolicyRules,
): { readonly list: readonly P[]; readonly isOne: boolean } {
  const given: unknown = (options as { readonly policies?: unknown } | null | undefined)?.policies
  if (given === undefined) {
    checkOptions(me, options, { ...policy, ...settings, policies: listOf(record) }, aliases)
    return { list: [options as P], isOne: true }
  }
  checkOptions(me, options, { ...beside, policies: required(listOf(record)), ...settings }, aliases)
  const list = given as readonly P[]
  if (list.length > MAX_POLICIES) throw misuse(me, 'policies', `at most ${MAX_POLICIES} limits`, list.length)
  list.forEach((each, index) => {
    checkOptions(`${me}: policies[${index}]`, each, policy, aliases)
  })
  const names = list.map(({ name }) => name)
  if (new Set(names).size < names.length) throw misuse(me, 'policies', 'limits of different names', names)
  return { list, isOne: false }
}
