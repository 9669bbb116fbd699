import { randomBytes } from 'node:crypto'
import { processValue } from '../../../core/process-registry.js'
import type { SharedStore } from '../../../core/ports.js'
import { command } from '../../../stores/redis/command.js'
import type { LongestWindow } from './longest-window.js'
import type { ProofUse, ReplayPort } from './replays.js'

/**
 * Proofs in Redis, for every process that asks there: put in unless present, with an end, in one command.
 *
 * Its value is a name of the request that came first. Another middleware on that request's way finds its own request
 * and lets it pass, whichever client it asked through.
 */
export class RedisReplays implements ReplayPort {
  readonly #store: SharedStore
  readonly #window: LongestWindow

  /** `window`: of all in this process who remember proofs there. What other processes accept is not known here. */
  constructor(store: SharedStore, window: LongestWindow) {
    this.#store = store
    this.#window = window
  }

  async use({ name, request }: ProofUse): Promise<boolean> {
    const key = `${this.#store.prefix}:dpop:${name}`
    const user = nameOfRequest(request)
    const put = await command(this.#store, 'SET', key, user, 'NX', 'EX', String(this.#window.keepSeconds))
    if (String(put) === 'OK') return true
    return String(await command(this.#store, 'GET', key)) === user
  }
}

/** Not the request's id, which its caller may choose. One for each request, also where two copies of this library run. */
function nameOfRequest(request: object): string {
  const names = processValue('dpop-requests', 'names', () => new WeakMap<object, string>())
  const name = names.get(request) ?? randomBytes(16).toString('base64url')
  names.set(request, name)
  return name
}
