import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressPrefix } from '../core/address.js'
import type { RequestContext } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard, type Verdict } from '../core/guard.js'
import type { Health, Stateful } from '../core/lifecycle.js'
import {
  callback,
  checkOptions,
  either,
  enforceOrReport,
  integer,
  misuse,
  required,
  ruleName,
} from '../core/options.js'
import type { Store } from '../core/ports.js'
import { SecurityProblem } from '../core/problem.js'
import { retryAfter } from '../core/retry-after.js'
import { chain, disarm } from '../core/thenable.js'
import { leaseCounters } from './counting/counters.js'
import type { LimitBy } from './counting/keys.js'
import { settingsOf, type Policy } from './rate-limit/options.js'
import { GuardedCounters, shareOf, type Counted } from './counting/outage.js'
import {
  addressPrefixRule,
  instancesRule,
  limitBy,
  onOutageRule,
  windowSeconds as windowRule,
} from './shared-options.js'
import { storeRule } from '../core/store-rules.js'
import { WaitingRoom } from './slow-down/waiting-room.js'

export interface SlowDownOptions {
  /** The rule's id in audit and metrics, and the name its counts are kept under. */
  readonly name: string
  /** Requests in a window that are not delayed, 0 to 1000000. */
  readonly after: number
  /** Length of a window, in **seconds**, 0.1 to 2678400 (31 days). */
  readonly windowSeconds: number
  /**
   * **Milliseconds** of delay for each request beyond `after`, 1 to 60000: the third waits three times as long. Or what
   * a function answers for the number beyond.
   */
  readonly delayMs: number | ((beyond: number, req: IncomingMessage, context: RequestContext) => number)
  /** The longest delay, in **milliseconds**, 1 to 60000. @default 5000 */
  readonly maxDelayMs?: number
  /** Whom to count, as in `rateLimit`. */
  readonly by: LimitBy
  /** How many requests may wait in all, 1 to 100000; further ones get 503. @default 1000 */
  readonly maxWaiting?: number
  /** How many requests of one caller may wait, 1 to 10000; further ones get 429. @default 10 */
  readonly maxWaitingPerCaller?: number
  /** Where counts are kept: `redisStore(client)` or `memoryStore()`. @default the memory of this process */
  readonly store?: Store
  /** While the store is slow or down, as in `rateLimit`; with `allow` nobody is delayed. @default 'local' */
  readonly onOutage?: 'local' | 'deny' | 'allow'
  /** How many instances share the count: what `local` divides `after` by, 1 to 100000. @default 1 */
  readonly instances?: number
  /** Bits of an IPv6 address that are counted. @default 64 */
  readonly addressPrefix?: AddressPrefix
  /** `report` counts and records, and delays nobody. @default 'enforce' */
  readonly mode?: Mode
}

export type Throttle = Guard & Stateful

/** Nobody sends as many in a window: the limit is there to count up to. */
const ENDLESS = 1_000_000_000

/**
 * Delays a caller's requests beyond `after` in a window, each longer than the one before, instead of refusing them.
 *
 * Waiting costs a connection and a timer, so few may wait: `maxWaitingPerCaller` (429) and `maxWaiting` (503). Who
 * leaves while waiting is forgotten at once, and no handler runs.
 *
 * **Not checked:** that a caller is slowed down at all that opens enough connections; use `rateLimit` beside it.
 *
 * Throws a `TypeError` for missing, impossible or unknown options.
 */
