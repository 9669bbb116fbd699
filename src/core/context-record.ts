import { randomUUID } from 'node:crypto'
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
  WritableContext,
} from './request-context.js'
import { UNMATCHED, routeTemplate, type ExpressParts } from './route.js'
import { neutralise } from './text.js'
import { parseTraceparent, type Trace } from './trace.js'

export const VERSION = 1
const decisionChannel = channel('express-bulwark.decision')

// Most requests have none of what these stand for, and each begins with all of them.
const NONE: readonly never[] = Object.freeze([])
const NOTHING = Object.freeze({})

/** What is kept about one request. Only `core/context.ts` makes one and finds it again. */
export class Context implements WritableContext {
  readonly version = VERSION
  readonly startedAt = wallClockMs()
  readonly method: string
  readonly path: string
  readonly #entryMs = monotonicMs()
  readonly #req: IncomingMessage
  readonly #traceparent: string | readonly string[] | undefined
  readonly #decisions: Decision[] = []
  #observers: readonly Observer[] = NONE
  #counters: readonly object[] = NONE
  #id: string | undefined
  #challenges: readonly string[] = NONE
  #authentication: AuthenticationState = 'not-run'
  #authenticator: object | undefined
  #principal: Principal | undefined
  #provenHop: string | undefined
  #hopProven: HopProven = NOTHING
  #client: Client
  #clientDecidedBy: object | undefined
  #how: AuthenticatedHow = NOTHING
  #input: Map<object, unknown> | undefined
  #route = UNMATCHED
  #problems: WeakSet<object> | undefined
  #observerFaults = 0

  constructor(req: IncomingMessage, givenId: string | undefined) {
    this.#req = req
    this.#id = givenId
    this.method = req.method ?? ''
    this.path = pathOf((req as ExpressParts).originalUrl ?? req.url ?? '')
    this.#client = Object.freeze(clientOf(req))
    this.#traceparent = req.headers['traceparent']
    Object.freeze(this)
  }

  /** Made when somebody asks: a chain without an audit log may never do. */
  get id(): string {
    return (this.#id ??= randomUUID())
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

  noteCounted(counter: object): void {
    this.#counters = [...this.#counters, counter]
  }

  hasCounted(counter: object): boolean {
    return this.#counters.includes(counter)
  }

  observe(observer: Observer, replay = false): void {
    this.#observers = [...this.#observers, observer]
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

function pathOf(url: string): string {
  const query = url.indexOf('?')
  const path = query === -1 ? url : url.slice(0, query)
  const fragment = path.indexOf('#')
  return fragment === -1 ? path : path.slice(0, fragment)
}
