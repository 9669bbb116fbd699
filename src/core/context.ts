import type { IncomingMessage } from 'node:http'
import { Context, VERSION } from './context-record.js'
import type { Principal } from './principal.js'
import { SecurityProblem } from './problem.js'
import { processRegistry } from './process-registry.js'
import type { RequestContext, WritableContext } from './request-context.js'
import { givenId } from './request-id.js'

export type { AuthenticationState, Observer, RequestContext, WritableContext } from './request-context.js'

const FAMILY = 'express-bulwark.context.'
const CONTEXT = Symbol.for(`${FAMILY}v${VERSION}`)

// Every version that this process has loaded says so here: where there is one, no request carries another's context.
const versions = processRegistry<true>('context-versions')
versions.set(String(VERSION), true)

/** The context of a request, made here if this is the first middleware that asks. For layers, not for handlers. */
export function openContext(
  req: IncomingMessage,
  requestId?: (req: IncomingMessage) => unknown,
): WritableContext {
  const existing = attached(req)
  if (existing !== undefined) return existing
  const context = new Context(req, givenId(req, requestId))
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
  if (versions.size === 1) return undefined
  for (const symbol of Object.getOwnPropertySymbols(req)) {
    if (symbol.description?.startsWith(FAMILY) === true) throw new SecurityProblem('context_version')
  }
  return undefined
}
