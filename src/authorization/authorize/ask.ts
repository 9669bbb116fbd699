import type { Verdict } from '../../core/guard.js'
import type { Policy, PolicyRequest } from '../../core/policy.js'
import { SecurityProblem, type Evidence } from '../../core/problem.js'
import { neutralise } from '../../core/text.js'
import { isThenable } from '../../core/thenable.js'

// An engine that was restarted is back by then; nothing better is known.
const RETRY_AFTER_SECONDS = 5

/** Asks a policy once. Whatever it does, the answer is a verdict: allowed, denied, or 503. */
export function ask(policy: Policy, question: PolicyRequest, timeoutMs: number): Verdict | Promise<Verdict> {
  try {
    const answer = policy(question)
    return isThenable(answer) ? answerInTime(Promise.resolve(answer), timeoutMs) : verdictOf(answer)
  } catch (cause) {
    return unavailable('threw', cause)
  }
}

/** What comes after the time-out is nobody's any more, be it an answer or a rejection. */
function answerInTime(answer: Promise<unknown>, timeoutMs: number): Promise<Verdict> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      settle(unavailable('timeout'))
    }, timeoutMs)
    timer.unref()
    answer.then(verdictOf).then(settle, (cause: unknown) => {
      settle(unavailable('threw', cause))
    })

    function settle(verdict: Verdict): void {
      clearTimeout(timer)
      resolve(verdict)
    }
  })
}

/** Own members only: what every object inherits decides nothing. */
function verdictOf(answer: unknown): Verdict {
  const { decision, rule, version, reason } = ownMembers(answer)
  if (typeof decision !== 'boolean') return unavailable('no decision')
  const evidence = Object.fromEntries(
    Object.entries({ rule, version, reason }).flatMap(([name, value]) =>
      typeof value === 'string' ? [[name, neutralise(value)]] : [],
    ),
  ) as Evidence
  if (decision) return { reason: 'passed', evidence }
  return new SecurityProblem('policy_denied', { evidence })
}

function ownMembers(answer: unknown): Readonly<Record<string, unknown>> {
  return typeof answer === 'object' && answer !== null ? { __proto__: null, ...answer } : {}
}

function unavailable(problem: 'threw' | 'timeout' | 'no decision', cause?: unknown): SecurityProblem {
  return new SecurityProblem('policy_unavailable', {
    headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
    evidence: { problem },
    cause,
  })
}
