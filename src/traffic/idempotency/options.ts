import {
  callback,
  checkOptions,
  enforceOnly,
  flag,
  integer,
  listOf,
  misuse,
  oneOf,
  ruleName,
  type OptionRule,
} from '../../core/options.js'
import type { Store } from '../../core/ports.js'
import { storeRule } from '../../core/store-rules.js'
import { leastBytes } from './memory-answers.js'
import type { Scope } from './scope.js'

export interface IdempotencyOptions {
  /**
   * Where answers are kept: `redisStore(client)` for several processes, or `memoryStore()`. Where it is slow, down or
   * full, the answer is 503 and the handler does not run. @default the memory of this process
   */
  readonly store?: Store
  /** The rule's id in audit and metrics. A key means something else under another name. @default 'idempotency' */
  readonly name?: string
  /** Whether a request without a key is refused; otherwise it passes, and is done as often as it comes. @default true */
  readonly required?: boolean
  /** Methods it is for; all others pass. Never GET, HEAD or OPTIONS. @default ['POST', 'PATCH'] */
  readonly methods?: readonly string[]
  /** How long an answer is kept, in **seconds**, 60 to 2592000. Tell it to your callers. @default 86400 */
  readonly ttlSeconds?: number
  /**
   * How long a request may be under way, in **seconds**, 1 to 86400, and no longer than `ttlSeconds`. After it, an
   * attempt without an answer (a process that ended) is taken for lost and the next request is done: more than any
   * handler takes. @default 300
   */
  readonly leaseSeconds?: number
  /**
   * Largest body of an answer that is kept, in **bytes**, 0 to 1048576. Up to here an answer is held back until it is
   * kept. A larger one is sent and not kept: a repetition is 409. @default 65536
   */
  readonly maxBodyBytes?: number
  /**
   * Fields of an answer that are kept and sent again. Never cookies, nor fields of the connection.
   * @default content-type, content-encoding, content-language, content-location, content-disposition, cache-control,
   * etag, last-modified, link, location, preference-applied, retry-after
   */
  readonly headers?: readonly string[]
  /**
   * What names and fingerprints in the store are made with (HMAC-SHA-256), at least 32 characters, the same in every
   * process. Without it whoever reads the store could try guesses. To change it is to forget all answers.
   */
  readonly secret?: string
  /**
   * Answers what else of a request an answer belongs to, beside caller and key: its tenant, its host, a precondition.
   * The same key with another text is another request. No text, or a promise, is 500. @default nothing else
   */
  readonly scope?: Scope
  /** Most requests kept in memory, 1 to 10000000; one caller has a tenth of it. Not with a shared store. @default 50000 */
  readonly maxEntries?: number
  /**
   * Most **bytes** in memory, 65536 or more and at least ten times `maxBodyBytes` + 1024: so much is taken for each
   * request that is under way, and one caller has a tenth. Not with a shared store. @default 67108864
   */
  readonly maxBytes?: number
  /** Nothing else: a key that is only looked at protects nobody. @default 'enforce' */
  readonly mode?: 'enforce'
}

/** All options, checked, with their defaults. */
export interface IdempotencySettings {
  readonly store: Store | undefined
  readonly name: string
  readonly required: boolean
  readonly methods: ReadonlySet<string>
  readonly ttlSeconds: number
  readonly leaseSeconds: number
  readonly maxBodyBytes: number
  readonly headers: ReadonlySet<string>
  readonly secret: string | undefined
  readonly scope: Scope | undefined
  readonly maxEntries: number
  readonly maxBytes: number
}

const ME = 'idempotency'
const DEFAULT_HEADERS = [
  'content-type',
  // A body that the handler compressed itself means nothing without it.
  'content-encoding',
  'content-language',
  'content-location',
  'content-disposition',
  'cache-control',
  'etag',
  'last-modified',
  'link',
  'location',
  'preference-applied',
  // Of a 202: when to ask how far it is.
  'retry-after',
]
// Of a session, of a connection, or made anew for each answer.
const NEVER_KEPT = new Set([
  'set-cookie',
  'connection',
  'content-length',
  'date',
  'idempotency-replayed',
  'keep-alive',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
])
const MOST_HEADERS = 64
const MIN_SECRET_LENGTH = 32
const MAX_SECRET_LENGTH = 1000

