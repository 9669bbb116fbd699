import type { ServerResponse } from 'node:http'
import type { RateLimitState } from '../../core/ports.js'

/** `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10 section 3): what does not change from one request to the next. */
export function policyField(name: string, limit: number, windowSeconds: number): string {
  return `"${name}";q=${limit};w=${windowSeconds}`
}

/** Adds one limiter's fields. Several limiters on one response make one list (RFC 9651 section 3.1). */
export function writeFields(res: ServerResponse, name: string, policy: string, state: RateLimitState): void {
  if (res.headersSent) return
  append(res, 'RateLimit-Policy', policy)
  append(res, 'RateLimit', `"${name}";r=${state.remaining};t=${toSeconds(state.resetMs)}`)
}

/**
 * `Retry-After` in whole seconds (RFC 9110 section 10.2.3): never before the window ends, and up to a tenth later, so
 * that callers refused together do not come back together.
 */
export function retryAfter(resetMs: number): string {
  const seconds = Math.max(1, toSeconds(resetMs))
  const spread = Math.max(1, Math.ceil(seconds / 10))
  return String(seconds + Math.floor(Math.random() * (spread + 1)))
}

function toSeconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000)
}

function append(res: ServerResponse, field: string, value: string): void {
  const present = res.getHeader(field)
  res.setHeader(field, present === undefined ? value : `${String(present)}, ${value}`)
}
