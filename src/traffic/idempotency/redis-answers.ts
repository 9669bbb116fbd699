import { SecurityProblem } from '../../core/problem.js'
import type { SharedStore } from '../../core/ports.js'
import { evaluate, integerIn, unreadable as nonsense } from '../../stores/redis/command.js'
import type { AnswerPort, Attempt, Found, KeptAnswer } from './answers.js'
import { decode, encodeAnswer, encodeLease } from './kept-value.js'

interface Lifetimes {
  readonly leaseSeconds: number
  readonly ttlSeconds: number
}

const BEGIN = `
local kept = redis.call('GET', KEYS[1])
if kept then return {0, kept} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {1}`

// Where the lease has ended and nobody took the name, what was done is worth keeping all the same.
const FINISH = `
local kept = redis.call('GET', KEYS[1])
if kept and kept ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

const RELEASE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

/** Answers in Redis or Valkey, for every process that asks there; each step is one round trip, by the server's clock. */
export class RedisAnswers implements AnswerPort {
  readonly #store: SharedStore
  readonly #leaseMs: string
  readonly #keepMs: string

  constructor(store: SharedStore, { leaseSeconds, ttlSeconds }: Lifetimes) {
    this.#store = store
    this.#leaseMs = String(leaseSeconds * 1000)
    this.#keepMs = String(ttlSeconds * 1000)
  }

  async begin(attempt: Attempt): Promise<Found> {
    const kept = await this.#begin(attempt)
    if (kept === undefined) return { state: 'begun' }
    const found = decode(kept.text)
    if (found === undefined) throw notOurs()
    return found
  }

  async #begin(attempt: Attempt): Promise<Kept | undefined> {
    // What was never sent, because the circuit breaker was open, leaves nothing.
    let cleanUp = (): void => undefined
    const watched = runningBy(this.#store, (operation) =>
      this.#store.run(() => {
        cleanUp = () => {
          this.#takeBack(attempt)
        }
        return operation()
      }),
    )
    try {
      const args = [encodeLease(attempt), this.#leaseMs]
      return await evaluate(watched, BEGIN, [this.#keyOf(attempt)], args, keptIn)
    } catch (cause) {
      cleanUp()
      throw cause
    }
  }

  /**
   * Too late an answer may mean that the server has, or will have, a lease that nobody holds. This follows it there, past
   * the circuit breaker, which may be open by now, and for as long as the client tries: nobody waits for it.
   */
  #takeBack(attempt: Attempt): void {
    const unguarded = runningBy(this.#store, (operation) => operation())
    this.#release(unguarded, attempt).catch(() => undefined)
  }

  async finish(attempt: Attempt, answer: KeptAnswer | undefined): Promise<boolean> {
    const values = [encodeLease(attempt), encodeAnswer(attempt, answer), this.#keepMs]
    return (await evaluate(this.#store, FINISH, [this.#keyOf(attempt)], values, integerIn)) === 1
  }

  async release(attempt: Attempt): Promise<void> {
    await this.#release(this.#store, attempt)
  }

  #release(store: SharedStore, attempt: Attempt): Promise<unknown> {
    return evaluate(store, RELEASE, [this.#keyOf(attempt)], [encodeLease(attempt)])
  }

  #keyOf({ name }: Attempt): string {
    return `${this.#store.prefix}:idempotency:${name}`
  }
}

interface Kept {
  readonly text: unknown
}

/** What the name has already, or nothing where the lease is in now. Whatever else a server says is no leave to begin. */
function keptIn(reply: unknown): Kept | undefined {
  const [begun, text] = Array.isArray(reply) ? (reply as readonly unknown[]) : []
  const length = Array.isArray(reply) ? reply.length : 0
  if (length === 1 && integerIn(begun) === 1) return undefined
  if (length === 2 && integerIn(begun) === 0) return { text }
  throw nonsense()
}

function runningBy(store: SharedStore, run: SharedStore['run']): SharedStore {
  return { ...store, run }
}

/** What somebody else put there is neither replayed nor taken for nothing. */
function notOurs(): SecurityProblem {
  return new SecurityProblem('store_unavailable', {
    headers: { 'retry-after': '60' },
    evidence: { store: 'redis', problem: 'what is kept under this name is no answer of ours' },
  })
}
