import { checkOptions, integer, record, required, text, type OptionRule } from '../../core/options.js'
import type { Policy, PolicyDecision, PolicyRequest } from '../../core/policy.js'
import { neutralise } from '../../core/text.js'
import { hashVersion, ownMember } from './engine-facts.js'
import { loadInstances } from './opa/instances.js'

export interface OpaPolicyOptions {
  /** The policy, compiled with `opa build -t wasm`: the bytes of `policy.wasm` from the bundle. */
  readonly wasm: Uint8Array
  /** The decision to ask for, as given to `opa build -e`. @default the first of the module */
  readonly entrypoint?: string
  /** The document that the policy knows as `data`. @default {} */
  readonly data?: Readonly<Record<string, unknown>>
  /** Version for the record. @default 'sha256:' and the first 12 hex digits of the module's hash */
  readonly version?: string
  /** Memory that one evaluation may need, with policy and data, 1 to 1024 MiB. @default 64 */
  readonly maxMemoryMiB?: number
}

const bytes: OptionRule = {
  says: 'the bytes of a WebAssembly module',
  holds: (value) => value instanceof Uint8Array && value.byteLength >= 8,
}

/**
 * A policy that OPA decides, in this process: `authorize(await opaPolicy({ wasm }), ...)`.
 *
 * The module is compiled once, here; each request is one synchronous evaluation with the AuthZEN request as `input`.
 * The decision is `true`, `false`, or `{ allow }` or `{ decision }` with `rule`, `version` and `reason` beside it.
 *
 * **Not checked:** how long an evaluation takes. A policy that loops over large data holds up the process; so do
 * built-in functions that run outside the module, such as regular expressions.
 *
 * Rejects with a `TypeError` for impossible options and for a module that is no policy. The policy throws for an
 * undefined or any other decision, for a fault in the module and where its memory is used up; the instance that
 * failed is never used again, and requests wait for the next one.
 */
export async function opaPolicy(options: OpaPolicyOptions): Promise<Policy> {
  checkOptions('opaPolicy', options, {
    wasm: required(bytes),
    entrypoint: text(),
    data: record,
    version: text(100),
    maxMemoryMiB: integer(1, 1024, 'MiB'),
  })
  const version = options.version ?? hashVersion(options.wasm)
  const evaluate = await loadInstances(options)

  return (request: PolicyRequest) => {
    const { subject, action, resource, context } = request
    const results = evaluate({ subject, action, resource, ...(context === undefined ? {} : { context }) })
    return results instanceof Promise
      ? results.then((late) => decisionOf(late, version))
      : decisionOf(results, version)
  }
}

function decisionOf(results: unknown, version: string): PolicyDecision {
  const result: unknown =
    Array.isArray(results) && results.length === 1 ? ownMember(results[0], 'result') : undefined
  if (typeof result === 'boolean') return { decision: result, version }
  if (!record.holds(result)) throw new Error('opaPolicy: the decision is neither a boolean nor an object')

  const answers = ['allow', 'decision']
    .map((name) => ownMember(result, name))
    .filter((value) => value !== undefined)
  const decision = answers[0]
  // Two that differ are no decision.
  if (typeof decision !== 'boolean' || answers.some((answer) => answer !== decision)) {
    throw new Error('opaPolicy: the decision has no boolean "allow" or "decision"')
  }
  return {
    decision,
    version,
    ...Object.fromEntries(
      ['rule', 'version', 'reason'].flatMap((name) => {
        const value = ownMember(result, name)
        return typeof value === 'string' ? [[name, neutralise(value)]] : []
      }),
    ),
  }
}
