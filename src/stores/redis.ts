import { checkOptions, misuse, ruleName } from '../core/options.js'
import type { SharedStore } from '../core/ports.js'
import { GUARD_RULES, storeGuard } from './store-guard.js'

export interface RedisStoreOptions {
  /** Longest wait for one operation, in **milliseconds**, 5 to 5000. @default 50 */
  readonly timeoutMs?: number
  /** Failures in a row after which the store is left alone, 1 to 100. @default 3 */
  readonly breakerFailures?: number
  /** How long it is left alone before one probe, in **milliseconds**, 100 to 60000. @default 1000 */
  readonly breakerCoolDownMs?: number
  /**
   * Begins every key. Two services on one Redis whose limiters have the same name share their counts unless their
   * prefixes differ. @default 'express-bulwark'
   */
  readonly prefix?: string
}

/**
 * Shared state in Redis or Valkey, through an ioredis or node-redis client that you made, configured and close.
 *
 * An operation that takes longer than `timeoutMs` fails; after a few failures in a row nothing is tried for a while, so
 * that a dead store costs nothing. What a middleware does then is its own table (see `docs/middlewares/redis.md`).
 *
 * Throws a `TypeError` for something that is neither client, or for impossible options. It does not connect, does not
 * check the server's version and does not close the client.
 */
export function redisStore(client: object, options: RedisStoreOptions = {}): SharedStore {
  checkOptions('redisStore', options, {
    ...GUARD_RULES,
    prefix: ruleName,
  })
  const {
    timeoutMs = 50,
    breakerFailures = 3,
    breakerCoolDownMs = 1000,
    prefix = 'express-bulwark',
  } = options
  const dialect = dialectOf(client)
  const guard = storeGuard('redis', 'redisStore', { timeoutMs, breakerFailures, breakerCoolDownMs })
  return Object.freeze({ kind: 'redis', client, dialect, prefix, ...guard })
}

function dialectOf(client: unknown): SharedStore['dialect'] {
  const { defineCommand, sendCommand } = (client ?? {}) as { defineCommand?: unknown; sendCommand?: unknown }
  if (typeof defineCommand === 'function') return 'ioredis'
  if (typeof sendCommand === 'function') return 'node-redis'
  throw misuse('redisStore', 'client', 'an ioredis or node-redis client', client)
}
