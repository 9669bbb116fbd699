import type { IncomingMessage, ServerResponse } from 'node:http'
import { openContext, type Observer, type WritableContext } from '../core/context.js'
import { onEvent } from '../core/events.js'
import type { Guard } from '../core/guard.js'
import type { Stateful } from '../core/lifecycle.js'
import { describeMiddleware } from '../core/metadata.js'
import { callback, checkOptions, either, flag, integer, oneOf, type OptionRule } from '../core/options.js'
import { disarm } from '../core/thenable.js'
import { Coalescer } from './audit-log/coalescer.js'
import {
  completionRecord,
  decisionRecord,
  eventRecord,
  levelOf,
  type Completion,
} from './audit-log/records.js'
import { Writer, type AuditLogger } from './audit-log/writer.js'

export type { Completion } from './audit-log/records.js'
export type { AuditLogger } from './audit-log/writer.js'

export interface AuditLogOptions {
  /** The service's own pino, or any `info/warn/error(record, message)`. @default pino on standard output, synchronous */
  readonly logger?: AuditLogger
  /**
   * Which ends of requests are recorded; refusals always are. @default all but successful public routes, which are
   * mostly probes
   */
  readonly completions?: 'all' | 'none' | ((completion: Completion) => boolean)
  /** The id of a request, set in this process. @default `req.id` where something set it, else a random UUID */
  readonly requestId?: (req: IncomingMessage) => string
  /**
   * Whether the messages of unexpected errors are recorded beside their type and stack. They may quote anything a
   * caller sent. @default false
   */
  readonly errorMessages?: boolean
  /**
   * For how many **seconds** after a refusal by a limit (429 or 503 of the traffic layer, but no time-out) further ones of
   * the same caller from the same address under the same rule are counted and written as one record, 0 to 3600; 0 writes
   * each. @default 10
   */
  readonly coalesceSeconds?: number
}

export interface AuditLog extends Guard, Stateful {
  /**
   * Records the refusals of a request that never reaches Express, as a WebSocket upgrade: call it before
   * `auth.verifyRequest(req)`. Its end is not recorded.
   */
  observe(req: IncomingMessage): void
}

const logger: OptionRule = {
  says: 'an object with the functions info, warn and error',
  holds: (value) =>
    typeof value === 'object' &&
    value !== null &&
    ['info', 'warn', 'error'].every(
      (level) => typeof (value as Record<string, unknown>)[level] === 'function',
    ),
}

/**
 * Writes the evidence: one record for each refusal the moment it is made, one for each response when it has ended.
 * Refusals by limits that repeat themselves are counted (`coalesceSeconds`), so that an attack does not flood the log.
 *
 * Mount it first: what runs before it leaves no record. A record holds who (subject, client, address), what (method,
 * route template, rule), when, and why. It never holds a token, key, cookie, query or body, and text from outside has
 * its control characters replaced. A logger that throws is counted in `health()` and disturbs no request.
 *
 * **Not checked:** that the records arrive anywhere, and that nobody changes them there.
 *
 * Throws a `TypeError` for impossible or unknown options.
 */
export function auditLog(options: AuditLogOptions = {}): AuditLog {
  checkOptions(
    'auditLog',
    options,
    {
      logger,
      completions: either(oneOf('all', 'none'), callback),
      requestId: callback,
      errorMessages: flag,
      coalesceSeconds: integer(0, 3600, 'seconds'),
    },
    {
      genReqId: 'requestId',
      autoLogging: 'completions',
      redact: 'nothing: records hold no secrets to redact',
      sampling: 'coalesceSeconds',
    },
  )
  const { completions = isNotProbe, requestId, errorMessages = false, coalesceSeconds = 10 } = options
  const writer = new Writer(options.logger)
  const coalescer = new Coalescer(coalesceSeconds, (level, record, message) => {
    writer.write(level, record, message)
  })
  // Requests whose refusal is part of a number: their end is too.
  const folded = new WeakSet<WritableContext>()
  const observed = new WeakSet<WritableContext>()
  const stopListening = onEvent((event) => {
    writer.write(event.severity, eventRecord(event), event.event)
  })

  function auditLogMiddleware(
    req: IncomingMessage,
    res: ServerResponse,
    next: (err?: unknown) => void,
  ): void {
    let context: WritableContext
    try {
      context = openContext(req, requestId)
    } catch (problem) {
      next(problem)
      return
    }
    if (watchOnce(context, req) && completions !== 'none') awaitEnd(context, res)
    next()
  }

  /** Mounted twice on one request's way, it still writes one record. */
  function watchOnce(context: WritableContext, req: IncomingMessage): boolean {
    if (observed.has(context)) return false
    observed.add(context)
    const observer: Observer = (decision) => {
      if (decision.outcome === 'allow') return
      if (coalescer.folds(decision, context, req)) {
        if (decision.mode === 'enforce') folded.add(context)
        return
      }
      const record = decisionRecord(decision, context, req, errorMessages)
      writer.write(levelOf(decision), record, decision.reason)
    }
    context.observe(observer, true)
    return true
  }

  function awaitEnd(context: WritableContext, res: ServerResponse): void {
    let ended = false
    const end = (): void => {
      if (ended) return
      ended = true
      complete(context, res)
    }
    // `end` itself sees to it that it counts once: `once` would wrap it twice, on every request.
    res.on('finish', end)
    res.on('close', end)
  }

  function complete(context: WritableContext, res: ServerResponse): void {
    if (completions !== 'all' && folded.has(context)) return
    const completion = completionOf(context, res)
    if (isWanted(completion)) writer.write('info', completionRecord(completion, context), 'request completed')
  }

  function isWanted(completion: Completion): boolean {
    if (typeof completions !== 'function') return true
    try {
      const answer: unknown = completions(completion)
      // Too late to wait for a promise: the record is kept.
      return disarm(answer) || answer !== false
    } catch {
      return true
    }
  }

  describeMiddleware(auditLogMiddleware, {
    kind: 'auditLog',
    layer: 'audit',
    facts: {
      completions: typeof completions === 'string' ? completions : 'chosen',
      errorMessages,
      coalesceSeconds,
    },
  })
  return Object.assign(auditLogMiddleware, {
    observe: (req: IncomingMessage) => {
      watchOnce(openContext(req, requestId), req)
    },
    warmUp: () => Promise.resolve(),
    health: () => writer.health(),
    close: () => {
      stopListening()
      coalescer.close()
      return Promise.resolve()
    },
  })
}

function isNotProbe(completion: Completion): boolean {
  return !(completion.public && completion.outcome === 'success')
}

function completionOf(context: WritableContext, res: ServerResponse): Completion {
  const { decisions } = context
  const refused = decisions.find(({ outcome, mode }) => outcome !== 'allow' && mode === 'enforce')
  const route = refused?.route ?? noted(context)
  const isAborted = !res.writableFinished
  return {
    outcome: isAborted ? 'aborted' : res.statusCode < 400 ? 'success' : 'failure',
    status: isAborted && !res.headersSent ? undefined : res.statusCode,
    method: context.method,
    route,
    durationMs: context.elapsedMs,
    public: decisions.some((decision) => decision.reason === 'public' && decision.route === route),
  }
}

/** The route that is still on the request, else the last one seen. */
function noted(context: WritableContext): string {
  context.noteRoute()
  return context.route
}
