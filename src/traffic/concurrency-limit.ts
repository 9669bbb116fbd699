import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressPrefix } from '../core/address.js'
import type { WritableContext } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard, type Verdict } from '../core/guard.js'
import type { Health, Stateful } from '../core/lifecycle.js'
import { checkOptions, enforceOrReport, integer, record, required, ruleName } from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'
import { retryAfter } from '../core/retry-after.js'
import { chain } from '../core/thenable.js'
import { Slots, type QueueSettings } from './concurrency-limit/slots.js'
import { keyReader, type LimitBy } from './counting/keys.js'
import { addressPrefixRule, limitBy } from './shared-options.js'
import { hasEnded, whenEnded } from './shared-end.js'

export interface ConcurrencyLimitOptions {
  /** The rule's id in audit and metrics. */
  readonly name: string
  /** How many requests may be under way at once, 1 to 1000000: of each caller, or in all without `by`. */
  readonly limit: number
  /** Whom to count, as in `rateLimit`. @default nobody in particular: one count for all requests */
  readonly by?: LimitBy
  /** Bits of an IPv6 address that are counted. @default 64 */
  readonly addressPrefix?: AddressPrefix
  /**
   * Lets requests wait their turn: at most `limit` (1 to 10000) of each caller, at most `timeoutMs` (1 to 60000
   * **milliseconds**) each. @default nobody waits
   */
  readonly queue?: QueueSettings
  /** `report` counts and records, and refuses nobody. @default 'enforce' */
  readonly mode?: Mode
}

export type ConcurrencyLimiter = Guard & Stateful

// Nobody's key is empty.
const EVERYBODY = ''

/**
 * Refuses a request while as many as `limit` are under way: 429 where each caller is counted (`by`), 503 where all are
 * counted together, both with `Retry-After`.
 *
 * A request is under way until its answer is out, was broken off, is complete and only waits for its turn, or its connection
 * is gone; it gives its place back once. Each `concurrencyLimit` counts by itself, in this process, and a request once, however often it passes.
 *
 * **Not checked:** what a handler goes on doing after its answer, or after its caller left: see `requestTimeout`.
 *
 * Throws a `TypeError` for missing, impossible or unknown options.
 */
export function concurrencyLimit(options: ConcurrencyLimitOptions): ConcurrencyLimiter {
  checkOptions(
    'concurrencyLimit',
    options,
    {
      name: required(ruleName),
      limit: required(integer(1, 1_000_000)),
      by: limitBy,
      addressPrefix: addressPrefixRule,
      queue: record,
      mode: enforceOrReport,
    },
    { max: 'limit', maxConcurrent: 'limit', maxConnections: 'limit', keyGenerator: 'by', identifier: 'name' },
  )
  const { name, limit, by, addressPrefix = 64, queue, mode = 'enforce' } = options
  if (queue !== undefined)
    checkOptions('concurrencyLimit: queue', queue, {
      limit: required(integer(1, 10_000)),
      timeoutMs: required(integer(1, 60_000, 'milliseconds')),
    })
  // A limit that is being tried out makes nobody wait either.
  const slots = new Slots(limit, mode === 'report' ? undefined : queue)
  const keyOf = by === undefined ? () => EVERYBODY : keyReader(by, addressPrefix)

  const guard = defineGuard({
    kind: 'concurrencyLimit',
    layer: 'traffic',
    name,
    mode,
    facts: {
      limit,
      by: typeof by === 'function' ? 'function' : (by ?? 'everybody'),
      ...(queue === undefined ? {} : { queue: queue.limit, queueTimeoutMs: queue.timeoutMs }),
    },
    check(req, context, res) {
      if (context.hasCounted(slots)) return PASSED
      return chain(keyOf(req, context), (key) => enter(key, req, context, res))
    },
  })

  function enter(
    key: string,
    req: IncomingMessage,
    context: WritableContext,
    res: ServerResponse,
  ): Verdict | Promise<Verdict> {
    // Whoever left while the key was looked for never comes in.
    if (hasEnded(req, res)) return new SecurityProblem('client_gone')
    const ticket = slots.enter(key, full)
    if (ticket === undefined && mode === 'enforce') return full()
    context.noteCounted(slots)
    const { granted, release } = ticket ?? slots.enterAnyway(key)
    whenEnded(req, res, release)
    if (ticket === undefined) return full()
    return granted === true ? PASSED : granted.then(() => PASSED)
  }

  function full(): SecurityProblem {
    const headers = retryAfter(1000)
    const evidence = { limit, ...(queue === undefined ? {} : { queue: queue.limit }) }
    return by === undefined
      ? new SecurityProblem('capacity_exceeded', { headers, evidence })
      : new SecurityProblem('concurrency_exceeded', {
          headers,
          members: { 'violated-policies': [name] },
          evidence,
        })
  }

  return Object.assign(guard, {
    warmUp: () => Promise.resolve(),
    health: (): Health => {
      const { underWay, waiting } = slots.tally
      return {
        name,
        status: 'ok',
        detail: `${underWay} under way, ${waiting} waiting, ${slots.keys} counted`,
      }
    },
    close: () => {
      slots.clear(full)
      return Promise.resolve()
    },
  })
}
