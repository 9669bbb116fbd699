import type { RefusalReason } from '../core/catalogue.js'
import { SecurityProblem, type Evidence } from '../core/problem.js'

/**
 * A refusal of this layer. It names no challenge: which scheme the caller used is known to `authenticate`, which adds
 * it on the way out (RFC 6750 section 3).
 */
export function refusal(reason: RefusalReason, evidence?: Evidence, cause?: unknown): SecurityProblem {
  return new SecurityProblem(reason, { ...(evidence === undefined ? {} : { evidence }), cause })
}
