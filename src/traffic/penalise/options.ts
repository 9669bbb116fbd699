import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressPrefix } from '../../core/address.js'
import type { RequestContext } from '../../core/context.js'
import type { Mode } from '../../core/decision.js'
import {
  callback,
  checkOptions,
  either,
  enforceOrReport,
  integer,
  listOf,
  misuse,
  oneOf,
  record,
  required,
  ruleName,
  type OptionRule,
} from '../../core/options.js'
import { PERIOD_SECONDS } from '../../core/period.js'
import type { Store } from '../../core/ports.js'
import { chain } from '../../core/thenable.js'
import { LIMIT_FACTS, keyReader, type KeyFunction, type LimitBy, type LimitFact } from '../counting/keys.js'
import { settingsOf, type Policy, type Settings } from '../rate-limit/options.js'
import { policyList } from '../counting/policy-list.js'
import { addressPrefixRule, instancesRule, windowSeconds as windowRule } from '../shared-options.js'
import { storeRule } from '../../core/store-rules.js'
import type { BlockRule } from './blocks.js'
import { together } from '../counting/together.js'

/** Whom failures are counted for: as in `rateLimit`, or facts and functions together, as address and account. */
export type PenaltyBy = LimitBy | readonly (LimitFact | KeyFunction)[]

export interface BlockOptions {
  /** Length of the first block, in **seconds**: `windowSeconds` or more, at most 2678400. @default windowSeconds */
  readonly seconds?: number
  /** How many times longer each further block is, 1 to 10. @default 2 */
  readonly growth?: number
  /**
   * The longest block, in **seconds**, at most 2678400; who has had no block for as long begins anew.
   * @default 3600, or `seconds` where that is more
   */
  readonly maxSeconds?: number
}

/** One limit of failures. */
export interface PenaltyPolicy {
  readonly name: string
  /** Failed attempts in a window, and attempts under way at once, 1 to 1000000. */
  readonly limit: number
  /** Length of a window, in **seconds**, 0.1 to 2678400 (31 days). */
  readonly windowSeconds: number
  readonly by: PenaltyBy
  /** Blocks a caller for a time after `limit` failures in a window. @default the limit alone holds */
  readonly block?: BlockOptions
}

/** What holds for all limits of one `penalise`. */
export interface PenaltySettings {
  /**
   * Whether an answer means that the attempt failed; else it succeeded.
   * @default 400 to 499 failed, below 400 succeeded; of 500 and more nothing is known: charged, but no failure for `block`
   */
  readonly isFailure?: (res: ServerResponse, req: IncomingMessage) => boolean
  /** Where counts and blocks are kept: `redisStore(client)` or `memoryStore()`. @default the memory of this process */
  readonly store?: Store
  /**
   * While the store is slow or down: `deny` refuses every attempt with 503; `local` counts and blocks here, each
   * instance by its share of the limit.
   * @default 'deny'
   */
  readonly onOutage?: 'deny' | 'local'
  /** How many instances share a limit: what `local` divides it by, 1 to 100000. @default 1 */
  readonly instances?: number
  /** Bits of an IPv6 address that are counted. @default 64 */
  readonly addressPrefix?: AddressPrefix
  /** `report` counts and records, and refuses nobody. @default 'enforce' */
  readonly mode?: Mode
}

export interface PenaliseOptions extends PenaltyPolicy, PenaltySettings {}

/** Several limits, reserved in one step: by address, by account, by both. */
export interface PenalisePolicies extends PenaltySettings {
  /** The rule's id in audit and metrics, and all that a caller is told of the limits. */
  readonly name: string
  /** 1 to 16 limits of different names. */
  readonly policies: readonly PenaltyPolicy[]
}

/** One limit of failures, checked, with its defaults. */
export interface Penalty extends Policy {
  readonly block: BlockRule | undefined
  /** Whether its key is the digest of what a function answers. */
  readonly isByFunction: boolean
}

export interface PenaltyOptions {
  readonly penalties: readonly Penalty[]
  readonly settings: Settings
}

const ME = 'penalise'
const MAX_SECONDS = PERIOD_SECONDS.month
const dimension = either(oneOf(...LIMIT_FACTS), callback)

