import {
  checkOptions,
  integer,
  listOf,
  misuse,
  record,
  required,
  ruleName,
  type OptionRule,
} from '../../core/options.js'
import { mostInTest } from '../limiters.js'
import type { Finding, PostureGuard } from '../model.js'
import { found } from './findings.js'
import type { RateLimitEvidence } from './model.js'

const VALID_MS = 90 * 86_400_000

const instant: OptionRule = {
  says: 'a moment in ISO 8601 with a zone',
  holds: (value) =>
    typeof value === 'string' &&
    /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(value) &&
    !Number.isNaN(Date.parse(value)),
}

const OPTIONS: Readonly<Record<keyof RateLimitEvidence, OptionRule>> = {
  rule: required(ruleName),
  allowed: required(integer(0, 1_000_000_000)),
  refused: required(integer(0, 1_000_000_000)),
  at: required(instant),
}

/** Throws a `TypeError` for what is no list of load tests: a file that was misread must not pass for a test. */
export function checkLoadEvidence(given: unknown): readonly RateLimitEvidence[] {
  const list = listOf(record)
  if (Array.isArray(given) && given.length === 0) return []
  if (!list.holds(given)) throw misuse('answerChecklist', 'rateLimitEvidence', list.says, given)
  for (const item of given as readonly unknown[])
    checkOptions('answerChecklist: rateLimitEvidence', item, OPTIONS)
  return given as readonly RateLimitEvidence[]
}

/** What a load test shows of one limiter. */
export interface Tested {
  readonly tested: boolean
  readonly evidence: string
  readonly finding?: Finding
}

/**
 * Judges the newest test of a limiter. It shows something only where it is recent, was refused at some point, and let
 * through something, and no more than twice the limit: a fixed window may turn during the test. (With a larger burst: no
 * more than both.)
 */
export function testedUnderLoad(
  limiter: PostureGuard,
  tests: readonly RateLimitEvidence[],
  nowMs: number,
): Tested {
  const { name, facts } = limiter
  const newest = tests
    .filter(({ rule }) => rule === name)
    .toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at))[0]
  if (newest === undefined) return { tested: false, evidence: `rateLimit(${name}) not tested under load.` }
  const { allowed, refused, at } = newest
  const test = `rateLimit(${name}) under load at ${at}: ${allowed} let through, ${refused} refused`
  const ageMs = nowMs - Date.parse(at)
  if (ageMs < 0 || ageMs > VALID_MS)
    return { tested: false, evidence: `${test}; not within the last 90 days, so it does not count.` }
  const most = mostInTest(facts)
  if (most === undefined)
    return {
      tested: false,
      evidence: `${test}; a function answers the limit, so what it should have let through cannot be told.`,
    }
  const limit = typeof facts['limit'] === 'number' ? facts['limit'] : 0
  if (allowed > most) {
    const message = `${test}, although the limit is ${limit}.`
    const about = { file: limiter.file, line: limiter.line }
    return { tested: false, evidence: message, finding: found('limit-not-kept', message, about) }
  }
  if (allowed === 0 || refused === 0)
    return { tested: false, evidence: `${test}; the limit was not reached, so it does not count.` }
  return { tested: true, evidence: `${test}; the limit is ${limit}.` }
}
