import { monitorEventLoopDelay, performance, type IntervalHistogram } from 'node:perf_hooks'

export interface Ceilings {
  readonly maxEventLoopUtilization?: number | undefined
  readonly maxEventLoopDelayMs?: number | undefined
  readonly maxRssMiB?: number | undefined
  readonly maxHeapMiB?: number | undefined
}

/** One measured value as a part of what it may be: 1 is the whole. */
export interface Pressure {
  readonly signal: 'event loop utilization' | 'event loop delay' | 'resident memory' | 'heap'
  readonly part: number
  /** Below this part it is well again; between it and the ceiling everything stays as it is. */
  readonly wellBelow: number
}

/** What is shed makes an event loop well at once. */
const WELL = 0.85
/** Memory falls when the garbage is collected, which an idle process does not do: nothing would lower it further. */
const WELL_IN_MEMORY = 1

const RESOLUTION_MS = 10
const MIB = 1024 * 1024

/**
 * What the process feels, since it was last asked.
 *
 * Utilization is of the time between two questions, never since the process began: after an hour of rest that number
 * would need hours of overload to move.
 */
export class Signals {
  readonly #ceilings: Ceilings
  #utilization = performance.eventLoopUtilization()
  #delay: IntervalHistogram | undefined
  #isClosed = false

  constructor(ceilings: Ceilings) {
    this.#ceilings = ceilings
  }

  /** That which is nearest to its ceiling, or beyond it furthest, stands first. */
  measured(): readonly Pressure[] {
    const { maxEventLoopUtilization, maxEventLoopDelayMs, maxRssMiB, maxHeapMiB } = this.#ceilings
    const pressures: Pressure[] = []
    const add = (
      signal: Pressure['signal'],
      ceiling: number | undefined,
      measure: () => number,
      wellBelow = WELL,
    ): void => {
      if (ceiling !== undefined) pressures.push({ signal, part: measure() / ceiling, wellBelow })
    }
    add('event loop utilization', maxEventLoopUtilization, () => this.#utilizationSinceAsked())
    add('event loop delay', maxEventLoopDelayMs, () => this.#delaySinceAsked())
    add('resident memory', maxRssMiB, () => process.memoryUsage.rss() / MIB, WELL_IN_MEMORY)
    add('heap', maxHeapMiB, () => process.memoryUsage().heapUsed / MIB, WELL_IN_MEMORY)
    return pressures.toSorted((a, b) => b.part - a.part)
  }

  /** Ends the one thing that runs by itself. What only reads goes on: requests may still come. */
  close(): void {
    this.#isClosed = true
    this.#delay?.disable()
    this.#delay = undefined
  }

  #utilizationSinceAsked(): number {
    const before = this.#utilization
    this.#utilization = performance.eventLoopUtilization()
    return performance.eventLoopUtilization(this.#utilization, before).utilization
  }

  /** The longest but a hundredth. Node measures from tick to tick of its own timer, whose length is no delay. */
  #delaySinceAsked(): number {
    if (this.#isClosed) return 0
    if (this.#delay === undefined) {
      this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
      this.#delay.enable()
      return 0
    }
    const delayMs = this.#delay.count === 0 ? 0 : this.#delay.percentile(99) / 1e6 - RESOLUTION_MS
    this.#delay.reset()
    return Math.max(0, delayMs)
  }
}
