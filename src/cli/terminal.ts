import type { WriteStream } from 'node:tty'

/** How text is to be laid out for whoever reads the command's output. */
export interface Layout {
  readonly columns: number
  readonly color: boolean
}

type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>

// What is not a terminal is a file or a pipe, which have no width: wide enough for a long route and its guards.
export const FILE_LAYOUT: Layout = { columns: 140, color: false }

export function layoutOf(output: Output, environment: Readonly<Record<string, string | undefined>>): Layout {
  const isTerminal = output.isTTY === true
  const { NO_COLOR: noColor = '', TERM: terminal } = environment
  return {
    columns: isTerminal ? (output.columns ?? 80) : columnsOf(environment['COLUMNS']),
    color: isTerminal && noColor === '' && terminal !== 'dumb',
  }
}

function columnsOf(text: string | undefined): number {
  const columns = Number(text)
  return Number.isInteger(columns) && columns >= 40 && columns <= 1000 ? columns : FILE_LAYOUT.columns
}

/** Writes and waits until it is out. A reader that went away (`| head`) has what it wanted. */
export function write(output: Output, text: string): Promise<void> {
  if (text === '') return Promise.resolve()
  return new Promise((resolve) => {
    const settle = (): void => {
      resolve()
    }
    output.once('error', settle)
    output.write(text, settle)
  })
}
