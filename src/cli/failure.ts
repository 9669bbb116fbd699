/** What the command ends with; `docs/cli.md` says the same. */
export const EXIT = { fine: 0, findings: 1, usage: 2, load: 3, fault: 4 } as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Why the command gives up, in a sentence for whoever called it. */
export class CommandFailure extends Error {
  readonly exitCode: ExitCode
  /** A second line: what to do. */
  readonly hint: string | undefined

  constructor(exitCode: ExitCode, message: string, hint?: string, cause?: unknown) {
    super(message, { cause })
    this.exitCode = exitCode
    this.hint = hint
  }
}

export function misused(message: string, hint?: string): CommandFailure {
  return new CommandFailure(EXIT.usage, message, hint)
}

export function unloadable(message: string, hint?: string, cause?: unknown): CommandFailure {
  return new CommandFailure(EXIT.load, message, hint, cause)
}
