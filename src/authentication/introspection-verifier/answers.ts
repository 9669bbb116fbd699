import { monotonicMs, wallClockMs } from '../../core/clock.js'
import { Generations } from '../../core/generations.js'
import type { SecurityProblem } from '../../core/problem.js'
import { refusal } from '../refusal.js'
import { bytesOf } from '../jwt-verifier/verified-tokens.js'
import { NO_END, type Described } from './read-answer.js'

export interface AnswersPolicy {
  readonly maxSeconds: number
  readonly maxEntries: number
  readonly maxBytes: number
  readonly refusedSeconds: number
  readonly maxRefusedEntries: number
}

interface Accepted {
  readonly described: Described
  readonly untilMs: number
  readonly bytes: number
}

interface Refused {
  readonly problem: Pick<SecurityProblem, 'reason' | 'evidence'>
  readonly untilMs: number
  readonly bytes: number
}

/**
 * Remembers what was answered, under the SHA-256 of the token: for some seconds, and never past the token's end.
 *
 * Refused tokens have a small memory of their own, so that junk never displaces a good one.
 */
export class Answers {
  readonly #policy: AnswersPolicy
  readonly #accepted: Generations<Accepted>
  readonly #refused: Generations<Refused>

  constructor(policy: AnswersPolicy) {
    this.#policy = policy
    this.#accepted = new Generations(policy)
    this.#refused = new Generations({ maxEntries: policy.maxRefusedEntries })
  }

  /** Throws the refusal that is remembered. */
  recall(name: string): Described | undefined {
    const accepted = this.#accepted.get(name)
    if (accepted !== undefined) {
      if (accepted.untilMs > monotonicMs() && accepted.described.times.exp * 1000 > wallClockMs())
        return accepted.described
      this.#accepted.delete(name)
      return undefined
    }
    const refused = this.#refused.get(name)
    if (refused === undefined) return undefined
    if (refused.untilMs > monotonicMs()) throw refusal(refused.problem.reason, refused.problem.evidence)
    this.#refused.delete(name)
    return undefined
  }

  /** Whether it is young enough to be remembered. `ageMs`: how long ago it was answered. */
  accept(name: string, described: Described, answer: object, ageMs = 0): boolean {
    const lifeMs = this.lifeMs(described) - ageMs
    if (lifeMs <= 0) return false
    const untilMs = monotonicMs() + lifeMs
    this.#accepted.set(name, { described, untilMs, bytes: bytesOf(JSON.stringify(answer)) })
    return true
  }

  refuse(name: string, { reason, evidence }: SecurityProblem): void {
    const { refusedSeconds } = this.#policy
    if (refusedSeconds === 0) return
    const untilMs = monotonicMs() + refusedSeconds * 1000
    this.#refused.set(name, { problem: { reason, evidence }, untilMs, bytes: 0 })
  }

  /** How long an answer that came just now may be believed, in **milliseconds**. */
  lifeMs({ times }: Described): number {
    const { maxSeconds } = this.#policy
    if (times.exp === NO_END) return maxSeconds * 1000
    return Math.min(maxSeconds * 1000, times.exp * 1000 - wallClockMs())
  }

  clear(): void {
    this.#accepted.clear()
    this.#refused.clear()
  }

  get size(): number {
    return this.#accepted.size + this.#refused.size
  }
}
