import { flag, integer, listOf, oneOf, text, type OptionRule } from '../../core/options.js'
import type { RuleName } from './model.js'
import { rowPattern } from './pattern.js'

/** Which of two values of a rule is the tighter one. */
export type Order = 'lower' | 'fewer' | 'more' | 'true' | 'patterns'

export interface Rule {
  readonly option: OptionRule
  readonly order: Order
  readonly consequence: string
  readonly remedy: string
}

const YEAR_SECONDS = 365 * 86_400

const listOfPatterns: OptionRule = {
  says: `an array, each item ${rowPattern.says}`,
  holds: (value) => Array.isArray(value) && value.every((item) => rowPattern.holds(item)),
}

export const RULES: Readonly<Record<RuleName, Rule>> = {
  issuers: {
    option: listOf(text()),
    order: 'fewer',
    consequence: 'Whoever runs that issuer decides who your callers are.',
    remedy: 'Accept tokens of an issuer on the list, or have the issuer added to the baseline.',
  },
  algorithms: {
    option: listOf(text(32)),
    order: 'fewer',
    consequence: 'A signature of a kind that the organisation does not allow is good enough here.',
    remedy: 'Give authenticate({ algorithms }) the list of the baseline, or a shorter one.',
  },
  requireAudience: {
    option: flag,
    order: 'true',
    consequence: 'A token that was issued for another service may be good enough here.',
    remedy: 'Verify tokens with authenticate({ audience }).',
  },
  maxTokenAgeSeconds: {
    option: integer(1, YEAR_SECONDS, 'seconds'),
    order: 'lower',
    consequence: 'A token that leaks can be used for as long as its issuer made it last.',
    remedy: 'Give authenticate() a maxTokenAgeSeconds or maxTokenLifetimeSeconds within the baseline.',
  },
  maxClockToleranceSeconds: {
    option: integer(0, 60, 'seconds'),
    order: 'lower',
    consequence: 'An expired token is accepted for longer than the organisation allows.',
    remedy: 'Lower authenticate({ clockToleranceSeconds }).',
  },
  requireDenyByDefault: {
    option: flag,
    order: 'true',
    consequence: 'A route that somebody adds without a guard is open.',
    remedy: 'Call denyByDefault(app) right after express().',
  },
  requireProvenRoutes: {
    option: flag,
    order: 'true',
    consequence: 'Nobody can say that only those who should get through do.',
    remedy: 'Mount authenticate() before it, or say publicRoute(reason) in the route.',
  },
  publicRoutes: {
    option: listOfPatterns,
    order: 'patterns',
    consequence: 'Everybody can call a route that the organisation has not agreed to open.',
    remedy: 'Authenticate it, or have it added to the baseline.',
  },
  maxPublicRoutes: {
    option: integer(0, 10_000),
    order: 'lower',
    consequence: 'More can be called by everybody than the organisation has agreed to.',
    remedy: 'Authenticate some of them.',
  },
  requiredMiddlewares: {
    option: listOf(oneOf('auditLog', 'secureHeaders', 'secureErrors', 'notFound')),
    order: 'more',
    consequence: 'Requests go without what every service of the organisation gives them.',
    remedy: 'Mount it: auditLog() and secureHeaders() first, notFound() and then secureErrors() last.',
  },
  requireRateLimit: {
    option: flag,
    order: 'true',
    consequence: 'One caller can take all that the service has.',
    remedy: 'Mount rateLimit() before it, by address before authentication or by principal after it.',
  },
  maxRequestsPerMinute: {
    option: integer(1, 1_000_000_000),
    order: 'lower',
    consequence: 'One caller can take more than the organisation allows.',
    remedy: 'Lower the limit, or mount a second rateLimit() in the route.',
  },
  requireValidation: {
    option: flag,
    order: 'true',
    consequence: 'Fields that nobody expected reach the handler.',
    remedy: 'Put validateBody(schema) into the route, with a schema that refuses unknown fields.',
  },
  requireScopesOnWrites: {
    option: flag,
    order: 'true',
    consequence: 'Everybody who can call the service at all can change something.',
    remedy: 'Put requireScopes() into the route.',
  },
  requireAuthorization: {
    option: flag,
    order: 'true',
    consequence: 'Everybody who can call the service at all may call it.',
    remedy: 'Put requireScopes(), or another guard that says who may, into the route.',
  },
  refuseReportMode: {
    option: flag,
    order: 'true',
    consequence: 'What it finds wrong is written down and let through.',
    remedy: 'Set the mode to enforce, or leave it out.',
  },
}

export const RULE_NAMES = Object.keys(RULES) as readonly RuleName[]
