import { publishEvent } from '../../core/events.js'
import type { Health } from '../../core/lifecycle.js'
import { SecurityProblem } from '../../core/problem.js'
import type { Verified } from '../verifier.js'
import { judge } from './judge.js'
import type { Names } from './names.js'
import { RevokedNames } from './revoked-names.js'

/** Where revocations are kept. */
export interface RevocationStore {
  /** Rejects with a `SecurityProblem` where it cannot be kept. `endsMs`: milliseconds since the epoch, or `Infinity`. */
  add(digest: string, at: number, endsMs: number): Promise<void>
  check(names: Names, verified: Verified): void | Promise<void>
  /** Whether nothing was ever revoked, so that nobody has to look. */
  readonly isEmpty: boolean
  health(): Omit<Health, 'name'>
  close(): void
}

/** In this process: answers at once, and ends with the process. */
export class MemoryRevocations implements RevocationStore {
  readonly #list: string
  readonly #revoked: RevokedNames
  readonly #maxEntries: number

  constructor(list: string, maxEntries: number) {
    this.#list = list
    this.#maxEntries = maxEntries
    this.#revoked = new RevokedNames(maxEntries)
  }

  get isEmpty(): boolean {
    return this.#revoked.size === 0
  }

  async add(digest: string, at: number, endsMs: number): Promise<void> {
    if (this.#revoked.add(digest, at, endsMs)) return Promise.resolve()
    publishEvent('error', 'revocation_full', { list: this.#list, maxEntries: this.#maxEntries })
    throw new SecurityProblem('store_unavailable', {
      headers: { 'retry-after': '60' },
      evidence: { store: 'memory', problem: 'the list of revocations is full' },
    })
  }

  check({ names }: Names, verified: Verified): void {
    judge(
      names,
      names.map(({ digest }) => this.#revoked.find(digest)),
      verified,
    )
  }

  health(): Omit<Health, 'name'> {
    const { size } = this.#revoked
    const status = size < this.#maxEntries ? 'ok' : 'degraded'
    return { status, detail: `${size} of ${this.#maxEntries} entries` }
  }

  /** Whoever still asks must not be told that nobody was revoked. */
  close(): void {
    return
  }
}
