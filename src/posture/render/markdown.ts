import { summariseChanges, type LockChange } from '../lock.js'
import type { Finding, Posture } from '../model.js'
import { codeSpan } from './markdown-text.js'
import {
  accessText,
  guardText,
  ownGuard,
  pathText,
  placeText,
  proofText,
  settingsText,
  shown,
  summaryText,
} from './words.js'

export interface MarkdownOptions {
  /** Listed below the table. */
  readonly findings?: readonly Finding[]
  /** What changed since the posture.lock that is in the repository; listed above the table. */
  readonly changes?: readonly LockChange[]
}

/**
 * The posture as GitHub-flavoured Markdown, for the comment on a pull request.
 *
 * Text from the application stands in code spans or as character references: it cannot leave its cell, make a link,
 * mention a person or bring HTML of its own.
 */
export function renderMarkdown(posture: Posture, options: MarkdownOptions = {}): string {
  const { findings = [], changes = [] } = options
  return [
    `### Posture of ${code(shown(posture.application))}`,
    '',
    `${settingsText(posture)}. ${summaryText(posture)}`,
    '',
    ...listOf(
      'Changed',
      summariseChanges(changes).map(({ severity, sentence }) => `**${severity}**: ${prose(sentence)}`),
    ),
    ...tableOf(posture),
    ...listOf(
      'Findings',
      findings.map(
        ({ severity, code: name, message, remedy }) =>
          `**${severity}** ${code(shown(name, 80))}: ${prose(message)} ${prose(remedy)}`,
      ),
    ),
  ].join('\n')
}

function tableOf({ rows }: Posture): readonly string[] {
  if (rows.length === 0) return []
  return [
    '| Method | Path | Proof | Guards | Where |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map((row) => {
      const guards = row.guards.map((guard) => code(guardText(guard))).join(', ')
      const reason = row.proof === 'guarded' || row.why === '' ? '' : `: ${prose(row.why)}`
      const access = accessText(row) === '' ? '' : `<br>${prose(accessText(row))}`
      const faults = row.faults.map(({ code: name, message }) => `<br>${code(name)}: ${prose(message)}`)
      const place = placeText(ownGuard(row.guards))
      const cells = [
        code(shown(row.method, 20)),
        code(pathText(row)),
        `**${proofText(row)}**${reason}${access}${faults.join('')}`,
        guards,
        place === '' ? '' : code(place),
      ]
      return `| ${cells.join(' | ')} |`
    }),
    '',
  ]
}

function listOf(title: string, items: readonly string[]): readonly string[] {
  return items.length === 0 ? [] : [`#### ${title}`, '', ...items.map((item) => `- ${item}`), '']
}

function code(text: string): string {
  return codeSpan(shown(text))
}

/** Plain words as they are, anything else as code: there, nothing becomes a link, a mention or an emphasis. */
function prose(text: string): string {
  const safe = shown(text, 600)
  return /^(?:[\p{L}\p{N} ,;:'()-]|\.(?= |$))*$/u.test(safe) && !/^ |:\w/.test(safe) ? safe : code(safe)
}
