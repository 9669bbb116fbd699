import type { RateLimitEvidence } from '../../posture/checklist.js'
import type { Answer } from './sender.js'

/** What one promise of a limit came to. */
export interface Finding {
  readonly outcome: 'kept' | 'failed' | 'not judged'
  readonly promise: string
  readonly says: string
}

/** The limit that is to be proven. */
export interface Limit {
  /** The policy's name, where the service or the caller tells it. */
  readonly rule: string | undefined
  readonly limit: number
  readonly windowSeconds: number
  readonly burst: number | undefined
  /** Points of a request, as far as the fields tell; else 1. */
  readonly cost: number
  /** How many are to pass from now on, the first answer among them. */
  readonly expected: number
  /** Whether nothing was counted before. */
  readonly isFresh: boolean
  /** Whether the fields of draft 10 tell it. */
  readonly isTold: boolean
}

export interface Result {
  readonly limit: Limit | undefined
  readonly findings: readonly Finding[]
  readonly evidence: RateLimitEvidence | undefined
}

export function kept(promise: string, says: string): Finding {
  return { outcome: 'kept', promise, says }
}

export function failed(promise: string, says: string): Finding {
  return { outcome: 'failed', promise, says }
}

export function notJudged(promise: string, says: string): Finding {
  return { outcome: 'not judged', promise, says }
}

/** Whatever the handler, or another guard, then said. */
export function isLetThrough({ status }: Answer): boolean {
  return status !== undefined && status !== 429 && status < 500
}

export function isRefused({ status }: Answer): boolean {
  return status === 429
}

/** What to give, where every request was let through to the same answer of 400 to 499. */
export function adviceOn(answers: readonly Answer[]): readonly string[] {
  const statuses = new Set(answers.filter(isLetThrough).map(({ status }) => status))
  const [status = 0] = statuses
  if (statuses.size !== 1 || status < 400) return []
  const given = GIVEN_FOR.find(([those]) => those.includes(status))?.[1] ?? '--method, --path or --header'
  return [`every request that was let through got ${status}: is it one that the route takes? See ${given}`]
}

const GIVEN_FOR: readonly (readonly [readonly number[], string])[] = [
  [[400, 411, 415, 422], '--body and --type'],
  [[401, 403], '--header, for a credential'],
  [[404, 405], '--path and --method'],
]

/** Requests that a bucket may have got room for in so many seconds; a window gives none back before it is over. */
export function refilled({ burst, limit, windowSeconds, cost }: Limit, seconds: number): number {
  return burst === undefined ? 0 : Math.ceil((seconds * limit) / (windowSeconds * cost)) + 1
}

/** Why answers say nothing of how many pass: they are not all of one window. */
export function broken(answers: readonly Answer[], limit: Limit): string | undefined {
  // A bucket has no window that ends.
  if (limit.burst !== undefined) return undefined
  if (secondsIn(answers) > limit.windowSeconds) return 'it took longer than the window'
  return hasTurned(answers, limit) ? 'a window ended meanwhile' : undefined
}

/** By when they say that their window ends: to the second, and that of a sliding one may move by a part of it. */
function hasTurned(answers: readonly Answer[], { rule, windowSeconds }: Limit): boolean {
  const ends = answers.flatMap(({ answeredMs, fields }) => {
    const told = fields.limits?.find(({ name }) => name === rule)?.resetSeconds
    return told === undefined ? [] : [answeredMs / 1000 + told]
  })
  return Math.max(...ends) - Math.min(...ends) > windowSeconds / 2 + 1
}

/** How long answers took in all, in **seconds**. */
export function secondsIn(answers: readonly Answer[]): number {
  const sent = answers.map(({ sentMs }) => sentMs)
  const answered = answers.map(({ answeredMs }) => answeredMs)
  return (Math.max(...answered) - Math.min(...sent)) / 1000
}
