import { channel } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { inspect } from 'node:util'
import { clientOf, type Client } from './client.js'
import { monotonicMs, wallClockMs } from './clock.js'
import type { Decision } from './decision.js'
import { publishEvent } from './events.js'
import type { Claims, Principal } from './principal.js'
import { SecurityProblem } from './problem.js'
import type {
  AuthenticatedHow,
  AuthenticationState,
  HopProven,
  Observer,
  RequestContext,
  WritableContext,
} from './request-context.js'
import { idOf } from './request-id.js'
import { UNMATCHED, routeTemplate, type ExpressParts } from './route.js'
import { neutralise } from './text.js'
import { parseTraceparent, type Trace } from './trace.js'

export type { AuthenticationState, Observer, RequestContext, WritableContext } from './request-context.js'

const FAMILY = 'express-bulwark.context.'
const VERSION = 1
const CONTEXT = Symbol.for(`${FAMILY}v${VERSION}`)
const decisionChannel = channel('express-bulwark.decision')

class Context implements WritableContext {
  readonly version = VERSION
  readonly id: string
  readonly startedAt = wallClockMs()
  readonly method: string
  readonly path: string
  readonly #entryMs = monotonicMs()
  readonly #req: IncomingMessage
  readonly #traceparent: string | readonly string[] | undefined
  readonly #decisions: Decision[] = []
  readonly #observers: Observer[] = []
  #challenges: readonly string[] = []
  #authentication: AuthenticationState = 'not-run'
  #authenticator: object | undefined
  #principal: Principal | undefined
  #provenHop: string | undefined
  #hopProven: HopProven = {}
  #client: Client
  #clientDecidedBy: object | undefined
  #how: AuthenticatedHow = {}
  #input: Map<object, unknown> | undefined
  #route = UNMATCHED
  #problems: WeakSet<object> | undefined
  #observerFaults = 0

  constructor(req: IncomingMessage, id: string) {
    this.#req = req
    this.id = id
    this.method = req.method ?? ''
    this.path = pathOf((req as ExpressParts).originalUrl ?? req.url ?? '')
    this.#client = Object.freeze(clientOf(req))
    this.#traceparent = req.headers['traceparent']
    Object.freeze(this)
  }

