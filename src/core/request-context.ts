import type { Client } from './client.js'
import type { Decision } from './decision.js'
import type { Claims, Principal } from './principal.js'
import type { Trace } from './trace.js'

export type AuthenticationState = 'not-run' | 'anonymous' | 'authenticated'

/** Told of every decision the moment it is made. What it throws is counted and changes nothing. */
export type Observer = (decision: Decision, context: RequestContext) => void

/** Everything the middlewares know about one request. Read it with `contextOf(req)`. */
export interface RequestContext {
  readonly version: 1
  /** The request's id in logs and problem documents. */
  readonly id: string
  /** The trace the caller claims (W3C Trace Context); a label, not a proof. */
  readonly trace: Trace | undefined
  /** Wall-clock time of entry, in **milliseconds** since the epoch. */
  readonly startedAt: number
  /** Time since entry, in **milliseconds**. */
  readonly elapsedMs: number
  readonly method: string
  /** Path as it came in, without the query. From outside: neutralise it before showing it. */
  readonly path: string
  readonly client: Client
  /** Name of the proven hop before this service (a gateway, a proxy), or `undefined` where nothing proved it. */
  readonly provenHop: string | undefined
  /** What a signed assertion of that hop says of the caller, verified; `undefined` where it proved itself otherwise. */
  readonly hopClaims: Claims | undefined
  /**
   * Whether one of the hops on the way was known by nothing better than its address. No certificate that was forwarded
   * counts then.
   */
  readonly isHopWeak: boolean
  readonly authentication: AuthenticationState
  readonly principal: Principal | undefined
  /** Challenges (RFC 9110 section 11.6.1) of the schemes this service accepts, as they stand in a 401: `Bearer`. */
  readonly challenges: readonly string[]
  /** Scheme by which the caller authenticated, as it stands in its challenge: `Bearer`, `DPoP`. */
  readonly scheme: string | undefined
  /** Id of the API key that the caller came with, alone or beside a token; never the key. */
  readonly apiKeyId: string | undefined
  readonly decisions: readonly Decision[]
  /** Template of the route that served, or last decided about, this request; `unmatched` before there was one. */
  readonly route: string
  /** How many observers threw. */
  readonly observerFaults: number
}

/** By which credentials a principal was established. */
export interface AuthenticatedHow {
  readonly scheme?: string | undefined
  readonly apiKeyId?: string | undefined
}

/** How a hop was proven, and what it said beyond that. */
export interface HopProven {
  readonly claims?: Claims | undefined
  readonly isWeak?: boolean
  /** Told of the principal when there is one. It decides nothing, and must not throw. */
  readonly compare?: ((principal: Principal) => void) | undefined
}

/** What layers write. Applications read `RequestContext`. */
export interface WritableContext extends RequestContext {
  /** Writes the principal: once, or again with the same key to confirm it. */
  authenticateAs(principal: Principal, by: object, how?: AuthenticatedHow): void
  /** Says that authentication ran and found no credential. */
  markAnonymous(by: object): void
  /** Who wrote the authentication state. */
  readonly authenticator: object | undefined
  addChallenge(challenge: string): void
  /**
   * Says that the hop before this service was proven, by a certificate, a signature or a secret; where it was known by
   * its address alone, `isWeak` says so. Where the hop says who its client is, that client takes the place of the one
   * the connection shows.
   */
  proveHop(name: string, client?: Client, proof?: HopProven): void
  /** Says that this guard decides who the client is, and that until a hop is proven it is whoever is connected. */
  takeOverClient(by: object, connected: Client): void
  /** The guard that decides who the client is, where one does. */
  readonly clientDecidedBy: object | undefined
  /** Keeps a decision and tells the observers. `problem` is what it refused with. */
  record(decision: Decision, problem?: object): void
  /** Whether a decision was recorded with this very problem. */
  hasRecorded(problem: object): boolean
  /** Says that a guard has counted this request: it may pass the guard again. `counter` is the guard's own. */
  noteCounted(counter: object): void
  hasCounted(counter: object): boolean
  /** Adds an observer; with `replay` it is told of the decisions so far. */
  observe(observer: Observer, replay?: boolean): void
  setInput(guard: object, value: unknown): void
  /** Takes back what an earlier run of the same guard had accepted. */
  dropInput(guard: object): void
  inputOf(guard: object): unknown
  /** Keeps the current route, before Express takes it off the request again. */
  noteRoute(): string
  readonly hasObservers: boolean
}
