import type { IncomingMessage } from 'node:http'
import type { ExpressParts } from './route.js'
import { neutralise } from './text.js'

/** The id that a request has already: what the application's function says, else what stands on the request. */
export function givenId(
  req: IncomingMessage,
  requestId: ((req: IncomingMessage) => unknown) | undefined,
): string | undefined {
  const given = requestId === undefined ? (req as ExpressParts).id : answerOf(requestId, req)
  if (typeof given === 'string' && given !== '') return neutralise(given, 128)
  if (typeof given === 'number') return String(given)
  return undefined
}

/** A function of the application that throws must not cost a request its evidence. */
function answerOf(requestId: (req: IncomingMessage) => unknown, req: IncomingMessage): unknown {
  try {
    return requestId(req)
  } catch {
    return undefined
  }
}
