import type { RateLimitEvidence } from '../../posture/checklist.js'
import { ruleName } from '../../core/options.js'
import { neutralise } from '../../core/text.js'
import { misused } from '../failure.js'
import { boundaryOf } from './boundary.js'
import { failed, isLetThrough, isRefused, type Limit, type Result } from './findings.js'
import { judgeCounts } from './judge-counts.js'
import { judgeFields } from './judge-fields.js'
import { proveJunk } from './junk.js'
import { MOST_LIMIT, type Plan } from './plan.js'
import { senderTo, type Answer } from './sender.js'

/** Uses up one caller's points, and looks at what became of each request. */
export async function prove(plan: Plan): Promise<Result> {
  const sender = senderTo(plan.targets, plan.method, plan.headers)
  const count = plan.targets.length
  try {
    const at = new Date().toISOString()
    const first = requireAnswer((await sender.send(1))[0])
    const limit = limitOf(plan, first)
    if (limit === undefined) {
      const says = 'no RateLimit-Policy and RateLimit (draft 10) in the answer, and no --limit'
      return { limit, findings: [failed('there is a limit', says)], evidence: undefined }
    }
    const inAll = limit.expected + Math.max(10 * count, Math.ceil(limit.expected / 5))
    const answers = [first]
    // Each process lets one through first: in the rush that follows, the quickest may take all.
    for (let target = 1; target < Math.min(count, limit.expected); target += 1)
      answers.push(...(await sender.send(1)))
    answers.push(...(await sender.send(inAll - answers.length)))
    const findings = [
      ...judgeCounts(answers, limit, count),
      ...judgeFields(answers, limit),
      await proveJunk(sender, limit, answers),
      await boundaryOf(sender, limit),
    ]
    return { limit, findings, evidence: evidenceOf(answers, limit, at) }
  } finally {
    sender.close()
  }
}

function requireAnswer(first: Answer | undefined): Answer {
  const { status, retryAfter } = first ?? {}
  if (first === undefined || status === undefined) throw misused('The service does not answer.')
  if (status >= 300 && status < 400)
    throw misused(`The service answers ${status}, and no redirect is followed.`, 'Give the URL of the route.')
  if (isRefused(first))
    throw misused(
      "The caller's points are used up already, so that nothing can be proven.",
      retryAfter === undefined ? undefined : `Retry-After: ${neutralise(retryAfter, 40)}`,
    )
  return first
}

/** The limit that binds first, by the fields, or by what the caller says. */
function limitOf(plan: Plan, { fields: { policies, limits } }: Answer): Limit | undefined {
  const { rule, burst } = plan
  const [binding] = (policies ?? [])
    .map((policy) => ({ ...policy, left: limits?.find(({ name }) => name === policy.name)?.remaining }))
    .filter(({ left }) => left !== undefined)
    .toSorted((a, b) => Number(a.left) - Number(b.left) || a.limit - b.limit)
  if (rule !== undefined && binding !== undefined && binding.name !== rule)
    throw misused(
      `The limit that binds first is "${neutralise(binding.name, 64)}", so that "${rule}" cannot be proven.`,
      'Start the service with larger numbers for the others.',
    )
  const limit = plan.limit ?? binding?.limit
  const windowSeconds = plan.windowSeconds ?? binding?.windowSeconds
  if (limit === undefined || windowSeconds === undefined) return undefined
  const most = burst ?? limit
  const expected = plan.limit === undefined ? (binding?.left ?? most) + 1 : most
  if (Math.max(limit, expected) > MOST_LIMIT)
    throw misused(
      `The limit is ${limit}, and at most ${MOST_LIMIT} can be proven.`,
      'Start the service with a smaller limit.',
    )
  const isTold = binding !== undefined
  return {
    rule: rule ?? binding?.name,
    limit,
    windowSeconds,
    burst,
    expected,
    isFresh: expected >= most,
    isTold,
  }
}

function evidenceOf(answers: readonly Answer[], { rule }: Limit, at: string): RateLimitEvidence | undefined {
  if (!ruleName.holds(rule)) return undefined
  const allowed = answers.filter(isLetThrough).length
  return { rule: rule as string, allowed, refused: answers.filter(isRefused).length, at }
}
