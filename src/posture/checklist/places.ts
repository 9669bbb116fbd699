import { codeOf } from '../baseline/examine.js'
import type { RuleName } from '../baseline/model.js'
import { RULE_NAMES } from '../baseline/rules.js'
import { ADVICE } from '../findings/advice.js'
import type { Finding } from '../model.js'
import type { ClassifiedFinding, QuestionId } from './model.js'

interface Place {
  readonly question: QuestionId
  readonly owasp: readonly string[]
  readonly asvs: readonly string[]
}

const place = (question: QuestionId, owasp: string, ...asvs: readonly string[]): Place => ({
  question,
  owasp: owasp.split(' ').map((risk) => `${risk}:2023`),
  asvs,
})

const ACCESS = place('endpoints', 'API2 API5', '7.2.1', '8.2.1', '8.3.1')
const INVENTORY = place('endpoints', 'API9', '6.3.4')
const LIFETIME = place('tokens', 'API2', '7.3.2', '8.3.2')
const BODIES = place('validation', 'API3', '2.2.1', '2.2.2', '15.3.3')
const LIMITS = place('limits', 'API4', '2.4.1', '15.2.2')
const RECORDS = place('logs', 'API8', '16.2.1', '16.3.1', '16.3.2', '16.3.3')
const ERRORS = place('logs', 'API8', '13.4.2', '16.3.4', '16.5.1')
const HEADERS = place('logs', 'API8', '13.4.6')

const OF_RULES: Readonly<Record<RuleName, Place>> = {
  issuers: place('endpoints', 'API2', '9.1.3'),
  algorithms: place('endpoints', 'API2', '9.1.2'),
  requireAudience: place('endpoints', 'API2', '9.2.3', '10.3.1'),
  maxTokenAgeSeconds: LIFETIME,
  maxClockToleranceSeconds: place('tokens', 'API2', '9.2.1'),
  requireDenyByDefault: ACCESS,
  requireProvenRoutes: ACCESS,
  publicRoutes: ACCESS,
  maxPublicRoutes: ACCESS,
  requiredMiddlewares: RECORDS,
  requireRateLimit: LIMITS,
  maxRequestsPerMinute: LIMITS,
  requireValidation: BODIES,
  requireScopesOnWrites: place('endpoints', 'API5', '8.2.1', '10.3.2'),
  requireAuthorization: place('endpoints', 'API5', '8.2.1', '8.3.1'),
  refuseReportMode: ACCESS,
}

/** Where each finding belongs, whoever found it. */
export const PLACES: Readonly<Record<string, Place>> = {
  // The inventory speaks of who gets through, but for what it cannot see.
  ...Object.fromEntries(Object.keys(ADVICE).map((code) => [code, ACCESS])),
  'route-unknown': INVENTORY,
  'handler-unknown': INVENTORY,
  'application-unknown': INVENTORY,
  'route-for-everybody': place('endpoints', 'API5', '8.2.1', '8.3.1'),
  'routes-missing': INVENTORY,
  'express-copies': INVENTORY,
  'no-deny-by-default': ACCESS,
  'guard-behind-route': ACCESS,
  'factory-not-called': ACCESS,
  'upgrade-unguarded': ACCESS,
  'report-mode-left-on': ACCESS,
  'token-lifetime-unbounded': LIFETIME,
  'token-lifetime-long': LIFETIME,
  'token-lifetime-reported': LIFETIME,
  'token-keys-inline': place('tokens', 'API2', '8.3.2'),
  'secret-literal': place('tokens', 'API8'),
  'secret-in-settings': place('tokens', 'API8'),
  'body-unvalidated': BODIES,
  'body-validation-reported': BODIES,
  'body-unknown-fields': BODIES,
  'validate-before-parser': BODIES,
  'body-parser-before-authentication': place('limits', 'API4', '15.2.2'),
  'limit-missing': LIMITS,
  'limit-before-authentication-missing': LIMITS,
  'limit-by-caller-missing': LIMITS,
  'limit-reported': LIMITS,
  'limit-not-kept': LIMITS,
  'memory-store-with-workers': LIMITS,
  'trust-proxy-true': LIMITS,
  'trust-proxy-loopback': LIMITS,
  'trust-proxy-wide': LIMITS,
  'trust-proxy-everyone': LIMITS,
  'trust-proxy-hops': LIMITS,
  'audit-missing': RECORDS,
  'audit-late': RECORDS,
  'audit-error-messages': place('logs', 'API8', '16.2.5'),
  'secure-errors-missing': ERRORS,
  'secure-errors-not-last': ERRORS,
  'not-found-missing': ERRORS,
  'not-found-not-last': ERRORS,
  'x-powered-by': HEADERS,
  'hsts-without-proven-tls': place('logs', 'API8', '3.4.1'),
  ...Object.fromEntries(RULE_NAMES.map((rule) => [codeOf(rule), OF_RULES[rule]])),
}

/** A finding that nobody has placed is about the routes, rather than about nothing. */
export function placeOfFinding(code: string): Place {
  return Object.hasOwn(PLACES, code)
    ? (PLACES[code] as Place)
    : { question: 'endpoints', owasp: [], asvs: [] }
}

export function classified(finding: Finding): ClassifiedFinding {
  const { owasp, asvs } = placeOfFinding(finding.code)
  return { ...finding, owasp, asvs }
}
