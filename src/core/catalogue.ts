/**
 * Every failure on one page.
 *
 * `PROBLEMS` is all that a caller can ever be shown; its texts are fixed. `REFUSALS` says, for each reason that goes
 * into the audit record, which of those faces it wears: many reasons share one face, so that a caller cannot tell a
 * forged token from an expired one. `docs/errors.md` mirrors both tables, and a test holds them together.
 */
export interface ProblemFace {
  readonly status: number
  readonly title: string
  readonly detail: string
  /** Problem type URI (RFC 9457 section 3.1.1), where one is registered. @default 'about:blank' */
  readonly type?: string
}

const REGISTERED = 'https://iana.org/assignments/http-problem-types#'

export const PROBLEMS = {
  invalid_request: {
    status: 400,
    title: 'Bad Request',
    detail: 'The credentials of this request are malformed.',
  },
  body_malformed: { status: 400, title: 'Bad Request', detail: 'The request body could not be read.' },
  url_malformed: { status: 400, title: 'Bad Request', detail: 'The request URL could not be read.' },
  input_invalid: { status: 400, title: 'Bad Request', detail: 'The request does not match its schema.' },
  bad_request: { status: 400, title: 'Bad Request', detail: 'The request could not be understood.' },
  unauthorized: { status: 401, title: 'Unauthorized', detail: 'This resource needs a credential.' },
  invalid_token: { status: 401, title: 'Unauthorized', detail: 'The credential was not accepted.' },
  invalid_dpop_proof: { status: 401, title: 'Unauthorized', detail: 'The DPoP proof was not accepted.' },
  use_dpop_nonce: {
    status: 401,
    title: 'Unauthorized',
    detail: 'The DPoP proof needs the nonce in DPoP-Nonce.',
  },
  insufficient_user_authentication: {
    status: 401,
    title: 'Unauthorized',
    detail: 'A stronger or more recent authentication is needed.',
  },
  insufficient_scope: { status: 403, title: 'Forbidden', detail: 'The credential does not reach this far.' },
  forbidden: { status: 403, title: 'Forbidden', detail: 'This is not allowed.' },
  not_found: { status: 404, title: 'Not Found', detail: 'There is nothing here.' },
  method_not_allowed: {
    status: 405,
    title: 'Method Not Allowed',
    detail: 'This resource has no such method.',
  },
  body_too_large: {
    status: 413,
    title: 'Content Too Large',
    detail: 'The request body is too large or too deep.',
  },
  media_type_unsupported: {
    status: 415,
    title: 'Unsupported Media Type',
    detail: 'The request body is not of a media type that is accepted here.',
  },
  limit_exceeded: {
    status: 429,
    title: 'Too Many Requests',
    detail: 'The limit is reached. Try again after the time in Retry-After.',
    type: `${REGISTERED}quota-exceeded`,
  },
  conflict: { status: 409, title: 'Conflict', detail: 'A request with this key is still being worked on.' },
  key_reused: {
    status: 422,
    title: 'Unprocessable Content',
    detail: 'This key was used for another request.',
  },
  overloaded: {
    status: 503,
    title: 'Service Unavailable',
    detail: 'There is too much to do right now. Try again after the time in Retry-After.',
    type: `${REGISTERED}temporary-reduced-capacity`,
  },
  timed_out: {
    status: 503,
    title: 'Service Unavailable',
    detail: 'This took too long and was given up. It may have been done all the same.',
  },
  internal: { status: 500, title: 'Internal Server Error', detail: 'Something went wrong on our side.' },
  unavailable: {
    status: 503,
    title: 'Service Unavailable',
    detail: 'The request cannot be decided now. Try again after the time in Retry-After.',
  },
} as const satisfies Record<string, ProblemFace>

export type ProblemCode = keyof typeof PROBLEMS

