import { checkOptions, integer, oneOf, required } from '../../core/options.js'
import { neutralise } from '../../core/text.js'
import { jsonText } from '../render/plain.js'
import { wrap } from '../render/table/layout.js'
import { placeText, shown } from '../render/words.js'
import { causesOf, othersText, type Cause } from './causes.js'
import { asCode, inert } from './markdown.js'
import type { ChecklistAnswer, ClassifiedFinding } from './model.js'

export type ChecklistFormat = 'table' | 'markdown' | 'json'

export interface RenderChecklistOptions {
  readonly format: ChecklistFormat
  /** Width of the terminal, 40 to 400 columns, for `table`. @default 100 */
  readonly columns?: number
}

/** Version of the JSON below. It grows by members. */
const CHECKLIST_SCHEMA_VERSION = 1
const MOST_LINES = 25
const MOST_TEXT = 1000
const MOST_LABEL = 200
/** A line of ours may list some labels. */
const MOST_LINE = 10_000
const INDENT = ' '.repeat(4)

/**
 * The answers for a terminal, a pull request or a program.
 *
 * A person gets at most 25 lines of evidence to a question, and is told of the rest; findings that differ by their route only are
 * told once, with the other routes. JSON holds them all. Control characters and Markdown of an application's own paths and names
 * stay without effect.
 *
 * Throws a `TypeError` for an unknown format and an impossible width.
 */
export function renderChecklist(
  answers: readonly ChecklistAnswer[],
  options: RenderChecklistOptions,
): string {
  checkOptions('renderChecklist', options, {
    format: required(oneOf('table', 'markdown', 'json')),
    columns: integer(40, 400, 'columns'),
  })
  const { format, columns = 100 } = options
  if (format === 'json') return jsonText({ schemaVersion: CHECKLIST_SCHEMA_VERSION, answers })
  return format === 'markdown' ? markdown(answers) : table(answers, columns)
}

function table(answers: readonly ChecklistAnswer[], columns: number): string {
  const blocks = answers.map((answer, index) => [
    ...hanging(`${index + 1}.  `, `${answer.question} ${answer.status.toUpperCase()}`, columns),
    ...few(answer.evidence).flatMap((line) => hanging(`${INDENT}- `, line, columns)),
    ...causesOf(answer.findings).flatMap((cause) => causeLines(cause, columns)),
    ...hanging(INDENT, idsText(answer), columns),
  ])
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function causeLines(cause: Cause, columns: number): readonly string[] {
  const { finding, others } = cause
  const { severity, code, message, remedy } = finding
  const text = `${severity} ${code}: ${message} ${remedy}${placeSentence(finding)}${idsAfter(finding)}`
  const also = `The same: ${othersText(cause, (label) => shown(label, MOST_LABEL))}.`
  return [
    ...hanging(`${INDENT}! `, text, columns),
    ...(others.length === 0 ? [] : hanging(`${INDENT}  `, also, columns)),
  ]
}

/** The first line begins with `lead`, the others stand below its text. */
function hanging(lead: string, text: string, columns: number): readonly string[] {
  const lines = wrap(neutralise(text, MOST_LINE), columns - lead.length)
  return lines.map((line, index) => `${index === 0 ? lead : ' '.repeat(lead.length)}${line}`)
}

function markdown(answers: readonly ChecklistAnswer[]): string {
  const blocks = answers.map((answer, index) => [
    `### ${index + 1}. ${answer.question}`,
    '',
    `**${answer.status}** (${idsText(answer)})`,
    '',
    ...few(answer.evidence).map((line) => `- ${inert(line, MOST_TEXT)}`),
    ...causesOf(answer.findings).flatMap(causeItems),
  ])
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function causeItems(cause: Cause): readonly string[] {
  const { finding, others } = cause
  const { severity, code, message, remedy } = finding
  const said = inert(`${message} ${remedy}${placeSentence(finding)}`, MOST_TEXT)
  const also = othersText(cause, (label) => asCode(shown(label, MOST_LABEL)))
  return [
    `- **${severity}** ${asCode(shown(code, 80))}: ${said}${idsAfter(finding)}`,
    ...(others.length === 0 ? [] : [`  - The same: ${also}.`]),
  ]
}

function placeSentence(finding: ClassifiedFinding): string {
  const place = placeText(finding)
  return place === '' ? '' : ` At ${place}.`
}

function idsAfter(finding: ClassifiedFinding): string {
  const ids = idsText(finding)
  return ids === '' ? '' : ` (${ids})`
}

function idsText({ owasp, asvs }: Pick<ChecklistAnswer, 'owasp' | 'asvs'>): string {
  const parts = [
    owasp.length === 0 ? [] : [owasp.join(', ')],
    asvs.length === 0 ? [] : [`ASVS ${asvs.join(', ')}`],
  ]
  return parts.flat().join('; ')
}

function few(lines: readonly string[]): readonly string[] {
  const rest = lines.length - MOST_LINES
  return rest > 0 ? [...lines.slice(0, MOST_LINES), `... and ${rest} more lines, in the JSON`] : lines
}
