import type { IncomingMessage, ServerResponse } from 'node:http'
import type { WritableContext } from '../core/context.js'
import { PASSED, defineGuard, type Guard, type Verdict } from '../core/guard.js'
import type { Stateful } from '../core/lifecycle.js'
import type { RateLimitCheck } from '../core/ports.js'
import { SecurityProblem } from '../core/problem.js'
import { retryAfter } from '../core/retry-after.js'
import { chain, disarm } from '../core/thenable.js'
import { Attempts, type Attempt, type Refused } from './penalise/attempts.js'
import { penaltiesOf, type PenaliseOptions, type PenalisePolicies, type Penalty } from './penalise/options.js'
import { whenHandedOver } from './handed-over.js'
import { together } from './counting/together.js'
import { whenEnded } from './shared-end.js'

export type {
  BlockOptions,
  PenaliseOptions,
  PenalisePolicies,
  PenaltyBy,
  PenaltyPolicy,
  PenaltySettings,
} from './penalise/options.js'

export type Penaliser = Guard & Stateful

/**
 * Limits failed attempts, as at a login: each attempt is charged before it is verified, under all limits in one step,
 * and given back when its answer shows that it succeeded. Two hundred attempts at once at a limit of five are five
 * verifications.
 *
 * A status below 400 is a success, 400 to 499 a failure, and so is no answer, because the caller left. Of 500 and more
 * nothing is known: the attempt stays charged and is nobody's failure. With `block` a caller who failed `limit` times in
 * a window is refused for a time that grows with each block. Both answer 429 with `Retry-After`, and nothing that tells
 * one limit, or a known account from an unknown one.
 *
 * **Not checked:** that the handler tells failures by their status: where it answers 200 or redirects, give
 * `isFailure`. How the account is spelled: `by` must answer one text for all spellings that the login takes for one.
 *
 * Throws a `TypeError` for missing, impossible or unknown options.
 */
export function penalise(options: PenaliseOptions | PenalisePolicies): Penaliser {
  const checked = penaltiesOf(options)
  const { penalties, settings } = checked
  const { name, store, isFailure, mode = 'enforce' } = options
  const attempts = new Attempts(checked, store)

  const guard = defineGuard({
    kind: 'penalise',
    layer: 'traffic',
    name,
    mode,
    facts: {
      policies: penalties.map(({ asked, facts, block }) => ({ name: asked.name, ...facts, block })),
      isFailure: isFailure === undefined ? 'status 400 to 499' : 'function',
      store: store?.kind ?? 'memory',
      onOutage: settings.onOutage,
    },
    check(req, context, res) {
      if (context.hasCounted(attempts)) return PASSED
      return chain(checksOf(penalties, req, context), (checks) =>
        chain(attempts.begin(checks), (attempt) => conclude(attempt, req, context, res)),
      )
    },
  })

  function conclude(
    attempt: Attempt,
    req: IncomingMessage,
    context: WritableContext,
    res: ServerResponse,
  ): Verdict | Promise<Verdict> {
    if (attempt.outcome !== 'reserved') return refusal(attempt)
    context.noteCounted(attempts)
    // Nobody will verify anything, so nothing was tried. Later, so that `defineGuard` sees it too: what is passed on at
    // once is verified, whether the caller is there or not.
    if (res.writableEnded || res.destroyed) {
      attempt.succeeded()
      return Promise.resolve(PASSED)
    }
    let isSettled = false
    const settle = (): void => {
      if (isSettled) return
      isSettled = true
      const ending = endingOf(req, res)
      if (ending === 'succeeded') attempt.succeeded()
      if (ending === 'failed') attempt.failed()
    }
    whenHandedOver(res, settle)
    whenEnded(req, res, settle)
    return PASSED
  }

  function endingOf(req: IncomingMessage, res: ServerResponse): Ending {
    // The caller left before there was an answer.
    if (!res.writableEnded) return 'failed'
    if (isFailure === undefined) return endingByStatus(res.statusCode)
    try {
      const answer: unknown = isFailure(res, req)
      return !disarm(answer) && answer === false ? 'succeeded' : 'failed'
    } catch {
      // What a function cannot tell is a failure.
      return 'failed'
    }
  }

  function refusal(attempt: Refused): SecurityProblem {
    return new SecurityProblem(attempt.outcome === 'blocked' ? 'caller_blocked' : 'limit_exceeded', {
      headers: retryAfter(attempt.retryMs),
      // Not which limit: that would say who else is being tried.
      members: { 'violated-policies': [name] },
      evidence: {
        policies: attempt.names,
        ...(attempt.keys.length === 0 ? {} : { keys: attempt.keys }),
      },
    })
  }

  return Object.assign(guard, {
    warmUp: () => Promise.resolve(),
    health: () => attempts.healthBy(name),
    close: () => {
      attempts.release()
      return Promise.resolve()
    },
  })
}

/** How an attempt ended, as far as its answer tells. Of `unknown` nothing is given back, and nobody is blocked for it. */
type Ending = 'succeeded' | 'failed' | 'unknown'

/** A fault of the service is no caller's: owners who try again while the accounts cannot be read are not guessing. */
function endingByStatus(status: number): Ending {
  if (status < 400) return 'succeeded'
  return status < 500 ? 'failed' : 'unknown'
}

function checksOf(
  penalties: readonly Penalty[],
  req: IncomingMessage,
  context: WritableContext,
): readonly RateLimitCheck[] | Promise<readonly RateLimitCheck[]> {
  const keys = together(penalties, ({ keyOf }) => keyOf(req, context))
  return chain(keys, (texts) =>
    penalties.map(({ name, ruleOf }, index) => ({
      name,
      rule: ruleOf(req, context),
      key: texts[index] as string,
      cost: 1,
      isTrial: false,
    })),
  )
}
