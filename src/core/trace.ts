/** The trace a request claims to belong to (W3C Trace Context). Anybody can claim any trace: a label, not a proof. */
export interface Trace {
  /** 32 lower-case hexadecimal digits. */
  readonly id: string
  /** 16 lower-case hexadecimal digits: the span of the caller. */
  readonly parentId: string
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-|$)/

/** Reads a `traceparent` field strictly; anything else is no trace. */
export function parseTraceparent(value: string | readonly string[] | undefined): Trace | undefined {
  if (typeof value !== 'string' || value.length > 256) return undefined
  const match = TRACEPARENT.exec(value)
  if (match === null || (value.startsWith('00-') && value.length !== 55)) return undefined
  return { id: match[1] as string, parentId: match[2] as string }
}
