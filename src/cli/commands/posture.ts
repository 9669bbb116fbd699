import { neutralise } from '../../core/text.js'
import { findingsOf } from '../../posture/findings.js'
import { summariseChanges, type LockChange, type LockSentence } from '../../posture/lock.js'
import type { Finding, Posture } from '../../posture/model.js'
import { renderHtml } from '../../posture/render/html.js'
import { renderJson } from '../../posture/render/json.js'
import { renderMarkdown } from '../../posture/render/markdown.js'
import { renderMatrix } from '../../posture/render/matrix.js'
import { renderSarif } from '../../posture/render/sarif.js'
import { renderTable } from '../../posture/render/table.js'
import { wrap } from '../../posture/render/table/layout.js'
import { wordsOf, type CommandOptions } from '../arguments.js'
import { NOTHING, SEVERITIES } from '../command-list.js'
import { EXIT, misused } from '../failure.js'
import { reaches } from '../finding-list.js'
import type { Examination } from '../protocol.js'
import { lockChanges, lockPath, writeLock } from './lock-file.js'
import type { Report, Surroundings } from './report.js'

/** Every route and what protects it; the lock file that guards against losing some of that. */
export function postureReport(
  { posture }: Examination,
  options: CommandOptions,
  surroundings: Surroundings,
): Report {
  const findings = findingsOf(posture)
  const compared = lockChanges(posture, options, surroundings.cwd)
  const changes = compared ?? []
  const failures = [...failuresOf(posture, findings, changes, options), ...weaknesses(changes, options)]
  const written = writeLock(posture, options, surroundings.cwd)
  return {
    text: rendered(posture, findings, compared, options, surroundings),
    remarks: [...remarksOf(changes, options), ...failures, ...written],
    exitCode: failures.length > 0 ? EXIT.findings : EXIT.fine,
  }
}

function rendered(
  posture: Posture,
  findings: readonly Finding[],
  compared: readonly LockChange[] | undefined,
  options: CommandOptions,
  { layout, version, cwd }: Surroundings,
): string {
  const { format = 'table' } = options
  const changes = compared ?? []
  const withChanges = compared === undefined ? {} : { changes: compared }
  switch (format) {
    case 'json':
      return renderJson(posture, withChanges)
    case 'markdown':
      return renderMarkdown(posture, { findings, changes })
    case 'sarif':
      return renderSarif(findings, {
        ...(version === undefined ? {} : { version }),
        ...(compared === undefined ? {} : { changes: compared, lockFile: lockPath(options, cwd) }),
      })
    case 'html':
      return renderHtml(posture, { findings })
    case 'csv':
      return renderMatrix(posture, withChanges)
    default:
      return `${renderTable(posture, layout)}${changeLines(changes, layout.columns)}`
  }
}

function changeLines(changes: readonly LockChange[], columns: number): string {
  if (changes.length === 0) return ''
  const lines = summariseChanges(changes).flatMap((change) =>
    wrap(changeText(change), Math.max(40, columns) - 2).map((line) => `  ${line}`),
  )
  return ['', 'Changed since the lock file:', ...lines, ''].join('\n')
}

/** Where the form of the output has no place for them, or not for all of them. */
function remarksOf(changes: readonly LockChange[], { format = 'table' }: CommandOptions): readonly string[] {
  return format === 'html' || format === 'sarif' ? summariseChanges(changes).map(changeText) : []
}

function changeText({ severity, sentence }: LockSentence): string {
  return `${severity}: ${neutralise(sentence, 1000)}`
}

/** A lock that is compared with, and not written anew, must not get weaker. */
function weaknesses(changes: readonly LockChange[], options: CommandOptions): readonly string[] {
  if (options['write-lock'] !== undefined) return []
  const count = changes.filter(({ severity }) => severity === 'weaker').length
  return count === 0
    ? []
    : [`${count} of the changes since the lock file make${count === 1 ? 's' : ''} it weaker.`]
}

function failuresOf(
  posture: Posture,
  findings: readonly Finding[],
  changes: readonly LockChange[],
  options: CommandOptions,
): readonly string[] {
  const { 'fail-on': asked } = options
  if (asked === undefined) return errorsAmong(findings)
  const words = wordsOf(asked)
  if (words.includes(NOTHING)) {
    if (words.length === 1) return []
    throw misused(`--fail-on ${NOTHING} stands alone.`)
  }
  return words.flatMap((word) => {
    const count = countOf(word, posture, findings, changes)
    return count === 0 ? [] : [`--fail-on ${word}: ${count} of them.`]
  })
}

function errorsAmong(findings: readonly Finding[]): readonly string[] {
  const errors = findings.filter(({ severity }) => severity === 'error')
  return errors.length === 0
    ? []
    : [`There ${errors.length === 1 ? 'is 1 error' : `are ${errors.length} errors`}; doctor says what to do.`]
}

function countOf(
  word: string,
  { rows }: Posture,
  findings: readonly Finding[],
  changes: readonly LockChange[],
): number {
  if (word === 'changed') return changes.filter(({ severity }) => severity === 'changed').length
  if ((SEVERITIES as readonly string[]).includes(word))
    return findings.filter((finding) => reaches([finding], word)).length
  const ofProof = rows.filter(({ proof }) => proof === word).length
  return ofProof + findings.filter(({ code }) => code === word).length
}
