// What applications may use of `core/`: reading the context, and making guards of their own.
export {
  contextOf,
  optionalPrincipalOf,
  principalOf,
  type AuthenticationState,
  type Observer,
  type RequestContext,
  type WritableContext,
} from './core/context.js'
export type { PassReason, ProblemCode, Reason, RefusalReason } from './core/catalogue.js'
export type { ClientCertificate } from './core/client-certificate.js'
export type { Client } from './core/client.js'
export type { Decision, Layer, Mode } from './core/decision.js'
export type { OperationalEvent } from './core/events.js'
export {
  PASSED,
  defineGuard,
  type Guard,
  type GuardDefinition,
  type Next,
  type Pass,
  type Verdict,
} from './core/guard.js'
export type { HopAnswer, HopProof, HopStatement } from './core/hop-proof.js'
export type { CallSite } from './core/call-site.js'
export { guardMetadataOf, type GuardMetadata } from './core/metadata.js'
export { inputOf, type BodyGuard, type Input } from './core/input.js'
export { lifecycle, type Health, type HealthStatus, type Lifecycle, type Stateful } from './core/lifecycle.js'
export type { LimiterStore, LimitStore, MemoryStore, SharedStore, Store } from './core/ports.js'
export type { Policy, PolicyAction, PolicyDecision, PolicyEntity, PolicyRequest } from './core/policy.js'
export type { Claims, Principal, PrincipalType } from './core/principal.js'
export { SecurityProblem, isSecurityProblem, type Evidence, type ProblemDetails } from './core/problem.js'
export type { StandardSchema } from './core/standard-schema.js'
export type { TextSet } from './core/text-set.js'
export type { Trace } from './core/trace.js'
