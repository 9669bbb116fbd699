import type { IncomingMessage, ServerResponse } from 'node:http'

type Socket = IncomingMessage['socket']

// One listener for each connection, however many requests are pipelined on it.
const byConnection = new WeakMap<Socket, Set<() => void>>()

/**
 * Calls `ended` exactly once: when the answer is out, when it was broken off, or when the connection is gone, at once
 * where one of these has happened already.
 *
 * The connection is listened to as well, because a response that waits its turn behind another one (pipelining) hears
 * nothing at all when the connection closes; and an upgrade has no response.
 */
export function whenEnded(req: IncomingMessage, res: ServerResponse, ended: () => void): void {
  const { socket } = req
  if (hasEnded(req, res)) {
    ended()
    return
  }
  const others = listenersOf(socket)
  let isOver = false
  const end = (): void => {
    if (isOver) return
    isOver = true
    others.delete(end)
    ended()
  }
  others.add(end)
  if (!isResponse(res)) return
  res.on('finish', end)
  res.on('close', end)
}

/** Whether nobody waits for this answer any more. */
export function hasEnded(req: IncomingMessage, res: ServerResponse): boolean {
  return req.socket.destroyed || res.destroyed || (isResponse(res) && res.writableFinished)
}

function isResponse(res: Partial<ServerResponse>): boolean {
  return typeof res.on === 'function'
}

function listenersOf(socket: Socket): Set<() => void> {
  const known = byConnection.get(socket)
  if (known !== undefined) return known
  const listeners = new Set<() => void>()
  byConnection.set(socket, listeners)
  socket.once('close', () => {
    for (const end of [...listeners]) end()
  })
  return listeners
}
