import { SecurityProblem } from '../../core/problem.js'

export interface QueueSettings {
  /** How many may wait for one caller's place, or in all where there is one place for everybody. */
  readonly limit: number
  readonly timeoutMs: number
}

/** A place, or the wait for one. */
export interface Ticket {
  /** Whether the place is there already; else `granted` says when it is, and rejects where it never will be. */
  readonly granted: true | Promise<void>
  /** Gives the place back, or leaves the queue. Counts once. */
  readonly release: () => void
}

interface Line {
  underWay: number
  readonly waiting: Waiter[]
}

/** Places by key, first come first served. A key without requests is not kept: what is kept is bounded by what is open. */
export class Slots {
  readonly #limit: number
  readonly #queue: QueueSettings | undefined
  readonly #lines = new Map<string, Line>()

  constructor(limit: number, queue: QueueSettings | undefined) {
    this.#limit = limit
    this.#queue = queue
  }

  get keys(): number {
    return this.#lines.size
  }

  get tally(): { readonly underWay: number; readonly waiting: number } {
    const lines = [...this.#lines.values()]
    const sum = (of: (line: Line) => number): number => lines.reduce((total, line) => total + of(line), 0)
    return { underWay: sum(({ underWay }) => underWay), waiting: sum(({ waiting }) => waiting.length) }
  }

  /** A ticket, or `undefined` where there is no place and no room to wait. `full` is what a wait in vain ends with. */
  enter(key: string, full: () => SecurityProblem): Ticket | undefined {
    const line = this.#lineOf(key)
    if (line.underWay < this.#limit) return this.#seat(key, line)
    const queue = this.#queue
    if (queue === undefined || line.waiting.length >= queue.limit) return undefined
    return this.#wait(key, line, queue, full)
  }

  /** A ticket beyond the limit: for a limit that is being tried out, whose count is to be true all the same. */
  enterAnyway(key: string): Ticket {
    return this.#seat(key, this.#lineOf(key))
  }

  /** Refuses all who wait. */
  clear(problem: () => SecurityProblem): void {
    for (const { waiting } of this.#lines.values())
      for (const waiter of [...waiting]) waiter.refuse(problem())
  }

  #lineOf(key: string): Line {
    const line = this.#lines.get(key) ?? { underWay: 0, waiting: [] }
    this.#lines.set(key, line)
    return line
  }

  #seat(key: string, line: Line): Ticket {
    line.underWay += 1
    return {
      granted: true,
      release: once(() => {
        this.#leave(key, line)
      }),
    }
  }

  #wait(key: string, line: Line, { timeoutMs }: QueueSettings, full: () => SecurityProblem): Ticket {
    const waiter = new Waiter(line.waiting)
    line.waiting.push(waiter)
    waiter.refuseAfter(timeoutMs, full)
    const release = once(() => {
      if (waiter.isSeated) this.#leave(key, line)
      else waiter.refuse(new SecurityProblem('client_gone'))
    })
    return { granted: waiter.granted, release }
  }

  /** A place that is given back goes to the first who waits: nobody who comes later gets it before. */
  #leave(key: string, line: Line): void {
    const [first] = line.waiting
    if (first !== undefined) {
      first.grant()
      return
    }
    line.underWay -= 1
    if (line.underWay === 0) this.#lines.delete(key)
  }
}

/** One request that waits its turn. */
class Waiter {
  readonly granted: Promise<void>
  readonly #queue: Waiter[]
  #timer: NodeJS.Timeout | undefined
  #isSeated = false
  #resolve!: () => void
  #reject!: (problem: SecurityProblem) => void

  constructor(queue: Waiter[]) {
    this.#queue = queue
    this.granted = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  get isSeated(): boolean {
    return this.#isSeated
  }

  refuseAfter(timeoutMs: number, full: () => SecurityProblem): void {
    this.#timer = setTimeout(() => {
      this.refuse(full())
    }, timeoutMs)
    this.#timer.unref()
  }

  grant(): void {
    if (!this.#stopWaiting()) return
    this.#isSeated = true
    this.#resolve()
  }

  refuse(problem: SecurityProblem): void {
    if (this.#stopWaiting()) this.#reject(problem)
  }

  #stopWaiting(): boolean {
    const place = this.#queue.indexOf(this)
    if (place === -1) return false
    clearTimeout(this.#timer)
    this.#queue.splice(place, 1)
    return true
  }
}

function once(action: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    action()
  }
}
