import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'

/**
 * Something that belongs to no single request: a key that was skipped, a store that went away.
 *
 * Published on `diagnostics_channel` under `express-bulwark.event`; `auditLog` listens there.
 */
export interface OperationalEvent {
  /** A stable word: `key_skipped`, `store_down`. */
  readonly event: string
  readonly severity: 'info' | 'warn' | 'error'
  /** Facts without secrets. */
  readonly facts: Readonly<Record<string, string | number | boolean>>
}

const NAME = 'express-bulwark.event'
const events = channel(NAME)

export function publishEvent(
  severity: OperationalEvent['severity'],
  event: string,
  facts: OperationalEvent['facts'] = {},
): void {
  if (!events.hasSubscribers) return
  events.publish(Object.freeze({ event, severity, facts: Object.freeze(facts) }))
}

/** Calls `listener` for each event of this process until the returned function is called. */
export function onEvent(listener: (event: OperationalEvent) => void): () => void {
  const subscriber = (message: unknown): void => {
    listener(message as OperationalEvent)
  }
  subscribe(NAME, subscriber)
  return () => {
    unsubscribe(NAME, subscriber)
  }
}
