import { isAuthentication } from '../../core/metadata.js'
import { idleLimitOf, placeOf } from '../baseline/rows.js'
import { endpointsOf, isPublic, labelOf, limitersOf, reporting } from '../evidence.js'
import { countsAnybody, countsCallers, limitText } from '../limiters.js'
import type { Posture, PostureGuard, PostureRow } from '../model.js'
import { found } from './findings.js'
import { testedUnderLoad } from './load-evidence.js'
import { least, seen, type RateLimitEvidence, type Seen } from './model.js'

const UNTESTED =
  'A posture cannot show how a limit does under load: give the results of a bounded load test as rateLimitEvidence.'

/** Question 4, answered from the limiters before each row, and from load tests where there are any. */
export function limitsSeen(posture: Posture, tests: readonly RateLimitEvidence[], nowMs: number): Seen {
  const applied = limitsApplied(posture)
  const limiters = distinct(endpointsOf(posture).flatMap(limitersOf))
  const tested = limiters.map((limiter) => testedUnderLoad(limiter, tests, nowMs))
  const everyTested = tested.every((test) => test.tested)
  return {
    status: least([applied.status, everyTested ? 'yes' : 'partly']),
    evidence: [
      ...applied.evidence,
      ...tested.map(({ evidence }) => evidence),
      ...(everyTested ? [] : [UNTESTED]),
    ],
    findings: [
      ...applied.findings,
      ...tested.flatMap(({ finding }) => (finding === undefined ? [] : [finding])),
    ],
  }
}

/** Whether every row has a limiter that refuses; not whether it was tested. */
export function limitsApplied(posture: Posture): Seen {
  const answers = endpointsOf(posture).map(answerOf)
  return {
    status: least(answers.map(({ status }) => status)),
    evidence: answers.flatMap(({ evidence }) => evidence),
    findings: answers.flatMap(({ findings }) => findings),
  }
}

function answerOf(row: PostureRow): Seen {
  const label = labelOf(row)
  const limiters = limitersOf(row)
  if (limiters.length === 0) return unlimited(row)
  const says = `${label} limited by ${limiters.map(limitText).join(', ')}`
  if (isPublic(row)) return seen('yes', `${says}.`)
  const about = { where: label, ...placeOf(row) }
  if (!isLimitedBeforeAuthentication(row)) {
    const message = `${label} has no limit before authentication.`
    const finding = found('limit-before-authentication-missing', message, about)
    return seen('partly', `${says}; nothing limits who only tries to authenticate.`, finding)
  }
  if (!isLimitedByCaller(row)) {
    const message = `${label} ${idleLimitOf(row) ?? 'has no limit by caller after authentication'}.`
    return seen('partly', `${says}; no limit by caller.`, found('limit-by-caller-missing', message, about))
  }
  return seen('yes', `${says}.`)
}

function unlimited(row: PostureRow): Seen {
  const label = labelOf(row)
  if (row.proof === 'unknown') return seen('unknown', `${label} is unknown: nobody can tell what limits it.`)
  if (row.proof === 'held') return seen('partly', `${label} is held: whether it answers, nobody can tell.`)
  const about = { where: label, ...placeOf(row) }
  if (reporting(row, 'rateLimit').length > 0) {
    const message = `${label} has a rate limit that only reports.`
    return seen('partly', message, found('limit-reported', message, about))
  }
  // A probe behind a limit by address fails with its neighbours: to leave it out is a choice, and it is shown.
  if (isPublic(row) && (row.method === 'GET' || row.method === 'HEAD'))
    return seen(
      'partly',
      `${label} is public (${row.publicReason ?? row.why}), read-only and has no rate limit.`,
    )
  const message = `${label} ${idleLimitOf(row) ?? 'has no rate limit that refuses'}.`
  return seen('no', message, found('limit-missing', message, about))
}

function isLimitedBeforeAuthentication({ guards }: PostureRow): boolean {
  const at = guards.findIndex(isAuthentication)
  if (guards[at]?.facts['failureLimit'] !== undefined) return true
  return guards.some(
    ({ kind, mode, facts }, index) =>
      kind === 'rateLimit' && mode === 'enforce' && countsAnybody(facts) && (at === -1 || index < at),
  )
}

/** By whatever is known only once somebody has been authenticated; a function may look at anything. */
function isLimitedByCaller({ guards }: PostureRow): boolean {
  const at = guards.findIndex(isAuthentication)
  return guards.some(
    ({ kind, mode, facts }, index) =>
      kind === 'rateLimit' && mode === 'enforce' && countsCallers(facts) && index > at,
  )
}

/** Limiters of one name share their counts. */
function distinct(limiters: readonly PostureGuard[]): readonly PostureGuard[] {
  return [...new Map(limiters.map((limiter) => [limiter.name, limiter])).values()]
}
