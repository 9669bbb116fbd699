export {
  auditLog,
  type AuditLog,
  type AuditLogOptions,
  type AuditLogger,
  type Completion,
} from './audit/audit-log.js'
export {
  authenticate,
  type AuthenticateOptions,
  type Authenticator,
  type PrincipalMapping,
  type TighteningOption,
} from './authentication/authenticate.js'
export {
  principalFrom,
  type ExternalPrincipal,
  type PrincipalFromOptions,
} from './authentication/principal-from.js'
export { publicRoute } from './authentication/public-route.js'
export { authorize, type AuthorizeOptions } from './authorization/authorize.js'
export { denyByDefault, type DenyByDefaultOptions } from './authorization/deny-by-default.js'
export { forbidTogether, type ForbidTogetherOptions } from './authorization/forbid-together.js'
export { internalOnly, type InternalOnlyOptions } from './authorization/internal-only.js'
export {
  requireClaims,
  type ClaimExpectation,
  type RequireClaimsOptions,
} from './authorization/require-claims.js'
export {
  requireResource,
  type RequireResourceOptions,
  type ResourceGuard,
} from './authorization/require-resource.js'
export { requireRoles, type RequireRolesOptions } from './authorization/require-roles.js'
export { requireScopes, type RequireScopesOptions } from './authorization/require-scopes.js'
export { requireService, type RequireServiceOptions } from './authorization/require-service.js'
export { requireTenant, type RequireTenantOptions } from './authorization/require-tenant.js'
export {
  contextOf,
  defineGuard,
  guardMetadataOf,
  inputOf,
  isSecurityProblem,
  lifecycle,
  optionalPrincipalOf,
  PASSED,
  principalOf,
  SecurityProblem,
  type AuthenticationState,
  type BodyGuard,
  type Claims,
  type Client,
  type Decision,
  type Evidence,
  type Guard,
  type GuardDefinition,
  type GuardMetadata,
  type Health,
  type HealthStatus,
  type Input,
  type Layer,
  type Lifecycle,
  type MemoryStore,
  type Mode,
  type Next,
  type Observer,
  type OperationalEvent,
  type Pass,
  type PassReason,
  type Policy,
  type PolicyAction,
  type PolicyDecision,
  type PolicyEntity,
  type PolicyRequest,
  type Principal,
  type PrincipalType,
  type ProblemCode,
  type ProblemDetails,
  type Reason,
  type RefusalReason,
  type RequestContext,
  type WritableContext,
  type SharedStore,
  type StandardSchema,
  type Stateful,
  type Store,
  type TextSet,
  type Trace,
  type Verdict,
} from './core.js'
export { notFound } from './errors/not-found.js'
export { problem, type ProblemOptions } from './errors/problem.js'
export {
  secureErrors,
  type ErrorMiddleware,
  type ProblemDocument,
  type SecureErrorsOptions,
} from './errors/secure-errors.js'
export { memoryStore } from './stores/memory.js'
export { redisStore, type RedisStoreOptions } from './stores/redis.js'
export {
  rateLimit,
  type KeyFunction,
  type LimitBy,
  type RateLimitOptions,
  type RateLimiter,
} from './traffic/rate-limit.js'
export { exposedHeaders } from './transport/exposed-headers.js'
export { secureHeaders, type SecureHeadersOptions } from './transport/secure-headers.js'
export { validateBody, type Infer, type ValidateBodyOptions } from './validation/validate-body.js'
