// East Asian wide and full-width ranges, and emoji: they take two columns of a terminal.
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

/** How many columns of a terminal a text takes. */
export function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const character of text) width += columnsOf(character)
  return width
}

function columnsOf(character: string): number {
  if (/\p{Mark}/u.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

export function pad(text: string, width: number): string {
  return `${text}${' '.repeat(Math.max(0, width - widthOf(text)))}`
}

/** Lines of at most `width` columns: broken at spaces, else behind `/` and `,`, else wherever the line ends. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const piece of piecesOf(text, width)) {
    if (line !== '' && widthOf(line) + widthOf(piece.trimEnd()) > width) {
      lines.push(line.trimEnd())
      line = ''
    }
    line += piece
  }
  lines.push(line.trimEnd())
  return lines
}

function piecesOf(text: string, width: number): readonly string[] {
  const words = text.match(/[^ /,]*[/,]* *|./gu) ?? []
  return words.filter((word) => word !== '').flatMap((word) => cutHard(word, width))
}

function cutHard(word: string, width: number): readonly string[] {
  if (widthOf(word.trimEnd()) <= width) return [word]
  const parts: string[] = []
  let part = ''
  for (const character of word) {
    if (part !== '' && widthOf(part) + columnsOf(character) > width) {
      parts.push(part)
      part = ''
    }
    part += character
  }
  return [...parts, part]
}

const GAP = 2

export interface TableWidths {
  readonly method: number
  readonly path: number
  readonly proof: number
  readonly guards: number
  readonly where: number
}

/** Shares the columns of a terminal: short columns get what they need, path and place a bounded part, guards the rest. */
export function shareColumns(natural: TableWidths, columns: number): TableWidths {
  const room = columns - natural.method - natural.proof - 4 * GAP
  if (natural.path + natural.guards + natural.where <= room) return natural
  const where = Math.min(natural.where, Math.max(12, Math.floor(room * 0.28)))
  const path = Math.min(natural.path, Math.max(16, Math.floor(room * 0.36), room - where - natural.guards))
  return { ...natural, path, where, guards: Math.max(8, room - path - where) }
}

/** One row of cells on as many lines as its longest cell needs. */
export function rowLines(
  cells: readonly {
    readonly text: string
    readonly width: number
    readonly paint: (text: string) => string
  }[],
): readonly string[] {
  const wrapped = cells.map(({ text, width }) => wrap(text, width))
  const height = Math.max(...wrapped.map((lines) => lines.length))
  return Array.from({ length: height }, (_, at) =>
    cells
      .map(({ width, paint }, column) => {
        const text = wrapped[column]?.[at] ?? ''
        const gap = column === cells.length - 1 ? '' : pad('', width + GAP - widthOf(text))
        return `${text === '' ? '' : paint(text)}${gap}`
      })
      .join('')
      .trimEnd(),
  )
}
