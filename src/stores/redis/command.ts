import { createHash } from 'node:crypto'
import type { SharedStore } from '../../core/ports.js'
import { isNodeRedisCluster } from './cluster.js'
import { UNREADABLE } from '../store-guard.js'

interface Ioredis {
  call(command: string, ...args: string[]): Promise<unknown>
}
interface NodeRedis {
  sendCommand(args: string[]): Promise<unknown>
}
interface NodeRedisSentinel {
  getSentinelNode(): unknown
  sendCommand(isReadonly: boolean, args: string[]): Promise<unknown>
}

/**
 * One command under the store's time-out and circuit breaker: `command(store, 'SET', 'name', 'value', 'NX')`. Its first
 * argument is its first key, by which a Cluster finds the node; further keys must be in the same slot.
 */
export function command(store: SharedStore, name: string, key: string, ...rest: string[]): Promise<unknown> {
  return store.run(() => send(store, name, [key, ...rest], key))
}

/**
 * A command that reads a whole number, for each of several keys at the same time, as one operation: where the circuit
 * breaker lets one through to see whether the server is back, it is all of them. A server that answers something else has
 * failed.
 */
export function readIntegers(
  store: SharedStore,
  name: string,
  keys: readonly string[],
): Promise<readonly number[]> {
  const ask = async (key: string): Promise<number> => integerIn(await send(store, name, [key], key))
  return store.run(() => Promise.all(keys.map(ask)), true)
}

/** A whole number, also where the client hands numbers on as text. Throws for anything else. */
export function integerIn(reply: unknown): number {
  if (Number.isSafeInteger(reply)) return reply as number
  if (typeof reply === 'string' && /^-?\d{1,15}$/.test(reply)) return Number(reply)
  throw unreadable()
}

/** What a reply that makes no sense throws, within the store's guard: a server that says such things is not there. */
export function unreadable(): Error {
  return Object.assign(new Error('the server answered something else'), { code: UNREADABLE })
}

/**
 * A script, by its digest: the text follows only where the server does not know it, as after a restart. All keys must be
 * in one slot. `read` makes of the reply what it means, and throws where it means nothing.
 */
export async function evaluate<T = unknown>(
  store: SharedStore,
  script: string,
  keys: readonly [string, ...string[]],
  args: readonly string[],
  read: (reply: unknown) => T = (reply) => reply as T,
): Promise<T> {
  const rest = [String(keys.length), ...keys, ...args]
  let isOver = false
  try {
    return await store.run(() =>
      send(store, 'EVALSHA', [digestOf(script), ...rest], keys[0])
        .catch((cause: unknown) => {
          // Past its time nobody waits for it any more: what has not been done by then is not done.
          if (isOver || !isUnknownScript(cause)) throw cause
          return send(store, 'EVAL', [script, ...rest], keys[0])
        })
        .then(read),
    )
  } finally {
    isOver = true
  }
}

const digests = new Map<string, string>()

/** Of the few scripts of this library, none of which is made of anything that was sent. */
function digestOf(script: string): string {
  let digest = digests.get(script)
  if (digest === undefined) {
    digest = createHash('sha1').update(script).digest('hex')
    digests.set(script, digest)
  }
  return digest
}

function isUnknownScript(cause: unknown): boolean {
  return String((cause as { message?: unknown } | null | undefined)?.message).startsWith('NOSCRIPT')
}

function send(
  { client, dialect }: SharedStore,
  name: string,
  args: string[],
  firstKey: string,
): Promise<unknown> {
  if (dialect === 'ioredis') return (client as Ioredis).call(name, ...args)
  // Never as read-only: a replica may not have heard yet of what was written a moment ago.
  if (isNodeRedisCluster(client)) return client.sendCommand(firstKey, false, [name, ...args])
  if (isSentinel(client)) return client.sendCommand(false, [name, ...args])
  return (client as NodeRedis).sendCommand([name, ...args])
}

function isSentinel(client: object): client is NodeRedisSentinel {
  return 'getSentinelNode' in client
}
