import { checkOptions, integer, misuse, required, text, type OptionRule } from '../../core/options.js'
import type { MemoryStore, SharedStore } from '../../core/ports.js'
import { pepperRule, type PepperSource } from './digests.js'
import { keysInFile } from './file-store.js'
import { isPrefix } from './key-text.js'
import { keysInMemory } from './memory-store.js'
import { keysInRedis } from './redis-store.js'
import type { ApiKeyStore } from './store.js'

export interface ApiKeysOptions {
  /** Begins every key, so that a scanner finds one that leaked: 2 to 16 lower-case letters and digits, a letter first. */
  readonly prefix: string
  /** Where keys are kept: `redisStore(client)`, `memoryStore()`, or a store of your own. @default the memory of this process */
  readonly store?: SharedStore | MemoryStore | ApiKeyStore
  /** Path of a JSON file that keys are read from, and never written to. In place of `store`. */
  readonly file?: string
  /** Makes what is kept of a key useless to whoever holds the store but not this secret (HMAC-SHA-256). @default plain SHA-256 */
  readonly pepper?: PepperSource
  /**
   * How long a record from Redis is good without asking, also while Redis is out, in **seconds**, 0 to 300. Another
   * process that disables a key is heard that much later. @default 5
   */
  readonly rememberSeconds?: number
  /** Longest wait for the store, in **milliseconds**, 5 to 10000. A Redis store has its own, shorter one. @default 1000 */
  readonly timeoutMs?: number
}

export interface ApiKeysSettings {
  readonly prefix: string
  readonly store: ApiKeyStore
  /** For the posture. */
  readonly kind: 'memory' | 'file' | 'redis' | 'own'
  readonly pepper: PepperSource | undefined
  readonly timeoutMs: number
}

const ME = 'apiKeys'

export const prefixRule: OptionRule = {
  says: '2 to 16 lower-case letters and digits, a letter first',
  holds: isPrefix,
}
const storeRule: OptionRule = {
  says: 'redisStore(client), memoryStore() or an object with find(id)',
  holds: (value) => isShared(value) || isMemory(value) || isOwn(value),
}

export function apiKeysSettings(options: ApiKeysOptions): ApiKeysSettings {
  const { pepper } = (options as ApiKeysOptions | null | undefined) ?? {}
  // Checked apart: an error message is not the place to keep a secret.
  if (pepper !== undefined && !pepperRule.holds(pepper))
    throw new TypeError(`${ME}: pepper must be ${pepperRule.says}`)
  checkOptions(
    ME,
    options,
    {
      prefix: required(prefixRule),
      store: storeRule,
      file: text(4096),
      pepper: pepperRule,
      rememberSeconds: integer(0, 300, 'seconds'),
      timeoutMs: integer(5, 10_000, 'milliseconds'),
    },
    { secret: 'pepper', path: 'file', cacheSeconds: 'rememberSeconds' },
  )
  const { prefix, file, store, rememberSeconds = 5, timeoutMs = 1000 } = options
  if (file !== undefined && store !== undefined) throw misuse(ME, 'file', 'given without store', file)
  if (options.rememberSeconds !== undefined && !isShared(store))
    throw misuse(ME, 'rememberSeconds', 'given with a Redis store only', rememberSeconds)
  const settings = { prefix, pepper, timeoutMs }
  if (file !== undefined) return { ...settings, kind: 'file', store: keysInFile(file) }
  if (isShared(store))
    return { ...settings, kind: 'redis', store: keysInRedis(store, prefix, rememberSeconds) }
  if (isOwn(store)) return { ...settings, kind: 'own', store }
  return { ...settings, kind: 'memory', store: keysInMemory() }
}

function isShared(value: unknown): value is SharedStore {
  return (value as Partial<SharedStore> | null | undefined)?.kind === 'redis'
}

function isMemory(value: unknown): value is MemoryStore {
  return (value as Partial<MemoryStore> | null | undefined)?.kind === 'memory'
}

function isOwn(value: unknown): value is ApiKeyStore {
  return typeof (value as Partial<ApiKeyStore> | null | undefined)?.find === 'function'
}
