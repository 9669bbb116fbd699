import type { RuleName } from '../baseline/model.js'
import type { Finding } from '../model.js'

interface Kind {
  readonly severity: Finding['severity']
  readonly consequence: string
  readonly remedy: string
  /** The rule of a baseline whose waiver covers it too. */
  readonly rule?: RuleName
}

/** What the checklist itself can find. `docs/checklist.md` has a section for each; a test holds the two together. */
export const KINDS = {
  'route-open': {
    severity: 'error',
    consequence: 'Whoever reaches the service can call it.',
    remedy: 'Mount authenticate() before it, or say publicRoute(reason) in the route.',
    rule: 'requireProvenRoutes',
  },
  'route-unknown': {
    severity: 'error',
    consequence: 'It may be open, and nobody would know.',
    remedy: 'Mount it where it can be seen, as a route with its guards, and call denyByDefault(app).',
    rule: 'requireProvenRoutes',
  },
  'route-optional': {
    severity: 'error',
    consequence: 'Callers without a credential get through, and nothing says that they should.',
    remedy: 'Leave out required: false, or put publicRoute(reason) into the route as well.',
    rule: 'requireProvenRoutes',
  },
  'route-refused': {
    severity: 'warning',
    consequence: 'Deny-by-default refuses it to everybody, and nobody has decided whom it is for.',
    remedy: 'Mount authenticate() before it, or say publicRoute(reason) in the route.',
    rule: 'requireProvenRoutes',
  },
  'handler-open': {
    severity: 'error',
    consequence: 'It answers outside any route, to whoever reaches the service.',
    remedy: 'Mount it behind authenticate(), or serve it from a route that says publicRoute(reason).',
    rule: 'requireProvenRoutes',
  },
  'handler-unknown': {
    severity: 'error',
    consequence: 'It may answer before anybody was authenticated, and nobody would know.',
    remedy: 'Mount it behind authenticate(), or call denyByDefault(app), which holds its answers back.',
    rule: 'requireProvenRoutes',
  },
  'application-unknown': {
    severity: 'error',
    consequence: 'Its routes cannot be seen, so none of them is proven.',
    remedy: 'Mount a Router in its place, or call denyByDefault(app) before it is mounted.',
    rule: 'requireProvenRoutes',
  },
  'route-for-everybody': {
    severity: 'warning',
    consequence: 'Every caller that is authenticated at all may call it (API5:2023).',
    remedy: 'Put requireScopes(), or another guard that says who may, into the route.',
    rule: 'requireAuthorization',
  },
  'routes-missing': {
    severity: 'error',
    consequence: 'Whatever the application does answer has not been looked at.',
    remedy: 'Check that the module exports the application with its routes mounted.',
  },
  'token-lifetime-unbounded': {
    severity: 'error',
    consequence: 'A token that leaks can be used for as long as its issuer made it last.',
    remedy: 'Give authenticate() a maxTokenLifetimeSeconds or a maxTokenAgeSeconds.',
    rule: 'maxTokenAgeSeconds',
  },
  'token-lifetime-long': {
    severity: 'error',
    consequence: 'A token that leaks can be used for longer than an hour (RFC 6750 section 5.3).',
    remedy: 'Lower maxTokenLifetimeSeconds or maxTokenAgeSeconds to 3600 at most.',
    rule: 'maxTokenAgeSeconds',
  },
  'token-lifetime-reported': {
    severity: 'warning',
    consequence: 'Long-lived tokens are written down and accepted.',
    remedy: 'Look through the records, then set the mode of the bound to enforce.',
    rule: 'maxTokenAgeSeconds',
  },
  'token-keys-inline': {
    severity: 'warning',
    consequence: 'A key that the issuer has withdrawn stays trusted until the next release.',
    remedy: 'Leave out jwks, so that the keys are fetched from the issuer.',
  },
  'body-unvalidated': {
    severity: 'error',
    consequence: 'The handler gets whatever the caller sends.',
    remedy: 'Put validateBody(schema) into the route, after the parser.',
    rule: 'requireValidation',
  },
  'body-validation-reported': {
    severity: 'warning',
    consequence: 'What does not fit the schema is written down and let through.',
    remedy: 'Set the mode of validateBody() to enforce.',
    rule: 'requireValidation',
  },
  'body-unknown-fields': {
    severity: 'warning',
    consequence: 'Fields that no schema names are not refused, as the guide asks.',
    remedy: 'Give validateBody() a JSON Schema, or a schema that refuses what it does not name.',
    rule: 'requireValidation',
  },
  'limit-missing': {
    severity: 'error',
    consequence: 'One caller can take all that the service has.',
    remedy: 'Mount rateLimit() before it, by address before authentication or by principal after it.',
    rule: 'requireRateLimit',
  },
  'limit-before-authentication-missing': {
    severity: 'warning',
    consequence: 'Guessing tokens costs an attacker nothing, and the service a verification each.',
    remedy: 'Mount rateLimit({ by: "address" }) before authenticate(), or give that a failureLimit.',
    rule: 'requireRateLimit',
  },
  'limit-by-caller-missing': {
    severity: 'warning',
    consequence: 'One caller with many addresses can take all that the service has.',
    remedy: 'Mount rateLimit({ by: "principal" }) after authenticate().',
    rule: 'requireRateLimit',
  },
  'limit-reported': {
    severity: 'warning',
    consequence: 'Requests above the limit are written down and let through.',
    remedy: 'Set the mode of rateLimit() to enforce.',
    rule: 'requireRateLimit',
  },
  'limit-not-kept': {
    severity: 'error',
    consequence: 'The limit that was set is not the limit that holds.',
    remedy: 'Look for processes that count for themselves, and share the counts with a store.',
  },
  'audit-missing': {
    severity: 'error',
    consequence: 'Nobody can tell afterwards who was refused what.',
    remedy: 'Mount it first: app.use(auditLog()).',
    rule: 'requiredMiddlewares',
  },
  'audit-late': {
    severity: 'warning',
    consequence: 'What is refused or fails before it may leave no record.',
    remedy: 'Mount auditLog() first.',
    rule: 'requiredMiddlewares',
  },
  'audit-error-messages': {
    severity: 'warning',
    consequence: 'Messages of errors go into the log, and may hold what a caller sent.',
    remedy: 'Leave out errorMessages.',
  },
  'secure-errors-missing': {
    severity: 'error',
    consequence: "Errors go to Express's own handler, which leaves no record and may answer with the stack.",
    remedy: 'Mount it last: app.use(secureErrors()).',
    rule: 'requiredMiddlewares',
  },
  'secure-errors-not-last': {
    severity: 'warning',
    consequence: 'What fails behind it does not come back to it.',
    remedy: 'Move app.use(secureErrors()) to the end.',
  },
} as const satisfies Readonly<Record<string, Kind>>

export type KindCode = keyof typeof KINDS

export function found(
  code: KindCode,
  message: string,
  about: Partial<Pick<Finding, 'where' | 'file' | 'line'>> = {},
): Finding {
  const { severity, consequence, remedy } = KINDS[code]
  const { where, file, line } = about
  return {
    code,
    severity,
    message,
    consequence,
    remedy,
    page: `docs/checklist.md#${code}`,
    where,
    file,
    line,
  }
}

/** The rule of a baseline whose waiver speaks of a finding too. */
export function ruleOf(code: string): RuleName | undefined {
  if (code === 'report-mode' || code === 'report-mode-left-on') return 'refuseReportMode'
  return Object.hasOwn(KINDS, code) ? (KINDS[code as KindCode] as Kind).rule : undefined
}
