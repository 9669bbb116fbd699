import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Whether an answer of this status leaves the key free for another try: who the caller is, what it may do and how much
 * of it may be different then, and what failed may work.
 */
export function frees(status: number): boolean {
  return status === 401 || status === 403 || status === 429 || status >= 500
}

/**
 * Whether an answer refuses a caller who has left: mostly because it has, as where its signal was aborted. An answer that
 * refuses nothing tells of something done, whoever is there to read it.
 */
export function isToNobody(
  status: number,
  { socket }: IncomingMessage,
  { destroyed }: ServerResponse,
): boolean {
  return status >= 400 && (socket.destroyed || destroyed)
}

/** Whether there is a body, whatever the handler says (RFC 9110 sections 15.3.5 and 15.4.5). */
export function mayHaveBody(status: number): boolean {
  return status !== 204 && status !== 304
}

/**
 * Whether an answer is the one that Express gives where nobody does (`finalhandler`). After a time-out it stands for
 * what follows, which Express has passed by then: the error handler, or the next middleware.
 */
export function isLastResort(res: ServerResponse): boolean {
  return (
    res.statusCode >= 400 &&
    res.getHeader('content-security-policy') === "default-src 'none'" &&
    res.getHeader('x-content-type-options') === 'nosniff' &&
    res.getHeader('content-type') === 'text/html; charset=utf-8'
  )
}
