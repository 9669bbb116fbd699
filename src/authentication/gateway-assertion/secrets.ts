import { SecurityProblem } from '../../core/problem.js'
import { isDrawn, secretTextShown } from '../../core/secret-text.js'

/** Bytes of an HS256 key, at least (RFC 7518 section 3.2). */
const MIN_BYTES = 32
const MAX_SECRETS = 10
const SAYS = `1 to ${MAX_SECRETS} secrets of ${MIN_BYTES} bytes or more each that were drawn, not thought up (openssl rand -base64 32)`

/** One secret, or several that are live while one replaces another; text stands for its UTF-8 bytes. */
export type Secrets = string | Uint8Array | readonly (string | Uint8Array)[]

function areSecrets(value: unknown): value is Secrets {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.length > 0 && list.length <= MAX_SECRETS && list.every(isSecret)
}

function isSecret(value: unknown): boolean {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) return false
  const bytes = Buffer.from(value as Uint8Array)
  return bytes.length >= MIN_BYTES && isDrawn(bytes.toString('latin1'))
}

/** Throws a `TypeError` for what are no secrets, by their length alone: it may be the secret with a slip in it. */
export function checkSecrets(me: string, given: unknown): void {
  if (typeof given === 'function' || areSecrets(given)) return
  throw new TypeError(`${me}: secrets must be ${SAYS}, or a function that returns them, got ${shown(given)}`)
}

function shown(value: unknown): string {
  if (Array.isArray(value)) {
    const entries: readonly unknown[] = value
    return `a list of ${entries.length}${entries.length > MAX_SECRETS ? '' : `: ${entries.map(shown).join(', ')}`}`
  }
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (typeof value !== 'string') return `a value of type ${typeof value}`
  return secretTextShown(value)
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
        problem: `gatewayAssertion: secrets must return ${SAYS}, got ${shown(secrets)}`,
      },
    })
  }
}

function buffersOf(secrets: Secrets): readonly Buffer[] {
  const list = (Array.isArray(secrets) ? secrets : [secrets]) as readonly (string | Uint8Array)[]
  return list.map((secret) => Buffer.from(secret as Uint8Array))
}
