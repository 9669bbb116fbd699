import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { monotonicMs } from '../core/clock.js'
import { requirePrincipal, type WritableContext } from '../core/context.js'
import { publishEvent } from '../core/events.js'
import { whenGivenUp } from '../core/given-up.js'
import { PASSED, defineGuard, recordDecision, type Guard, type Verdict } from '../core/guard.js'
import type { Stateful } from '../core/lifecycle.js'
import { SecurityProblem } from '../core/problem.js'
import { chain, isThenable } from '../core/thenable.js'
import { answersOf, type Attempt, type KeptAnswer } from './idempotency/answers.js'
import { captureAnswer, type CaptureRules } from './idempotency/capture.js'
import { fingerprintOf, nameOf } from './idempotency/fingerprint.js'
import { keyMissing, keyOf } from './idempotency/key.js'
import { factsOf, settingsOf, type IdempotencyOptions } from './idempotency/options.js'
import { scopeTexts } from './idempotency/scope.js'
import { frees, isLastResort, isToNobody, mayHaveBody } from './idempotency/statuses.js'
import { holdAnswer, isAnsweredFor } from './late-answer.js'

export type { IdempotencyOptions } from './idempotency/options.js'

export type IdempotencyGuard = Guard & Stateful

/**
 * Does a request once, however often its caller repeats it with the same `Idempotency-Key`
 * (draft-ietf-httpapi-idempotency-key-header-07, expired): a repetition gets the answer of the first, with
 * `Idempotency-Replayed: true`.
 *
 * A key is the caller's own: it counts together with issuer, subject and client, and for one method, path, query and
 * body. No key, or none that is a quoted string of 1 to 255 characters, is 400; the first still under way is 409 with
 * `Retry-After`; another request with the same key is 422; a store that is slow, down or full is 503, and the handler
 * does not run. Answers of 401, 403, 429 and 5xx are not kept, nor is a 4xx whose caller had left before it, and the
 * next request is done.
 *
 * The answer is held back, up to `maxBodyBytes`, until it is kept. Where `requestTimeout` answers for the handler, what
 * the handler says to that is kept. Mount it after authentication, after what may refuse the request, and after the body
 * parser.
 *
 * **Not checked:** that a handler that was cut off (a process that ended, a 5xx) did nothing: after `leaseSeconds`, or
 * at once after a 5xx, the next request is done again. Host, tenant and request headers, unless `scope` says them: a
 * repetition that asks for another representation, or with another precondition, gets the first answer.
 *
 * Throws a `TypeError` for impossible or unknown options, and for `mode: 'report'`.
 */
