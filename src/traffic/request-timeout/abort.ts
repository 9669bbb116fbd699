import { inspect } from 'node:util'
import type { SecurityProblem } from '../../core/problem.js'

/**
 * Aborts with a reason that is printed in one line. What a handler throws after its request was answered passes no error
 * handler any more: Express prints it, and whoever can make a handler late can have it printed.
 */
export function abortWith(controller: AbortController, reason: SecurityProblem): void {
  const line = `SecurityProblem: ${reason.reason} (the reason of a signalOf)`
  Object.defineProperty(reason, inspect.custom, { value: () => line })
  controller.abort(reason)
  // `fetch` gives it a trace when it rejects, and Express 4 prints that.
  setImmediate(() => {
    reason.stack = line
  })
}
