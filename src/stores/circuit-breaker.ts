import { monotonicMs } from '../core/clock.js'

export type BreakerState = 'closed' | 'open' | 'half-open'

export interface BreakerPolicy {
  /** Failures in a row after which nothing more is tried. */
  readonly failures: number
  /** How long nothing is tried, in **milliseconds**, before one probe is let through. */
  readonly coolDownMs: number
  readonly onChange: (state: BreakerState) => void
}

/**
 * Stops asking a store that does not answer, so that only the first few requests of an outage pay its time-out.
 *
 * After the cool-down a single probe is let through; its outcome closes the circuit or opens it for another period.
 */
export class CircuitBreaker {
  readonly #policy: BreakerPolicy
  #state: BreakerState = 'closed'
  #failures = 0
  #openedMs = 0

  constructor(policy: BreakerPolicy) {
    this.#policy = policy
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Whether the next operation would be tried: the cool-down is over, or was never needed. */
  get wouldTry(): boolean {
    if (this.#state === 'closed') return true
    return this.#state === 'open' && monotonicMs() - this.#openedMs >= this.#policy.coolDownMs
  }

  /** Whether an operation may be tried now. A `true` must be followed by `succeeded`, `passed` or `failed`. */
  tryAcquire(): boolean {
    if (!this.wouldTry) return false
    if (this.#state === 'open') this.#become('half-open')
    return true
  }

  /** What was tried did not fail, and proves nothing: failures stay counted, and the next operation is the probe. */
  passed(): void {
    if (this.#state === 'half-open') this.#state = 'open'
  }

  succeeded(): void {
    this.#failures = 0
    if (this.#state !== 'closed') this.#become('closed')
  }

  failed(): void {
    this.#failures += 1
    if (
      this.#state === 'half-open' ||
      (this.#state === 'closed' && this.#failures >= this.#policy.failures)
    ) {
      this.#openedMs = monotonicMs()
      this.#become('open')
    }
  }

  #become(state: BreakerState): void {
    this.#state = state
    this.#policy.onChange(state)
  }
}
