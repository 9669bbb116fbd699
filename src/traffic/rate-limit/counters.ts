import { processRegistry } from '../../core/process-registry.js'
import type { RateLimitPort, LimitStore } from '../../core/ports.js'
import { MemoryLimiter } from '../../stores/memory/limiter.js'
import { RedisLimiter } from '../../stores/redis/limiter.js'
import type { Policy } from './options.js'

interface Lease {
  readonly signature: string
  users: number
}

interface Counters {
  readonly port: RateLimitPort
  readonly names: Map<string, Lease>
}

export interface CounterLease {
  readonly port: RateLimitPort
  release(): void
}

const byStore = new WeakMap<LimitStore, Counters>()

/**
 * The counters of a store, one per process: limiters of one name share their counts.
 *
 * Throws a `TypeError` where a limiter of that name says something else: one of the two would count wrongly.
 */
export function leaseCounters(policies: readonly Policy[], store: LimitStore | undefined): CounterLease {
  const counters = store === undefined ? ownCounters() : countersOf(store)
  for (const { name, signature } of policies) {
    const held = counters.names.get(name)
    if (held !== undefined && held.signature !== signature)
      throw new TypeError(
        `rateLimit: name must be unique among limiters with different options, got "${name}" with ` +
          `${signature} beside ${held.signature}`,
      )
  }
  for (const { name, signature } of policies) {
    const held = counters.names.get(name) ?? { signature, users: 0 }
    held.users += 1
    counters.names.set(name, held)
  }
  let released = false
  return {
    port: counters.port,
    release: () => {
      if (released) return
      released = true
      for (const { name } of policies) release(counters, name)
    },
  }
}

function release({ port, names }: Counters, name: string): void {
  const held = names.get(name)
  if (held === undefined) return
  held.users -= 1
  if (held.users > 0) return
  names.delete(name)
  if (port instanceof MemoryLimiter) port.drop(name)
}

function ownCounters(): Counters {
  const registry = processRegistry<Counters>('limiters')
  const counters = registry.get('memory') ?? { port: new MemoryLimiter(), names: new Map<string, Lease>() }
  registry.set('memory', counters)
  return counters
}

function countersOf(store: LimitStore): Counters {
  const counters = byStore.get(store) ?? { port: portOf(store), names: new Map<string, Lease>() }
  byStore.set(store, counters)
  return counters
}

function portOf(store: LimitStore): RateLimitPort {
  if (store.kind === 'redis') return new RedisLimiter(store)
  return store.kind === 'limiter' ? store.port : new MemoryLimiter()
}
