import { processValue } from '../../core/process-registry.js'
import type { RateLimitPort, LimitStore } from '../../core/ports.js'
import { MemoryLimiter } from '../../stores/memory/limiter.js'
import { RedisLimiter } from '../../stores/redis/limiter.js'
import { isAdapted } from './adapted.js'
import type { Policy } from '../rate-limit/options.js'

interface Lease {
  readonly signature: string
  users: number
}

interface Counters {
  readonly port: RateLimitPort
  /** What counts here while the store is down: one for all limiters of a name, as the store is. */
  readonly local: MemoryLimiter
  readonly names: Map<string, Lease>
}

export interface CounterLease extends Pick<Counters, 'port' | 'local'> {
  release(): void
}

const byStore = new WeakMap<LimitStore, Counters>()

/**
 * The counters of a store, one per process: limiters of one name share their counts.
 *
 * Throws a `TypeError` where a limiter of that name says something else: one of the two would count wrongly.
 */
export function leaseCounters(
  me: string,
  policies: readonly Policy[],
  store: LimitStore | undefined,
): CounterLease {
  const counters = store === undefined ? ownCounters() : countersOf(store)
  for (const { name, signature } of policies) {
    const held = counters.names.get(name)
    if (held !== undefined && held.signature !== signature)
      throw new TypeError(
        `${me}: name must be unique among limiters with different options, got "${name}" with ` +
          `${signature} beside ${held.signature}`,
      )
  }
  if (store !== undefined && isAdapted(store)) for (const { asked } of policies) store.accept(asked)
  for (const { name, signature } of policies) {
    const held = counters.names.get(name) ?? { signature, users: 0 }
    held.users += 1
    counters.names.set(name, held)
  }
  let released = false
  return {
    port: counters.port,
    local: counters.local,
    release: () => {
      if (released) return
      released = true
      for (const { name } of policies) release(counters, name)
    },
  }
}

function release({ port, local, names }: Counters, name: string): void {
  const held = names.get(name)
  if (held === undefined) return
  held.users -= 1
  if (held.users > 0) return
  names.delete(name)
  local.drop(name)
  // Not by class: it may be of the other copy where an ESM and a CommonJS copy of this library are both loaded.
  if ('drop' in port) (port as MemoryLimiter).drop(name)
}

function ownCounters(): Counters {
  return processValue('limiters', 'memory', () => countersOn(new MemoryLimiter()))
}

function countersOf(store: LimitStore): Counters {
  const counters = byStore.get(store) ?? countersOn(portOf(store))
  byStore.set(store, counters)
  return counters
}

function countersOn(port: RateLimitPort): Counters {
  return { port, local: new MemoryLimiter(), names: new Map<string, Lease>() }
}

function portOf(store: LimitStore): RateLimitPort {
  if (store.kind === 'redis') return new RedisLimiter(store)
  return store.kind === 'limiter' ? store.port : new MemoryLimiter()
}
