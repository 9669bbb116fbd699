import { codeOf } from '../baseline/examine.js'
import type { RuleName } from '../baseline/model.js'
import { RULE_NAMES } from '../baseline/rules.js'
import { entryOf } from '../catalogue.js'
import type { Place } from '../catalogue/entry.js'
import { ACCESS, BODIES, LIFETIME, LIMITS, RECORDS, place } from '../catalogue/places.js'
import type { Finding } from '../model.js'
import type { ClassifiedFinding } from './model.js'

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

const OF_BASELINE: Readonly<Record<string, Place>> = Object.fromEntries(
  RULE_NAMES.map((rule) => [codeOf(rule), OF_RULES[rule]]),
)
// About the routes, rather than about nothing.
const UNPLACED: Place = { question: 'endpoints', owasp: [], asvs: [] }

/** Where a finding belongs, whoever found it. */
export function placeOfFinding(code: string): Place {
  const ofBaseline = Object.hasOwn(OF_BASELINE, code) ? OF_BASELINE[code] : undefined
  return entryOf(code)?.about ?? ofBaseline ?? UNPLACED
}

export function classified(finding: Finding): ClassifiedFinding {
  const { owasp, asvs } = placeOfFinding(finding.code)
  return { ...finding, owasp, asvs }
}
