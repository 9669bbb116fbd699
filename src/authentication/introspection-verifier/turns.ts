import { monotonicMs } from '../../core/clock.js'

interface Waiting {
  readonly untilMs: number
  readonly begin: () => void
  readonly giveUp: () => void
}

/** Lets so many tasks run at a time and so many wait, first come, first served. */
export class Turns {
  readonly #maxRunning: number
  readonly #maxWaiting: number
  readonly #waitMs: number
  #running = 0
  #queue: Waiting[] = []

  constructor(maxRunning: number, maxWaiting: number, waitMs: number) {
    this.#maxRunning = maxRunning
    this.#maxWaiting = maxWaiting
    this.#waitMs = waitMs
  }

  /** `undefined` where there is no place to wait, or where the wait was too long: nothing was run then. */
  async run<T>(task: () => Promise<T>): Promise<T | undefined> {
    if (!(await this.#turn())) return undefined
    try {
      return await task()
    } finally {
      this.#running -= 1
      this.#next()
    }
  }

  async #turn(): Promise<boolean> {
    if (this.#running < this.#maxRunning) {
      this.#running += 1
      return true
    }
    if (this.#queue.length >= this.#maxWaiting) return false
    return new Promise((resolve) => {
      this.#queue.push({
        untilMs: monotonicMs() + this.#waitMs,
        begin: () => {
          resolve(true)
        },
        giveUp: () => {
          resolve(false)
        },
      })
    })
  }

  /** Every task ends in bounded time, so that nobody waits much longer than that. */
  #next(): void {
    const now = monotonicMs()
    const fresh = this.#queue.findIndex(({ untilMs }) => untilMs > now)
    for (const late of this.#queue.splice(0, fresh === -1 ? this.#queue.length : fresh)) late.giveUp()
    const next = this.#queue.shift()
    if (next === undefined) return
    this.#running += 1
    next.begin()
  }
}
