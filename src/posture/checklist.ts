import { checkOptions, listOf, record, type OptionRule } from '../core/options.js'
import { isBaseline, nowOf, type Baseline } from './baseline.js'
import { examine } from './baseline/examine.js'
import { APPLICATION } from './baseline/pattern.js'
import { isExpired, speaksOf } from './baseline/waivers.js'
import { endpointsSeen } from './checklist/endpoints.js'
import { ruleOf } from './checklist/findings.js'
import { limitsSeen } from './checklist/limits.js'
import { checkLoadEvidence } from './checklist/load-evidence.js'
import { logsSeen } from './checklist/logs.js'
import type { AnswerStatus, ChecklistAnswer, QuestionId, RateLimitEvidence, Seen } from './checklist/model.js'
import { classified, placeOfFinding } from './checklist/places.js'
import { QUESTIONS, type Question } from './checklist/questions.js'
import { tokensSeen } from './checklist/tokens.js'
import { validationSeen } from './checklist/validation.js'
import type { Finding, Posture } from './model.js'

export { asvsStatuses, type AsvsAnswer, type AsvsStatus } from './checklist/asvs-status.js'
export type { AnswerStatus, ChecklistAnswer, QuestionId, RateLimitEvidence } from './checklist/model.js'
export { renderChecklist, type ChecklistFormat, type RenderChecklistOptions } from './checklist/render.js'

export interface ChecklistOptions {
  /** What others have found, as `findingsOf` and `diagnose`: each is put under the question that it is about. */
  readonly findings?: readonly Finding[]
  /** Its findings count as well, and its waivers turn a finding into a note. */
  readonly baseline?: Baseline
  /** Results of bounded load tests of the limits. */
  readonly rateLimitEvidence?: readonly RateLimitEvidence[]
  /** Today, for waivers and load tests. @default now */
  readonly now?: Date
}

const findingsRule: OptionRule = {
  says: 'an array of findings',
  holds: (value) => (Array.isArray(value) && value.length === 0) || listOf(record).holds(value),
}

/** Said of a waiver, not of the service: it belongs to the check, and is evidence here. */
const HOUSEKEEPING: ReadonlySet<string> = new Set(['waiver-used', 'waiver-expires-soon', 'waiver-unused'])

/**
 * Answers the five questions of the guide's "Checklist for audits and reviews" from a posture, with the evidence.
 *
 * `yes` stands only where every row shows it. What cannot be seen is `unknown`, in the answer or in a line of its evidence.
 *
 * **Not checked:** each answer's evidence ends with what cannot be seen from here; `docs/checklist.md` lists it.
 *
 * Throws a `TypeError` for a baseline that `defineBaseline` did not make and for malformed load tests.
 */
export function answerChecklist(posture: Posture, options: ChecklistOptions = {}): ChecklistAnswer[] {
  checkOptions('answerChecklist', options, {
    findings: findingsRule,
    baseline: { says: 'a baseline made by defineBaseline()', holds: isBaseline },
    rateLimitEvidence: { says: 'an array', holds: Array.isArray },
    now: record,
  })
  const { findings = [], baseline, now } = options
  const nowMs = nowOf('answerChecklist', now === undefined ? {} : { now })
  const tests = checkLoadEvidence(options.rateLimitEvidence ?? [])
  const examined = baseline === undefined ? [] : examine(posture, baseline, nowMs)

  const seen: Readonly<Record<QuestionId, Seen>> = {
    endpoints: endpointsSeen(posture),
    tokens: tokensSeen(posture),
    validation: validationSeen(posture),
    limits: limitsSeen(posture, tests, nowMs),
    logs: logsSeen(posture),
  }
  const others = [...findings, ...examined]
  return QUESTIONS.map((question) => answer(question, seen[question.id]))

  function answer(question: Question, { status, evidence, findings: own }: Seen): ChecklistAnswer {
    const here = others.filter(({ code }) => placeOfFinding(code).question === question.id)
    const kept = here.filter(({ code }) => !HOUSEKEEPING.has(code))
    const all = gravest([...kept, ...own]).map((finding) => waived(finding, baseline, nowMs))
    const said = here.filter(({ code }) => HOUSEKEEPING.has(code)).map(({ message }) => message)
    return {
      ...question,
      status: bounded(status, all),
      evidence: [...evidence, ...said],
      findings: all.map(classified),
    }
  }
}

/** Whether the checklist is failed: by any finding that is more than a note. An answer `partly` or `unknown` alone is shown, and does not fail it. */
export function checklistFails(answers: readonly ChecklistAnswer[]): boolean {
  return answers.some(({ findings }) => findings.some(({ severity }) => severity !== 'note'))
}

/** What two have found is told once, and as the graver of the two sees it. */
function gravest(findings: readonly Finding[]): readonly Finding[] {
  const told = new Map<string, Finding>()
  for (const finding of findings) {
    // Without a row there may be several of one code: about this guard, and about that one.
    const { code, where, file, line, message } = finding
    // One guard may accept tokens of several issuers: only the message says of which it is.
    const place = code.startsWith('token-') ? [file, line, message] : [file, line]
    const key = JSON.stringify([code, where ?? place])
    const other = told.get(key)
    if (other === undefined || gravity(finding) > gravity(other)) told.set(key, finding)
  }
  return [...told.values()]
}

function gravity({ severity }: Finding): number {
  return ['note', 'warning', 'error'].indexOf(severity)
}

/** Who answers for a finding for a time has it as a note. The answer stays what it is. */
function waived(finding: Finding, baseline: Baseline | undefined, nowMs: number): Finding {
  const rule = ruleOf(finding.code)
  if (rule === undefined || baseline === undefined) return finding
  const waiver = baseline.waivers.find(
    (candidate) => !isExpired(candidate, nowMs) && speaksOf(candidate, rule, [finding.where ?? APPLICATION]),
  )
  if (waiver === undefined) return finding
  const { owner, reason, expires } = waiver
  return {
    ...finding,
    severity: 'note',
    message: `${finding.message} Waived by ${owner} until ${expires}: ${reason}`,
  }
}

/** An error that somebody else found is not outweighed by what was seen here. */
function bounded(status: AnswerStatus, findings: readonly Finding[]): AnswerStatus {
  if (status !== 'unknown' && findings.some(({ severity }) => severity === 'error')) return 'no'
  return status === 'yes' && findings.some(({ severity }) => severity === 'warning') ? 'partly' : status
}
