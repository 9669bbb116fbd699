import type { IncomingMessage } from 'node:http'
import type { AddressPrefix } from '../../core/address.js'
import type { RequestContext } from '../../core/context.js'
import type { Mode } from '../../core/decision.js'
import {
  callback,
  either,
  enforceOrReport,
  integer,
  listOf,
  misuse,
  oneOf,
  required,
  ruleName,
  type OptionRule,
} from '../../core/options.js'
import { PERIOD_SECONDS } from '../../core/period.js'
import type { LimitRule, Period, LimitStore } from '../../core/ports.js'
import { disarm } from '../../core/thenable.js'
import { isAdapted, type AskedPolicy } from '../counting/adapted.js'
import type { FieldFormat } from './fields.js'
import { policyList } from '../counting/policy-list.js'
import {
  addressPrefixRule,
  instancesRule,
  limitBy,
  onOutageRule,
  windowSeconds as windowRule,
} from '../shared-options.js'
import { keyReader, type LimitBy } from '../counting/keys.js'

/** Points for one caller of one request: a number, or what a function answers. */
export type PointsOf = (req: IncomingMessage, context: RequestContext) => number

/** One limit. */
export interface LimitPolicy {
  /** The policy's name: in the answer's fields, in audit and in metrics, and the name its counts are kept under. */
  readonly name: string
  /** Points in a window, 1 to 1000000000; or a function that answers them for a caller's plan. */
  readonly limit: number | PointsOf
  /** Length of a window, in **seconds**, 0.1 to 2678400 (31 days). Not with `period`. */
  readonly windowSeconds?: number
  /** A calendar window in UTC instead, for quotas. */
  readonly period?: Period
  /**
   * `sliding`: never more than `limit` in any window. `gcra`: one each `windowSeconds / limit`, with `burst` at once.
   * `fixed`: by the calendar, with `period`; with `windowSeconds` only in a store of `fromRateLimiterFlexible`.
   * @default 'sliding', with `period` 'fixed'
   */
  readonly algorithm?: LimitRule['algorithm']
  /** For `gcra`: how many at once after a pause, 1 to 1000000000. */
  readonly burst?: number
  /**
   * Whom to count: `address` (IPv6 by its prefix), `principal`, `client`, `api-key`, `tenant` (the claim of that name),
   * `route` (its template), several of them in a list, or what a function answers. A missing or empty answer refuses the
   * request with 500; it is never one bucket for everybody.
   */
  readonly by: LimitBy
  /** Points that a request costs, an integer of 1 or more, or a function that answers it. @default 1 */
  readonly cost?: number | PointsOf
  /** `report` counts and records, refuses nobody and sends no fields. @default 'enforce' */
  readonly mode?: Mode
}

/** What holds for all limits of one `rateLimit`. */
export interface LimitSettings {
  /** Where counts are kept: `redisStore(client)`, `memoryStore()`, or an adapter. @default the memory of this process */
  readonly store?: LimitStore
  /**
   * While the store is slow or down: `local` counts here, each instance its share; `deny` refuses with 503; `allow` lets
   * everybody pass uncounted. @default 'local'
   */
  readonly onOutage?: 'local' | 'deny' | 'allow'
  /** How many instances share a limit: what `local` divides it by, 1 to 100000. @default 1 */
  readonly instances?: number
  /** Fields of the answer, one format or several. @default 'draft-10' */
  readonly fields?: FieldFormat | readonly FieldFormat[]
  /** Bits of an IPv6 address that are counted. @default 64 */
  readonly addressPrefix?: AddressPrefix
}

export interface RateLimitOptions extends LimitPolicy, LimitSettings {}

/** Several limits, asked in one step: a request that one of them refuses is charged to none. */
export interface RateLimitPolicies extends LimitSettings {
  /** The rule's id in audit and metrics. @default the names of the policies, with spaces between */
  readonly name?: string
  /** 1 to 16 limits of different names. */
  readonly policies: readonly LimitPolicy[]
}

/** One limit, checked, with its defaults. */
export interface Policy {
  readonly name: string
  readonly mode: Mode
  readonly keyOf: ReturnType<typeof keyReader>
  readonly ruleOf: (req: IncomingMessage, context: RequestContext) => LimitRule
  readonly costOf: (req: IncomingMessage, context: RequestContext) => number
  /** What must be the same wherever this name is used. */
  readonly signature: string
  readonly asked: AskedPolicy
  readonly facts: Readonly<Record<string, unknown>>
}

