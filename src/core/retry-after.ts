/**
 * The field `Retry-After` in whole seconds (RFC 9110 section 10.2.3): never before there is room, and up to a tenth later,
 * at most a minute, so that callers refused together do not come back together. No field where there will never be room.
 */
export function retryAfter(retryMs: number): Readonly<Record<string, string>> {
  if (!Number.isFinite(retryMs)) return {}
  const seconds = Math.max(1, Math.ceil(retryMs / 1000))
  const spread = Math.min(60, Math.ceil(seconds / 10))
  return { 'retry-after': String(seconds + Math.floor(Math.random() * (spread + 1))) }
}
