import type { IncomingMessage, ServerResponse } from 'node:http'
import { optionalPrincipalOf, openContext, type RequestContext } from '../../core/context.js'
import { recordDecision } from '../../core/guard.js'
import type { RefusalReason } from '../../core/catalogue.js'
import { SecurityProblem } from '../../core/problem.js'

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
  #isReleased = false

  constructor(req: IncomingMessage, res: ServerResponse, entrance: object | undefined) {
    this.req = req
    this.res = res
    this.entrance = entrance
  }

  /** An error is answered, or nothing took the request: whatever is said now was not said by a handler. */
  release(): void {
    this.#isReleased = true
  }

  enter(route: object): () => void {
    const outer = this.#route
    const outerPublic = this.#publicRoute
    this.#route = route
    return () => {
      this.#route = outer
      this.#publicRoute = outerPublic
    }
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
    return this.#isReleased || this.isDecided
  }

  /** The refusal, recorded. A caller who came without a credential to where one is read learns what is wanted. */
  refuse(reason: RefusalReason, problem: string): SecurityProblem {
    let context
    try {
      context = openContext(this.req)
    } catch (cause) {
      return cause as SecurityProblem
    }
    const refusal = refusalFor(context, reason, problem)
    recordDecision(context, {
      layer: 'authorization',
      guard: 'denyByDefault',
      rule: 'denyByDefault',
      mode: 'enforce',
      problem: refusal,
    })
    return refusal
  }
}

function refusalFor(context: RequestContext, reason: RefusalReason, problem: string): SecurityProblem {
  if (context.authentication !== 'anonymous') return new SecurityProblem(reason, { evidence: { problem } })
  const { challenges } = context
  return new SecurityProblem('principal_missing', {
    headers: challenges.length > 0 ? { 'www-authenticate': challenges.join(', ') } : {},
    evidence: { problem },
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
