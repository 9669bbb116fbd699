import type { LimitStore, LimiterStore, Period } from '../../core/ports.js'

/** A policy as it was written down, for an adapter to make a limiter for or to refuse. */
export interface AskedPolicy {
  readonly name: string
  /** `undefined` where a function answers it. */
  readonly limit: number | undefined
  readonly algorithm: 'sliding' | 'gcra' | 'fixed'
  readonly windowSeconds?: number
  readonly period?: Period
}

/** A store that says at set-up which limits it can keep. */
export interface AdaptedStore extends LimiterStore {
  /** Throws a `TypeError` for a limit that it cannot keep. */
  accept(policy: AskedPolicy): void
}

export function isAdapted(store: LimitStore): store is AdaptedStore {
  return 'accept' in store
}
