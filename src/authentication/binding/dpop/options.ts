import {
  checkOptions,
  either,
  integer,
  listOf,
  misuse,
  oneOf,
  record,
  required,
  type OptionRule,
} from '../../../core/options.js'
import type { Store } from '../../../core/ports.js'
import { storeRule } from '../../../core/store-rules.js'
import { isSecureUrl } from '../../../core/remote-json.js'
import { Nonces, checkSecrets, type NonceSecrets } from './nonces.js'

/** Nonces of this service in proofs (RFC 9449 section 9): a proof made long before its use has none that is good. */
export interface DpopNonceOptions {
  /**
   * What nonces are made with: the current secret, or a list with the current one first and earlier ones after it, or
   * a function that answers with either at once. Each at least 32 characters. Every process needs the same ones, so
   * they must be given where `store` is shared. @default a random one of this process
   */
  readonly secrets?: NonceSecrets
  /** Longest time a nonce is accepted, in **seconds**, 10 to 86400; the shortest is half of it. @default 300 */
  readonly lifetimeSeconds?: number
}

/** How proofs of possession are checked (RFC 9449). */
export interface DpopOptions {
  /**
   * Where clients reach this service: `https://orders.example`, without a path (http only for a loopback host), or a
   * list of such. What a proof's `htu` must begin with; the Host header and forwarding headers are never looked at.
   */
  readonly publicOrigin: string | readonly string[]
  /** Asymmetric only. @default ES256 to ES512, PS256 to PS512, EdDSA, Ed25519 */
  readonly algorithms?: readonly string[]
  /** How long after its `iat` a proof may be used, in **seconds**, 1 to 600. @default 60 */
  readonly proofMaxAgeSeconds?: number
  /** How far the caller's clock may be off, either way, in **seconds**, 0 to 60. @default 5 */
  readonly clockToleranceSeconds?: number
  /**
   * Where used proofs are remembered: `redisStore(client)` for several processes, or `memoryStore()`. Where it is slow,
   * down or full, the answer is 503. @default the memory of this process
   */
  readonly store?: Store
  /** Most proofs remembered in memory, 1 to 10000000; then 503. Not with a shared store. @default 200000 */
  readonly maxProofs?: number
  /** Most of them by one key, 1 to `maxProofs`, so that one caller cannot use up the room of all. @default a fortieth of `maxProofs` */
  readonly maxProofsPerKey?: number
  /** Demands a nonce of this service in each proof. @default not demanded */
  readonly nonce?: DpopNonceOptions
}

/** All options, checked, with their defaults. */
export interface DpopSettings {
  readonly publicOrigins: ReadonlySet<string>
  readonly algorithms: readonly string[]
  readonly proofMaxAgeSeconds: number
  readonly clockToleranceSeconds: number
  readonly store: Store | undefined
  readonly maxProofs: number
  readonly maxProofsPerKey: number
  readonly nonces: Nonces | undefined
}