export function idempotency(options: IdempotencyOptions = {}): IdempotencyGuard {
  const settings = settingsOf(options)
  const { name, store, required, methods, secret, scope, headers, maxBodyBytes } = settings
  const answers = answersOf(settings)

  const guard = defineGuard({ kind: 'idempotency', layer: 'traffic', name, facts: factsOf(settings), check })

  function check(
    req: IncomingMessage,
    context: WritableContext,
    res: ServerResponse,
  ): Verdict | Promise<Verdict> {
    if (!methods.has(req.method ?? '')) return PASSED
    if (!required && req.headers['idempotency-key'] === undefined) return PASSED
    const attempt = attemptOf(req, context)
    // Mounted twice on one request's way: it is under way by itself.
    if (isHeldBy(req, attempt)) return PASSED
    const startedMs = monotonicMs()
    return chain(answers.begin(attempt), (found) => {
      if (found.state === 'begun') return begin(req, res, attempt)
      if (found.fingerprint !== attempt.fingerprint) throw new SecurityProblem('idempotency_key_reused')
      if (found.state === 'under-way') throw underWay()
      if (found.answer === undefined) throw notKept()
      return replay(found.answer, context, res, startedMs)
    })
  }

  function attemptOf(req: IncomingMessage, context: WritableContext): Attempt {
    // Before the key: an order that cannot work is said whatever the caller sent.
    const { key: caller, clientId } = requirePrincipal(context)
    const key = keyOf(req)
    if (key === undefined) throw keyMissing()
    return {
      name: nameOf([name, caller, clientId ?? null, key, ...scopeTexts(scope, req, context)], secret),
      caller,
      fingerprint: fingerprintOf(req, secret),
      owner: randomBytes(16).toString('base64url'),
    }
  }

  function begin(req: IncomingMessage, res: ServerResponse, attempt: Attempt): Verdict | Promise<Verdict> {
    const isAnswered = isAnsweredFor(res)
    // Who left, or was told to wait no longer, while the store was asked: the handler will not run. Later, so that
    // `defineGuard` looks again.
    if (isAnswered || res.writableEnded || res.destroyed)
      return Promise.resolve(quietly('release', () => answers.release(attempt))).then(() =>
        isAnswered ? nothingFollows() : PASSED,
      )
    hold(req, attempt)
    const first = captureAnswer(
      res,
      rulesFor(attempt, (status) => frees(status) || isToNobody(status, req, res)),
    )
    let last = first
    holdAnswer(res, {
      get holdsHead() {
        return first.holdsHead
      },
      // The caller was told to wait no longer, and what the handler says to that is kept for when it asks again.
      handOver(late) {
        if (!first.isHolding) return
        last = captureAnswer(
          late,
          rulesFor(attempt, (status) => frees(status) || isLastResort(late)),
        )
        first.handOver(late)
      },
      letGo() {
        first.letGo()
      },
    })
    whenGivenUp(res, () => {
      // Until another answer is out, the error may be the one that it is made of, and the handler still at work.
      if (!isAnsweredFor(res) || res.writableEnded) last.giveUp()
    })
    return PASSED
  }

  function rulesFor(attempt: Attempt, isFreedBy: (status: number) => boolean): CaptureRules {
    const release = (): void | Promise<void> => quietly('release', () => answers.release(attempt))
    return {
      headers,
      maxBodyBytes,
      settle: (status, answer) =>
        isFreedBy(status) ? release() : quietly('finish', () => answers.finish(attempt, answer)),
      release: () => void release(),
    }
  }

  /** The answer goes out whatever becomes of its copy: what was done is done. */
  function quietly(step: 'finish' | 'release', act: () => unknown): void | Promise<void> {
    const failed = (): void => {
      publishEvent('error', 'idempotency_not_kept', { rule: name, step })
    }
    const ended = (kept: unknown): void => {
      if (kept === false) publishEvent('error', 'idempotency_lease_lost', { rule: name })
    }
    try {
      const acted = act()
      if (isThenable(acted)) return Promise.resolve(acted).then(ended, failed)
      ended(acted)
    } catch {
      failed()
    }
  }

  function replay(
    answer: KeptAnswer,
    context: WritableContext,
    res: ServerResponse,
    startedMs: number,
  ): Promise<Verdict> {
    recordDecision(context, {
      layer: 'traffic',
      guard: 'idempotency',
      rule: name,
      mode: 'enforce',
      pass: { reason: 'replayed', evidence: { status: answer.status } },
      startedMs,
    })
    const isWanted = !res.writableEnded && !res.destroyed
    // Somebody else's answer has begun: half of one must not pass for a whole one.
    if (isWanted && res.headersSent) res.destroy()
    else if (isWanted) send(answer, headers, res)
    // What is over `end` may take its time, and until then the answer looks as if there were none. Nothing follows it.
    return nothingFollows()
  }

  return Object.assign(guard, {
    warmUp: () => Promise.resolve(),
    health: () => ({ ...(store?.health() ?? { status: 'ok' as const }), name }),
    // Answers outlive the middleware, as they outlive the process where the store is shared.
    close: () => Promise.resolve(),
  })
}

/** A new one each time: what waits for one that many share would never be let go of. */
function nothingFollows(): Promise<never> {
  return new Promise(() => undefined)
}

const held = new WeakMap<IncomingMessage, Set<string>>()

function hold(req: IncomingMessage, { name }: Attempt): void {
  held.set(req, (held.get(req) ?? new Set()).add(name))
}

function isHeldBy(req: IncomingMessage, { name }: Attempt): boolean {
  return held.get(req)?.has(name) === true
}

/** Fields that are not kept any more stay out, whoever wrote them. */
function send({ status, headers, body }: KeptAnswer, kept: ReadonlySet<string>, res: ServerResponse): void {
  res.statusCode = status
  for (const [name, values] of headers) {
    if (kept.has(name)) res.setHeader(name, values.length === 1 ? (values[0] as string) : values)
  }
  res.setHeader('Idempotency-Replayed', 'true')
  // Where there is none, Node.js may be told to throw for a body of no bytes.
  if (mayHaveBody(status) && body.byteLength > 0) res.end(body)
  else res.end()
}

const POLL_SECONDS = 1

function underWay(): SecurityProblem {
  return new SecurityProblem('idempotency_key_in_use', { headers: { 'retry-after': String(POLL_SECONDS) } })
}

function notKept(): SecurityProblem {
  return new SecurityProblem('idempotency_key_in_use', {
    title: 'Answer Not Kept',
    detail: 'The request with this key was done, and its answer was too large to keep. It is not done again.',
    evidence: { problem: 'the answer was larger than maxBodyBytes' },
  })
}