const POLICY_RULES: Readonly<Record<keyof PenaltyPolicy, OptionRule>> = {
  name: required(ruleName),
  limit: required(integer(1, 1_000_000)),
  windowSeconds: required(windowRule),
  by: required(either(dimension, listOf(dimension))),
  block: record,
}
const SETTINGS_RULES: Readonly<Record<keyof PenaltySettings, OptionRule>> = {
  isFailure: callback,
  store: storeRule,
  onOutage: {
    says: '"deny" or "local": whoever may guess while the store is down, may guess',
    holds: (value) => value === 'deny' || value === 'local',
  },
  instances: instancesRule,
  addressPrefix: addressPrefixRule,
  mode: enforceOrReport,
}
const ALIASES: Readonly<Record<string, string>> = {
  windowMs: 'windowSeconds (seconds)',
  duration: 'windowSeconds',
  max: 'limit',
  points: 'limit',
  keyGenerator: 'by',
  blockDuration: 'block ({ seconds })',
  skipSuccessfulRequests: 'nothing: successes are given back',
  requestWasSuccessful: 'isFailure',
}

/** Checks the options of either form and gives every one its value. */
export function penaltiesOf(options: PenaliseOptions | PenalisePolicies): PenaltyOptions {
  const { list, isOne } = policyList<PenaltyPolicy>(ME, options, {
    policy: POLICY_RULES,
    settings: SETTINGS_RULES,
    beside: { name: required(ruleName) },
    aliases: ALIASES,
  })
  const { name, store, onOutage = 'deny', instances = 1, addressPrefix = 64 } = options
  const settings = settingsOf({
    policies: list.map((each) => ({
      ...{ name: each.name, limit: each.limit, windowSeconds: each.windowSeconds },
      by: readable(each.by, addressPrefix),
    })),
    ...{ onOutage, instances, addressPrefix },
    ...(store === undefined ? {} : { store }),
  })
  const penalties = settings.policies.map((policy, index) =>
    penaltyOf(policy, list[index] as PenaltyPolicy, isOne ? undefined : name),
  )
  return { penalties, settings }
}

/**
 * Its counts and blocks are kept under a name of its own, joined by what no name may hold: a `rateLimit` of any name
 * counts apart, and so does a limit of another group.
 */
function penaltyOf(policy: Policy, given: PenaltyPolicy, group: string | undefined): Penalty {
  const block = blockOf(given)
  return {
    ...policy,
    name: ['penalise', ...(group === undefined ? [] : [group]), given.name].join('|'),
    signature: `penalise ${policy.signature}, block ${JSON.stringify(block ?? 'none')}`,
    facts: { ...policy.facts, by: shownBy(given.by) },
    block,
    isByFunction: [given.by].flat().some((each) => typeof each === 'function'),
  }
}

function blockOf({ block, windowSeconds }: PenaltyPolicy): BlockRule | undefined {
  if (block === undefined) return undefined
  const seconds: OptionRule = {
    says: `a number from windowSeconds (${windowSeconds}), for which the limit holds anyway, to ${MAX_SECONDS} seconds`,
    holds: (value) => typeof value === 'number' && value >= windowSeconds && value <= MAX_SECONDS,
  }
  const growth: OptionRule = {
    says: 'a number from 1 to 10',
    holds: (value) => typeof value === 'number' && value >= 1 && value <= 10,
  }
  checkOptions(`${ME}: block`, block, { seconds, growth, maxSeconds: seconds })
  const first = block.seconds ?? windowSeconds
  const most = block.maxSeconds ?? Math.max(3600, first)
  if (most < first) throw misuse(`${ME}: block`, 'maxSeconds', `seconds (${first}) or more`, most)
  return { firstMs: Math.ceil(first * 1000), growth: block.growth ?? 2, maxMs: Math.ceil(most * 1000) }
}

/** Facts and functions in one list become one function. */
function readable(by: PenaltyBy, addressPrefix: AddressPrefix): LimitBy {
  if (typeof by === 'string' || typeof by === 'function') return by
  const list: readonly (LimitFact | KeyFunction)[] = by
  if (list.every((each) => typeof each === 'string')) return list
  const readers = list.map((each) => keyReader(each, addressPrefix))
  // As a list, so that no two callers run together. It is a key function's answer: its digest is kept.
  return (req: IncomingMessage, context: RequestContext) =>
    chain(
      together(readers, (read) => read(req, context)),
      (texts) => JSON.stringify(texts),
    )
}

/** Each of a list by itself: which facts a limit needs must be seen, also beside a function. */
function shownBy(by: PenaltyBy): unknown {
  if (typeof by === 'function') return 'function'
  return typeof by === 'string' ? by : by.map((each) => (typeof each === 'function' ? 'function' : each))
}
