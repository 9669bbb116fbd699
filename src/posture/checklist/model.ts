import type { Finding } from '../model.js'

export type QuestionId = 'endpoints' | 'tokens' | 'validation' | 'limits' | 'logs'

/** `yes` needs evidence for every row. What cannot be seen is `unknown`, and never `yes`. */
export type AnswerStatus = 'yes' | 'partly' | 'no' | 'unknown'

/** What one of the five questions comes to. */
export interface ChecklistAnswer {
  readonly id: QuestionId
  /** As the guide asks it. */
  readonly question: string
  readonly status: AnswerStatus
  /** One sentence each: what was seen, and what was not looked at. */
  readonly evidence: readonly string[]
  readonly findings: readonly ClassifiedFinding[]
  /** OWASP API Security Top 10 (2023) that the question is about. */
  readonly owasp: readonly string[]
  /** OWASP ASVS 5.0.0 requirements that the question is about. */
  readonly asvs: readonly string[]
}

/** A finding and the requirements that it goes against. */
export interface ClassifiedFinding extends Finding {
  readonly owasp: readonly string[]
  readonly asvs: readonly string[]
}

/** What one look at the posture found out. */
export interface Seen {
  readonly status: AnswerStatus
  readonly evidence: readonly string[]
  readonly findings: readonly Finding[]
}

/** What came of a bounded load test of one limit: one caller, one window. */
export interface RateLimitEvidence {
  /** The `name` of the limiter. */
  readonly rule: string
  /** Requests that were let through. */
  readonly allowed: number
  /** Requests that were answered with 429. */
  readonly refused: number
  /** When, in ISO 8601 with a zone. It counts for 90 days. */
  readonly at: string
}

const ORDER: readonly AnswerStatus[] = ['yes', 'partly', 'unknown', 'no']

/** The least of several answers. Of nothing, nothing is known. */
export function least(statuses: readonly AnswerStatus[]): AnswerStatus {
  if (statuses.length === 0) return 'unknown'
  return ORDER[Math.max(...statuses.map((status) => ORDER.indexOf(status)))] ?? 'unknown'
}

/** One thing that was seen. */
export function seen(status: AnswerStatus, evidence: string, finding?: Finding): Seen {
  return { status, evidence: [evidence], findings: finding === undefined ? [] : [finding] }
}
