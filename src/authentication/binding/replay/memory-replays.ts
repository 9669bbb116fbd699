import { monotonicMs } from '../../../core/clock.js'
import { publishEvent } from '../../../core/events.js'
import { SecurityProblem } from '../../../core/problem.js'
import { LongestWindow } from './longest-window.js'
import type { ProofUse } from './replays.js'

export interface ReplayBounds {
  /** How long a proof is remembered, in **seconds** from its use. */
  readonly keepSeconds: number
  readonly maxProofs: number
  readonly maxProofsPerKey: number
}

interface KeyHolder {
  readonly key: string
  proofs: number
}

/**
 * Proofs in the memory of this process: synchronous, no timer. None is forgotten before its time, for that would let it
 * be used again: where there is no room, the request is refused. The quota of a key is looked at first, so that one
 * caller cannot take the room of all.
 *
 * Time is monotonic: a wall clock that is put back does not make a forgotten proof young again.
 */
export class MemoryReplays {
  /** Of all who remember proofs here. */
  readonly window = new LongestWindow()
  readonly #holders = new Map<string, KeyHolder>()
  readonly #keys = new Map<string, KeyHolder>()
  /** Names by the second in which they may be forgotten. */
  readonly #ending = new Map<number, string[]>()
  readonly #firstUses = new WeakMap<object, string>()
  #second = 0
  #isFull = false

  get size(): number {
    return this.#holders.size
  }

  use({ name, key, request }: ProofUse, bounds: ReplayBounds): boolean {
    this.#forgetEnded()
    if (this.#holders.has(name)) return this.#firstUses.get(request) === name
    const holder = this.#keys.get(key) ?? { key, proofs: 0 }
    if (holder.proofs >= bounds.maxProofsPerKey) throw this.#full('key', bounds.maxProofsPerKey)
    if (this.#holders.size >= bounds.maxProofs) throw this.#full('all', bounds.maxProofs)
    holder.proofs += 1
    this.#keys.set(holder.key, holder)
    this.#holders.set(name, holder)
    this.#firstUses.set(request, name)
    // One more: this second has begun already.
    const end = this.#second + bounds.keepSeconds + 1
    const names = this.#ending.get(end)
    if (names === undefined) this.#ending.set(end, [name])
    else names.push(name)
    return true
  }

  #forgetEnded(): void {
    const second = Math.floor(monotonicMs() / 1000)
    if (second === this.#second) return
    this.#second = second
    for (const [end, names] of this.#ending) {
      if (end > second) continue
      this.#ending.delete(end)
      this.#isFull = false
      names.forEach((name) => {
        this.#forget(name)
      })
    }
  }

  #forget(name: string): void {
    const holder = this.#holders.get(name)
    this.#holders.delete(name)
    if (holder === undefined) return
    holder.proofs -= 1
    if (holder.proofs === 0) this.#keys.delete(holder.key)
  }

  #full(full: 'key' | 'all', bound: number): SecurityProblem {
    if (full === 'all' && !this.#isFull) {
      this.#isFull = true
      publishEvent('error', 'replay_store_full', { proofs: this.#holders.size })
    }
    const [firstEnd = this.#second] = this.#ending.keys()
    return new SecurityProblem('replay_store_full', {
      headers: { 'retry-after': String(Math.max(1, firstEnd - this.#second)) },
      evidence: { full, bound },
    })
  }
}
