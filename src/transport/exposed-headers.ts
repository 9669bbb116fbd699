/**
 * The response fields of this library that a page of another origin must be allowed to read:
 * `cors({ origin, exposedHeaders })`. Without it a browser shows a script the status and nothing else.
 *
 * Typed as `cors` takes it, and frozen all the same.
 */
export const exposedHeaders = Object.freeze([
  'DPoP-Nonce',
  'Idempotency-Replayed',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'WWW-Authenticate',
]) as string[]
