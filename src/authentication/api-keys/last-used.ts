import { monotonicMs } from '../../core/clock.js'
import { publishEvent } from '../../core/events.js'

const QUIET_MS = 60_000
const MAX_KEYS = 50_000

/**
 * Tells that a key was used: an event `api_key_used`, at most once a minute for each key. Where more keys than the
 * bound are in use within a minute, those beyond it are not told of: memory is bounded, and no key is told of twice.
 */
export class LastUsed {
  /** In the order of the times, for each is added when it was told. */
  readonly #toldMs = new Map<string, number>()

  note(prefix: string, id: string): void {
    const nowMs = monotonicMs()
    const toldMs = this.#toldMs.get(id)
    if (toldMs !== undefined) {
      if (nowMs - toldMs < QUIET_MS) return
      this.#toldMs.delete(id)
    }
    if (this.#toldMs.size >= MAX_KEYS && !this.#dropOldest(nowMs)) return
    this.#toldMs.set(id, nowMs)
    publishEvent('info', 'api_key_used', { prefix, id })
  }

  clear(): void {
    this.#toldMs.clear()
  }

  #dropOldest(nowMs: number): boolean {
    const [oldest] = this.#toldMs
    if (oldest === undefined || nowMs - oldest[1] < QUIET_MS) return false
    return this.#toldMs.delete(oldest[0])
  }
}
