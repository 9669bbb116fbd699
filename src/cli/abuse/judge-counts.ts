import {
  adviceOn,
  broken,
  failed,
  isLetThrough,
  isRefused,
  kept,
  notJudged,
  refilled,
  secondsIn,
  type Finding,
  type Limit,
} from './findings.js'
import type { Answer } from './sender.js'

/** How many passed, where they passed, and whether anything broke. */
export function judgeCounts(answers: readonly Answer[], limit: Limit, targets: number): readonly Finding[] {
  const findings = [judgeCount(answers, limit, targets), judgeFaults(answers)]
  return targets === 1 ? findings : [...findings, judgeShares(answers, limit, targets)]
}

function judgeCount(answers: readonly Answer[], limit: Limit, targets: number): Finding {
  const { expected, isFresh, cost } = limit
  const promise = `${expected} pass${cost === 1 ? '' : ` at ${cost} points each`}, and no more`
  const passed = answers.filter(isLetThrough).length
  const refused = answers.filter(isRefused).length
  const says = `${answers.length} sent: ${passed} let through, ${refused} refused with 429`
  const why = broken(answers, limit)
  if (why !== undefined) return notJudged(promise, `${says}; ${why}`)
  // What was charged before may have come back in the meantime.
  const most = isFresh
    ? expected + refilled(limit, secondsIn(answers))
    : Math.max(expected, Math.floor(limit.limit / cost))
  if (passed >= expected && passed <= most && refused > 0) return kept(promise, says)
  const hints = passed < expected ? hintsOnTooFew(limit) : refused === 0 ? adviceOn(answers) : []
  return failed(promise, [says, ...hints, ...hintsOnKind(limit, targets, { passed, refused })].join('; '))
}

function hintsOnTooFew({ isTold }: Limit): readonly string[] {
  return ['was something counted before?', ...(isTold ? [] : ['no field tells what a request costs'])]
}

function hintsOnKind(
  { expected, burst }: Limit,
  targets: number,
  { passed, refused }: { readonly passed: number; readonly refused: number },
): readonly string[] {
  if (targets > 1 && passed > expected) return ['each process may count for itself: are they on one Redis?']
  // Where nobody is refused there is no limit, of whatever kind.
  return burst === undefined && refused > 0 ? ['a limit by gcra needs --burst'] : []
}

function judgeFaults(answers: readonly Answer[]): Finding {
  const promise = 'no fault under load'
  const faults = answers.filter(({ status }) => status === undefined || status >= 500)
  if (faults.length === 0) return kept(promise, 'every request was answered, none with 5xx')
  const words = [...new Set(faults.map(({ status, problem }) => String(status ?? problem)))]
  return failed(promise, `${faults.length} of ${answers.length} requests: ${words.join(', ')}`)
}

/** That all of them together keep the limit is judged already; each must take part in it. */
function judgeShares(answers: readonly Answer[], { expected }: Limit, targets: number): Finding {
  const of = (judge: (answer: Answer) => boolean): readonly number[] =>
    Array.from(
      { length: targets },
      (_, at) => answers.filter((each) => each.target === at && judge(each)).length,
    )
  const [passed, refused] = [of(isLetThrough), of(isRefused)]
  const promise = `${targets} processes, one count`
  const says = `let through: ${passed.join(' + ')}; refused: ${refused.join(' + ')}`
  const isShared = !refused.includes(0) && (!passed.includes(0) || expected < targets)
  return isShared ? kept(promise, says) : failed(promise, says)
}
