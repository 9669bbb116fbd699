import type { Reason } from './catalogue.js'
import type { Evidence } from './problem.js'

export type Layer = 'transport' | 'authentication' | 'authorization' | 'traffic' | 'validation' | 'errors'

export type Mode = 'enforce' | 'report'

/** What one guard concluded about one request. */
export interface Decision {
  readonly layer: Layer
  /** The kind of guard: `requireScopes`. */
  readonly guard: string
  /** The rule's name, as given by `name`. */
  readonly rule: string
  /** `fault`: the guard could not decide. In mode `report` neither a refusal nor a fault kept the request from passing. */
  readonly outcome: 'allow' | 'refuse' | 'fault'
  readonly mode: Mode
  readonly reason: Reason
  /** The status of a refusal that was sent; in mode `report` none was. */
  readonly status: number | undefined
  readonly evidence: Evidence | undefined
  /** What was thrown. For the log only; it may hold anything. */
  readonly cause: unknown
  /** The route's template at the time of the decision, or `unmatched`. */
  readonly route: string
  /** Wall-clock time in **milliseconds** since the epoch. */
  readonly at: number
  /** How long the check took, in **milliseconds**. */
  readonly durationMs: number
}
