import type { IncomingMessage } from 'node:http'
import { isThenable } from '../../core/thenable.js'

interface Kept {
  readonly params: string
  readonly answer: () => unknown
}

/**
 * Asks once per request and route parameters, and gives the same answer, or throws the same, after that.
 *
 * The parameters count because one guard may stand on `/orders/:id` and on a `/:id` below it: an answer to the first
 * is no answer to the second.
 */
export function oncePerRequest<R extends IncomingMessage>(ask: (req: R) => unknown): (req: R) => unknown {
  const kept = new WeakMap<R, Kept>()
  return function askOnce(req) {
    const params = JSON.stringify((req as { params?: unknown }).params ?? {})
    const before = kept.get(req)
    if (before?.params === params) return before.answer()
    const answer = settled(() => ask(req))
    kept.set(req, { params, answer })
    return answer()
  }
}

/** A query builder asks its database each time it is waited for: it is made one promise. */
function settled(ask: () => unknown): () => unknown {
  try {
    const answer = ask()
    const once = isThenable(answer) ? Promise.resolve(answer) : answer
    return () => once
  } catch (cause) {
    return () => {
      throw cause
    }
  }
}
