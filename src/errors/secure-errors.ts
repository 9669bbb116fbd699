import { randomUUID } from 'node:crypto'
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import { types } from 'node:util'
import { openContext, type WritableContext } from '../core/context.js'
import { giveUpAnswer } from '../core/given-up.js'
import { recordDecision, type Next } from '../core/guard.js'
import { describeMiddleware } from '../core/metadata.js'
import { callback, checkOptions } from '../core/options.js'
import { SecurityProblem, isSecurityProblem } from '../core/problem.js'
import { disarm } from '../core/thenable.js'
import { warnOnce } from '../core/warnings.js'
import { isAbort, recognise } from './secure-errors/recognise.js'

/** The body of an answer, before it is sent (RFC 9457). */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly requestId: string
  readonly [member: string]: unknown
}

export interface SecureErrorsOptions {
  /**
   * Turns an application's own error into a problem made by `problem()`; `undefined` leaves it to the list in
   * `docs/errors.md`. It never sees a refusal of this library.
   */
  readonly map?: (error: unknown, req: IncomingMessage) => SecurityProblem | undefined
  /** Shapes the members of the body, for clients that expect others. The status and the headers stay. */
  readonly render?: (document: ProblemDocument, req: IncomingMessage) => object
}

export type ErrorMiddleware = (error: unknown, req: IncomingMessage, res: ServerResponse, next: Next) => void

// What a handler had said of the answer it did not get to send.
const ENTITY_FIELDS = [
  'accept-ranges',
  'content-digest',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'etag',
  'expires',
  'last-modified',
  'link',
  'location',
  'repr-digest',
  'trailer',
  'transfer-encoding',
]

/**
 * Answers everything that was thrown, always with `application/problem+json` (RFC 9457) and `Cache-Control: no-store`.
 *
 * Refusals of this library and problems made by `problem()` say what they say; errors of the body parser, the router
 * and http-errors keep their 4xx status without their message; all else is a 500 with the request's id, whatever
 * NODE_ENV is. Where the answer has already begun, the connection is closed, so that half an answer cannot pass for a
 * whole one. Mount it last.
 *
 * **Not checked:** what a handler itself sends with `res.status(500).json(error)`.
 */
export function secureErrors(options: SecureErrorsOptions = {}): ErrorMiddleware {
  checkOptions(
    'secureErrors',
    options,
    { map: callback, render: callback },
    { mapper: 'map', format: 'render' },
  )
  const { map, render } = options

  // Express tells error middlewares by their four parameters.
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the fourth
  const middleware: ErrorMiddleware = function secureErrorsMiddleware(error, req, res, _next) {
    if (isAbort(error) && req.destroyed) {
      giveUpAnswer(res)
      res.destroy()
      return
    }
    const problem = problemOf(error, req)
    const requestId = note(req, problem)
    // An answer that was complete before the error came is as good as any. It may have been given in the handler's place.
    if (res.writableEnded) {
      giveUpAnswer(res)
      return
    }
    if (res.headersSent || res.destroyed) {
      giveUpAnswer(res)
      res.destroy()
      return
    }
    // A 401 has a challenge (RFC 9110 section 15.5.2); other libraries may have set theirs.
    if (problem !== error && problem.status === 401 && !res.hasHeader('www-authenticate'))
      res.setHeader('WWW-Authenticate', 'Bearer')
    try {
      send(req, res, problem, bodyOf(problem, requestId, req))
    } catch (cause) {
      const fault = new SecurityProblem('unhandled_error', { cause })
      note(req, fault)
      send(req, res, fault, plainBody(fault, requestId))
    }
  }

  return describeMiddleware(middleware, { kind: 'secureErrors', layer: 'errors' })

  function problemOf(error: unknown, req: IncomingMessage): SecurityProblem {
    const problem = recognise(error)
    if (map === undefined || problem === error) return problem
    try {
      const mapped: unknown = map(error, req)
      if (isSecurityProblem(mapped)) return mapped
      disarm(mapped)
      return problem
    } catch (cause) {
      return new SecurityProblem('unhandled_error', {
        cause: new AggregateError([error, cause], 'secureErrors: map threw'),
      })
    }
  }

  function bodyOf(problem: SecurityProblem, requestId: string, req: IncomingMessage): string {
    try {
      const document = { ...problem.toJSON(), requestId } as ProblemDocument
      const rendered: unknown = render === undefined ? document : render(document, req)
      // Not every value has a JSON text, and a promise has a wrong one.
      const body = disarm(rendered) ? undefined : (JSON.stringify(rendered) as string | undefined)
      return body ?? plainBody(problem, requestId)
    } catch {
      return plainBody(problem, requestId)
    }
  }
}

/** The members that every problem has. */
function plainBody({ type, title, status, detail, code }: SecurityProblem, requestId: string): string {
  return JSON.stringify({ type, title, status, detail, code, requestId })
}

/** Records the error, unless the guard that made it has, and answers with the request's id. */
function note(req: IncomingMessage, problem: SecurityProblem): string {
  let context: WritableContext
  try {
    context = openContext(req)
  } catch (cause) {
    return noteWithoutContext(cause)
  }
  if (!context.hasRecorded(problem)) {
    recordDecision(context, {
      layer: 'errors',
      guard: 'secureErrors',
      rule: 'secureErrors',
      mode: 'enforce',
      problem,
    })
  }
  if (!context.hasObservers && problem.status >= 500) print(problem)
  return context.id
}

/** No request can have a context, and so none a record: the configuration itself is refused. Said once, not per request. */
function noteWithoutContext(cause: unknown): string {
  const { reason, evidence } = recognise(cause)
  warnOnce(reason, String(evidence?.['remedy'] ?? evidence?.['problem'] ?? reason))
  return randomUUID()
}

/** Nobody listens: to standard error, as Express itself does, rather than losing the only trace of it. */
function print({ reason, evidence, cause }: SecurityProblem): void {
  try {
    console.error(`express-bulwark: ${reason} ${JSON.stringify(evidence ?? {})}`)
    if (cause !== undefined) console.error(types.isNativeError(cause) ? cause.stack : cause)
  } catch {
    console.error(`express-bulwark: ${reason}, and what was thrown cannot be shown`)
  }
}

function send(req: IncomingMessage, res: ServerResponse, problem: SecurityProblem, body: string): void {
  const { status, headers } = problem
  if (!(Number.isInteger(status) && status >= 400 && status <= 599)) throw new RangeError('no error status')
  for (const field of ENTITY_FIELDS) res.removeHeader(field)
  res.statusCode = status
  res.statusMessage = STATUS_CODES[status] ?? 'Error'
  for (const [field, value] of Object.entries(headers)) res.setHeader(field, value)
  res.setHeader('Content-Type', 'application/problem+json')
  res.setHeader('Content-Length', Buffer.byteLength(body))
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.end(req.method === 'HEAD' ? undefined : body)
}
