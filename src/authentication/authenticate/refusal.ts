import { REFUSALS, type RefusalReason } from '../../core/catalogue.js'
import { SecurityProblem, type Evidence } from '../../core/problem.js'

/** The scheme this layer accepts, as it stands in a challenge. */
export const BEARER = 'Bearer'

/**
 * A refusal with its challenge (RFC 6750 section 3): no `error` where there was no credential, and never a word about
 * why a token was refused; that is in the audit record.
 */
export function refusal(reason: RefusalReason, evidence?: Evidence, cause?: unknown): SecurityProblem {
  const code = REFUSALS[reason]
  const challenge = code === 'unauthorized' ? BEARER : `${BEARER} error="${code}"`
  return new SecurityProblem(reason, {
    headers: { 'www-authenticate': challenge },
    ...(evidence === undefined ? {} : { evidence }),
    cause,
  })
}