export function slowDown(options: SlowDownOptions): Throttle {
  checkOptions(
    'slowDown',
    options,
    {
      name: required(ruleName),
      after: required(integer(0, 1_000_000)),
      windowSeconds: required(windowRule),
      delayMs: required(either(integer(1, 60_000, 'milliseconds'), callback)),
      maxDelayMs: integer(1, 60_000, 'milliseconds'),
      by: required(limitBy),
      maxWaiting: integer(1, 100_000),
      maxWaitingPerCaller: integer(1, 10_000),
      store: storeRule,
      onOutage: onOutageRule,
      instances: instancesRule,
      addressPrefix: addressPrefixRule,
      mode: enforceOrReport,
    },
    {
      windowMs: 'windowSeconds (seconds)',
      delayAfter: 'after',
      max: 'after',
      keyGenerator: 'by',
      delay: 'delayMs',
    },
  )
  const { name, after, delayMs, maxDelayMs = 5000, maxWaiting = 1000, maxWaitingPerCaller = 10 } = options
  const { windowSeconds, by, store, onOutage = 'local', instances = 1, addressPrefix = 64 } = options
  const { mode = 'enforce' } = options
  const settings = settingsOf({
    ...{ name, limit: ENDLESS, windowSeconds, by, onOutage, instances, addressPrefix },
    ...(store === undefined ? {} : { store }),
  })
  const [{ keyOf, ruleOf, ...policy }] = settings.policies as readonly [Policy]
  // A name of its own, which no rateLimit can have.
  const kept = {
    ...policy,
    keyOf,
    ruleOf,
    name: `slowDown|${name}`,
    signature: `slowDown ${policy.signature}`,
  }
  const lease = leaseCounters('slowDown', [kept], store)
  const counters = new GuardedCounters(lease, settings)
  const room = new WaitingRoom(maxWaiting, maxWaitingPerCaller)

  const guard = defineGuard({
    kind: 'slowDown',
    layer: 'traffic',
    name,
    mode,
    facts: {
      after,
      windowSeconds,
      delayMs: typeof delayMs === 'function' ? 'function' : delayMs,
      maxDelayMs,
      by: typeof by === 'function' ? 'function' : by,
      store: store?.kind ?? 'memory',
      onOutage,
    },
    check(req, context, res) {
      if (context.hasCounted(counters)) return PASSED
      context.noteCounted(counters)
      return chain(keyOf(req, context), (key) => {
        const check = { name: kept.name, rule: ruleOf(req, context), key, cost: 1 }
        return chain(counters.take([check]), (answer) =>
          slow(key, delayOf(beyond(answer), req, context), req, res),
        )
      })
    },
  })

  /** How many requests this one is beyond those that are not delayed. */
  function beyond({ by: countedBy, states }: Counted): number {
    if (countedBy === 'nobody') return 0
    const parts = countedBy === 'share' ? instances : 1
    const used = shareOf(ENDLESS, parts) - (states[0]?.remaining ?? 0)
    return Math.max(0, used - Math.floor(after / parts))
  }

  function delayOf(count: number, req: IncomingMessage, context: RequestContext): number {
    if (count === 0) return 0
    const answer = typeof delayMs === 'function' ? delayMs(count, req, context) : count * delayMs
    if (disarm(answer) || typeof answer !== 'number' || !(answer >= 0))
      throw misuse('slowDown', 'what delayMs answers', 'a number of milliseconds, 0 or more', answer)
    return Math.min(maxDelayMs, answer)
  }

  function slow(
    key: string,
    delay: number,
    req: IncomingMessage,
    res: ServerResponse,
  ): Verdict | Promise<Verdict> {
    if (delay === 0) return PASSED
    const full = room.fullFor(key)
    if (full !== undefined) return refused(full)
    const delayed: Verdict = { reason: 'passed', evidence: { delayMs: delay } }
    return mode === 'report' ? delayed : room.wait(key, delay, req, res).then(() => delayed)
  }

  function refused(full: 'caller' | 'everybody'): SecurityProblem {
    const headers = retryAfter(maxDelayMs)
    return full === 'everybody'
      ? new SecurityProblem('capacity_exceeded', { headers, evidence: { maxWaiting } })
      : new SecurityProblem('concurrency_exceeded', {
          headers,
          members: { 'violated-policies': [name] },
          evidence: { maxWaitingPerCaller },
        })
  }

  return Object.assign(guard, {
    warmUp: () => Promise.resolve(),
    health: (): Health => {
      const health = counters.healthBy(store, name)
      return { ...health, detail: [health.detail, `${room.size} waiting`].filter(Boolean).join('; ') }
    },
    close: () => {
      room.open()
      lease.release()
      return Promise.resolve()
    },
  })
}
