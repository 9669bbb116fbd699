import type { ApiKeyStore } from './store.js'

/** Each takes half a kilobyte and more. */
const MAX_KEYS = 1_000_000

/** Keys that live as long as the process: for tests, and for services that make their keys anew. */
export function keysInMemory(): ApiKeyStore {
  const records = new Map<string, unknown>()
  return {
    find: (id) => records.get(id),
    update: (id, change) => {
      const next = change(records.get(id))
      if (next === undefined) {
        records.delete(id)
        return
      }
      if (!records.has(id) && records.size >= MAX_KEYS)
        throw new Error(`apiKeys: memory holds at most ${MAX_KEYS} keys`)
      records.set(id, next)
    },
    health: () => ({ name: 'apiKeys', status: 'ok', detail: `${records.size} keys in memory` }),
    close: () => {
      records.clear()
      return Promise.resolve()
    },
  }
}
