import { SecurityProblem } from '../../core/problem.js'

/** Bytes of an HS256 key, at least (RFC 7518 section 3.2). */
const MIN_BYTES = 32
const MAX_SECRETS = 10

/** One secret, or several that are live while one replaces another; text stands for its UTF-8 bytes. */
export type Secrets = string | Uint8Array | readonly (string | Uint8Array)[]

export function areSecrets(value: unknown): value is Secrets {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.length > 0 && list.length <= MAX_SECRETS && list.every(isSecret)
}

function isSecret(value: unknown): boolean {
  if (typeof value === 'string') return Buffer.byteLength(value) >= MIN_BYTES
  return value instanceof Uint8Array && value.length >= MIN_BYTES
}

/** Gives the live secrets, copied now where they are fixed, or asked for each time. */
export function secretSource(given: Secrets | (() => Secrets)): () => readonly Buffer[] {
  if (typeof given !== 'function') {
    const fixed = buffersOf(given)
    return () => fixed
  }
  return () => {
    const secrets: unknown = given()
    if (areSecrets(secrets)) return buffersOf(secrets)
    // A fault of the application, not of the request: it must not look as if nobody had proven anything.
    throw new SecurityProblem('guard_fault', {
      evidence: {
        problem: `gatewayAssertion: secrets must return 1 to ${MAX_SECRETS} of ${MIN_BYTES} bytes or more each`,
      },
    })
  }
}

function buffersOf(secrets: Secrets): readonly Buffer[] {
  const list = (Array.isArray(secrets) ? secrets : [secrets]) as readonly (string | Uint8Array)[]
  return list.map((secret) => Buffer.from(secret as Uint8Array))
}
