import { randomBytes } from 'node:crypto'
import { monotonicMs } from '../../core/clock.js'
import { publishEvent } from '../../core/events.js'
import type { Health } from '../../core/lifecycle.js'
import { SecurityProblem, isSecurityProblem } from '../../core/problem.js'
import { CircuitBreaker, type BreakerState } from '../../stores/circuit-breaker.js'
import { discover, messageOf } from '../key-set/discovery.js'
import { askEndpoint, EndpointFault } from './ask-endpoint.js'
import type { ClientAuthentication, Credentials } from './client-authentication.js'
import { Turns } from './turns.js'

type Json = Readonly<Record<string, unknown>>

export interface EndpointPolicy {
  readonly issuer: string
  /** `undefined`: the metadata is asked. */
  readonly endpoint: string | undefined
  readonly authentication: ClientAuthentication
  readonly timeoutMs: number
  readonly maxConcurrent: number
  readonly maxWaiting: number
}

const UNANSWERED = 3
const FIRST_BACKOFF_MS = 1000
const MAX_BACKOFF_MS = 30_000
const EVENT_INTERVAL_MS = 1000

/**
 * The introspection endpoint of an authorization server. So many requests at a time, so many that wait.
 *
 * Callers choose what is asked about, so that nothing about their tokens says that the server is out: after three tokens
 * in a row without an answer it is asked about a random one that is nobody's. Where that has none either, everything is
 * refused untried for 1, 2, 4 ... 30 seconds, and then another random one decides.
 */
export class IntrospectionEndpoint {
  readonly #policy: EndpointPolicy
  readonly #turns: Turns
  readonly #breaker: CircuitBreaker
  #backoffMs = 0
  #openedMs = -Infinity
  #url: string | undefined
  #discovering: Promise<string> | undefined
  #lastProblem = ''
  /** Names of the tokens that had no answer since the last answer. */
  readonly #unanswered = new Set<string>()
  #answers = 0
  #isExamining = false
  #isFailing = false
  #toldMs = -Infinity

