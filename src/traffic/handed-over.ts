import type { ServerResponse } from 'node:http'

type End = (...given: unknown[]) => unknown

/**
 * Calls `handedOver` when the handler has ended its answer, whoever reads it and when: how fast an answer goes out is the
 * caller's own to choose. Where something else holds the end back, as a session that is saved first, it is not called.
 */
export function whenHandedOver(res: ServerResponse, handedOver: () => void): void {
  // An upgrade has no response.
  if (typeof (res as Partial<ServerResponse>).end !== 'function') return
  const methods = res as unknown as { end: End }
  const { end } = methods
  methods.end = (...given) => {
    const answer = end.apply(res, given)
    if (res.writableEnded) handedOver()
    return answer
  }
}
