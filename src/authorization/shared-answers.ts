import { SecurityProblem } from '../core/problem.js'
import { disarm } from '../core/thenable.js'

/**
 * Whether a rule of the application said yes: `true` and nothing else.
 *
 * Throws a fault (500) for a promise, which is truthy whatever it will say.
 */
export function isYes(answer: unknown, rule: string): boolean {
  if (disarm(answer)) throw fault(`${rule} answered with a promise: it must answer at once`)
  return answer === true
}

/** A fault of whoever wrote a callback, told in a sentence that holds nothing of the request. */
export function fault(problem: string): SecurityProblem {
  return new SecurityProblem('guard_fault', { evidence: { problem } })
}
