import type { IncomingMessage, ServerResponse } from 'node:http'
import { whenHandedOver } from './handed-over.js'

type Listener = () => void

// One listener for each connection and each response, however many ask, and however many requests are pipelined.
const listenersBy = new WeakMap<object, Set<Listener>>()

/**
 * Calls `ended` exactly once: when the answer is out, when it was broken off, or when the connection is gone, at once
 * where one of these has happened already.
 *
 * The connection is listened to as well, because a response that waits its turn behind another one (pipelining) hears
 * nothing at all when the connection closes; and an upgrade has no response. A response that is complete and only waits
 * its turn has ended: how long the one before it takes is the caller's own to choose.
 */
export function whenEnded(req: IncomingMessage, res: ServerResponse, ended: () => void): void {
  if (hasEnded(req, res)) {
    ended()
    return
  }
  const all = [listenersOf(req.socket, listenToConnection)]
  if (isResponse(res)) all.push(listenersOf(res, listenToResponse))
  let isOver = false
  const end = (): void => {
    if (isOver) return
    isOver = true
    for (const listeners of all) listeners.delete(end)
    ended()
  }
  for (const listeners of all) listeners.add(end)
}

/** Whether nobody waits for this answer any more, or nothing but its turn. */
export function hasEnded(req: IncomingMessage, res: ServerResponse): boolean {
  if (req.socket.destroyed || res.destroyed) return true
  return isResponse(res) && (res.writableFinished || (res.writableEnded && res.socket === null))
}

function isResponse(res: Partial<ServerResponse>): boolean {
  return typeof res.on === 'function'
}

function listenersOf<T extends object>(of: T, listen: (to: T, tell: Listener) => void): Set<Listener> {
  const known = listenersBy.get(of)
  if (known !== undefined) return known
  const listeners = new Set<Listener>()
  listenersBy.set(of, listeners)
  listen(of, () => {
    for (const listener of [...listeners]) listener()
  })
  return listeners
}

function listenToConnection(socket: IncomingMessage['socket'], tell: Listener): void {
  socket.once('close', tell)
}

function listenToResponse(res: ServerResponse, tell: Listener): void {
  res.once('finish', tell)
  res.once('close', tell)
  if (res.socket !== null) return
  // Node.js says nothing of an answer that is complete before its turn.
  whenHandedOver(res, () => {
    if (res.socket === null) tell()
  })
}