  constructor(policy: EndpointPolicy) {
    this.#policy = policy
    this.#url = policy.endpoint
    this.#turns = new Turns(policy.maxConcurrent, policy.maxWaiting, policy.timeoutMs)
    const backoffMs = (): number => this.#backoffMs
    this.#breaker = new CircuitBreaker({
      failures: 1,
      get coolDownMs() {
        return backoffMs()
      },
      onChange: (state) => {
        this.#note(state)
      },
    })
  }

  /** The server's own answer about a token. Rejects with 503 where it cannot be had, with 401 where the server has no such tokens. */
  async ask(name: string, token: string): Promise<Json> {
    const answer = await this.#turns.run(() => this.#askNow(name, token))
    if (answer === undefined) throw this.#unavailable('too many tokens are waiting to be asked about')
    return answer
  }

  async warmUp(): Promise<void> {
    try {
      await this.#address(AbortSignal.timeout(this.#policy.timeoutMs))
    } catch (cause) {
      throw this.#unavailable(messageOf(cause), cause)
    }
  }

  health(): Health {
    const { state, wouldTry } = this.#breaker
    const isWell = state === 'closed' && !this.#isFailing
    const status = isWell ? 'ok' : wouldTry || state !== 'open' ? 'degraded' : 'down'
    const problem = isWell ? '' : `: ${this.#lastProblem}`
    return { name: 'introspection', status, detail: `introspection at ${this.#policy.issuer}${problem}` }
  }

  async #askNow(name: string, token: string): Promise<Json> {
    if (!this.#breaker.tryAcquire()) throw this.#unavailable(this.#lastProblem)
    if (this.#breaker.state === 'half-open' && !(await this.#isAnswering()))
      throw this.#unavailable(this.#lastProblem)
    try {
      const answer = await this.#request(token)
      this.#succeed()
      return answer
    } catch (cause) {
      if (isSecurityProblem(cause)) {
        this.#succeed()
        throw cause
      }
      this.#doubt(name, cause)
      throw this.#unavailable(messageOf(cause), cause)
    }
  }

  async #request(token: string): Promise<Json> {
    const signal = AbortSignal.timeout(this.#policy.timeoutMs)
    const url = await this.#address(signal)
    return askEndpoint(url, token, await this.#credentials(signal), signal)
  }

  /** One token that is sent again and again is one. */
  #doubt(name: string, cause: unknown): void {
    this.#tell(messageOf(cause))
    this.#unanswered.add(name)
    if (this.#unanswered.size < UNANSWERED) return
    this.#unanswered.clear()
    if (this.#breaker.state === 'closed' && !this.#isExamining) void this.#isAnswering()
  }

  /** Asks about a token that no caller chose. What the server says of that, it would say of any. */
  async #isAnswering(): Promise<boolean> {
    const before = this.#answers
    this.#isExamining = true
    try {
      await this.#request(randomBytes(32).toString('base64url'))
    } catch (cause) {
      if (!isSecurityProblem(cause) && before === this.#answers) return this.#fail(cause)
    } finally {
      this.#isExamining = false
    }
    this.#succeed()
    return true
  }

  #fail(cause: unknown): boolean {
    this.#tell(messageOf(cause))
    this.#isFailing = true
    // The address may have moved: the next request asks the metadata again.
    this.#url = this.#policy.endpoint
    const isOutage = !(cause instanceof EndpointFault) || cause.isOutage
    if (isOutage) this.#breaker.failed()
    else this.#breaker.succeeded()
    return !isOutage
  }

  /** What a source of secrets says when it fails may hold one: it is not even hung on as the cause. */
  async #credentials(signal: AbortSignal): Promise<Credentials> {
    try {
      return await before(signal, this.#policy.authentication())
    } catch {
      throw new EndpointFault('the credential of the introspection client cannot be had', true)
    }
  }

  #succeed(): void {
    this.#answers += 1
    this.#unanswered.clear()
    this.#breaker.succeeded()
    if (this.#isFailing) publishEvent('info', 'introspection_back', { issuer: this.#policy.issuer })
    this.#isFailing = false
  }

  #note(state: BreakerState): void {
    if (state === 'closed') this.#backoffMs = 0
    if (state !== 'open') return
    this.#openedMs = monotonicMs()
    this.#backoffMs = Math.min(MAX_BACKOFF_MS, Math.max(FIRST_BACKOFF_MS, this.#backoffMs * 2))
  }

  /** Many requests fail at once: one event a second says so. */
  #tell(problem: string): void {
    this.#lastProblem = problem
    if (monotonicMs() - this.#toldMs < EVENT_INTERVAL_MS) return
    this.#toldMs = monotonicMs()
    publishEvent('error', 'introspection_unavailable', { issuer: this.#policy.issuer, problem })
  }

  #unavailable(problem: string, cause?: unknown): SecurityProblem {
    const { state } = this.#breaker
    const waitMs = state === 'open' ? this.#openedMs + this.#backoffMs - monotonicMs() : 0
    return new SecurityProblem('introspection_unavailable', {
      headers: { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))) },
      evidence: { issuer: this.#policy.issuer, problem },
      cause,
    })
  }

  /** One look at the metadata at a time, whoever asks. */
  #address(signal: AbortSignal): string | Promise<string> {
    if (this.#url !== undefined) return this.#url
    this.#discovering ??= discover(this.#policy.issuer, 'introspection_endpoint', signal)
      .then((url) => (this.#url = url))
      .finally(() => {
        this.#discovering = undefined
      })
    return this.#discovering
  }
}

/** A source that never answers must not keep its turn for ever. */
function before<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  if (signal.aborted) {
    // Nobody waits for it any more, and a rejection that nobody takes ends the process.
    work.catch(() => undefined)
    return Promise.reject(new Error('too slow'))
  }
  return new Promise((resolve, reject) => {
    const late = (): void => {
      reject(new Error('too slow'))
    }
    signal.addEventListener('abort', late, { once: true })
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', late)
    })
  })
}
