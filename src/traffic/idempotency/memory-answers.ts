import { monotonicMs } from '../../core/clock.js'
import { publishEvent } from '../../core/events.js'
import { SecurityProblem } from '../../core/problem.js'
import type { Attempt, Found, KeptAnswer } from './answers.js'

export interface MemoryBounds {
  readonly leaseSeconds: number
  readonly ttlSeconds: number
  readonly maxBodyBytes: number
  readonly maxEntries: number
  readonly maxBytes: number
}

interface Entry {
  readonly attempt: Attempt
  readonly found: Exclude<Found, { readonly state: 'begun' }>
  readonly bytes: number
  readonly lifetimeMs: number
  readonly endsMs: number
}

interface Share {
  entries: number
  bytes: number
}

/** Callers that fill the memory together; one alone takes no more than this part of it. */
const CALLERS_THAT_FILL_IT = 10
/** What an entry takes besides its answer: names, digests, places in maps. Rather too much. */
const ENTRY_BYTES = 1024
const LONGEST_WAIT_SECONDS = 3600

/** The least memory in which one caller has room for one answer. */
export function leastBytes(maxBodyBytes: number): number {
  return CALLERS_THAT_FILL_IT * roomFor(maxBodyBytes)
}

function roomFor(maxBodyBytes: number): number {
  return ENTRY_BYTES + maxBodyBytes
}

/**
 * Answers in the memory of this process: synchronous, no timer. None is forgotten before its time, for that would let
 * a request be done twice: where there is no room, the next one is refused. Room for its answer is taken when a request
 * begins, so that an answer always fits.
 *
 * Time is monotonic: a wall clock that is put forward does not end a lease.
 */
export class MemoryAnswers {
  readonly #entries = new Map<string, Entry>()
  /** By lifetime, and among those of one lifetime the one that ends first is first. */
  readonly #ending = new Map<number, Map<string, Entry>>()
  readonly #callers = new Map<string, Share>()
  #bytes = 0
  #isFull = false

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  begin(attempt: Attempt, bounds: MemoryBounds): Found {
    this.#forgetEnded()
    const known = this.#entries.get(attempt.name)
    if (known !== undefined) return known.found
    const bytes = roomFor(bounds.maxBodyBytes)
    this.#refuseWithoutRoom(attempt, bytes, bounds)
    const { fingerprint } = attempt
    this.#put(attempt, { state: 'under-way', fingerprint }, bytes, bounds.leaseSeconds)
    return { state: 'begun' }
  }

  finish(attempt: Attempt, answer: KeptAnswer | undefined, bounds: MemoryBounds): boolean {
    this.#forgetEnded()
    const known = this.#entries.get(attempt.name)
    if (known !== undefined && known.attempt.owner !== attempt.owner) return false
    const bytes = ENTRY_BYTES + sizeOf(answer)
    if (known === undefined) this.#refuseWithoutRoom(attempt, bytes, bounds)
    else this.#drop(known)
    const { fingerprint } = attempt
    this.#put(attempt, { state: 'answered', fingerprint, answer }, bytes, bounds.ttlSeconds)
    return true
  }

  release({ name, owner }: Attempt): void {
    const known = this.#entries.get(name)
    if (known?.attempt.owner === owner) this.#drop(known)
  }

  #put(attempt: Attempt, found: Entry['found'], bytes: number, seconds: number): void {
    const lifetimeMs = seconds * 1000
    const entry: Entry = { attempt, found, bytes, lifetimeMs, endsMs: monotonicMs() + lifetimeMs }
    const { name, caller } = attempt
    this.#entries.set(name, entry)
    const equals = this.#ending.get(lifetimeMs) ?? new Map<string, Entry>()
    this.#ending.set(lifetimeMs, equals.set(name, entry))
    const share = this.#callers.get(caller) ?? { entries: 0, bytes: 0 }
    this.#callers.set(caller, share)
    share.entries += 1
    share.bytes += bytes
    this.#bytes += bytes
  }

  #drop({ attempt: { name, caller }, bytes, lifetimeMs }: Entry): void {
    this.#entries.delete(name)
    this.#ending.get(lifetimeMs)?.delete(name)
    this.#bytes -= bytes
    const share = this.#callers.get(caller)
    if (share === undefined) return
    share.entries -= 1
    share.bytes -= bytes
    if (share.entries === 0) this.#callers.delete(caller)
  }

  #forgetEnded(): void {
    const now = monotonicMs()
    for (const equals of this.#ending.values()) {
      for (const entry of equals.values()) {
        if (entry.endsMs > now) break
        this.#isFull = false
        this.#drop(entry)
      }
    }
  }

  /** One caller's share is looked at first, so that nobody can take the room of all. */
  #refuseWithoutRoom({ caller }: Attempt, bytes: number, { maxEntries, maxBytes }: MemoryBounds): void {
    const share = this.#callers.get(caller)
    const part = (bound: number): number => Math.ceil(bound / CALLERS_THAT_FILL_IT)
    if (share !== undefined && (share.entries >= part(maxEntries) || share.bytes + bytes > part(maxBytes)))
      throw this.#full('caller')
    if (this.#entries.size < maxEntries && this.#bytes + bytes <= maxBytes) return
    if (!this.#isFull) {
      this.#isFull = true
      publishEvent('error', 'idempotency_store_full', { answers: this.#entries.size, bytes: this.#bytes })
    }
    throw this.#full('all')
  }

  #full(full: 'all' | 'caller'): SecurityProblem {
    const firstEnds = [...this.#ending.values()].flatMap((equals) => {
      const [first] = equals.values()
      return first === undefined ? [] : [first.endsMs]
    })
    const seconds = Math.ceil((Math.min(...firstEnds) - monotonicMs()) / 1000)
    return new SecurityProblem('store_unavailable', {
      headers: { 'retry-after': String(Math.min(LONGEST_WAIT_SECONDS, Math.max(1, seconds))) },
      evidence: { store: 'memory', problem: 'no room for another answer', full },
    })
  }
}

function sizeOf(answer: KeptAnswer | undefined): number {
  if (answer === undefined) return 0
  const headers = answer.headers.flatMap(([name, values]) => [name, ...values])
  return answer.body.byteLength + headers.reduce((size, text) => size + 2 * text.length, 0)
}
