import type { SharedStore } from '../../core/ports.js'

interface Ioredis {
  call(command: string, ...args: string[]): Promise<unknown>
}
interface NodeRedis {
  sendCommand(args: string[]): Promise<unknown>
}
interface NodeRedisCluster {
  readonly slots: unknown
  sendCommand(firstKey: string, isReadonly: boolean, args: string[]): Promise<unknown>
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

/** A script by its text; the server remembers it. All keys must be in one slot. */
export function evaluate(
  store: SharedStore,
  script: string,
  keys: readonly [string, ...string[]],
  args: readonly string[],
): Promise<unknown> {
  return store.run(() => send(store, 'EVAL', [script, String(keys.length), ...keys, ...args], keys[0]))
}

function send(
  { client, dialect }: SharedStore,
  name: string,
  args: string[],
  firstKey: string,
): Promise<unknown> {
  if (dialect === 'ioredis') return (client as Ioredis).call(name, ...args)
  // Never as read-only: a replica may not have heard yet of what was written a moment ago.
  if (isCluster(client)) return client.sendCommand(firstKey, false, [name, ...args])
  if (isSentinel(client)) return client.sendCommand(false, [name, ...args])
  return (client as NodeRedis).sendCommand([name, ...args])
}

function isCluster(client: object): client is NodeRedisCluster {
  return 'slots' in client
}

function isSentinel(client: object): client is NodeRedisSentinel {
  return 'getSentinelNode' in client
}
