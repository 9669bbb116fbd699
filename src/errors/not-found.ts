import { openContext } from '../core/context.js'
import { recordDecision, type Guard } from '../core/guard.js'
import { describeMiddleware } from '../core/metadata.js'
import { SecurityProblem } from '../core/problem.js'
import { UNMATCHED } from '../core/route.js'
import { allowedMethods } from './not-found/allowed-methods.js'

/**
 * Refuses what no route took: 404, or 405 with `Allow` (RFC 9110 section 15.5.6) where the path exists for other
 * methods. Mount it after all routes, before `secureErrors()`.
 *
 * Without it Express answers such requests itself, with an HTML page that repeats the path.
 */
export function notFound(...given: readonly never[]): Guard {
  // Mounted without being called, it would answer nobody.
  if (given.length > 0)
    throw new TypeError('notFound: takes no options; mount it called: app.use(notFound())')
  const middleware: Guard = function notFoundMiddleware(req, _res, next) {
    const methods = allowedMethods(req)
    const problem =
      methods.includes(req.method ?? '') || methods.length === 0 ? unmatched() : unmatchedMethod(methods)
    try {
      const context = openContext(req)
      recordDecision(context, {
        layer: 'errors',
        guard: 'notFound',
        rule: 'notFound',
        mode: 'enforce',
        problem,
        route: UNMATCHED,
      })
    } catch (cause) {
      next(cause)
      return
    }
    next(problem)
  }
  return describeMiddleware(middleware, { kind: 'notFound', layer: 'errors' })
}

function unmatched(): SecurityProblem {
  return new SecurityProblem('route_unmatched')
}

function unmatchedMethod(methods: readonly string[]): SecurityProblem {
  return new SecurityProblem('method_unmatched', { headers: { allow: methods.join(', ') } })
}
