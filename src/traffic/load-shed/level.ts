import { monotonicMs } from '../../core/clock.js'
import type { Pressure } from './signals.js'

/** How often the process is asked how it feels, at most. */
export const SAMPLE_MS = 250
/** Below this part of a ceiling a signal is well again; between it and the ceiling everything stays as it is. */
const WELL = 0.85

/**
 * How far shedding goes: one step up for each sample beyond a ceiling, one step down for each time of a sample that was
 * well. The two differ, and steps take their time, so that it does not flap.
 *
 * Samples are taken when somebody asks: nothing runs while no request comes.
 */
export class Level {
  readonly #measure: () => Pressure | undefined
  readonly #highest: number
  #sampledMs: number
  #steps = 0
  #worst: Pressure | undefined

  constructor(measure: () => Pressure | undefined, highest: number) {
    this.#measure = measure
    this.#highest = highest
    this.#sampledMs = -Infinity
  }

  /** Steps of shedding now: 0 is none. */
  now(): number {
    const nowMs = monotonicMs()
    const passedMs = nowMs - this.#sampledMs
    if (passedMs < SAMPLE_MS) return this.#steps
    const isFirst = this.#sampledMs === -Infinity
    this.#sampledMs = nowMs
    this.#worst = this.#measure()
    // What the first sample measured began before anybody asked.
    if (!isFirst) this.#steps = this.#stepped(this.#worst?.part ?? 0, Math.floor(passedMs / SAMPLE_MS))
    return this.#steps
  }

  /** The signal that the last sample found worst. */
  get worst(): Pressure | undefined {
    return this.#worst
  }

  #stepped(part: number, samples: number): number {
    if (part >= 1) return Math.min(this.#highest, this.#steps + 1)
    // A sample of a long rest stands for all that were not taken in it.
    return part < WELL ? Math.max(0, this.#steps - samples) : this.#steps
  }
}