export interface Settings {
  readonly name: string
  readonly policies: readonly Policy[]
  readonly store: LimitStore | undefined
  readonly onOutage: 'local' | 'deny' | 'allow'
  readonly instances: number
  readonly formats: readonly FieldFormat[]
}

const ME = 'rateLimit'
const POINTS = integer(1, 1_000_000_000)
const FIXED_BY =
  'given where algorithm is fixed (windowSeconds is for sliding and gcra, and for stores of fromRateLimiterFlexible)'
const MAX_JOINED_LENGTH = 200
const PERIODS = Object.keys(PERIOD_SECONDS) as readonly Period[]
const FORMATS: readonly FieldFormat[] = ['draft-10', 'draft-7', 'legacy', 'none']

const storeRule: OptionRule = {
  says: 'redisStore(client), memoryStore() or an adapter',
  holds: (value) =>
    ['redis', 'memory', 'limiter'].includes((value as Partial<LimitStore> | null)?.kind ?? ''),
}
const POLICY_RULES: Readonly<Record<keyof LimitPolicy, OptionRule>> = {
  name: required(ruleName),
  limit: required(either(POINTS, callback)),
  windowSeconds: windowRule,
  period: oneOf(...PERIODS),
  algorithm: oneOf('sliding', 'gcra', 'fixed'),
  burst: POINTS,
  by: required(limitBy),
  cost: either(POINTS, callback),
  mode: enforceOrReport,
}
const SETTINGS_RULES: Readonly<Record<keyof LimitSettings, OptionRule>> = {
  store: storeRule,
  onOutage: onOutageRule,
  instances: instancesRule,
  fields: either(oneOf(...FORMATS), listOf(oneOf(...FORMATS))),
  addressPrefix: addressPrefixRule,
}

// What express-rate-limit and rate-limiter-flexible call the same things.
const ALIASES: Readonly<Record<string, string>> = {
  windowMs: 'windowSeconds (seconds)',
  duration: 'windowSeconds',
  max: 'limit',
  points: 'limit',
  keyGenerator: 'by',
  identifier: 'name',
  keyPrefix: 'name',
  storeClient: 'store (redisStore(client))',
  standardHeaders: 'fields',
  legacyHeaders: "fields ('legacy')",
  passOnStoreError: "onOutage ('allow')",
  insuranceLimiter: "onOutage ('local') and instances",
  ipv6Subnet: 'addressPrefix',
  skip: 'a route of its own',
}

/** Checks the options of either form and gives every one its value. */
export function settingsOf(options: RateLimitOptions | RateLimitPolicies): Settings {
  const rules = {
    policy: POLICY_RULES,
    settings: SETTINGS_RULES,
    beside: { name: ruleName },
    aliases: ALIASES,
  }
  const { list } = policyList<LimitPolicy>(ME, options, rules)
  const { store, onOutage = 'local', instances = 1, fields = 'draft-10', addressPrefix = 64 } = options
  const isWindowed = store !== undefined && isAdapted(store)
  return {
    name:
      options.name ??
      list
        .map((policy) => policy.name)
        .join(' ')
        .slice(0, MAX_JOINED_LENGTH),
    policies: list.map((each) => policyOf(each, addressPrefix, isWindowed)),
    store,
    onOutage,
    instances,
    formats: formatsOf(typeof fields === 'string' ? [fields] : fields),
  }
}

function formatsOf(fields: readonly FieldFormat[]): readonly FieldFormat[] {
  const formats = [...new Set(fields)]
  if (formats.length > 1 && formats.includes('none')) throw misuse(ME, 'fields', '"none" alone', fields)
  if (formats.includes('draft-10') && formats.includes('draft-7'))
    throw misuse(ME, 'fields', 'one of draft-10 and draft-7, whose fields have the same names', fields)
  return formats.filter((format) => format !== 'none')
}

