import { monotonicMs } from '../core/clock.js'
import { publishEvent } from '../core/events.js'
import type { Health } from '../core/lifecycle.js'
import { integer } from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'
import { retryAfter } from '../core/retry-after.js'
import { neutralise } from '../core/text.js'
import { CircuitBreaker, type BreakerState } from './circuit-breaker.js'

export const GUARD_RULES = {
  timeoutMs: integer(5, 5000, 'milliseconds'),
  breakerFailures: integer(1, 100),
  breakerCoolDownMs: integer(100, 60_000, 'milliseconds'),
}

export interface StoreGuardSettings {
  readonly timeoutMs: number
  readonly breakerFailures: number
  readonly breakerCoolDownMs: number
}

export interface StoreGuard {
  run<T>(operation: () => Promise<T>, isMereRead?: boolean): Promise<T>
  health(): Health
}

/** A time-out and a circuit breaker around a store that may be slow or down. `store` is its name in records. */
export function storeGuard(store: string, name: string, settings: StoreGuardSettings): StoreGuard {
  const { timeoutMs, breakerFailures, breakerCoolDownMs } = settings
  let lastProblem = ''
  let hasFailedThisTurn = false
  let counted = 0
  const breaker = new CircuitBreaker({
    failures: breakerFailures,
    coolDownMs: breakerCoolDownMs,
    onChange: announce,
  })

  async function run<T>(operation: () => Promise<T>, isMereRead = false): Promise<T> {
    if (!breaker.tryAcquire()) throw unavailable('circuit open', { after: lastProblem })
    const countedBefore = counted
    try {
      const result = await withTimeout(operation, timeoutMs)
      if (isMereRead) breaker.passed()
      else breaker.succeeded()
      return result
    } catch (cause) {
      lastProblem = problemOf(cause)
      countFailure(countedBefore)
      throw unavailable(lastProblem, { cause })
    }
  }

  /** What was under way together and fails in one turn of the event loop failed of one cause, however many it is. */
  function countFailure(countedBefore: number): void {
    if (hasFailedThisTurn && countedBefore !== counted && breaker.state === 'closed') return
    counted += 1
    hasFailedThisTurn = true
    setImmediate(() => {
      hasFailedThisTurn = false
    }).unref()
    breaker.failed()
  }

  /** `after`: what opened the circuit. */
  function unavailable(
    problem: string,
    { after, cause }: { after?: string; cause?: unknown },
  ): SecurityProblem {
    return new SecurityProblem('store_unavailable', {
      headers: retryAfter(breakerCoolDownMs),
      evidence: { store, problem, ...(after === undefined ? {} : { after }) },
      cause,
    })
  }

  function announce(state: BreakerState): void {
    if (state === 'open') publishEvent('error', 'store_down', { store, problem: lastProblem })
    if (state === 'closed') publishEvent('info', 'store_up', { store })
  }

  /** `down` only while operations are refused untried: a probe that is kept away by `down` could never end it. */
  function health(): Health {
    const { state, wouldTry } = breaker
    const status = state === 'closed' ? 'ok' : wouldTry || state === 'half-open' ? 'degraded' : 'down'
    return { name, status, detail: `circuit ${state}` }
  }

  return { run, health }
}

const TIMED_OUT = 'BULWARK_TIMEOUT'
/** Code of an error that says that a reply made no sense. */
export const UNREADABLE = 'BULWARK_UNREADABLE'

// A server that answers with one of these is well: it was set up or asked wrongly. Redis; PostgreSQL (no such table, no such
// database, not allowed, not who it says); MySQL; DynamoDB.
const MISTAKES = [
  ...['CROSSSLOT', 'MOVED', 'ASK', 'NOPERM', 'NOAUTH', 'WRONGPASS', 'WRONGTYPE'],
  ...['42P01', '42703', '3D000', '42501', '28000', '28P01'],
  ...['ER_NO_SUCH_TABLE', 'ER_BAD_DB_ERROR', 'ER_ACCESS_DENIED_ERROR', 'ER_TABLEACCESS_DENIED_ERROR'],
  ...['ResourceNotFoundException', 'AccessDeniedException'],
].map((word) => `failed: ${word}`)

/** Whether a store could not be asked because it was set up wrongly: that never passes by itself, as an outage does. */
export function isMistakeOfSetUp({ evidence }: SecurityProblem): boolean {
  return [evidence?.['problem'], evidence?.['after']].some((problem) => MISTAKES.includes(String(problem)))
}

/**
 * What may be said of a failure: a code (`ECONNREFUSED`), the word Redis begins its errors with (`READONLY`), or the name
 * of the error (`ClientClosedError`).
 */
function problemOf(cause: unknown): string {
  const { code, message, name } = (cause ?? {}) as { code?: unknown; message?: unknown; name?: unknown }
  if (code === TIMED_OUT) return 'too slow'
  if (code === UNREADABLE) return 'answered something else'
  if (typeof code === 'string') return `failed: ${neutralise(code, 64)}`
  const word = typeof message === 'string' ? /^[A-Z]{2,20}(?= )/.exec(message)?.[0] : undefined
  if (word !== undefined) return `failed: ${word}`
  // A plain `Error` says no more than that it failed; a class of its own says why, in its name.
  const kind = typeof name === 'string' && name !== 'Error' ? name : cause?.constructor?.name
  return kind === undefined || kind === 'Error' || kind === 'Object'
    ? 'failed'
    : `failed: ${neutralise(kind, 64)}`
}

/** A timer that is later than this, in **milliseconds**, did not wait for the store: this process was busy. */
const BUSY_MS = 10

/**
 * The time-out is ours: a client may queue a command for ever when its server is gone or frozen.
 *
 * A store is not slow because this process was busy. Timers run before sockets are read, so a reply that is there
 * already is read first; and who was busy while it waited waits once more.
 */
function withTimeout<T>(operation: () => Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let isOver = false
    let timer: NodeJS.Timeout
    const wait = (isLast: boolean): void => {
      const dueMs = monotonicMs() + timeoutMs
      timer = setTimeout(() => {
        const wasBusy = monotonicMs() - dueMs > BUSY_MS
        // Not unref'd: it is due in this very turn.
        setImmediate(() => {
          if (isOver) return
          if (wasBusy && !isLast) wait(true)
          else reject(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: TIMED_OUT }))
        })
      }, timeoutMs)
      timer.unref()
    }
    wait(false)
    operation()
      .then(resolve, reject)
      .finally(() => {
        isOver = true
        clearTimeout(timer)
      })
  })
}
