import type { RateLimitEvidence } from '../../posture/checklist.js'
import { ruleName } from '../../core/options.js'
import { boundaryOf } from './boundary.js'
import { adviceOn, failed, isLetThrough, isRefused, type Limit, type Result } from './findings.js'
import { judgeCounts } from './judge-counts.js'
import { judgeFields } from './judge-fields.js'
import { proveJunk } from './junk.js'
import { limitOf, openedBy } from './opening.js'
import type { Plan } from './plan.js'
import { BOUNDS, senderTo, type Answer, type Bounds, type Sender } from './sender.js'

/** Uses up one caller's points, and looks at what became of each request. */
export async function prove(plan: Plan, bounds: Bounds = BOUNDS): Promise<Result> {
  const sender = senderTo(plan, bounds)
  try {
    return await Promise.race([proveWith(sender, plan), sender.timeIsOver])
  } finally {
    sender.close()
  }
}

async function proveWith(sender: Sender, plan: Plan): Promise<Result> {
  const count = plan.targets.length
  const at = new Date().toISOString()
  const opening = await openedBy(sender, plan)
  const limit = limitOf(plan, opening)
  if (limit === undefined) {
    const says = 'no RateLimit-Policy and RateLimit (draft 10) in the answer, and no --limit'
    const why = [says, ...adviceOn(opening)].join('; ')
    return { limit, findings: [failed('there is a limit', why)], evidence: undefined }
  }
  const inAll = limit.expected + Math.max(10 * count, Math.ceil(limit.expected / 5))
  const answers = [...opening, ...(await sender.send(inAll - opening.length))]
  const findings = [
    ...judgeCounts(answers, limit, count),
    ...judgeFields(answers, limit),
    await proveJunk(sender, limit, answers),
    await boundaryOf(sender, limit),
  ]
  return { limit, findings, evidence: evidenceOf(answers, limit, at) }
}

function evidenceOf(answers: readonly Answer[], { rule }: Limit, at: string): RateLimitEvidence | undefined {
  if (!ruleName.holds(rule)) return undefined
  const allowed = answers.filter(isLetThrough).length
  return { rule: rule as string, allowed, refused: answers.filter(isRefused).length, at }
}