function policyOf(policy: LimitPolicy, addressPrefix: AddressPrefix, isWindowed: boolean): Policy {
  const { name, limit, by, cost = 1, mode = 'enforce' } = policy
  const shape = shapeOf(policy, isWindowed)
  const most = 'burst' in shape ? shape.burst : limit
  if (typeof cost === 'number' && typeof most === 'number' && cost > most)
    throw misuse(ME, 'cost', `at most ${most}, or no request ever fits`, cost)
  const shown = { limit: typeof limit === 'function' ? 'function' : limit, ...shape }
  const counted = typeof by === 'function' ? 'function' : by
  return Object.freeze({
    name,
    mode,
    keyOf: keyReader(by, addressPrefix),
    ruleOf: typeof limit === 'function' ? plannedRule(limit, shape) : constant(ruleOf(limit, shape)),
    costOf: typeof cost === 'function' ? checkedCost(cost) : constant(cost),
    signature: [
      ...Object.entries(shown).map(([word, value]) => `${word} ${String(value)}`),
      `by ${typeof counted === 'string' ? counted : counted.join(' and ')}`,
    ].join(', '),
    asked: { name, limit: typeof limit === 'function' ? undefined : limit, ...shape },
    facts: {
      ...shown,
      by: typeof counted === 'string' ? counted : [...counted],
      ...(cost === 1 ? {} : { cost: typeof cost === 'function' ? 'function' : cost }),
    },
  })
}

/** How a limit counts, apart from how much it allows. */
type Shape =
  | { readonly algorithm: 'sliding'; readonly windowSeconds: number }
  | { readonly algorithm: 'gcra'; readonly windowSeconds: number; readonly burst: number }
  | { readonly algorithm: 'fixed'; readonly period: Period }
  | { readonly algorithm: 'fixed'; readonly windowSeconds: number }

/** `isWindowed`: whether the store counts windows that begin with a caller's first request, and has no others. */
function shapeOf(policy: LimitPolicy, isWindowed: boolean): Shape {
  const { windowSeconds, period, burst } = policy
  const algorithm = policy.algorithm ?? (period === undefined ? 'sliding' : 'fixed')
  if (burst !== undefined && algorithm !== 'gcra')
    throw misuse(ME, 'burst', 'left out where algorithm is not gcra', burst)
  if (algorithm === 'fixed') {
    if (isWindowed && windowSeconds !== undefined && period === undefined) return { algorithm, windowSeconds }
    if (period === undefined) throw misuse(ME, 'period', FIXED_BY, period)
    if (windowSeconds !== undefined)
      throw misuse(ME, 'windowSeconds', 'left out where the window is a calendar period', windowSeconds)
    return { algorithm, period }
  }
  if (period !== undefined) throw misuse(ME, 'period', 'left out where algorithm is not fixed', period)
  if (windowSeconds === undefined) throw misuse(ME, 'windowSeconds', windowRule.says, windowSeconds)
  if (algorithm === 'sliding') return { algorithm, windowSeconds }
  if (burst === undefined) throw misuse(ME, 'burst', `given where algorithm is gcra: ${POINTS.says}`, burst)
  return { algorithm, windowSeconds, burst }
}

function ruleOf(limit: number, shape: Shape): LimitRule {
  if ('period' in shape) return { algorithm: 'fixed', limit, period: shape.period }
  const windowMs = shape.windowSeconds * 1000
  if (shape.algorithm === 'gcra') return { algorithm: 'gcra', limit, windowMs, burst: shape.burst }
  // A fixed window too, which only its store counts as one: what counts here while that is down keeps the stricter promise.
  return { algorithm: 'sliding', limit, windowMs }
}

const MAX_PLANS_KEPT = 100

/** A plan that answers no limit is a fault, never no limit. Plans are few: each is one rule, however many requests. */
function plannedRule(limitOf: PointsOf, shape: Shape): Policy['ruleOf'] {
  const rules = new Map<number, LimitRule>()
  return (req, context) => {
    const limit = points('limit', limitOf(req, context))
    const known = rules.get(limit)
    if (known !== undefined) return known
    const rule = ruleOf(limit, shape)
    if (rules.size < MAX_PLANS_KEPT) rules.set(limit, rule)
    return rule
  }
}

function checkedCost(costOf: PointsOf): Policy['costOf'] {
  return (req, context) => points('cost', costOf(req, context))
}

function points(option: string, value: number): number {
  if (disarm(value)) throw misuse(ME, `what ${option} answers`, `${POINTS.says}, at once`, value)
  if (!POINTS.holds(value)) throw misuse(ME, `what ${option} answers`, POINTS.says, value)
  return value
}

function constant<T>(value: T): () => T {
  return () => value
}
