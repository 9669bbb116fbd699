import { publishEvent } from '../core/events.js'
import type { Health } from '../core/lifecycle.js'
import { checkOptions, integer, misuse, ruleName } from '../core/options.js'
import type { SharedStore } from '../core/ports.js'
import { SecurityProblem } from '../core/problem.js'
import { neutralise } from '../core/text.js'
import { CircuitBreaker, type BreakerState } from './redis/circuit-breaker.js'

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
    timeoutMs: integer(5, 5000, 'milliseconds'),
    breakerFailures: integer(1, 100),
    breakerCoolDownMs: integer(100, 60_000, 'milliseconds'),
    prefix: ruleName,
  })
  const {
    timeoutMs = 50,
    breakerFailures = 3,
    breakerCoolDownMs = 1000,
    prefix = 'express-bulwark',
  } = options
  const dialect = dialectOf(client)
  let lastProblem = ''
  const breaker = new CircuitBreaker({
    failures: breakerFailures,
    coolDownMs: breakerCoolDownMs,
    onChange: announce,
  })

  async function run<T>(operation: () => Promise<T>): Promise<T> {
    if (!breaker.tryAcquire()) throw unavailable('circuit open')
    try {
      const result = await withTimeout(operation, timeoutMs)
      breaker.succeeded()
      return result
    } catch (cause) {
      lastProblem = problemOf(cause)
      breaker.failed()
      throw unavailable(lastProblem, cause)
    }
  }

  function unavailable(problem: string, cause?: unknown): SecurityProblem {
    return new SecurityProblem('store_unavailable', {
      headers: { 'retry-after': String(Math.max(1, Math.ceil(breakerCoolDownMs / 1000))) },
      evidence: { store: 'redis', problem },
      cause,
    })
  }

  function announce(state: BreakerState): void {
    if (state === 'open') publishEvent('error', 'store_down', { store: 'redis', problem: lastProblem })
    if (state === 'closed') publishEvent('info', 'store_up', { store: 'redis' })
  }

  /** `down` only while operations are refused untried: a probe that is kept away by `down` could never end it. */
  function health(): Health {
    const { state, wouldTry } = breaker
    const status = state === 'closed' ? 'ok' : wouldTry || state === 'half-open' ? 'degraded' : 'down'
    return { name: 'redisStore', status, detail: `circuit ${state}` }
  }

  return Object.freeze({ kind: 'redis', client, dialect, prefix, run, health })
}

const TIMED_OUT = 'BULWARK_TIMEOUT'

/** What may be said of a failure: a code (`ECONNREFUSED`), or the word Redis begins its errors with (`READONLY`). */
function problemOf(cause: unknown): string {
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown }
  if (code === TIMED_OUT) return 'too slow'
  if (typeof code === 'string') return `failed: ${neutralise(code, 64)}`
  const word = typeof message === 'string' ? /^[A-Z]{2,20}(?= )/.exec(message)?.[0] : undefined
  return word === undefined ? 'failed' : `failed: ${word}`
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
      reject(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: TIMED_OUT }))
    }, timeoutMs)
    timer.unref()
    operation()
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer)
      })
  })
}
