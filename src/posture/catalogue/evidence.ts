import { entries } from './entry.js'
import { BODIES, INVENTORY, LIFETIME, LIMITS, RECORDS, place } from './places.js'

/** What only the checklist asks for. `docs/checklist.md` has a section for each. */
export const EVIDENCE = entries({
  'route-for-everybody': {
    severity: 'warning',
    consequence: 'Every caller that is authenticated at all may call it (API5:2023).',
    remedy: 'Put requireScopes(), or another guard that says who may, into the route.',
    about: place('endpoints', 'API5', '8.2.1', '8.3.1'),
    rule: 'requireAuthorization',
  },
  'routes-missing': {
    severity: 'error',
    consequence: 'Whatever the application does answer has not been looked at.',
    remedy: 'Check that the module exports the application with its routes mounted.',
    about: INVENTORY,
  },
  'token-lifetime-unbounded': {
    severity: 'error',
    consequence: 'A token that leaks can be used for as long as its issuer made it last.',
    remedy: 'Give authenticate() a maxTokenLifetimeSeconds or a maxTokenAgeSeconds.',
    about: LIFETIME,
    rule: 'maxTokenAgeSeconds',
  },
  'token-lifetime-long': {
    severity: 'error',
    consequence: 'A token that leaks can be used for longer than an hour (RFC 6750 section 5.3).',
    remedy: 'Lower maxTokenLifetimeSeconds or maxTokenAgeSeconds to 3600 at most.',
    about: LIFETIME,
    rule: 'maxTokenAgeSeconds',
  },
  'token-lifetime-reported': {
    severity: 'warning',
    consequence: 'Long-lived tokens are written down and accepted.',
    remedy: 'Look through the records, then set the mode of the bound to enforce.',
    about: LIFETIME,
    rule: 'maxTokenAgeSeconds',
  },
  'token-keys-inline': {
    severity: 'warning',
    consequence: 'A key that the issuer has withdrawn stays trusted until the next release.',
    remedy: 'Leave out jwks, so that the keys are fetched from the issuer.',
    about: place('tokens', 'API2', '8.3.2'),
  },
  'body-unvalidated': {
    severity: 'error',
    consequence: 'The handler gets whatever the caller sends.',
    remedy: 'Put validateBody(schema) into the route, after the parser.',
    about: BODIES,
    rule: 'requireValidation',
  },
  'body-validation-reported': {
    severity: 'warning',
    consequence: 'What does not fit the schema is written down and let through.',
    remedy: 'Set the mode of validateBody() to enforce.',
    about: BODIES,
    rule: 'requireValidation',
  },
  'body-unknown-fields': {
    severity: 'warning',
    consequence: 'Fields that no schema names are not refused, as the guide asks.',
    remedy: 'Give validateBody() a JSON Schema, or a schema that refuses what it does not name.',
    about: BODIES,
    rule: 'requireValidation',
  },
  'limit-missing': {
    severity: 'error',
    consequence: 'One caller can take all that the service has.',
    remedy: 'Mount rateLimit() before it, by address before authentication or by principal after it.',
    about: LIMITS,
    rule: 'requireRateLimit',
  },
  'limit-before-authentication-missing': {
    severity: 'warning',
    consequence: 'Guessing tokens costs an attacker nothing, and the service a verification each.',
    remedy: 'Mount rateLimit({ by: "address" }) before authenticate(), or give that a failureLimit.',
    about: LIMITS,
    rule: 'requireRateLimit',
  },
  'limit-by-caller-missing': {
    severity: 'warning',
    consequence: 'One caller with many addresses can take all that the service has.',
    remedy: 'Mount rateLimit({ by: "principal" }) after authenticate().',
    about: LIMITS,
    rule: 'requireRateLimit',
  },
  'limit-reported': {
    severity: 'warning',
    consequence: 'Requests above the limit are written down and let through.',
    remedy: 'Set the mode of rateLimit() to enforce.',
    about: LIMITS,
    rule: 'requireRateLimit',
  },
  'limit-not-kept': {
    severity: 'error',
    consequence: 'The limit that was set is not the limit that holds.',
    remedy: 'Look for processes that count for themselves, and share the counts with a store.',
    about: LIMITS,
  },
  'audit-late': {
    severity: 'warning',
    consequence: 'What is refused or fails before it may leave no record.',
    remedy: 'Mount auditLog() first.',
    about: RECORDS,
    rule: 'requiredMiddlewares',
  },
  'audit-error-messages': {
    severity: 'warning',
    consequence: 'Messages of errors go into the log, and may hold what a caller sent.',
    remedy: 'Leave out errorMessages.',
    about: place('logs', 'API8', '16.2.5'),
  },
})
