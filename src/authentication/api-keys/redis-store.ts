import { monotonicMs } from '../../core/clock.js'
import type { SharedStore } from '../../core/ports.js'
import { command, evaluate } from '../../stores/redis/command.js'
import type { ApiKeyRecord } from './record.js'
import { readRecord } from './record.js'
import type { ApiKeyStore } from './store.js'

const MAX_REMEMBERED = 10_000
const MAX_RECORD_LENGTH = 32_768
const MAX_ATTEMPTS = 5

/** Writes the record, or removes it for an empty one, if nobody has changed what was read (empty: nothing). */
const REPLACE = `if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2]) end
return 1`

interface Remembered {
  readonly record: ApiKeyRecord
  readonly untilMs: number
}

/**
 * Keys in Redis, one entry for each id. A record that was read is good for `rememberSeconds` without asking again, also
 * while Redis does not answer; what is not there is asked for each time, so that a new key works at once.
 */
export function keysInRedis(store: SharedStore, prefix: string, rememberSeconds: number): ApiKeyStore {
  const remembered = new Map<string, Remembered>()
  const asking = new Map<string, Promise<unknown>>()
  const keyOf = (id: string): string => `${store.prefix}:api-keys:${prefix}:${id}`

  function recall(id: string): ApiKeyRecord | undefined {
    const entry = remembered.get(id)
    if (entry === undefined) return undefined
    if (monotonicMs() < entry.untilMs) return entry.record
    remembered.delete(id)
    return undefined
  }

  function remember(id: string, record: ApiKeyRecord): void {
    if (rememberSeconds === 0) return
    const [oldest] = remembered.keys()
    if (remembered.size >= MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest)
    remembered.set(id, { record, untilMs: monotonicMs() + rememberSeconds * 1000 })
  }

  /** Requests that come together ask once. What this process changed meanwhile is not remembered from before. */
  function ask(id: string): Promise<unknown> {
    const running = asking.get(id)
    if (running !== undefined) return running
    const question: Promise<unknown> = command(store, 'GET', keyOf(id))
      .then((reply) => {
        const found = parsed(reply)
        const record = readRecord(found)
        if (record?.id === id && asking.get(id) === question) remember(id, record)
        return found
      })
      .finally(() => {
        if (asking.get(id) === question) asking.delete(id)
      })
    asking.set(id, question)
    return question
  }

  function forget(id: string): void {
    remembered.delete(id)
    asking.delete(id)
  }

  async function replace(
    id: string,
    change: (current: unknown) => ApiKeyRecord | undefined,
  ): Promise<boolean> {
    const reply = await command(store, 'GET', keyOf(id))
    const before = typeof reply === 'string' ? reply : ''
    const next = change(parsed(reply))
    const after = next === undefined ? '' : JSON.stringify(next)
    // Forgotten before and after: an answer from before may arrive in between.
    forget(id)
    try {
      return Number(await evaluate(store, REPLACE, [keyOf(id)], [before, after])) === 1
    } finally {
      forget(id)
    }
  }

  return {
    find: (id) => recall(id) ?? ask(id),
    async update(id, change) {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        if (await replace(id, change)) return
      }
      throw new Error('apiKeys: others kept changing this key; try again')
    },
    health: () => ({ ...store.health(), name: 'apiKeys' }),
    close() {
      remembered.clear()
      asking.clear()
      return Promise.resolve()
    },
  }
}

/** What is kept, as far as it is JSON of a sane length; something that is no record otherwise. */
function parsed(reply: unknown): unknown {
  if (reply === null || reply === undefined) return undefined
  if (typeof reply !== 'string' || reply.length > MAX_RECORD_LENGTH) return MALFORMED
  try {
    return (JSON.parse(reply) as unknown) ?? MALFORMED
  } catch {
    return MALFORMED
  }
}

const MALFORMED = Object.freeze({})
