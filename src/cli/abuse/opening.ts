import { neutralise } from '../../core/text.js'
import { misused } from '../failure.js'
import { isRefused, type Limit } from './findings.js'
import { MOST_LIMIT, type Plan } from './plan.js'
import type { Answer, Sender } from './sender.js'

/** A window that ends within this, in **seconds**, is let go: a burst over its end would see two of them. */
const SOON = 10
/** What a request costs is seen between two answers; a bucket may get a point back between them. */
const FEWEST = 3

/** One limit of those that the fields tell of. */
interface Candidate {
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number | undefined
  readonly resetSeconds: number | undefined
  readonly left: number
  readonly cost: number
  /** How many pass, the first answer among them. */
  readonly passes: number
}

/**
 * The first answers, one after the other. Each process lets one through before the rush, in which the quickest may take
 * all.
 */
export async function openedBy(sender: Sender, plan: Plan): Promise<readonly Answer[]> {
  const answers = [await firstOf(sender)]
  const waitMs = untilTurnMs(plan, answers)
  if (waitMs > 0 && (await sender.pause(waitMs))) {
    const next = await firstOf(sender)
    // A service may have told a wrong end: it counts on.
    if (leftIn([next]) >= leftIn(answers)) answers.pop()
    answers.push(next)
  }
  while (answers.length < Math.max(FEWEST, plan.targets.length)) {
    const [next] = await sender.send(1)
    if (next === undefined) break
    answers.push(next)
    if (isRefused(next)) break
  }
  return answers
}

async function firstOf(sender: Sender): Promise<Answer> {
  const [first] = await sender.send(1)
  const { status, retryAfter, problem = 'the run is over' } = first ?? {}
  if (first === undefined || status === undefined)
    throw misused(`The service does not answer: ${neutralise(problem, 100)}.`, remedyFor(problem))
  if (status >= 300 && status < 400)
    throw misused(`The service answers ${status}, and no redirect is followed.`, 'Give the URL of the route.')
  if (isRefused(first))
    throw misused(
      "The caller's points are used up already, so that nothing can be proven.",
      retryAfter === undefined ? undefined : `Retry-After: ${neutralise(retryAfter, 40)}`,
    )
  return first
}

function remedyFor(problem: string): string | undefined {
  if (/^EPROTO$|SSL/.test(problem)) return 'What listens there may speak http: and no https:'
  if (/CERT|SIGNATURE/.test(problem)) return 'Name the certificate of who signed it with NODE_EXTRA_CA_CERTS.'
  return undefined
}

/** How long until a window is over that is nearly so; 0 where none is. */
function untilTurnMs({ burst }: Plan, opening: readonly Answer[]): number {
  const { windowSeconds, resetSeconds } = candidatesIn(opening)[0] ?? {}
  if (burst !== undefined || windowSeconds === undefined || resetSeconds === undefined) return 0
  return resetSeconds > Math.min(SOON, windowSeconds / 2) ? 0 : resetSeconds * 1000 + 50
}

function leftIn(opening: readonly Answer[]): number {
  return candidatesIn(opening)[0]?.left ?? 0
}

/** The limit that binds first, by the fields, or by what the caller says. */
export function limitOf(plan: Plan, opening: readonly Answer[]): Limit | undefined {
  const { rule, burst } = plan
  const [binding] = candidatesIn(opening)
  if (rule !== undefined && binding !== undefined && binding.name !== rule)
    throw misused(
      `The limit that binds first is "${neutralise(binding.name, 64)}", so that "${rule}" cannot be proven.`,
      'Start the service with larger numbers for the others.',
    )
  const limit = plan.limit ?? binding?.limit
  const windowSeconds = plan.windowSeconds ?? binding?.windowSeconds
  if (limit === undefined || windowSeconds === undefined) return undefined
  const cost = binding?.cost ?? 1
  const points = burst ?? limit
  const most = Math.max(1, Math.floor(points / cost))
  const expected = plan.limit === undefined ? (binding?.passes ?? most) : most
  if (Math.max(Math.floor(limit / cost), expected) > MOST_LIMIT)
    throw misused(
      `The limit is ${limit}, and at most ${MOST_LIMIT} can be proven.`,
      'Start the service with a smaller limit.',
    )
  const isTold = binding !== undefined
  const isFresh = plan.limit !== undefined || binding === undefined || binding.left + cost >= points
  return { rule: rule ?? binding?.name, limit, windowSeconds, burst, cost, expected, isFresh, isTold }
}

/** The limits that the first answer tells of, those first that let the fewest pass. */
function candidatesIn(opening: readonly Answer[]): readonly Candidate[] {
  const { policies = [], limits = [] } = opening[0]?.fields ?? {}
  return policies
    .flatMap((policy) => {
      const told = limits.find(({ name }) => name === policy.name)
      if (told === undefined) return []
      const { remaining: left, resetSeconds } = told
      const cost = costOf(policy, opening)
      return [{ ...policy, resetSeconds, left, cost, passes: 1 + Math.floor(left / cost) }]
    })
    .toSorted((a, b) => a.passes - b.passes || a.left - b.left || a.limit - b.limit)
}

/** What a request costs: what is left less after it than before it. */
function costOf(
  { name, limit }: { readonly name: string; readonly limit: number },
  opening: readonly Answer[],
): number {
  const lefts = opening.flatMap(
    ({ fields }) => fields.limits?.find((each) => each.name === name)?.remaining ?? [],
  )
  const steps = lefts.slice(1).map((left, at) => (lefts[at] as number) - left)
  const step = Math.max(0, ...steps)
  if (step > 0) return step
  const [first = 0] = lefts
  const [, second] = opening
  // Where the second is refused although points are left, it costs more than those: as much as the first one did.
  const isTooDear = second !== undefined && isRefused(second) && first > 0
  return isTooDear ? Math.max(first + 1, limit - first) : 1
}
