import { publishEvent } from '../core/events.js'
import type { Health } from '../core/lifecycle.js'
import { checkOptions, integer, misuse } from '../core/options.js'
import type { SharedStore } from '../core/ports.js'
import { SecurityProblem } from '../core/problem.js'
import { CircuitBreaker, type BreakerState } from './redis/circuit-breaker.js'

export interface RedisStoreOptions {
  /** Longest wait for one operation, in **milliseconds**, 5 to 5000. @default 50 */
  readonly timeoutMs?: number
  /** Failures in a row after which the store is left alone, 1 to 100. @default 3 */
  readonly breakerFailures?: number
  /** How long it is left alone before one probe, in **milliseconds**, 100 to 60000. @default 1000 */
  readonly breakerCoolDownMs?: number
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
    timeoutMs: integer(5, 5000, 'milliseconds'),
    breakerFailures: integer(1, 100),
    breakerCoolDownMs: integer(100, 60_000, 'milliseconds'),
  })
  const { timeoutMs = 50, breakerFailures = 3, breakerCoolDownMs = 1000 } = options
  const dialect = dialectOf(client)
  const breaker = new CircuitBreaker({
    failures: breakerFailures,
    coolDownMs: breakerCoolDownMs,
    onChange: announce,
  })

  async function run<T>(operation: () => Promise<T>): Promise<T> {
    if (!breaker.tryAcquire()) throw new SecurityProblem('store_unavailable', unavailable('circuit open'))
    try {
      const result = await withTimeout(operation, timeoutMs)
      breaker.succeeded()
      return result
    } catch (cause) {
      breaker.failed()
      throw new SecurityProblem('store_unavailable', { ...unavailable('failed or too slow'), cause })
    }
  }

  function unavailable(problem: string): {
    headers: Record<string, string>
    evidence: Record<string, string>
  } {
    const retryAfterSeconds = Math.max(1, Math.ceil(breakerCoolDownMs / 1000))
    return { headers: { 'retry-after': String(retryAfterSeconds) }, evidence: { store: 'redis', problem } }
  }

  function health(): Health {
    const { state } = breaker
    return { name: 'redisStore', status: state === 'closed' ? 'ok' : 'down', detail: `circuit ${state}` }
  }

  return Object.freeze({ kind: 'redis', client, dialect, run, health })
}

function announce(state: BreakerState): void {
  if (state === 'open') publishEvent('error', 'store_down', { store: 'redis' })
  if (state === 'closed') publishEvent('info', 'store_up', { store: 'redis' })
}

function dialectOf(client: unknown): SharedStore['dialect'] {
  const { defineCommand, sendCommand } = (client ?? {}) as { defineCommand?: unknown; sendCommand?: unknown }
  if (typeof defineCommand === 'function') return 'ioredis'
  if (typeof sendCommand === 'function') return 'node-redis'
  throw misuse('redisStore', 'client', 'an ioredis or node-redis client', client)
}

/** The time-out is ours: a client may queue a command for ever when its server is gone or frozen. */
function withTimeout<T>(operation: () => Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${timeoutMs} ms`))
    }, timeoutMs)
    timer.unref()
    operation()
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer)
      })
  })
}
