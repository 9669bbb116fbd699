import type { IncomingMessage } from 'node:http'
import type { RequestContext } from '../../core/context.js'
import { SecurityProblem } from '../../core/problem.js'
import { disarm } from '../../core/thenable.js'

/** Answers what else of a request an answer belongs to: its tenant, its host, its precondition. */
export type Scope = (req: IncomingMessage, context: RequestContext) => string

/**
 * What goes into the name beside the key; nothing where nothing was asked for.
 *
 * Throws a fault (500) for a promise and for no text: it must never be one scope for everybody.
 */
export function scopeTexts(
  scope: Scope | undefined,
  req: IncomingMessage,
  context: RequestContext,
): readonly string[] {
  if (scope === undefined) return []
  const text: unknown = scope(req, context)
  if (disarm(text)) throw fault('scope answered with a promise: it must answer at once')
  if (typeof text !== 'string' || text === '') throw fault('scope answered no text')
  return [text]
}

function fault(problem: string): SecurityProblem {
  return new SecurityProblem('guard_fault', { evidence: { problem } })
}