// What FAPI 2.0 allows, and its longer relatives.
const DEFAULT_ALGORITHMS = ['ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'EdDSA', 'Ed25519']
const ALGORITHMS = [...DEFAULT_ALGORITHMS, 'RS256', 'RS384', 'RS512']
const DEFAULT_MAX_PROOFS = 200_000
const KEYS_THAT_FILL_IT = 40
const DEFAULT_NONCE_SECONDS = 300

const origin: OptionRule = {
  says: 'an https origin (http only for a loopback host), without a path: "https://orders.example"',
  holds: (value) => isSecureUrl(value) && isOriginOnly(new URL(value as string)),
}
// What is wrong with a secret is said without showing it.
const anything: OptionRule = { says: 'anything', holds: () => true }
const RULES: Readonly<Record<keyof DpopOptions, OptionRule>> = {
  publicOrigin: required(either(origin, listOf(origin))),
  algorithms: listOf(oneOf(...ALGORITHMS)),
  proofMaxAgeSeconds: integer(1, 600, 'seconds'),
  clockToleranceSeconds: integer(0, 60, 'seconds'),
  store: storeRule,
  maxProofs: integer(1, 10_000_000),
  maxProofsPerKey: integer(1, 10_000_000),
  nonce: { ...record, says: 'an object such as { lifetimeSeconds: 300 }' },
}

// What express-oauth2-jwt-bearer and others call the same things.
const ALIASES: Readonly<Record<string, string>> = {
  enabled: 'dpop left out (nothing is accepted without it)',
  required: 'senderConstrained (of authenticate)',
  iatOffset: 'proofMaxAgeSeconds',
  maxAge: 'proofMaxAgeSeconds (seconds)',
  iatLeeway: 'clockToleranceSeconds',
  clockTolerance: 'clockToleranceSeconds (seconds)',
  replayStore: 'store (redisStore(client))',
  publicUrl: 'publicOrigin',
  origin: 'publicOrigin',
  algs: 'algorithms',
}

export function dpopSettings(me: string, options: DpopOptions): DpopSettings {
  checkOptions(me, options, RULES, ALIASES)
  const { store, maxProofs = DEFAULT_MAX_PROOFS } = options
  const { maxProofsPerKey = Math.ceil(maxProofs / KEYS_THAT_FILL_IT) } = options
  if (maxProofsPerKey > maxProofs)
    throw misuse(me, 'maxProofsPerKey', `at most maxProofs (${maxProofs})`, maxProofsPerKey)
  if (store?.kind === 'redis') refuseBounds(me, options)
  return Object.freeze({
    publicOrigins: new Set([options.publicOrigin].flat().map((text) => new URL(text).origin)),
    algorithms: Object.freeze([...new Set(options.algorithms ?? DEFAULT_ALGORITHMS)]),
    proofMaxAgeSeconds: options.proofMaxAgeSeconds ?? 60,
    clockToleranceSeconds: options.clockToleranceSeconds ?? 5,
    store,
    maxProofs,
    maxProofsPerKey,
    nonces: options.nonce === undefined ? undefined : noncesOf(me, options.nonce, options),
  })
}

/** What the posture shows. Never a secret. */
export function factsOf(settings: DpopSettings): Readonly<Record<string, unknown>> {
  const { publicOrigins, algorithms, proofMaxAgeSeconds, clockToleranceSeconds, store, nonces } = settings
  const bounds = { maxProofs: settings.maxProofs, maxProofsPerKey: settings.maxProofsPerKey }
  return Object.freeze({
    publicOrigin: Object.freeze([...publicOrigins]),
    algorithms,
    proofMaxAgeSeconds,
    clockToleranceSeconds,
    store: store?.kind ?? 'memory',
    ...(store?.kind === 'redis' ? {} : bounds),
    nonce: nonces !== undefined,
    ...(nonces === undefined ? {} : { nonceLifetimeSeconds: nonces.lifetimeSeconds }),
  })
}

/** A bound that nobody keeps would look like one. */
function refuseBounds(me: string, options: DpopOptions): void {
  for (const name of ['maxProofs', 'maxProofsPerKey'] as const) {
    if (options[name] !== undefined)
      throw misuse(me, name, 'left out where store is shared: it has bounds of its own', options[name])
  }
}

function noncesOf(
  me: string,
  nonce: DpopNonceOptions,
  { store, clockToleranceSeconds }: DpopOptions,
): Nonces {
  const mine = `${me}: nonce`
  checkOptions(mine, nonce, { secrets: anything, lifetimeSeconds: integer(10, 86_400, 'seconds') })
  const { secrets, lifetimeSeconds = DEFAULT_NONCE_SECONDS } = nonce
  // With one of its own, no process would take the nonces of another.
  if (store?.kind === 'redis' || secrets !== undefined) checkSecrets(mine, secrets)
  return new Nonces({ secrets, lifetimeSeconds, clockToleranceSeconds: clockToleranceSeconds ?? 5 })
}

function isOriginOnly({ pathname, search, hash, href, origin: text }: URL): boolean {
  return pathname === '/' && search === '' && hash === '' && href === `${text}/`
}
