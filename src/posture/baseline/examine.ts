import { labelOf } from '../evidence.js'
import type { Finding, Posture } from '../model.js'
import type { Baseline } from '../baseline.js'
import { CHECKS } from './breaches.js'
import type { BaselineRules, Breach, RuleName, Waiver } from './model.js'
import { APPLICATION } from './pattern.js'
import { placeOf } from './rows.js'
import { RULES, RULE_NAMES } from './rules.js'
import { expiresSoon, isExpired, speaksOf } from './waivers.js'

const PAGE = 'docs/governance.md'

/** Holds a posture against a baseline: what breaks a rule, and what is to be said of the waivers. */
export function examine(posture: Posture, baseline: Baseline, nowMs: number): readonly Finding[] {
  if (posture.rows.length === 0) return [nothingChecked()]
  const waived = new Map<Waiver, string[]>()
  const broken = RULE_NAMES.flatMap((rule) =>
    breachesOf(posture, baseline.rules, rule)
      .filter((breach) => !noteWaived(baseline, rule, breach, nowMs, waived))
      .map((breach) => ({ rule, breach })),
  )
  return [
    ...onePerGuard(broken),
    ...baseline.waivers.map((waiver) => ofWaiver(waiver, waived.get(waiver), nowMs)),
  ]
}

function breachesOf(posture: Posture, rules: BaselineRules, rule: RuleName): readonly Breach[] {
  const value = rules[rule]
  if (value === undefined || value === false) return []
  return CHECKS[rule](posture, value as never, rules)
}

/** The places that a waiver may name for a breach: its row, or the application where a guard stands before many rows. */
function placesOf({ row, guard }: Breach): readonly string[] {
  if (row === undefined) return [APPLICATION]
  return guard?.mounted === 'before' ? [labelOf(row), APPLICATION] : [labelOf(row)]
}

function noteWaived(
  { waivers }: Baseline,
  rule: RuleName,
  breach: Breach,
  nowMs: number,
  waived: Map<Waiver, string[]>,
): boolean {
  const places = placesOf(breach)
  const live = waivers.filter((waiver) => !isExpired(waiver, nowMs) && speaksOf(waiver, rule, places))
  for (const waiver of live) waived.set(waiver, [...(waived.get(waiver) ?? []), places[0] as string])
  return live.length > 0
}

/** A guard that stands before a hundred routes is set up wrong once. */
function onePerGuard(
  broken: readonly { readonly rule: RuleName; readonly breach: Breach }[],
): readonly Finding[] {
  const groups = new Map<string, { readonly rule: RuleName; readonly breach: Breach; rows: number }>()
  for (const [index, { rule, breach }] of broken.entries()) {
    const { guard, message } = breach
    const key = guard === undefined ? String(index) : JSON.stringify([rule, message, guard.file, guard.line])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { rule, breach, rows: 1 })
    else group.rows += 1
  }
  return [...groups.values()].map(({ rule, breach, rows }) => findingOf(rule, breach, rows))
}

function findingOf(rule: RuleName, { row, guard, message }: Breach, rows: number): Finding {
  const { consequence, remedy } = RULES[rule]
  const place = row === undefined ? undefined : placeOf(row)
  return {
    code: codeOf(rule),
    severity: 'error',
    message: rows > 1 ? `${message} (before ${rows} rows)` : message,
    consequence,
    remedy,
    page: `${PAGE}#${rule.toLowerCase()}`,
    where: row === undefined ? undefined : labelOf(row),
    file: guard === undefined ? place?.file : guard.file,
    line: guard === undefined ? place?.line : guard.line,
  }
}

/** `baseline-max-token-age-seconds`. */
export function codeOf(rule: RuleName): string {
  return `baseline-${rule.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

function ofWaiver(waiver: Waiver, used: readonly string[] | undefined, nowMs: number): Finding {
  const { rule, where, owner, reason, expires } = waiver
  const what = `The waiver of ${rule} for ${where} (owner ${owner}, "${reason}")`
  const about = { page: `${PAGE}#waivers`, where, file: undefined, line: undefined }
  const remedy = `Ask ${owner} to mend it, or to renew the waiver with a reason.`
  if (isExpired(waiver, nowMs)) {
    const message = `${what} expired at the end of ${expires}.`
    const consequence = 'What it allowed is a finding again.'
    return { ...about, code: 'waiver-expired', severity: 'error', message, consequence, remedy }
  }
  if (used === undefined) {
    const message = `${what} matches nothing.`
    const consequence = 'It would allow, without anybody looking, what comes to match it.'
    const drop = 'Remove it.'
    return { ...about, code: 'waiver-unused', severity: 'warning', message, consequence, remedy: drop }
  }
  const soon = expiresSoon(waiver, nowMs)
  const message = `${what} holds until the end of ${expires}, for ${summary(used)}.`
  const consequence = soon ? 'After that day the check fails.' : 'The rule is not kept there.'
  return {
    ...about,
    code: soon ? 'waiver-expires-soon' : 'waiver-used',
    severity: soon ? 'warning' : 'note',
    message,
    consequence,
    remedy,
  }
}

function summary(places: readonly string[]): string {
  const distinct = [...new Set(places)]
  const rest = distinct.length - 5
  return distinct.slice(0, 5).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}

/** No rows are no proof of anything. */
function nothingChecked(): Finding {
  return {
    code: 'baseline-no-rows',
    severity: 'error',
    message: 'No route was found, so nothing could be held against the baseline.',
    consequence: 'Whatever the application does answer has not been looked at.',
    remedy: 'Check that the module exports the application with its routes mounted.',
    page: `${PAGE}#not-checked`,
    where: undefined,
    file: undefined,
    line: undefined,
  }
}