export const REFUSALS = {
  // authentication: the request
  credential_missing: 'unauthorized',
  scheme_unsupported: 'unauthorized',
  principal_missing: 'unauthorized',
  authorization_repeated: 'invalid_request',
  authorization_malformed: 'invalid_request',
  credential_repeated: 'invalid_request',
  credentials_conflict: 'invalid_request',
  forwarded_header_repeated: 'invalid_request',
  forwarded_header_malformed: 'invalid_request',
  connection_names_header: 'invalid_request',
  // authentication: the token
  token_too_long: 'invalid_token',
  token_malformed: 'invalid_token',
  token_type_refused: 'invalid_token',
  token_not_for_access: 'invalid_token',
  algorithm_refused: 'invalid_token',
  issuer_mismatch: 'invalid_token',
  audience_mismatch: 'invalid_token',
  key_unknown: 'invalid_token',
  key_ambiguous: 'invalid_token',
  signature_invalid: 'invalid_token',
  token_expired: 'invalid_token',
  token_not_yet_valid: 'invalid_token',
  token_too_old: 'invalid_token',
  token_lifetime_too_long: 'invalid_token',
  claim_missing: 'invalid_token',
  claim_invalid: 'invalid_token',
  token_inactive: 'invalid_token',
  token_revoked: 'invalid_token',
  key_set_unavailable: 'unavailable',
  introspection_unavailable: 'unavailable',
  // authentication: who holds the token
  confirmation_unsupported: 'invalid_token',
  confirmation_missing: 'invalid_token',
  confirmation_mismatch: 'invalid_token',
  bound_token_as_bearer: 'invalid_token',
  dpop_proof_missing: 'invalid_dpop_proof',
  dpop_proof_malformed: 'invalid_dpop_proof',
  dpop_proof_invalid: 'invalid_dpop_proof',
  dpop_proof_mismatch: 'invalid_dpop_proof',
  dpop_proof_expired: 'invalid_dpop_proof',
  dpop_proof_replayed: 'invalid_dpop_proof',
  dpop_nonce_required: 'use_dpop_nonce',
  replay_store_full: 'unavailable',
  // authentication: keys and certificates
  api_key_malformed: 'invalid_token',
  api_key_unknown: 'invalid_token',
  api_key_expired: 'invalid_token',
  api_key_disabled: 'invalid_token',
  certificate_refused: 'invalid_token',
  // authentication: how well
  authn_level_insufficient: 'insufficient_user_authentication',
  authn_too_old: 'insufficient_user_authentication',
  // authorization
  scope_missing: 'insufficient_scope',
  role_missing: 'forbidden',
  claim_refused: 'forbidden',
  policy_denied: 'forbidden',
  policy_unavailable: 'unavailable',
  service_required: 'forbidden',
  hop_unproven: 'forbidden',
  resource_refused: 'forbidden',
  resource_hidden: 'not_found',
  duties_conflict: 'forbidden',
  tenant_mismatch: 'forbidden',
  route_undecided: 'forbidden',
  answer_undecided: 'forbidden',
  // traffic
  limit_exceeded: 'limit_exceeded',
  limiter_key_missing: 'internal',
  store_unavailable: 'unavailable',
  caller_blocked: 'limit_exceeded',
  concurrency_exceeded: 'limit_exceeded',
  capacity_exceeded: 'overloaded',
  load_shed: 'overloaded',
  time_exceeded: 'timed_out',
  idempotency_key_missing: 'bad_request',
  idempotency_key_malformed: 'bad_request',
  idempotency_key_in_use: 'conflict',
  idempotency_key_reused: 'key_reused',
  // validation
  body_missing: 'input_invalid',
  body_unparsed: 'media_type_unsupported',
  body_malformed: 'body_malformed',
  body_too_large: 'body_too_large',
  body_too_deep: 'body_too_large',
  media_type_unsupported: 'media_type_unsupported',
  schema_mismatch: 'input_invalid',
  // errors
  url_malformed: 'url_malformed',
  route_unmatched: 'not_found',
  method_unmatched: 'method_not_allowed',
  request_refused: 'bad_request',
  client_gone: 'bad_request',
  application_problem: 'internal',
  unhandled_error: 'internal',
  // the middlewares themselves
  guard_order: 'internal',
  guard_fault: 'internal',
  principal_conflict: 'internal',
  context_version: 'internal',
  trust_proxy_unsafe: 'internal',
} as const satisfies Record<string, ProblemCode>

export type RefusalReason = keyof typeof REFUSALS

/** Why a guard let a request pass. */
export const PASSES = [
  'passed',
  'verified',
  'remembered',
  'adopted',
  'confirmed',
  'anonymous',
  'public',
  'no_body',
  'proven',
  'unproven',
  'replayed',
] as const

export type PassReason = (typeof PASSES)[number]

export type Reason = RefusalReason | PassReason
