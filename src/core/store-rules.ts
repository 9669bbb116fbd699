import type { OptionRule } from './options.js'
import type { Store } from './ports.js'

/** For parts that keep their state in this process or in Redis. */
export const storeRule: OptionRule = {
  says: 'redisStore(client) or memoryStore()',
  holds: (value) => ['redis', 'memory'].includes((value as Partial<Store> | null)?.kind ?? ''),
}
