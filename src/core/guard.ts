import type { IncomingMessage, ServerResponse } from 'node:http'
import { PASSES, type PassReason } from './catalogue.js'
import { monotonicMs, wallClockMs } from './clock.js'
import { openContext, type WritableContext } from './context.js'
import type { Decision, Layer, Mode } from './decision.js'
import { describeMiddleware } from './metadata.js'
import {
  callback,
  checkOptions,
  enforceOrReport,
  misuseSaid,
  oneOf,
  record,
  required,
  text,
  type OptionRule,
} from './options.js'
import { SecurityProblem, isSecurityProblem, type Evidence } from './problem.js'
import { isThenable } from './thenable.js'

export type Next = (err?: unknown) => void

/** An Express middleware, typed on Node's own types so that a chain of them keeps the route's parameter types. */
export type Guard = (req: IncomingMessage, res: ServerResponse, next: Next) => void

/** What a check answers when the request may pass. */
export interface Pass {
  readonly reason: PassReason
  readonly evidence?: Evidence
}

/** A pass, or a refusal to be sent. Anything else is a fault and refuses. */
export type Verdict = Pass | SecurityProblem

const PASS_REASONS: ReadonlySet<unknown> = new Set(PASSES)

export const PASSED: Pass = Object.freeze({ reason: 'passed' })

export interface GuardDefinition {
  /** The middleware's exported name: `requireScopes`. */
  readonly kind: string
  readonly layer: Layer
  /** The rule's id in audit and metrics. */
  readonly name: string
  readonly mode?: Mode | undefined
  /** Set-up facts for the posture report. */
  readonly facts?: Readonly<Record<string, unknown>>
  /**
   * Decides. A refusal is returned or thrown as a `SecurityProblem`; whatever else is thrown is a fault of ours and
   * answers 500. It writes to the context only when it is about to pass the request.
   */
  check(req: IncomingMessage, context: WritableContext, res: ServerResponse): Verdict | Promise<Verdict>
}

const RULES: Readonly<Record<keyof GuardDefinition, OptionRule>> = {
  kind: required(text(64)),
  layer: required(oneOf('transport', 'authentication', 'authorization', 'traffic', 'validation', 'errors')),
  name: required(text()),
  mode: enforceOrReport,
  facts: record,
  check: required(callback),
}

/**
 * Makes a middleware of one check. Timing, report mode, recording, refusing and catching are done here, once.
 *
 * A check that answers synchronously is passed on synchronously. `next` is called at most once, and not at all when
 * the answer was already sent or the caller is gone by the time an asynchronous check ends.
 */
export function defineGuard(definition: GuardDefinition): Guard {
  checkOptions('defineGuard', definition, RULES)
  const { kind, layer, name, mode = 'enforce', facts = {} } = definition

  const guard: Guard = (req, res, next) => {
    const startedMs = monotonicMs()
    let context: WritableContext | undefined
    let verdict: Verdict | Promise<Verdict>
    try {
      context = openContext(req)
      verdict = definition.check(req, context, res)
    } catch (cause) {
      verdict = problemFrom(cause)
    }
    if (!isThenable(verdict)) {
      conclude(context, verdict, startedMs, next)
      return
    }
    Promise.resolve(verdict).then(settle, (cause: unknown) => {
      settle(problemFrom(cause))
    })

    function settle(settled: Verdict): void {
      const isWanted = !res.writableEnded && !res.destroyed
      conclude(context, settled, startedMs, isWanted ? next : nobody)
    }
  }

  function conclude(
    context: WritableContext | undefined,
    verdict: Verdict,
    startedMs: number,
    next: Next,
  ): void {
    const problem = isPass(verdict) ? undefined : problemFrom(verdict)
    const pass = problem === undefined ? (verdict as Pass) : undefined
    if (context !== undefined)
      recordDecision(context, { layer, guard: kind, rule: name, mode, problem, pass, startedMs })
    if (problem === undefined || (context !== undefined && isOnlyReported(problem))) {
      next()
      return
    }
    next(problem)
  }

  /** An order that cannot work is nobody's breach of the rule that is being tried out. */
  function isOnlyReported(problem: SecurityProblem): boolean {
    return mode === 'report' && problem.reason !== 'guard_order'
  }

  Object.defineProperty(guard, 'name', { value: `${kind}Middleware` })
  return describeMiddleware(guard, { kind, layer, name, mode, facts })
}

/** What became of one check: a problem, or a pass. */
export interface Conclusion {
  readonly layer: Layer
  readonly guard: string
  readonly rule: string
  readonly mode: Mode
  readonly problem?: SecurityProblem | undefined
  readonly pass?: Pass | undefined
  /** Monotonic time at which the check began. @default now */
  readonly startedMs?: number
  /** @default the route that Express is serving */
  readonly route?: string
}

/** Writes a decision into the context, which tells the observers. */
export function recordDecision(context: WritableContext, conclusion: Conclusion): void {
  const { layer, guard, rule, mode, problem, pass = PASSED, startedMs } = conclusion
  const decision: Decision = {
    layer,
    guard,
    rule,
    outcome: problem === undefined ? 'allow' : problem.status >= 500 ? 'fault' : 'refuse',
    mode,
    reason: problem === undefined ? pass.reason : problem.reason,
    status: mode === 'enforce' ? problem?.status : undefined,
    evidence: problem === undefined ? pass.evidence : problem.evidence,
    cause: undefined,
    route: conclusion.route ?? context.noteRoute(),
    at: wallClockMs(),
    durationMs: startedMs === undefined ? 0 : monotonicMs() - startedMs,
  }
  // Out of reach of a serialiser: what was thrown may hold anything.
  const { cause } = problem ?? {}
  if (cause !== undefined) Object.defineProperty(decision, 'cause', { value: cause, enumerable: false })
  context.record(decision, problem)
}

// What a guard looks at in a response: whether it is still wanted. An upgrade has none.
const NO_RESPONSE = Object.freeze({ writableEnded: false, destroyed: false }) as unknown as ServerResponse

/** Runs a guard on a request that has no response, as an upgrade; rejects with its refusal. */
export function runOutsideExpress(guard: Guard, req: IncomingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    guard(req, NO_RESPONSE, (problem?: unknown) => {
      if (problem === undefined) resolve()
      else reject(problemFrom(problem))
    })
  })
}

/** A refusal as it is; anything else that was thrown, Error or not, becomes a fault of ours. */
function problemFrom(cause: unknown): SecurityProblem {
  if (isSecurityProblem(cause)) return cause
  const problem = misuseSaid(cause)
  return new SecurityProblem('guard_fault', {
    cause,
    ...(problem === undefined ? {} : { evidence: { problem } }),
  })
}

/** Only the words of the catalogue let a request pass: `{ reason: 'denied' }` is no pass. */
function isPass(verdict: unknown): verdict is Pass {
  return (
    typeof verdict === 'object' &&
    verdict !== null &&
    !isSecurityProblem(verdict) &&
    PASS_REASONS.has((verdict as { reason?: unknown }).reason)
  )
}

/** The answer has gone out, or the caller has: the decision is recorded, and nothing more happens. */
function nobody(): void {
  // Nothing to do.
}
