import {
  broken,
  failed,
  isLetThrough,
  isRefused,
  kept,
  notJudged,
  type Finding,
  type Limit,
} from './findings.js'
import type { Answer } from './sender.js'

/** `Retry-After` of the refused, and the fields of all. */
export function judgeFields(answers: readonly Answer[], limit: Limit): readonly Finding[] {
  const refused = answers.filter(isRefused)
  return [judgeRetryAfter(refused, limit), judgeTold(answers, limit)]
}

function judgeRetryAfter(refused: readonly Answer[], { windowSeconds, isTold }: Limit): Finding {
  const promise = 'Retry-After is whole seconds'
  const [first] = refused
  if (first === undefined) return notJudged(promise, 'nothing was refused')
  const values = refused.map(({ retryAfter }) => retryAfter ?? '')
  const wrong = values.filter((value) => !/^[1-9]\d{0,8}$/.test(value)).length
  if (wrong > 0) return failed(promise, `${wrong} of ${refused.length} answers have none, or something else`)
  const seconds = values.map(Number)
  const [least, most] = [Math.min(...seconds), Math.max(...seconds)]
  const says = `${least} to ${most} s`
  // Longer than the window, and its tenth of jitter: a client that obeys waits for nothing.
  if (most <= Math.ceil(windowSeconds * 1.02) + Math.min(60, Math.ceil(windowSeconds / 10)) + 1)
    return kept(promise, says)
  const why = `${says}, although the window is ${windowSeconds} s`
  // Nobody tells of a block, as penalise has them; a limit that is told by fields has none.
  return isTold ? failed(promise, why) : notJudged(promise, `${why}: right for a block alone`)
}

function judgeTold(answers: readonly Answer[], limit: Limit): Finding {
  const promise = 'RateLimit fields are right'
  const answered = answers.filter((answer) => isLetThrough(answer) || isRefused(answer))
  if (!limit.isTold) return notJudged(promise, 'there are none of draft 10')
  const policies = new Set<string>()
  const told: { readonly answer: Answer; readonly remaining: number }[] = []
  for (const answer of answered) {
    const policy = answer.fields.policies?.find(({ name }) => name === limit.rule)
    const left = answer.fields.limits?.find(({ name }) => name === limit.rule)
    if (policy === undefined || left === undefined)
      return failed(promise, 'an answer has no fields, or others than the draft has')
    policies.add(`${policy.limit} in ${policy.windowSeconds ?? '?'} s`)
    told.push({ answer, remaining: left.remaining })
  }
  if (policies.size > 1) return failed(promise, `answers disagree: ${[...policies].join('; ')}`)
  if (!policies.has(`${limit.limit} in ${Math.max(1, Math.ceil(limit.windowSeconds))} s`))
    return failed(promise, `they say ${[...policies].join('')}`)
  return judgeRemaining(promise, told, limit)
}

function judgeRemaining(
  promise: string,
  told: readonly { readonly answer: Answer; readonly remaining: number }[],
  limit: Limit,
): Finding {
  const { expected, burst, isFresh, cost } = limit
  const passed = told.filter(({ answer }) => isLetThrough(answer)).map(({ remaining }) => remaining)
  const refused = told.filter(({ answer }) => isRefused(answer)).map(({ remaining }) => remaining)
  if (refused.some((remaining) => remaining >= cost))
    return failed(promise, 'a refused request is told that points are left')
  const answers = told.map(({ answer }) => answer)
  const why = broken(answers, limit)
  if (why !== undefined) return notJudged(promise, why)
  if (burst !== undefined || !isFresh) return kept(promise, `on ${told.length} answers`)
  const [most, least] = [limit.limit - cost, limit.limit - expected * cost]
  const range = `from ${most} to ${least}${cost === 1 ? '' : ` by ${cost}`}`
  const isCountedDown =
    passed.length === expected &&
    passed.toSorted((a, b) => b - a).every((remaining, index) => remaining === most - index * cost)
  return isCountedDown
    ? kept(promise, `on ${told.length} answers; what is left is counted down ${range}`)
    : failed(promise, `what is left is not counted down ${range}, each once`)
}