const header: OptionRule = {
  says: 'the name of a field that may be sent again (no cookies, nothing of the connection)',
  holds: (value) =>
    typeof value === 'string' && /^[A-Za-z0-9-]{1,64}$/.test(value) && !NEVER_KEPT.has(value.toLowerCase()),
}
const headerList: OptionRule = {
  says: `an array of at most ${MOST_HEADERS}, each ${header.says}`,
  holds: (value) => Array.isArray(value) && value.length <= MOST_HEADERS && value.every(header.holds),
}
// What is wrong with a secret is said without showing it.
const anything: OptionRule = { says: 'anything', holds: () => true }

const RULES: Readonly<Record<keyof IdempotencyOptions, OptionRule>> = {
  store: storeRule,
  name: ruleName,
  required: flag,
  methods: listOf(oneOf('POST', 'PATCH', 'PUT', 'DELETE')),
  ttlSeconds: integer(60, 2_592_000, 'seconds'),
  leaseSeconds: integer(1, 86_400, 'seconds'),
  maxBodyBytes: integer(0, 1_048_576, 'bytes'),
  headers: headerList,
  secret: anything,
  scope: callback,
  maxEntries: integer(1, 10_000_000),
  maxBytes: integer(65_536, Number.MAX_SAFE_INTEGER, 'bytes'),
  mode: enforceOnly,
}

const ALIASES: Readonly<Record<string, string>> = {
  ttl: 'ttlSeconds (seconds)',
  expiry: 'ttlSeconds (seconds)',
  lockTimeout: 'leaseSeconds (seconds)',
  lease: 'leaseSeconds (seconds)',
  enforceIdempotency: 'required',
  keyPrefix: 'prefix (of redisStore)',
  allowedHeaders: 'headers',
  maxSize: 'maxBodyBytes',
}

export function settingsOf(options: IdempotencyOptions): IdempotencySettings {
  checkOptions(ME, options, RULES, ALIASES)
  const { store, secret, scope, ttlSeconds = 86_400 } = options
  const { leaseSeconds = Math.min(300, ttlSeconds) } = options
  if (leaseSeconds > ttlSeconds)
    throw misuse(ME, 'leaseSeconds', `at most ttlSeconds (${ttlSeconds})`, leaseSeconds)
  if (secret !== undefined && !isSecret(secret))
    throw new TypeError(
      `${ME}: secret must be text of ${MIN_SECRET_LENGTH} to ${MAX_SECRET_LENGTH} characters`,
    )
  if (store?.kind === 'redis') refuseBounds(options)
  const { maxBodyBytes = 65_536, maxEntries = 50_000, maxBytes = 67_108_864 } = options
  const least = leastBytes(maxBodyBytes)
  if (store?.kind !== 'redis' && maxBytes < least)
    throw misuse(
      ME,
      'maxBytes',
      `at least ${least} (10 * (maxBodyBytes + 1024)): one caller has a tenth`,
      maxBytes,
    )
  return Object.freeze({
    store,
    secret,
    scope,
    ttlSeconds,
    leaseSeconds,
    maxBodyBytes,
    maxEntries,
    maxBytes,
    name: options.name ?? ME,
    required: options.required ?? true,
    methods: new Set(options.methods ?? ['POST', 'PATCH']),
    headers: new Set((options.headers ?? DEFAULT_HEADERS).map((name) => name.toLowerCase())),
  })
}

function isSecret(value: unknown): boolean {
  return typeof value === 'string' && value.length >= MIN_SECRET_LENGTH && value.length <= MAX_SECRET_LENGTH
}

/** A bound that nothing heeds would be believed in. */
function refuseBounds(options: IdempotencyOptions): void {
  for (const name of ['maxEntries', 'maxBytes'] as const) {
    if (options[name] !== undefined)
      throw misuse(ME, name, 'left out with a shared store, which has its own bounds', options[name])
  }
}

/** For the posture report. */
export function factsOf(settings: IdempotencySettings): Readonly<Record<string, unknown>> {
  const { store, required, methods, ttlSeconds, leaseSeconds, maxBodyBytes, secret, scope } = settings
  return {
    store: store?.kind ?? 'memory',
    required,
    methods: [...methods],
    ttlSeconds,
    leaseSeconds,
    maxBodyBytes,
    keyed: secret !== undefined,
    ...(scope === undefined ? {} : { scope: 'function' }),
  }
}
