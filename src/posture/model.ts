import type { Layer, Mode } from '../core/decision.js'

/** Version of the shape below. It grows by members; a member that is there keeps its meaning. */
export const SCHEMA_VERSION = 1

/**
 * What is known of who gets through.
 *
 * `guarded`: an authentication in enforce mode surely runs before the handler. `public`: the route says that it needs
 * none. `optional`: authentication runs, and lets callers without a credential pass. `open`: nothing authenticates.
 * `held`: a handler outside any route, whose answer deny-by-default holds back until somebody has been authenticated.
 * `known`: a handler outside any route that by name and source is one that passes requests on (a parser, CORS). `unknown`: it cannot be said.
 */
export type Proof = 'guarded' | 'public' | 'optional' | 'open' | 'held' | 'known' | 'unknown'

/** A middleware of this library on a route's way. */
export interface PostureGuard {
  readonly kind: string
  readonly layer: Layer | 'audit'
  /** The rule's id in audit and metrics. */
  readonly name: string
  readonly mode: Mode
  /** Set-up facts: scopes, issuer, limits. Never a secret. */
  readonly facts: Readonly<Record<string, unknown>>
  /** Where it was made, relative to the root, with forward slashes. */
  readonly file: string | undefined
  readonly line: number | undefined
  /** Where it is mounted: before the route, or in the route's own stack. */
  readonly mounted: 'before' | 'route'
}

/** Something about one row that cannot work as it stands. */
export interface PostureFault {
  /** Stable: `guard_after_route`, `handler_before_authentication`, `report_mode`, ... */
  readonly code: string
  readonly message: string
}

export interface PostureRow {
  /** A route; a handler mounted by `use`; an application whose routes this version of Express hides. */
  readonly kind: 'route' | 'handler' | 'application'
  /** In upper case; `ALL` for every method. */
  readonly method: string
  /** Path template, or `{hidden}` in the place of what this version of Express does not show. */
  readonly path: string
  readonly proof: Proof
  /** For a person: the reason of a public route; why a row is open or unknown; else how it is guarded. */
  readonly why: string
  /**
   * What `publicRoute(reason)` in the route says, where it stands in front of the handler. Anonymous callers get through
   * only where `proof` is `public` or `optional`.
   */
  readonly publicReason: string | undefined
  /** Whether deny-by-default refuses callers that nobody authenticated. */
  readonly refusedByDefault: boolean
  /** What runs before the handler, in order. */
  readonly guards: readonly PostureGuard[]
  readonly faults: readonly PostureFault[]
  /** Name of the handler's function, where it has one. */
  readonly handler: string | undefined
  /** Of a handler outside any route that by name and source is one that passes requests on, and gives no answers of its own. */
  readonly passesOn?: true
}

/** The inventory of one application: what protects each of its routes. */
export interface Posture {
  readonly schemaVersion: typeof SCHEMA_VERSION
  readonly application: string
  /** `4`, `5`, or `unknown`. */
  readonly expressMajor: '4' | '5' | 'unknown'
  readonly denyByDefault: 'off' | 'on' | 'strict'
  /** Middlewares of this library that are mounted for all requests: error handler, audit, headers. */
  readonly services: readonly PostureGuard[]
  readonly rows: readonly PostureRow[]
}

/** Something that is wrong, or that nobody can tell. */
export interface Finding {
  /** Stable, lower case with dashes: `route-open`. */
  readonly code: string
  readonly severity: 'error' | 'warning' | 'note'
  /** What is so. */
  readonly message: string
  /** What happens because of it. */
  readonly consequence: string
  /** What to do. */
  readonly remedy: string
  /** Page of the documentation, relative to the repository: `docs/doctor.md#route-open`. */
  readonly page: string
  /** `POST /orders`, where it is about one row. */
  readonly where: string | undefined
  readonly file: string | undefined
  readonly line: number | undefined
  /** What stands at `file` and `line`, where that is not in the row itself: `authenticate, mounted before it`. */
  readonly placed?: string
}
