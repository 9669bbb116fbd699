/** Who asks, what is asked for, or what it is asked of (OpenID AuthZEN Authorization API 1.0, section 5). */
export interface PolicyEntity {
  readonly type: string
  readonly id: string
  readonly properties?: Readonly<Record<string, unknown>>
}

export interface PolicyAction {
  readonly name: string
  readonly properties?: Readonly<Record<string, unknown>>
}

/** One question to a policy: an AuthZEN access evaluation request. */
export interface PolicyRequest {
  readonly subject: PolicyEntity
  readonly action: PolicyAction
  readonly resource: PolicyEntity
  readonly context?: Readonly<Record<string, unknown>>
}

/** A policy's answer. Only `decision: true` allows: no word, no number and no object stands for it. */
export interface PolicyDecision {
  readonly decision: boolean
  /** Id of the rule that decided, for the record. */
  readonly rule?: string
  /** Version of the policy that decided, for the record. */
  readonly version?: string
  /** Why, for the record; it is not sent. */
  readonly reason?: string
}

/** Decides. A policy that answers synchronously is asked synchronously. What it throws is no answer: 503. */
export type Policy = (request: PolicyRequest) => PolicyDecision | Promise<PolicyDecision>
