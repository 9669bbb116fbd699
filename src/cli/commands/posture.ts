import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { neutralise } from '../../core/text.js'
import { findingsOf } from '../../posture/findings.js'
import { compareLocks, lockOf, type LockChange } from '../../posture/lock.js'
import type { Finding, Posture } from '../../posture/model.js'
import { renderHtml } from '../../posture/render/html.js'
import { renderJson } from '../../posture/render/json.js'
import { renderMarkdown } from '../../posture/render/markdown.js'
import { renderMatrix } from '../../posture/render/matrix.js'
import { renderSarif } from '../../posture/render/sarif.js'
import { renderTable } from '../../posture/render/table.js'
import { wrap } from '../../posture/render/table/layout.js'
import { wordsOf, type CommandOptions } from '../arguments.js'
import { SEVERITIES } from '../command-list.js'
import { EXIT, misused } from '../failure.js'
import { reaches } from '../finding-list.js'
import type { Examination } from '../protocol.js'
import { writeWhole } from '../write-file.js'
import type { Report, Surroundings } from './report.js'

const LOCK_FILE = 'posture.lock'

/** Every route and what protects it; the lock file that guards against losing some of that. */
export function postureReport(
  { posture }: Examination,
  options: CommandOptions,
  surroundings: Surroundings,
): Report {
  const findings = findingsOf(posture)
  const changes = lockChanges(posture, options, surroundings.cwd)
  const failures = [...failuresOf(posture, findings, changes, options), ...weaknesses(changes, options)]
  const written = writeLock(posture, options, surroundings.cwd)
  return {
    text: rendered(posture, findings, changes, options, surroundings),
    remarks: [...remarksOf(changes, options), ...failures, ...written],
    exitCode: failures.length > 0 ? EXIT.findings : EXIT.fine,
  }
}

function rendered(
  posture: Posture,
  findings: readonly Finding[],
  changes: readonly LockChange[],
  { format = 'table' }: CommandOptions,
  { layout, version }: Surroundings,
): string {
  switch (format) {
    case 'json':
      return renderJson(posture)
    case 'markdown':
      return renderMarkdown(posture, { findings, changes })
    case 'sarif':
      return renderSarif(findings, version === undefined ? {} : { version })
    case 'html':
      return renderHtml(posture, { findings })
    case 'csv':
      return renderMatrix(posture)
    default:
      return `${renderTable(posture, layout)}${changeLines(changes, layout.columns)}`
  }
}

function changeLines(changes: readonly LockChange[], columns: number): string {
  if (changes.length === 0) return ''
  const lines = changes.flatMap((change) =>
    wrap(changeText(change), Math.max(40, columns) - 2).map((line) => `  ${line}`),
  )
  return ['', 'Changed since the lock file:', ...lines, ''].join('\n')
}

/** Where the form of the output has no place for them. */
function remarksOf(changes: readonly LockChange[], { format = 'table' }: CommandOptions): readonly string[] {
  return format === 'table' || format === 'markdown' ? [] : changes.map(changeText)
}

function changeText({ severity, sentence }: LockChange): string {
  return `${severity}: ${neutralise(sentence, 1000)}`
}

function lockChanges(posture: Posture, options: CommandOptions, cwd: string): readonly LockChange[] {
  const { lock } = options
  const isWriting = options['write-lock'] !== undefined
  if (lock === undefined && !isWriting) return []
  const file = lock ?? LOCK_FILE
  const before = lockText(cwd, file)
  if (before === undefined) {
    if (isWriting) return []
    throw misused(`There is no lock file "${neutralise(file, 200)}".`, 'Write it with --write-lock.')
  }
  try {
    return compareLocks(before, lockOf(posture))
  } catch (cause) {
    // One that cannot be read is overwritten when that is asked for.
    if (isWriting) return []
    throw misused(`"${neutralise(file, 200)}" is no lock file: ${neutralise((cause as Error).message, 500)}`)
  }
}

function lockText(cwd: string, file: string): string | undefined {
  try {
    return readFileSync(resolve(cwd, file), 'utf8')
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw misused(`The lock file "${neutralise(file, 200)}" could not be read: ${code}.`)
  }
}

function writeLock(posture: Posture, options: CommandOptions, cwd: string): readonly string[] {
  if (options['write-lock'] === undefined) return []
  const file = options['lock'] ?? LOCK_FILE
  writeWhole(cwd, file, lockOf(posture))
  return [`Wrote ${neutralise(file, 200)}.`]
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
  const asked = options['fail-on']
  if (asked === undefined) return []
  return wordsOf(asked).flatMap((word) => {
    const count = countOf(word, posture, findings, changes)
    return count === 0 ? [] : [`--fail-on ${word}: ${count} of them.`]
  })
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
