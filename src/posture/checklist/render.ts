import { checkOptions, integer, oneOf, required } from '../../core/options.js'
import { neutralise } from '../../core/text.js'
import { jsonText } from '../render/plain.js'
import { wrap } from '../render/table/layout.js'
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
const INDENT = ' '.repeat(4)

/**
 * The answers for a terminal, a pull request or a program.
 *
 * A person gets at most 25 lines of evidence to a question, and is told of the rest; JSON holds them all. Control characters and
 * Markdown of an application's own paths and names stay without effect.
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
    ...answer.findings.flatMap((finding) =>
      hanging(`${INDENT}! `, `${finding.severity} ${findingText(finding)}`, columns),
    ),
    ...hanging(INDENT, idsText(answer), columns),
  ])
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

/** The first line begins with `lead`, the others stand below its text. */
function hanging(lead: string, text: string, columns: number): readonly string[] {
  const lines = wrap(neutralise(text, MOST_TEXT), columns - lead.length)
  return lines.map((line, index) => `${index === 0 ? lead : ' '.repeat(lead.length)}${line}`)
}

function markdown(answers: readonly ChecklistAnswer[]): string {
  const blocks = answers.map((answer, index) => [
    `### ${index + 1}. ${answer.question}`,
    '',
    `**${answer.status}** (${idsText(answer)})`,
    '',
    ...few(answer.evidence).map((line) => `- ${inert(line)}`),
    ...answer.findings.map((finding) => `- **${finding.severity}** ${inert(findingText(finding))}`),
  ])
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function findingText(finding: ClassifiedFinding): string {
  const { code, message, remedy, file, line, owasp, asvs } = finding
  const place = file === undefined ? '' : ` At ${file}:${line ?? 1}.`
  const ids = owasp.length + asvs.length === 0 ? '' : ` (${idsText({ owasp, asvs })})`
  return `${code}: ${message} ${remedy}${place}${ids}`
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

/** Character references make no structure (CommonMark section 2.5). A comment keeps `@` from naming a person. */
function inert(text: string): string {
  return neutralise(text, MOST_TEXT).replace(/\.(?! |$)|[^\p{L}\p{N} ,;.'()/-]/gu, (character) => {
    const reference = `&#${character.codePointAt(0) ?? 0xfffd};`
    return character === '@' ? `<!-- -->${reference}<!-- -->` : reference
  })
}
