import { misuse } from './options.js'

export type HealthStatus = 'ok' | 'degraded' | 'down'

export interface Health {
  readonly name: string
  /** `degraded`: it decides on old data, or the next request tries what failed before. `down`: requests get 503 untried. */
  readonly status: HealthStatus
  /** Facts for a person. Never a secret. */
  readonly detail?: string
}

/** A middleware with state. */
export interface Stateful {
  /** Does now what the first request would have to wait for. Rejects where it cannot; the next request tries again. */
  warmUp(): Promise<void>
  /** How it is, from memory: no input or output. */
  health(): Health
  /** Lets go of subscriptions, names and memory. For when no request comes any more. */
  close(): Promise<void>
}

export interface Lifecycle {
  warmUp(): Promise<void>
  /** The worst of all, and each. */
  health(): { readonly status: HealthStatus; readonly parts: readonly Health[] }
  close(): Promise<void>
}

const SEVERITY: readonly HealthStatus[] = ['ok', 'degraded', 'down']

/**
 * Joins middlewares with state, for `/readyz` and for SIGTERM. It installs no signal handler.
 *
 * `warmUp` and `close` reach every part even where one fails, and then reject with an `AggregateError`.
 */
export function lifecycle(...parts: readonly Stateful[]): Lifecycle {
  parts.forEach((part, index) => {
    if (!isStateful(part)) {
      throw misuse('lifecycle', `part ${index + 1}`, 'a middleware with warmUp, health and close', part)
    }
  })
  return Object.freeze({
    warmUp: () => each(parts, 'warmUp'),
    close: () => each(parts, 'close'),
    health: () => {
      const healths = parts.map((part) => part.health())
      const worst = Math.max(0, ...healths.map(({ status }) => SEVERITY.indexOf(status)))
      return { status: SEVERITY[worst] ?? 'down', parts: healths }
    },
  })
}

/** Of parts of which each serves callers of its own: one that is out leaves the others working. */
export function statusOfAny(statuses: readonly HealthStatus[]): HealthStatus {
  if (statuses.every((status) => status === 'ok')) return 'ok'
  return statuses.every((status) => status === 'down') ? 'down' : 'degraded'
}

function isStateful(part: unknown): boolean {
  const { warmUp, health, close } = (part ?? {}) as Partial<Stateful>
  return [warmUp, health, close].every((step) => typeof step === 'function')
}

async function each(parts: readonly Stateful[], step: 'warmUp' | 'close'): Promise<void> {
  const outcomes = await Promise.allSettled(parts.map(async (part) => part[step]()))
  const reasons = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
  )
  if (reasons.length > 0)
    throw new AggregateError(
      reasons,
      `lifecycle: ${step} failed in ${reasons.length} of ${parts.length} parts`,
    )
}