  get trace(): Trace | undefined {
    return parseTraceparent(this.#traceparent)
  }
  get elapsedMs(): number {
    return monotonicMs() - this.#entryMs
  }
  get authentication(): AuthenticationState {
    return this.#authentication
  }
  get authenticator(): object | undefined {
    return this.#authenticator
  }
  get principal(): Principal | undefined {
    return this.#principal
  }
  get provenHop(): string | undefined {
    return this.#provenHop
  }
  get hopClaims(): Claims | undefined {
    return this.#hopProven.claims
  }
  get isHopWeak(): boolean {
    return this.#hopProven.isWeak === true
  }
  get client(): Client {
    return this.#client
  }
  get clientDecidedBy(): object | undefined {
    return this.#clientDecidedBy
  }
  get scheme(): string | undefined {
    return this.#how.scheme
  }
  get apiKeyId(): string | undefined {
    return this.#how.apiKeyId
  }
  get challenges(): readonly string[] {
    return this.#challenges
  }
  get decisions(): readonly Decision[] {
    return this.#decisions.slice()
  }
  get route(): string {
    return this.#route
  }
  get observerFaults(): number {
    return this.#observerFaults
  }
  get hasObservers(): boolean {
    return this.#observers.length > 0
  }

  authenticateAs(principal: Principal, by: object, how: AuthenticatedHow = {}): void {
    if (this.#principal !== undefined) {
      if (this.#principal.key === principal.key) return
      throw new SecurityProblem('principal_conflict', {
        evidence: { first: this.#principal.authenticatedBy, second: principal.authenticatedBy },
      })
    }
    this.#principal = principal
    this.#authentication = 'authenticated'
    this.#authenticator = by
    this.#how = how
    this.#hopProven.compare?.(principal)
  }

  markAnonymous(by: object): void {
    if (this.#authentication === 'authenticated') return
    this.#authentication = 'anonymous'
    this.#authenticator = by
  }

  addChallenge(challenge: string): void {
    if (!this.#challenges.includes(challenge)) this.#challenges = [...this.#challenges, challenge]
  }

  proveHop(name: string, client?: Client, proof: HopProven = {}): void {
    this.#provenHop = name
    this.#hopProven = proof
    if (client !== undefined) this.#client = Object.freeze(client)
  }

  takeOverClient(by: object, connected: Client): void {
    this.#clientDecidedBy = by
    this.#client = Object.freeze(connected)
  }

  record(decision: Decision, problem?: object): void {
    if (problem !== undefined) (this.#problems ??= new WeakSet()).add(problem)
    this.#decisions.push(decision)
    for (const observer of this.#observers) this.#tell(observer, decision)
    if (decisionChannel.hasSubscribers) decisionChannel.publish({ decision, context: this })
  }

  hasRecorded(problem: object): boolean {
    return this.#problems?.has(problem) ?? false
  }

  observe(observer: Observer, replay = false): void {
    this.#observers.push(observer)
    if (replay) {
      for (const decision of this.#decisions) this.#tell(observer, decision)
    }
  }

  #tell(observer: Observer, decision: Decision): void {
    try {
      observer(decision, this)
    } catch {
      this.#observerFaults += 1
      publishEvent('error', 'observer_fault', { requestId: neutralise(this.id) })
    }
  }

  setInput(guard: object, value: unknown): void {
    this.#input ??= new Map()
    this.#input.set(guard, value)
  }

  dropInput(guard: object): void {
    this.#input?.delete(guard)
  }

  inputOf(guard: object): unknown {
    if (this.#input?.has(guard) !== true) {
      throw new SecurityProblem('guard_order', {
        evidence: { problem: 'inputOf() of a guard that did not accept this request' },
      })
    }
    return this.#input.get(guard)
  }

  noteRoute(): string {
    const route = routeTemplate(this.#req)
    if (route !== UNMATCHED) this.#route = route
    return route
  }

  toJSON(): { id: string } {
    return { id: this.id }
  }

  [inspect.custom](): string {
    return `RequestContext { id: ${inspect(this.id)} }`
  }
}

/** The context of a request, made here if this is the first middleware that asks. For layers, not for handlers. */
export function openContext(
  req: IncomingMessage,
  requestId?: (req: IncomingMessage) => unknown,
): WritableContext {
  const existing = attached(req)
  if (existing !== undefined) return existing
  const context = new Context(req, idOf(req, requestId))
  Object.defineProperty(req, CONTEXT, { value: context })
  return context
}

/**
 * The context of a request that has passed at least one middleware of this library.
 *
 * Throws a `SecurityProblem` (500, `guard_order`) where none has run, and (500, `context_version`) where the request
 * carries a context of a version this copy does not know.
 */
export function contextOf(req: object): RequestContext {
  return writableContextOf(req)
}

/** As `contextOf`, with what layers may write. */
export function writableContextOf(req: object): WritableContext {
  const context = attached(req)
  if (context !== undefined) return context
  throw new SecurityProblem('guard_order', {
    evidence: {
      problem:
        'this request has no context: mount auditLog(), or any other middleware of this library, first',
    },
  })
}

/** The principal of a request. Throws where there is none: 500 where authentication did not run, else 401. */
export function principalOf(req: object): Principal {
  return requirePrincipal(contextOf(req))
}

/** The principal of a request, or `undefined` where the caller is anonymous or authentication did not run. */
export function optionalPrincipalOf(req: object): Principal | undefined {
  return attached(req)?.principal
}

/** The principal, or the refusal that its absence means. For guards that need one. */
export function requirePrincipal(context: RequestContext): Principal {
  if (context.principal !== undefined) return context.principal
  if (context.authentication === 'not-run') {
    throw new SecurityProblem('guard_order', {
      evidence: {
        problem: 'no authentication ran before this: mount authenticate() or principalFrom() earlier',
      },
    })
  }
  const { challenges } = context
  throw new SecurityProblem('principal_missing', {
    headers: challenges.length > 0 ? { 'www-authenticate': challenges.join(', ') } : {},
  })
}

function attached(req: object): WritableContext | undefined {
  const context = (req as { [CONTEXT]?: WritableContext })[CONTEXT]
  if (context !== undefined) {
    if ((context.version as number) === VERSION) return context
    throw new SecurityProblem('context_version')
  }
  for (const symbol of Object.getOwnPropertySymbols(req)) {
    if (symbol.description?.startsWith(FAMILY) === true) throw new SecurityProblem('context_version')
  }
  return undefined
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end === -1 ? url : url.slice(0, end)
}
