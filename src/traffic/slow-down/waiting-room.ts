import type { IncomingMessage, ServerResponse } from 'node:http'
import { SecurityProblem } from '../../core/problem.js'
import { whenEnded } from '../shared-end.js'

/** Requests that are made to wait: a timer each, as many as may wait and no more. Who leaves is forgotten at once. */
export class WaitingRoom {
  readonly #total: number
  readonly #perCaller: number
  readonly #byCaller = new Map<string, number>()
  readonly #leaving = new Set<() => void>()

  constructor(total: number, perCaller: number) {
    this.#total = total
    this.#perCaller = perCaller
  }

  get size(): number {
    return this.#leaving.size
  }

  /** Whether one more may wait: else what there is too much of. */
  fullFor(key: string): 'caller' | 'everybody' | undefined {
    if ((this.#byCaller.get(key) ?? 0) >= this.#perCaller) return 'caller'
    return this.size >= this.#total ? 'everybody' : undefined
  }

  /** Waits; rejects where the caller leaves. */
  wait(key: string, delayMs: number, req: IncomingMessage, res: ServerResponse): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (settle: () => void) => (): void => {
        if (!this.#leaving.delete(done)) return
        clearTimeout(timer)
        this.#count(key, -1)
        settle()
      }
      const done = leave(resolve)
      const timer = setTimeout(done, delayMs)
      timer.unref()
      this.#leaving.add(done)
      this.#count(key, 1)
      whenEnded(
        req,
        res,
        leave(() => {
          reject(new SecurityProblem('client_gone'))
        }),
      )
    })
  }

  /** Nobody waits any longer. */
  open(): void {
    for (const done of [...this.#leaving]) done()
  }

  #count(key: string, by: 1 | -1): void {
    const count = (this.#byCaller.get(key) ?? 0) + by
    if (count === 0) this.#byCaller.delete(key)
    else this.#byCaller.set(key, count)
  }
}
