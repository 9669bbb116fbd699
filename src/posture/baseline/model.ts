import type { Posture, PostureGuard, PostureRow } from '../model.js'

/** What an organisation asks of its services. A rule that is left out asks nothing. */
export interface BaselineRules {
  /** Issuers whose tokens may be accepted. A caller adopted from elsewhere is a finding. */
  readonly issuers?: readonly string[]
  /** Signature algorithms that may be accepted. */
  readonly algorithms?: readonly string[]
  /** Every authentication names the audience that it accepts. */
  readonly requireAudience?: boolean
  /** Longest age or lifetime of a token that is accepted, in **seconds**, 1 to a year. In mode `report` it does not count. */
  readonly maxTokenAgeSeconds?: number
  /** Largest difference between clocks that is accepted, in **seconds**, 0 to 60. */
  readonly maxClockToleranceSeconds?: number
  /** `denyByDefault(app)` is called. */
  readonly requireDenyByDefault?: boolean
  /** No row is open, unknown, or optional without being public. */
  readonly requireProvenRoutes?: boolean
  /** The routes that may be public, as patterns: `GET /health`, `GET /public/*`. None where it is empty. */
  readonly publicRoutes?: readonly string[]
  /** How many routes may be public, 0 to 10000. */
  readonly maxPublicRoutes?: number
  /** Middlewares that every service mounts, for all routes. */
  readonly requiredMiddlewares?: readonly RequiredMiddleware[]
  /** Every route that is not public has a rate limit. */
  readonly requireRateLimit?: boolean
  /** What the tightest limit of each route may let through, in requests a **minute**, on average over its window. */
  readonly maxRequestsPerMinute?: number
  /** Every POST, PUT and PATCH has `validateBody`, which refuses unknown fields. */
  readonly requireValidation?: boolean
  /** Every POST, PUT, PATCH and DELETE that is not public asks for a scope. */
  readonly requireScopesOnWrites?: boolean
  /** Every route that is not public has a guard of the authorization layer, of any kind, that refuses. */
  readonly requireAuthorization?: boolean
  /** Nothing only reports. */
  readonly refuseReportMode?: boolean
}

export type RuleName = keyof BaselineRules

export type RequiredMiddleware = 'auditLog' | 'secureHeaders' | 'secureErrors' | 'notFound'

/** A finding that somebody answers for, for a time. */
export interface Waiver {
  readonly rule: RuleName
  /** `GET /health`, a pattern (`* /legacy/**`), or `application` for what is about no single row. */
  readonly where: string
  /** Who answers for it. */
  readonly owner: string
  readonly reason: string
  /** Last day on which it holds, `YYYY-MM-DD` in UTC, at most 365 days away. */
  readonly expires: string
}

/** What does not keep one rule. */
export interface Breach {
  readonly row?: PostureRow
  /** The guard that is set up against the rule: one finding for it, however many rows it stands before. */
  readonly guard?: PostureGuard
  readonly message: string
}

/** What looks at a posture for each rule. */
export type Checks = {
  readonly [R in RuleName]-?: (
    posture: Posture,
    value: NonNullable<BaselineRules[R]>,
    rules: BaselineRules,
  ) => readonly Breach[]
}
