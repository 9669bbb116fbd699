import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestContext } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard, type Verdict } from '../core/guard.js'
import type { Health, Stateful } from '../core/lifecycle.js'
import {
  callback,
  checkOptions,
  enforceOrReport,
  integer,
  misuse,
  oneOf,
  ruleName,
  type OptionRule,
} from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'
import { disarm } from '../core/thenable.js'
import { Level } from './load-shed/level.js'
import { Signals } from './load-shed/signals.js'
import { whenEnded } from './shared-end.js'

/** How much a request matters: `low` is shed first, `critical` last. */
export type Priority = 'critical' | 'high' | 'normal' | 'low'

export interface LoadShedOptions {
  /** The rule's id in audit and metrics. @default 'load' */
  readonly name?: string
  /** Part of its time that the event loop may be busy, 0.1 to 1, over the last quarter of a second or longer. */
  readonly maxEventLoopUtilization?: number
  /** How late the event loop may be, in **milliseconds**, 10 to 60000: the longest delay but a hundredth. */
  readonly maxEventLoopDelayMs?: number
  /** How many requests may be under way here, 1 to 1000000. */
  readonly maxInFlight?: number
  /** Memory of the process, in **MiB**, 1 to 10000000: beyond what it keeps after a burst, which may never fall. */
  readonly maxRssMiB?: number
  /** Used heap, in **MiB**, 1 to 10000000, garbage that was not collected yet included. */
  readonly maxHeapMiB?: number
  /**
   * How much a request matters. With it, `low`, `normal` and `high` are refused one after the other. Whoever can write what
   * it goes by, a path or a header, chooses its priority. @default all alike
   */
  readonly priority?: (req: IncomingMessage, context: RequestContext) => Priority
  /** `report` measures and records, and refuses nobody. @default 'enforce' */
  readonly mode?: Mode
}

export type LoadShedder = Guard & Stateful

const ORDER: readonly Priority[] = ['low', 'normal', 'high', 'critical']
/** Percent of `maxInFlight` that requests of a priority may fill: the rest is kept for those that matter more. */
const ROOM: Readonly<Record<Priority, number>> = { low: 70, normal: 80, high: 90, critical: 100 }

const MEBIBYTES = integer(1, 10_000_000, 'MiB')
const part: OptionRule = {
  says: 'a number from 0.1 to 1',
  holds: (value) => typeof value === 'number' && value >= 0.1 && value <= 1,
}
const CEILINGS = {
  maxEventLoopUtilization: part,
  maxEventLoopDelayMs: integer(10, 60_000, 'milliseconds'),
  maxInFlight: integer(1, 1_000_000),
  maxRssMiB: MEBIBYTES,
  maxHeapMiB: MEBIBYTES,
}

/**
 * Refuses requests with 503 and `Retry-After` while the process has too much to do, those that matter least first.
 * Requests that were admitted are left alone.
 *
 * A ceiling that is passed for a quarter of a second sheds half of `low`, for another one all of it, then `normal` and
 * `high` likewise; it is taken back in eighths while the process is well. `critical` is refused by `maxInFlight` alone,
 * so that an overload never makes a probe call a working process dead. At least one ceiling is needed.
 *
 * **Not checked:** what is overloaded elsewhere: a database, another service.
 *
 * Throws a `TypeError` for missing, impossible or unknown options.
 */
export function loadShed(options: LoadShedOptions): LoadShedder {
  checkOptions(
    'loadShed',
    options,
    { name: ruleName, ...CEILINGS, priority: callback, mode: enforceOrReport },
    {
      maxEventLoopDelay: 'maxEventLoopDelayMs (milliseconds)',
      maxLag: 'maxEventLoopDelayMs',
      maxRssBytes: 'maxRssMiB',
      maxHeapUsedBytes: 'maxHeapMiB',
      maxConcurrent: 'maxInFlight',
    },
  )
  const { name = 'load', maxInFlight, priority, mode = 'enforce' } = options
  const given = Object.entries(options).filter(
    ([option, value]) => Object.hasOwn(CEILINGS, option) && value !== undefined,
  )
  if (given.length === 0)
    throw misuse(
      'loadShed',
      `one of ${Object.keys(CEILINGS).join(', ')}`,
      'given, else nothing is ever shed',
      undefined,
    )
  const signals = new Signals(options)
  const level = new Level(() => signals.measured(), priority === undefined ? 1 : ORDER.length - 1)
  let inFlight = 0

  const guard = defineGuard({
    kind: 'loadShed',
    layer: 'traffic',
    name,
    mode,
    facts: { ...Object.fromEntries(given), priority: priority === undefined ? 'none' : 'function' },
    check(req, context, res) {
      if (context.hasCounted(level)) return PASSED
      const verdict = judge(priorityOf(req, context))
      if (verdict === PASSED || mode === 'report') {
        context.noteCounted(level)
        count(req, res)
      }
      return verdict
    },
  })

  function judge(matters: Priority | undefined): Verdict {
    const rank = matters === undefined ? 0 : ORDER.indexOf(matters)
    if (level.sheds(rank)) return shed(level.worst?.signal ?? 'process', matters)
    return inFlight < roomFor(matters ?? 'critical') ? PASSED : shed('requests in flight', matters)
  }

  /** However small the limit is, one request may be under way. */
  function roomFor(matters: Priority): number {
    return Math.max(1, Math.floor(((maxInFlight ?? Infinity) * ROOM[matters]) / 100))
  }

  function priorityOf(req: IncomingMessage, context: RequestContext): Priority | undefined {
    if (priority === undefined) return undefined
    const answer: unknown = priority(req, context)
    if (disarm(answer) || !oneOf(...ORDER).holds(answer))
      throw misuse('loadShed', 'what priority answers', oneOf(...ORDER).says, answer)
    return answer as Priority
  }

  function count(req: IncomingMessage, res: ServerResponse): void {
    inFlight += 1
    whenEnded(req, res, () => {
      inFlight -= 1
    })
  }

  return Object.assign(guard, {
    warmUp: () => {
      level.now()
      return Promise.resolve()
    },
    health: (): Health => {
      const steps = level.now()
      const detail = `${inFlight} in flight, ${steps === 0 ? 'nothing' : `step ${Math.ceil(steps)}`} shed`
      return { name, status: steps === 0 ? 'ok' : 'degraded', detail }
    },
    close: () => {
      signals.close()
      return Promise.resolve()
    },
  })
}

/** Spread over five seconds: callers that are refused together must not come back together. */
function shed(signal: string, priority: Priority | undefined): SecurityProblem {
  return new SecurityProblem('load_shed', {
    headers: { 'retry-after': String(1 + Math.floor(Math.random() * 5)) },
    evidence: { signal, priority: priority ?? 'all' },
  })
}
