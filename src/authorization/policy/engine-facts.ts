import { createHash } from 'node:crypto'
import { record } from '../../core/options.js'

/** A member that an engine's answer has itself: what every object inherits is no answer. */
export function ownMember(value: unknown, name: string): unknown {
  return record.holds(value) && Object.hasOwn(value as object, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined
}

/** Version of policies for the record, where nobody gave one. */
export function hashVersion(policies: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(policies).digest('hex').slice(0, 12)}`
}
