import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { ExpressParts } from './route.js'
import { neutralise } from './text.js'

/** A request's id: what the application's function says, else what stands on the request, else a new one. */
export function idOf(
  req: IncomingMessage,
  requestId: ((req: IncomingMessage) => unknown) | undefined,
): string {
  const given = requestId === undefined ? (req as ExpressParts).id : answerOf(requestId, req)
  if (typeof given === 'string' && given !== '') return neutralise(given, 128)
  if (typeof given === 'number') return String(given)
  return randomUUID()
}

/** A function of the application that throws must not cost a request its evidence. */
function answerOf(requestId: (req: IncomingMessage) => unknown, req: IncomingMessage): unknown {
  try {
    return requestId(req)
  } catch {
    return undefined
  }
}
