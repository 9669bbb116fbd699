import type { IncomingMessage, ServerResponse } from 'node:http'
import { optionalPrincipalOf, openContext, type RequestContext } from '../../core/context.js'
import { recordDecision } from '../../core/guard.js'
import type { RefusalReason } from '../../core/catalogue.js'
import { SecurityProblem, type Evidence } from '../../core/problem.js'
import { neutralise } from '../../core/text.js'
import { warnOnce } from '../../core/warnings.js'

/** The way of a request that came in through the guarded application; `undefined` for any other. */
export type PassageOf = (req: IncomingMessage) => Passage | undefined

/** Whether a handler outside any route may run while nothing is decided. */
export type MayRun = (handle: unknown) => boolean

/** One request's way through a guarded application. */
export class Passage {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** The router through which it came in: what that passes on, nothing here has taken. */
  readonly entrance: object | undefined
  /** The route whose handlers run now. */
  #route: object | undefined
  /** The route that said it is public; void as soon as that route passes the request on. */
  #publicRoute: object | undefined
  /** Routes that have passed the request on: Express leaves the last one on the request. */
  readonly #left = new WeakSet()
  #errorHandlers = 0
  #runs = 0
  #isReleased = false

  constructor(req: IncomingMessage, res: ServerResponse, entrance: object | undefined) {
    this.req = req
    this.res = res
    this.entrance = entrance
  }

  /** Nothing took the request: whatever is said now, Express says. */
  release(): void {
    this.#isReleased = true
  }

  /** Into the router through which it came in; what the outermost run of it passes on, nothing here has taken. */
  enterEntrance(): () => void {
    this.#runs += 1
    return () => {
      this.#runs -= 1
      if (this.#runs === 0) this.release()
    }
  }

  /** An error handler may answer, for as long as it has not passed the request on. */
  enterErrorHandler(): () => void {
    this.#errorHandlers += 1
    let isInside = true
    return () => {
      if (isInside) this.#errorHandlers -= 1
      isInside = false
    }
  }

  /** Goes into a route; or, with none, into the application once more, where no route speaks for what comes. */
  enter(route: object | undefined): () => void {
    const outer = this.#route
    const outerPublic = this.#publicRoute
    this.#route = route
    return () => {
      if (route !== undefined) this.#left.add(route)
      this.#route = outer
      this.#publicRoute = outerPublic
    }
  }

  /** The handler outside any route that runs now, by its name. */
  handler: string | undefined

  hasLeft(route: object): boolean {
    return this.#left.has(route)
  }

  /** How many times a `publicRoute` has let this request pass. */
  get publicPasses(): number {
    return decisionsOf(this.req).filter(({ reason }) => reason === 'public').length
  }

  notePublic(route: object): void {
    this.#publicRoute = route
  }

  /** Whether somebody was authenticated, or the route that runs now says that nobody need be. */
  get isDecided(): boolean {
    if (this.#publicRoute !== undefined && this.#publicRoute === this.#route) return true
    return optionalPrincipalOf(this.req) !== undefined || decisionsOf(this.req).some(isAuthentication)
  }

  get mayBeAnswered(): boolean {
    return (this.#isReleased && isLastAnswer(this.res)) || this.#errorHandlers > 0 || this.isDecided
  }

  /** Nothing took the request, and Express answers as soon as the request's body has ended: nobody else may, meanwhile. */
  get isLeftToExpress(): boolean {
    return this.#isReleased
  }

  /** The refusal, recorded. A caller who came without a credential to where one is read learns what is wanted. */
  refuse(reason: RefusalReason, problem: string, handler?: string): SecurityProblem {
    let context
    try {
      context = openContext(this.req)
    } catch (cause) {
      return cause as SecurityProblem
    }
    const refusal = refusalFor(context, reason, { problem, ...(handler === undefined ? {} : { handler }) })
    recordDecision(context, {
      layer: 'authorization',
      guard: 'denyByDefault',
      rule: 'denyByDefault',
      mode: 'enforce',
      problem: refusal,
    })
    if (!context.hasObservers) tellOnce(context, refusal, problem)
    return refusal
  }
}

/**
 * Whether what goes out is Express's own last answer. It waits for the request's body to end, and meanwhile a handler that
 * passed the request on may still answer.
 */
function isLastAnswer(res: ServerResponse): boolean {
  return res.statusCode >= 400 && res.getHeader('content-security-policy') === "default-src 'none'"
}

/** Without an audit log nobody would learn which route it was, nor why. */
function tellOnce({ method, route }: RequestContext, { reason }: SecurityProblem, problem: string): void {
  const about = neutralise(`${method} ${route}`)
  warnOnce(reason, `${about}: ${problem}`, about)
}

function refusalFor(context: RequestContext, reason: RefusalReason, evidence: Evidence): SecurityProblem {
  if (context.authentication !== 'anonymous') return new SecurityProblem(reason, { evidence })
  const { challenges } = context
  return new SecurityProblem('principal_missing', {
    headers: challenges.length > 0 ? { 'www-authenticate': challenges.join(', ') } : {},
    evidence,
  })
}

function decisionsOf(req: IncomingMessage): RequestContext['decisions'] {
  try {
    return openContext(req).decisions
  } catch {
    // No context can be had, so nothing was decided.
    return []
  }
}

/** Also a guard of the application's own that proves a caller without naming one: a webhook's signature. */
function isAuthentication({ layer, outcome, mode, reason }: RequestContext['decisions'][number]): boolean {
  if (layer !== 'authentication' || outcome !== 'allow' || mode !== 'enforce') return false
  return reason !== 'anonymous' && reason !== 'public'
}
