import { monotonicMs } from '../../core/clock.js'
import type { Pressure } from './signals.js'

/** How often the process is asked how it feels, at most. */
export const SAMPLE_MS = 250
/** Steps up by a sample beyond a ceiling, and down by one that was well: quick to shed, slow to take it back. */
const UP = 1 / 2
const DOWN = 1 / 8

/**
 * How far shedding goes, in steps and parts of a step.
 *
 * Parts, because what is shed is what makes a process well: were a whole step taken back at once, the overload would be
 * there again, and so in turns. In parts it comes to rest where the process can go on.
 *
 * Samples are taken when somebody asks: nothing runs while no request comes.
 */
export class Level {
  readonly #measure: () => readonly Pressure[]
  readonly #highest: number
  #sampledMs: number
  #steps = 0
  #worst: Pressure | undefined
  // What of a request is still to be shed; a half of one is one.
  #due = 0.5

  constructor(measure: () => readonly Pressure[], highest: number) {
    this.#measure = measure
    this.#highest = highest
    this.#sampledMs = -Infinity
  }

  /** Steps of shedding now, with the part of the last one: 0 is none. */
  now(): number {
    const nowMs = monotonicMs()
    const passedMs = nowMs - this.#sampledMs
    if (passedMs < SAMPLE_MS) return this.#steps
    const isFirst = this.#sampledMs === -Infinity
    this.#sampledMs = nowMs
    const pressures = this.#measure()
    this.#worst = pressures.find(({ part, wellBelow }) => part >= wellBelow) ?? pressures[0]
    // What the first sample measured began before anybody asked.
    if (!isFirst) this.#steps = this.#stepped(pressures, Math.floor(passedMs / SAMPLE_MS))
    return this.#steps
  }

  /** Whether a request is shed that so many steps spare. Where a part of them is, they are shed by turns. */
  sheds(rank: number): boolean {
    const part = this.now() - rank
    if (part <= 0 || part >= 1) return part >= 1
    this.#due += part
    if (this.#due < 1) return false
    this.#due -= 1
    return true
  }

  /** The signal that the last sample found worst, of those that were not well if there were any. */
  get worst(): Pressure | undefined {
    return this.#worst
  }

  #stepped(pressures: readonly Pressure[], samples: number): number {
    if (pressures.some(({ part }) => part >= 1)) return Math.min(this.#highest, this.#steps + UP)
    const isWell = pressures.every(({ part, wellBelow }) => part < wellBelow)
    // A sample of a long rest stands for all that were not taken in it.
    return isWell ? Math.max(0, this.#steps - samples * DOWN) : this.#steps
  }
}
