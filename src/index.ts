export {
  auditLog,
  type AuditLog,
  type AuditLogOptions,
  type AuditLogger,
  type Completion,
} from './audit/audit-log.js'
export {
  apiKeys,
  type ApiKeyMatch,
  type ApiKeyRecord,
  type ApiKeyRotation,
  type ApiKeys,
  type ApiKeySecret,
  type ApiKeysOptions,
  type ApiKeyStore,
  type MadeApiKey,
  type NewApiKey,
  type PepperSource,
} from './authentication/api-keys.js'
export { apiKeyVerifier, type ApiKeyVerifierOptions } from './authentication/api-key-verifier.js'
export {
  authenticate,
  type AuthenticateOptions,
  type AuthenticateWithVerifiers,
  type Authenticator,
  type CommonOptions,
  type Credential,
  type DpopNonceOptions,
  type DpopOptions,
  type PrincipalMapping,
  type TighteningOption,
  type Verified,
  type Verifier,
} from './authentication/authenticate.js'
export {
  certificateVerifier,
  type AcceptedCertificate,
  type AcceptedName,
  type Authorities,
  type CertificateMapping,
  type CertificateVerifierOptions,
} from './authentication/certificate-verifier.js'
export {
  awsAlbOidc,
  cloudflareAccess,
  gatewayAssertion,
  googleIap,
  type AwsAlbOidcOptions,
  type CloudflareAccessOptions,
  type GatewayAssertionOptions,
  type GoogleIapOptions,
} from './authentication/gateway-assertion.js'
export {
  introspectionVerifier,
  type IntrospectionCacheOptions,
  type IntrospectionClient,
  type IntrospectionVerifierOptions,
  type KeyClient,
  type Rotating,
  type SecretClient,
} from './authentication/introspection-verifier.js'
export { jwtVerifier, type JwtVerifierOptions } from './authentication/jwt-verifier.js'
export {
  protectedResourceMetadata,
  type ProtectedResourceMetadata,
  type ProtectedResourceMetadataOptions,
} from './authentication/protected-resource-metadata.js'
export {
  revocation,
  type IssuedBeforeRevocation,
  type Revocation,
  type RevocationList,
  type RevocationOptions,
  type SessionRevocation,
  type SubjectRevocation,
  type TokenRevocation,
} from './authentication/revocation.js'
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
export { requireAuthnLevel, type RequireAuthnLevelOptions } from './authorization/require-authn-level.js'
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
  type ClientCertificate,
  type Decision,
  type Evidence,
  type Guard,
  type GuardDefinition,
  type GuardMetadata,
  type Health,
  type HopAnswer,
  type HopProof,
  type HopStatement,
  type HealthStatus,
  type Input,
  type Layer,
  type Lifecycle,
  type LimiterStore,
  type LimitStore,
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
export * from './gateway.js'
export { memoryStore } from './stores/memory.js'
export { redisStore, type RedisStoreOptions } from './stores/redis.js'
export {
  concurrencyLimit,
  type ConcurrencyLimiter,
  type ConcurrencyLimitOptions,
} from './traffic/concurrency-limit.js'
export {
  fromRateLimiterFlexible,
  type FlexibleLimiter,
  type FlexibleOptions,
  type FlexiblePolicy,
} from './traffic/from-rate-limiter-flexible.js'
export { idempotency, type IdempotencyGuard, type IdempotencyOptions } from './traffic/idempotency.js'
export { loadShed, type LoadShedder, type LoadShedOptions, type Priority } from './traffic/load-shed.js'
export { penalise, type Penaliser, type PenaliseOptions, type PenalisePolicies } from './traffic/penalise.js'
export {
  rateLimit,
  type AddressPrefix,
  type FieldFormat,
  type KeyFunction,
  type LimitBy,
  type LimitFact,
  type LimitPolicy,
  type LimitSettings,
  type PointsOf,
  type RateLimitOptions,
  type RateLimitPolicies,
  type RateLimiter,
} from './traffic/rate-limit.js'
export { requestTimeout, signalOf, type RequestTimeoutOptions } from './traffic/request-timeout.js'
export { slowDown, type SlowDownOptions, type Throttle } from './traffic/slow-down.js'
export { exposedHeaders } from './transport/exposed-headers.js'
export { secureHeaders, type SecureHeadersOptions } from './transport/secure-headers.js'
export { validateBody, type Infer, type ValidateBodyOptions } from './validation/validate-body.js'
