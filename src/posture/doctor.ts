import { callback, checkOptions, flag, misuse, record, text, type OptionRule } from '../core/options.js'
import { isApplication } from '../core/router.js'
import { neutralise } from '../core/text.js'
import { diagnosesOf, type DiagnoseOptions } from './doctor/diagnoses.js'
import { grouped, toldOnce } from './doctor/together.js'
import { findingsOf } from './findings.js'
import { inspectPosture } from './inspect-posture.js'
import type { Finding } from './model.js'

export type { DiagnoseOptions } from './doctor/diagnoses.js'

export interface DoctorOptions extends DiagnoseOptions {
  /** Whether to throw where a finding is an error. @default false */
  readonly fail?: boolean
  /** Takes each finding. @default a line on standard error */
  readonly log?: (finding: Finding) => void
}

const files: OptionRule = { says: 'an array of paths', holds: Array.isArray }

const RULES = {
  root: text(4096),
  source: text(4096),
  server: record,
  environment: record,
  loadedFiles: files,
}
const SEVERITIES = ['error', 'warning', 'note'] as const

/**
 * Looks for set-ups of an application that cannot protect it, or that nobody can have meant; the worst come first.
 *
 * What `inspectPosture` finds wrong with the routes is among it, but for its notes; routes of which the same is so are
 * told together. Call it when everything is mounted: it sees what is there, and sends no request.
 *
 * **Not checked:** mounted applications that Express hides, and what a handler does.
 *
 * Throws a `TypeError` for what is no Express application, and for unknown or impossible options.
 */
export function diagnose(application: object, options: DiagnoseOptions = {}): Finding[] {
  checkOptions('diagnose', options, RULES)
  if (!isApplication(application))
    throw misuse('diagnose', 'application', 'an Express application', application)
  const { root } = options
  const posture = inspectPosture(application, root === undefined ? {} : { root })
  const grave = findingsOf(posture).filter(({ severity }) => severity !== 'note')
  return grouped(toldOnce(grave, diagnosesOf(application, options))).toSorted(
    (a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
  )
}

/**
 * The start-up doctor: `diagnose`, with each finding on standard error or where `log` takes it.
 *
 * With `fail: true` it throws an `Error` where a finding is an error, so that such a service does not start. What `log`
 * throws is thrown.
 */
export function doctor(application: object, options: DoctorOptions = {}): Finding[] {
  const { fail = false, log = writeLine, ...others } = options
  checkOptions('doctor', options, { ...RULES, fail: flag, log: callback })
  const findings = diagnose(application, others)
  for (const finding of findings) log(finding)
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (fail && errors.length > 0)
    throw new Error(`doctor: this application should not start: ${errors.map(({ code }) => code).join(', ')}`)
  return findings
}

function writeLine({ severity, code, message, remedy, where, file, line, page }: Finding): void {
  const place = [where, file === undefined ? undefined : `${file}:${line ?? 1}`].filter(
    (part) => part !== undefined,
  )
  const sentence = [`${severity} ${code}: ${message} ${remedy}`, ...place, page].join(' | ')
  process.stderr.write(`express-bulwark doctor: ${neutralise(sentence, 2000)}\n`)
}
