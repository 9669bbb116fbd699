import {
  credentialsOf,
  endpointsOf,
  enforcing,
  isPublic,
  isWrite,
  labelOf,
  limitersOf,
  refusesUnknownFields,
  reportedSettings,
  serviceOf,
  takesBody,
} from '../evidence.js'
import { perMinute } from '../limiters.js'
import type { Posture, PostureGuard, PostureRow } from '../model.js'
import { CREDENTIAL_CHECKS } from './credentials.js'
import type { Breach, Checks, RequiredMiddleware } from './model.js'
import { matches } from './pattern.js'
import { idleLimitOf, saysWhoMay } from './rows.js'

/** What in a posture does not keep each rule. What cannot be told does not keep it. */
export const CHECKS: Checks = {
  ...CREDENTIAL_CHECKS,
  requireDenyByDefault: (posture) =>
    posture.denyByDefault === 'off' ? [{ message: 'denyByDefault(app) is not called' }] : [],
  requireProvenRoutes: (posture) =>
    endpointsOf(posture)
      .filter((row) => row.proof === 'open' || row.proof === 'unknown' || isOptionalOnly(row))
      .map((row) => ({ row, message: `${labelOf(row)} is ${row.proof}: ${row.why}` })),
  publicRoutes: (posture, patterns) =>
    posture.rows
      .filter(isPublic)
      .filter((row) => !patterns.some((pattern) => matches(pattern, labelOf(row))))
      .map((row) => ({ row, message: `${labelOf(row)} is public, and not in the list of the baseline` })),
  maxPublicRoutes: (posture, most) => {
    const count = posture.rows.filter(isPublic).length
    return count <= most ? [] : [{ message: `${count} routes are public; the baseline allows ${most}` }]
  },
  requiredMiddlewares: (posture, kinds) => kinds.flatMap((kind) => missing(posture, kind)),
  requireRateLimit: (posture) => unlimitedRows(posture).map((row) => ({ row, message: unlimited(row) })),
  maxRequestsPerMinute: (posture, most, rules) => [
    ...(rules.requireRateLimit === true ? [] : CHECKS.requireRateLimit(posture, true, rules)),
    ...endpointsOf(posture)
      .filter((row) => limitersOf(row).length > 0 && requestsPerMinute(row) > most)
      .map((row) => ({
        row,
        message: `${labelOf(row)} lets ${rateText(requestsPerMinute(row))} through; the baseline allows ${most}`,
      })),
  ],
  requireValidation: (posture) =>
    posture.rows
      .filter((row) => takesBody(row) || row.kind === 'application')
      .filter((row) => !refusesUnknownFields(row))
      .map((row) => ({
        row,
        message: `${labelOf(row)} may take a body that no validateBody refuses for unknown fields`,
      })),
  requireScopesOnWrites: (posture) =>
    endpointsOf(posture)
      .filter((row) => (isWrite(row) || row.kind === 'application') && !isPublic(row))
      .filter((row) => enforcing(row, 'requireScopes').length === 0)
      .map((row) => ({ row, message: `${labelOf(row)} asks for no scope` })),
  requireAuthorization: (posture) =>
    endpointsOf(posture)
      .filter((row) => row.kind !== 'handler' && !isPublic(row) && !row.guards.some(saysWhoMay))
      .map((row) => ({ row, message: `${labelOf(row)} has no guard that asks what the caller may do` })),
  refuseReportMode: (posture) => [
    ...posture.services.flatMap((guard) => reports(guard, undefined)),
    ...posture.rows.flatMap((row) => row.guards.flatMap((guard) => reports(guard, row))),
  ],
}

function isOptionalOnly(row: PostureRow): boolean {
  return row.proof === 'optional' && !isPublic(row)
}

function unlimitedRows(posture: Posture): readonly PostureRow[] {
  return endpointsOf(posture).filter((row) => !isPublic(row) && limitersOf(row).length === 0)
}

function unlimited(row: PostureRow): string {
  return `${labelOf(row)} ${idleLimitOf(row) ?? 'has no rate limit that refuses'}`
}

/** What the tightest limit of a row lets through. A limit whose facts cannot be read lets everything through. */
function requestsPerMinute(row: PostureRow): number {
  const rates = limitersOf(row).map(({ facts }) => perMinute(facts))
  return Math.round(Math.min(...rates) * 100) / 100
}

function rateText(requests: number): string {
  return Number.isFinite(requests)
    ? `${requests} requests a minute`
    : 'requests that a limit of unknown size counts'
}

/** A middleware that is mounted after some of the routes does nothing for those. */
function missing(posture: Posture, kind: RequiredMiddleware): readonly Breach[] {
  if (kind === 'secureErrors' || kind === 'notFound') {
    return serviceOf(posture, kind) === undefined ? [{ message: `${kind}() is not mounted` }] : []
  }
  const rows = endpointsOf(posture).filter((row) => enforcing(row, kind).length === 0)
  if (serviceOf(posture, kind) === undefined && rows.length === endpointsOf(posture).length)
    return [{ message: `${kind}() is not mounted` }]
  return rows.map((row) => ({ row, message: `${kind}() is not mounted before ${labelOf(row)}` }))
}

function reports(guard: PostureGuard, row: PostureRow | undefined): readonly Breach[] {
  const settings = guard.mode === 'report' ? ['mode'] : reportedIn(guard)
  return settings.map((setting) => ({
    ...(row === undefined ? {} : { row }),
    guard,
    message: `${guard.kind} "${guard.name}" only reports (${setting})`,
  }))
}

function reportedIn(guard: PostureGuard): readonly string[] {
  const credentials = credentialsOf(guard)
  if (credentials.length === 0) return reportedSettings(guard.facts)
  return [...new Set(credentials.flatMap(({ facts }) => reportedSettings(facts)))]
}
