import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { wallClockMs } from '../../../core/clock.js'
import { callback, either, type OptionRule } from '../../../core/options.js'
import { disarm } from '../../../core/thenable.js'

type SecretList = string | readonly string[]

/** The current secret, or it and earlier ones, or what answers with either at once. */
export type NonceSecrets = SecretList | (() => SecretList)

export interface NoncePolicy {
  /** @default a random one of this process */
  readonly secrets: NonceSecrets | undefined
  readonly lifetimeSeconds: number
  readonly clockToleranceSeconds: number
}

const MIN_SECRET_LENGTH = 32
const MAX_SECRETS = 8
// 192 bits in base64url.
const NONCE_LENGTH = 32

const secretList: OptionRule = {
  says: `a secret of at least ${MIN_SECRET_LENGTH} characters, or an array of 1 to ${MAX_SECRETS} of them`,
  holds: (value) => {
    const list = typeof value === 'string' ? [value] : value
    return Array.isArray(list) && list.length > 0 && list.length <= MAX_SECRETS && list.every(isSecret)
  },
}
const nonceSecrets: OptionRule = either(secretList, callback)

/** Throws for what can be no secret, without saying what was given: it may have been one. */
export function checkSecrets(me: string, secrets: unknown): void {
  if (!nonceSecrets.holds(secrets)) throw new TypeError(`${me}: secrets must be ${nonceSecrets.says}`)
}

/**
 * Nonces that nobody has to remember: each stands for half a lifetime, in which it is the same for everybody, and is
 * made of that half's number with a secret. Whoever has the secret knows later which half a nonce is from.
 *
 * **Not checked:** that a nonce is used once, or by whom it was fetched. It says when a proof was made at the earliest;
 * that a proof is used once is the replay store's task.
 */
export class Nonces {
  readonly lifetimeSeconds: number
  readonly #halfMs: number
  readonly #toleranceMs: number
  readonly #secrets: () => SecretList

  constructor({ secrets = randomSecret(), lifetimeSeconds, clockToleranceSeconds }: NoncePolicy) {
    this.lifetimeSeconds = lifetimeSeconds
    this.#halfMs = lifetimeSeconds * 500
    this.#toleranceMs = Math.min(clockToleranceSeconds * 1000, this.#halfMs)
    // A copy: whoever gave the list may change it later, and must give a function to mean that.
    const fixed = typeof secrets === 'function' ? undefined : [secrets].flat()
    this.#secrets = fixed === undefined ? (secrets as () => SecretList) : () => fixed
  }

  issue(): string {
    return nonceOf(this.#currentSecrets()[0] ?? '', this.#halfAt(wallClockMs()))
  }

  /** `ageing`: still good, and it is time for the next one. */
  ageOf(nonce: string | undefined): 'fresh' | 'ageing' | 'unusable' {
    if (nonce?.length !== NONCE_LENGTH) return 'unusable'
    const secrets = this.#currentSecrets()
    const isOf = (half: number): boolean => secrets.some((secret) => isEqual(nonce, nonceOf(secret, half)))
    const now = wallClockMs()
    const current = this.#halfAt(now)
    // Another process, whose clock is a little ahead, is in the next half already.
    if (isOf(current) || isOf(this.#halfAt(now + this.#toleranceMs))) return 'fresh'
    return isOf(current - 1) ? 'ageing' : 'unusable'
  }

  #halfAt(timeMs: number): number {
    return Math.floor(timeMs / this.#halfMs)
  }

  /** Throws where the function answered with something else: a nonce made with an empty secret is everybody's. */
  #currentSecrets(): readonly string[] {
    const answer: unknown = this.#secrets()
    if (!disarm(answer) && secretList.holds(answer)) return [answer as SecretList].flat()
    throw new TypeError(`dpop: nonce: secrets must answer at once with ${secretList.says}`)
  }
}

function nonceOf(secret: string, half: number): string {
  const mac = createHmac('sha256', secret).update(`express-bulwark dpop nonce ${half}`).digest('base64url')
  return mac.slice(0, NONCE_LENGTH)
}

/** `one` may hold characters of several bytes. */
function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function isSecret(value: unknown): boolean {
  return typeof value === 'string' && value.length >= MIN_SECRET_LENGTH
}

function randomSecret(): string {
  return randomBytes(32).toString('base64url')
}
