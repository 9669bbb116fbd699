import type { IncomingMessage } from 'node:http'
import { requirePrincipal, type WritableContext } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard, type Verdict } from '../core/guard.js'
import { withInput, type Input } from '../core/input.js'
import { callback, checkOptions, enforceOrReport, flag, required, ruleName } from '../core/options.js'
import type { Principal } from '../core/principal.js'
import { SecurityProblem } from '../core/problem.js'
import { isThenable } from '../core/thenable.js'
import { oncePerRequest } from './require-resource/once-per-request.js'
import { fault, isYes } from './shared-answers.js'

/** A guard after which `inputOf(req, guard)` is the object that the caller may touch. */
export type ResourceGuard<T> = Guard & Input<'resource', T>

type Found<T> = T | null | undefined

export interface RequireResourceOptions<T extends object, R extends IncomingMessage = IncomingMessage> {
  /** Finds the object that the request is about, at once or later; `undefined` or `null` where there is none. */
  readonly load: (req: R) => Found<T> | PromiseLike<Found<T>>
  /** Whether this caller may do this to this object. Only `true` means yes. */
  readonly rule: (resource: T, principal: Principal, req: R) => boolean
  /** The rule's id in audit and metrics. */
  readonly name: string
  /** Whether a caller that is refused is told what one without such an object is: 404. Else 403. @default true */
  readonly hidden?: boolean
  /** In `report`, `inputOf` finds the object only where the rule let the caller pass. @default 'enforce' */
  readonly mode?: Mode
}

/**
 * Loads the object that a request is about and refuses callers that its rule does not let touch it; after it,
 * `inputOf(req, guard)` is that object, with its type.
 *
 * A missing object is 404, and so, with the very same answer, is a refused one; with `hidden: false` that is 403. The
 * audit record tells them apart. An anonymous caller gets 401 unasked. An object is loaded once per request,
 * however often the guard is mounted on its way, unless the route's parameters differ. What `load` or `rule` throws, an
 * object that is none, and a rule that answers with a promise are 500.
 *
 * **Not checked:** that the handler uses this object, and no other that it loads itself; what changes after it was
 * loaded; and how long `load` takes: give it a time-out of its own.
 *
 * Throws a `TypeError` for impossible options.
 */
export function requireResource<T extends object, R extends IncomingMessage = IncomingMessage>(
  options: RequireResourceOptions<T, R>,
): ResourceGuard<T> {
  checkOptions('requireResource', options, {
    load: required(callback),
    rule: required(callback),
    name: required(ruleName),
    hidden: flag,
    mode: enforceOrReport,
  })
  const { rule, name, hidden = true, mode } = options
  const load = oncePerRequest(options.load)

  const guard = defineGuard({
    kind: 'requireResource',
    layer: 'authorization',
    name,
    mode,
    facts: { hidden },
    check(req, context) {
      // Of an object that other parameters named: this run may refuse, and only report it.
      context.dropInput(guard)
      const principal = requirePrincipal(context)
      // Whatever Express has made of it by now.
      const found = load(req as R)
      if (!isThenable(found)) return judge(found)
      return Promise.resolve(found).then(judge)

      function judge(resource: unknown): Verdict {
        return decide(resource, principal, req as R, context)
      }
    },
  })

  function decide(resource: unknown, principal: Principal, req: R, context: WritableContext): Verdict {
    if (resource === undefined || resource === null)
      return new SecurityProblem('resource_hidden', { evidence: { problem: 'missing' } })
    if (typeof resource !== 'object') throw fault('load answered what is no object')
    if (!isYes(rule(resource as T, principal, req), 'rule'))
      return new SecurityProblem(hidden ? 'resource_hidden' : 'resource_refused', {
        evidence: { problem: 'refused' },
      })
    context.setInput(guard, resource)
    return PASSED
  }

  return withInput(guard, 'resource') as ResourceGuard<T>
}
