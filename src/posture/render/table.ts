import type { Posture, PostureRow, Proof } from '../model.js'
import { rowLines, shareColumns, widthOf, wrap, type TableWidths } from './table/layout.js'
import {
  accessText,
  guardsText,
  ownGuard,
  pathText,
  placeText,
  proofText,
  serviceText,
  settingsText,
  shown,
  summaryText,
} from './words.js'

export interface TableOptions {
  /** Width of the terminal in characters; where a table would not fit, a list is written. At least 40. @default 100 */
  readonly columns?: number | undefined
  /** Whether to colour the text with escape sequences (SGR). @default false */
  readonly color?: boolean
}

interface Line {
  readonly row: PostureRow
  readonly cells: Readonly<Record<keyof TableWidths, string>>
}

type Paint = (text: string, style: keyof typeof STYLES) => string

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const
const PROOF_STYLES: Readonly<Record<Proof, keyof typeof STYLES>> = {
  guarded: 'green',
  public: 'cyan',
  optional: 'yellow',
  open: 'red',
  unknown: 'yellow',
  held: 'green',
  known: 'dim',
}
/** A list is easier to read than a table whose guards are broken into pieces. */
const LEAST_GUARDS = 30
const HEADINGS = { method: 'METHOD', path: 'PATH', proof: 'PROOF', guards: 'GUARDS', where: 'WHERE' }

/**
 * The posture as a table for a terminal, with what is wrong or worth knowing below each row and the counts at the end.
 *
 * Text from the application is made harmless: no escape sequence, line break or bidirectional control comes out.
 * WHERE is the file and line of the last guard in the route itself; JSON and HTML name those of every guard.
 */
export function renderTable(posture: Posture, options: TableOptions = {}): string {
  const { columns = 100, color = false } = options
  const width = Number.isFinite(columns) ? Math.max(40, Math.floor(columns)) : 100
  const paint: Paint = (text, style) => (color ? `\u001b[${STYLES[style]}m${text}\u001b[0m` : text)
  const lines = posture.rows.map(lineOf)
  const widths = widthsOf(lines, width)
  const body = fits(widths, lines) ? asTable(lines, widths, width, paint) : asList(lines, width, paint)
  return [
    ...wrap(`${shown(posture.application)} (${settingsText(posture)})`, width).map((text) =>
      paint(text, 'bold'),
    ),
    '',
    ...(lines.length === 0 ? [] : [...body, '']),
    ...servicesLines(posture, width),
    ...wrap(summaryText(posture), width).map((text) => paint(text, 'bold')),
    '',
  ].join('\n')
}

function lineOf(row: PostureRow): Line {
  return {
    row,
    cells: {
      method: shown(row.method, 20),
      path: pathText(row),
      proof: proofText(row),
      guards: guardsText(row.guards) || '-',
      where: placeText(ownGuard(row.guards)) || '-',
    },
  }
}

function widthsOf(lines: readonly Line[], columns: number): TableWidths {
  return shareColumns(
    {
      method: naturalWidth(lines, 'method'),
      path: naturalWidth(lines, 'path'),
      proof: naturalWidth(lines, 'proof'),
      guards: naturalWidth(lines, 'guards'),
      where: naturalWidth(lines, 'where'),
    },
    columns,
  )
}

function naturalWidth(lines: readonly Line[], name: keyof TableWidths): number {
  return lines.reduce((widest, { cells }) => Math.max(widest, widthOf(cells[name])), HEADINGS[name].length)
}

function fits({ guards }: TableWidths, lines: readonly Line[]): boolean {
  return guards >= Math.min(LEAST_GUARDS, naturalWidth(lines, 'guards'))
}

function asTable(
  lines: readonly Line[],
  widths: TableWidths,
  columns: number,
  paint: Paint,
): readonly string[] {
  const names = Object.keys(HEADINGS) as (keyof TableWidths)[]
  const lineFor = (cells: Line['cells'], style: (name: string, text: string) => string): readonly string[] =>
    rowLines(
      names.map((name) => ({
        text: cells[name],
        width: widths[name],
        paint: (text) => style(name, text),
      })),
    )
  return [
    ...lineFor(HEADINGS, (_name, text) => paint(text, 'bold')),
    ...lines.flatMap(({ row, cells }) => [
      ...lineFor(cells, (name, text) => (name === 'proof' ? paint(text, PROOF_STYLES[row.proof]) : text)),
      ...noteLines(row, columns, paint),
    ]),
  ]
}

function asList(lines: readonly Line[], columns: number, paint: Paint): readonly string[] {
  return lines.flatMap(({ row, cells }) => [
    ...wrap(`${cells.method} ${cells.path}`, columns),
    `  ${paint(cells.proof, PROOF_STYLES[row.proof])}`,
    ...(cells.guards === '-' ? [] : indented(cells.guards, '  ', columns)),
    ...(cells.where === '-' ? [] : indented(cells.where, '  ', columns)),
    ...noteLines(row, columns, paint),
  ])
}

/** A reason is worth a line where the row does not speak for itself. */
function noteLines(row: PostureRow, columns: number, paint: Paint): readonly string[] {
  const speaks = row.proof === 'guarded' || row.proof === 'known' || row.why === ''
  const why = speaks ? [] : indented(`${shown(row.why)}${accessOf(row)}`, '  > ', columns)
  const faults = row.faults.flatMap(({ code, message }) =>
    indented(`${shown(code, 80)}: ${shown(message)}`, '  ! ', columns),
  )
  return [...why.map((text) => paint(text, 'dim')), ...faults.map((text) => paint(text, 'red'))]
}

function accessOf(row: PostureRow): string {
  const access = accessText(row)
  return access === '' ? '' : ` (${access})`
}

function indented(text: string, mark: string, columns: number): readonly string[] {
  return wrap(text, columns - mark.length).map(
    (line, at) => `${at === 0 ? mark : ' '.repeat(mark.length)}${line}`,
  )
}

function servicesLines({ services }: Posture, columns: number): readonly string[] {
  if (services.length === 0) return []
  return [...wrap(`For all requests: ${services.map(serviceText).join(', ')}`, columns)]
}
