/** What looks at a posture for one requirement. `not checked`: nothing does; its status is `unknown`. */
export type AsvsEvidence =
  | 'endpointsDecided'
  | 'tokensShortLived'
  | 'bodiesValidated'
  | 'limitsApplied'
  | 'requestsAudited'
  | 'errorsAnswered'
  | 'tokensVerified'
  | 'selfContainedVerified'
  | 'senderConstrained'
  | 'changesFollowed'
  | 'intermediariesProven'
  | 'tokenTypeEnforced'
  | 'permissionRequired'
  | 'scopesRequired'
  | 'headersSent'
  | 'transportSecurityKept'
  | 'not checked'

export interface AsvsRequirement {
  readonly level: 1 | 2 | 3
  /** E: true as soon as the middleware stands there. V: can be looked at. H: the application must do the rest. */
  readonly kind: 'E' | 'V' | 'H' | 'E+V'
  /** The middleware that it comes from. */
  readonly by: string
  readonly evidence: AsvsEvidence
  /** The header field that must be sent, where the evidence is one. */
  readonly field?: string
  /** How much of the requirement the evidence is for, where it is not all of it: never more than `partly`. */
  readonly part?: string
}

const BODIES = 'request bodies only'

/** OWASP ASVS 5.0.0, as far as the middlewares of this library give evidence for it. */
export const ASVS: Readonly<Record<string, AsvsRequirement>> = {
  '2.2.1': { level: 1, kind: 'E', by: 'validateBody', evidence: 'bodiesValidated', part: BODIES },
  '2.2.2': { level: 1, kind: 'E', by: 'validateBody', evidence: 'bodiesValidated', part: BODIES },
  '2.4.1': { level: 2, kind: 'E', by: 'rateLimit', evidence: 'limitsApplied' },
  '3.4.1': {
    level: 1,
    kind: 'E',
    by: 'secureHeaders',
    evidence: 'transportSecurityKept',
    part: 'where the service knows that the request came over TLS',
  },
  '3.4.3': { level: 2, kind: 'E', by: 'secureHeaders', evidence: 'not checked' },
  '3.4.4': {
    level: 2,
    kind: 'E',
    by: 'secureHeaders',
    evidence: 'headersSent',
    field: 'X-Content-Type-Options',
  },
  '3.4.5': { level: 2, kind: 'E', by: 'secureHeaders', evidence: 'headersSent', field: 'Referrer-Policy' },
  '3.4.6': { level: 2, kind: 'E', by: 'secureHeaders', evidence: 'not checked' },
  '3.5.8': { level: 3, kind: 'E', by: 'secureHeaders', evidence: 'not checked' },
  '4.1.3': {
    level: 2,
    kind: 'E',
    by: 'gateway',
    evidence: 'intermediariesProven',
    part: 'headers that are known, or named in removes',
  },
  '6.3.1': { level: 1, kind: 'E', by: 'rateLimit', evidence: 'not checked' },
  '6.3.4': {
    level: 2,
    kind: 'V',
    by: 'inspectPosture',
    evidence: 'endpointsDecided',
    part: 'routes that the posture sees; no contract is compared',
  },
  '7.2.1': { level: 1, kind: 'E', by: 'authenticate', evidence: 'tokensVerified' },
  '7.2.2': { level: 1, kind: 'V', by: 'authenticate', evidence: 'tokensVerified' },
  '7.3.2': {
    level: 2,
    kind: 'H',
    by: 'authenticate',
    evidence: 'tokensShortLived',
    part: 'the age of each token, not of the session',
  },
  '7.5.3': { level: 3, kind: 'E', by: 'requireAuthnLevel', evidence: 'not checked' },
  '8.2.1': { level: 1, kind: 'E', by: 'requireScopes', evidence: 'permissionRequired' },
  '8.2.2': { level: 1, kind: 'H', by: 'requireResource', evidence: 'not checked' },
  '8.2.3': { level: 2, kind: 'E', by: 'validateBody', evidence: 'bodiesValidated', part: 'what is written' },
  '8.3.1': { level: 1, kind: 'E', by: 'requireScopes', evidence: 'permissionRequired' },
  '8.3.2': {
    level: 3,
    kind: 'H',
    by: 'authenticate',
    evidence: 'changesFollowed',
    part: 'once a token has expired, its issuer says so, or the application has revoked it',
  },
  '8.4.1': { level: 2, kind: 'H', by: 'requireTenant', evidence: 'not checked' },
  '9.1.1': { level: 1, kind: 'E', by: 'authenticate', evidence: 'selfContainedVerified' },
  '9.1.2': { level: 1, kind: 'E', by: 'authenticate', evidence: 'selfContainedVerified' },
  '9.1.3': { level: 1, kind: 'E', by: 'authenticate', evidence: 'selfContainedVerified' },
  '9.2.1': { level: 1, kind: 'E', by: 'authenticate', evidence: 'selfContainedVerified' },
  '9.2.2': { level: 2, kind: 'E', by: 'authenticate', evidence: 'tokenTypeEnforced' },
  '9.2.3': { level: 2, kind: 'E', by: 'authenticate', evidence: 'selfContainedVerified' },
  '10.3.1': { level: 2, kind: 'E', by: 'authenticate', evidence: 'tokensVerified' },
  '10.3.2': { level: 2, kind: 'E', by: 'requireScopes', evidence: 'scopesRequired' },
  '10.3.3': { level: 2, kind: 'E', by: 'authenticate', evidence: 'tokensVerified' },
  '10.3.4': { level: 2, kind: 'E', by: 'requireAuthnLevel', evidence: 'not checked' },
  '10.3.5': { level: 3, kind: 'E', by: 'authenticate', evidence: 'senderConstrained' },
  '13.4.2': {
    level: 2,
    kind: 'E+V',
    by: 'secureErrors',
    evidence: 'errorsAnswered',
    part: 'error answers only',
  },
  '13.4.6': {
    level: 3,
    kind: 'E',
    by: 'secureHeaders',
    evidence: 'headersSent',
    part: 'X-Powered-By; what a proxy adds is not seen',
  },
  '14.2.1': {
    level: 1,
    kind: 'E+V',
    by: 'authenticate',
    evidence: 'tokensVerified',
    part: 'access tokens only',
  },
  '14.3.2': { level: 2, kind: 'E', by: 'secureHeaders', evidence: 'not checked' },
  '15.2.2': { level: 2, kind: 'E', by: 'rateLimit', evidence: 'limitsApplied', part: 'rate only' },
  '15.3.2': {
    level: 2,
    kind: 'E',
    by: 'authenticate',
    evidence: 'tokensVerified',
    part: 'requests for keys only',
  },
  '15.3.3': { level: 2, kind: 'E', by: 'validateBody', evidence: 'bodiesValidated' },
  '15.3.5': { level: 2, kind: 'E', by: 'validateBody', evidence: 'not checked' },
  '15.3.6': { level: 2, kind: 'E', by: 'validateBody', evidence: 'bodiesValidated', part: BODIES },
  '16.2.1': { level: 2, kind: 'E', by: 'auditLog', evidence: 'requestsAudited' },
  '16.2.2': { level: 2, kind: 'E', by: 'auditLog', evidence: 'requestsAudited' },
  '16.2.4': { level: 2, kind: 'E', by: 'auditLog', evidence: 'requestsAudited' },
  '16.2.5': {
    level: 2,
    kind: 'E',
    by: 'auditLog',
    evidence: 'requestsAudited',
    part: 'audit records, not logs of handlers',
  },
  '16.3.1': {
    level: 2,
    kind: 'E',
    by: 'auditLog',
    evidence: 'requestsAudited',
    part: 'refusals always, successes as completions are chosen',
  },
  '16.3.2': { level: 2, kind: 'E', by: 'auditLog', evidence: 'requestsAudited' },
  '16.3.3': { level: 2, kind: 'E', by: 'auditLog', evidence: 'requestsAudited' },
  '16.3.4': { level: 2, kind: 'E', by: 'secureErrors', evidence: 'errorsAnswered' },
  '16.4.1': { level: 2, kind: 'E', by: 'auditLog', evidence: 'requestsAudited' },
  '16.5.1': { level: 2, kind: 'E', by: 'secureErrors', evidence: 'errorsAnswered' },
  '16.5.3': { level: 2, kind: 'E', by: 'defineGuard', evidence: 'not checked' },
  '16.5.4': {
    level: 3,
    kind: 'E',
    by: 'secureErrors',
    evidence: 'errorsAnswered',
    part: 'errors that reach Express',
  },
}
