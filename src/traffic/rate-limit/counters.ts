import { processRegistry } from '../../core/process-registry.js'
import type { RateLimitPort, Store } from '../../core/ports.js'
import { MemoryCounter } from '../../stores/memory/counter.js'
import type { LimitBy } from './keys.js'
import { RedisCounter } from './redis-counter.js'

export interface CounterPolicy {
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number
  readonly by: LimitBy
}

interface SharedCounter {
  readonly port: RateLimitPort
  readonly signature: string
  users: number
}

export interface CounterLease {
  readonly port: RateLimitPort
  release(): void
}

const byStore = new WeakMap<Store, Map<string, SharedCounter>>()

/**
 * The counter of a name: one per process and store, shared by every limiter that says the same.
 *
 * Throws a `TypeError` where a limiter of that name says something else: one of the two would count wrongly.
 */
export function leaseCounter(policy: CounterPolicy, store: Store | undefined): CounterLease {
  const counters = store === undefined ? processRegistry<SharedCounter>('limiters') : countersOf(store)
  const signature = signatureOf(policy)
  const counter = counters.get(policy.name) ?? { port: makePort(policy, store), signature, users: 0 }
  if (counter.signature !== signature) {
    throw new TypeError(
      `rateLimit: name must be unique among limiters with different options, got "${policy.name}" with ` +
        `${signature} beside ${counter.signature}`,
    )
  }
  counter.users += 1
  counters.set(policy.name, counter)
  let released = false
  return {
    port: counter.port,
    release: () => {
      if (released) return
      released = true
      counter.users -= 1
      if (counter.users === 0) counters.delete(policy.name)
    },
  }
}

function countersOf(store: Store): Map<string, SharedCounter> {
  const counters = byStore.get(store) ?? new Map<string, SharedCounter>()
  byStore.set(store, counters)
  return counters
}

function makePort(policy: CounterPolicy, store: Store | undefined): RateLimitPort {
  return store?.kind === 'redis' ? new RedisCounter(store, policy) : new MemoryCounter(policy)
}

function signatureOf({ limit, windowSeconds, by }: CounterPolicy): string {
  return `limit ${limit}, windowSeconds ${windowSeconds}, by ${typeof by === 'function' ? 'a function' : by}`
}
