import type { MemoryStore } from '../core/ports.js'

/**
 * State in the memory of this process, apart from every other store: for tests that build an application anew, and for
 * two applications in one process that must not share their counts.
 */
export function memoryStore(): MemoryStore {
  return Object.freeze({
    kind: 'memory' as const,
    health: () => ({ name: 'memoryStore', status: 'ok' as const }),
  })
}
