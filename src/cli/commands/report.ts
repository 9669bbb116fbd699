import type { ExitCode } from '../failure.js'
import type { Layout } from '../terminal.js'

/** What a command has to say. */
export interface Report {
  /** For standard output, or the file that was asked for. */
  readonly text: string
  /** Sentences for standard error: why the command ends as it does. */
  readonly remarks: readonly string[]
  readonly exitCode: ExitCode
}

export interface Surroundings {
  readonly cwd: string
  readonly layout: Layout
  readonly version: string | undefined
  /** Folder of the pages of this package, from the working directory; `undefined` where it was left out. */
  readonly pages: string | undefined
}
