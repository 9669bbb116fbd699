import { wallClockMs } from '../../core/clock.js'
import { record } from '../../core/options.js'
import type { SharedStore } from '../../core/ports.js'
import { command } from '../../stores/redis/command.js'

type Json = Readonly<Record<string, unknown>>

/** How far the clock of another machine may be ahead. */
const MAX_AHEAD_MS = 1000

export interface SharedAnswer {
  readonly answer: Json
  readonly ageMs: number
}

/**
 * Answers about good tokens in Redis, as the server gave them: each instance judges them by its own options. A store
 * that is out, and a value that is none of ours, are the same as no answer: the server is asked, and nobody is refused
 * for want of a cache.
 */
export class SharedAnswers {
  readonly #store: SharedStore
  readonly #prefix: string

  constructor(store: SharedStore, id: string) {
    this.#store = store
    this.#prefix = `${store.prefix}:introspection:${id}:`
  }

  async find(name: string): Promise<SharedAnswer | undefined> {
    try {
      return sharedAnswerIn(await command(this.#store, 'GET', this.#prefix + name))
    } catch {
      return undefined
    }
  }

  /** Nobody waits for it. `askedMs`: the wall clock before the server was asked. */
  keep(name: string, answer: Json, askedMs: number, lifeMs: number): void {
    if (lifeMs < 1) return
    const value = JSON.stringify({ askedMs, answer })
    const life = String(Math.ceil(lifeMs))
    command(this.#store, 'SET', this.#prefix + name, value, 'PX', life).catch(() => undefined)
  }
}

function sharedAnswerIn(text: unknown): SharedAnswer | undefined {
  if (typeof text !== 'string') return undefined
  const { askedMs, answer } = (JSON.parse(text) ?? {}) as { askedMs?: unknown; answer?: unknown }
  if (typeof askedMs !== 'number' || !record.holds(answer)) return undefined
  const ageMs = wallClockMs() - askedMs
  // How old the answer of a clock that is ahead is, nobody knows: it would be believed for so much longer.
  if (ageMs < -MAX_AHEAD_MS) return undefined
  return { answer: answer as Json, ageMs: Math.max(0, ageMs) }
}
