import type { IncomingMessage, ServerResponse } from 'node:http'
import { monotonicMs } from '../core/clock.js'
import { openContext, type WritableContext } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { recordDecision, type Guard, type Next } from '../core/guard.js'
import { describeMiddleware } from '../core/metadata.js'
import { checkOptions, enforceOrReport, integer, required, ruleName } from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'
import { hasBegun, isAnsweredFor } from './late-answer.js'
import { abortWith } from './request-timeout/abort.js'
import { answerInPlace } from './request-timeout/silence.js'
import { hasEnded, whenEnded } from './shared-end.js'

export interface RequestTimeoutOptions {
  /** Longest time until an answer begins, in **milliseconds**, 1 to 3600000. */
  readonly timeoutMs: number
  /** The rule's id in audit and metrics. @default 'request-timeout' */
  readonly name?: string
  /** `report` records that a request took too long, answers nothing and aborts nothing. @default 'enforce' */
  readonly mode?: Mode
}

// On the request itself: an ESM and a CommonJS copy of this library may both look for it.
const SIGNAL = Symbol.for('express-bulwark.signal.v1')

/**
 * Answers 503 with `Retry-After` where no answer has begun after `timeoutMs`, once, through the application's error
 * handler. What the handler does to the answer after that has no effect, unless `idempotency` keeps it. An answer that
 * has begun is left alone, however long it takes: a stream is never cut. One that `idempotency` holds has not begun.
 *
 * `signalOf(req)` is aborted on the time-out and when the caller leaves: hand it to whatever the handler waits for. On
 * Express 4 an async handler must catch what it rejects with then and give it to `next`, or the process ends.
 *
 * **Not checked:** that the handler stops. What it does in spite of the signal takes place, though its caller was told
 * 503. How long a request may take to arrive is the server's own `requestTimeout` and `headersTimeout`.
 *
 * Throws a `TypeError` for missing, impossible or unknown options.
 */
export function requestTimeout(options: RequestTimeoutOptions): Guard {
  checkOptions(
    'requestTimeout',
    options,
    {
      timeoutMs: required(integer(1, 3_600_000, 'milliseconds')),
      name: ruleName,
      mode: enforceOrReport,
    },
    { timeout: 'timeoutMs (milliseconds)', time: 'timeoutMs', seconds: 'timeoutMs (milliseconds)' },
  )
  const { timeoutMs, name = 'request-timeout', mode = 'enforce' } = options

  function requestTimeoutMiddleware(req: IncomingMessage, res: ServerResponse, next: Next): void {
    const startedMs = monotonicMs()
    let context: WritableContext
    try {
      context = openContext(req)
    } catch (problem) {
      next(problem)
      return
    }
    const leaving = controllerOf(req)
    const timer = setTimeout(expire, timeoutMs)
    timer.unref()
    whenEnded(req, res, () => {
      clearTimeout(timer)
      if (!res.writableFinished) abortWith(leaving, new SecurityProblem('client_gone'))
    })
    next()

    function expire(): void {
      if (hasBegun(res) || res.writableEnded || hasEnded(req, res) || isAnsweredFor(res)) return
      const problem = new SecurityProblem('time_exceeded', {
        // What the handler may do to the connection later must not meet another request on it.
        headers: { 'retry-after': String(1 + Math.floor(Math.random() * 5)), connection: 'close' },
        evidence: { timeoutMs },
      })
      recordDecision(context, {
        layer: 'traffic',
        guard: 'requestTimeout',
        rule: name,
        mode,
        problem,
        startedMs,
      })
      if (mode === 'report') return
      answerInPlace(res, () => {
        next(problem)
      })
      // After the answer: a handler that fails because of the signal must not be the one who answers.
      setImmediate(() => {
        abortWith(leaving, problem)
      })
    }
  }

  return describeMiddleware(requestTimeoutMiddleware, {
    kind: 'requestTimeout',
    layer: 'traffic',
    name,
    mode,
    facts: { timeoutMs },
  })
}

/**
 * The signal of a request behind `requestTimeout`: aborted when its time is up and when its caller leaves, with the
 * problem as its reason. It stays as it is when an answer is out.
 *
 * Throws a `SecurityProblem` (500, `guard_order`) where no `requestTimeout` ran.
 */
export function signalOf(req: object): AbortSignal {
  const controller = (req as { [SIGNAL]?: AbortController })[SIGNAL]
  if (controller !== undefined) return controller.signal
  throw new SecurityProblem('guard_order', {
    evidence: { problem: 'signalOf() of a request that no requestTimeout() has seen' },
  })
}

/** One for a request, whichever of several time-outs comes first. */
function controllerOf(req: IncomingMessage): AbortController {
  const holder = req as { [SIGNAL]?: AbortController }
  const known = holder[SIGNAL]
  if (known !== undefined) return known
  const controller = new AbortController()
  Object.defineProperty(req, SIGNAL, { value: controller })
  return controller
}
