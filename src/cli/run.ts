import { existsSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { neutralise } from '../core/text.js'
import { readArguments, type CommandOptions, type Wish } from './arguments.js'
import { COMMANDS, helpText, usageText } from './command-list.js'
import { abuseReport } from './commands/abuse.js'
import { auditReport } from './commands/audit.js'
import { checkReport } from './commands/check.js'
import { doctorReport } from './commands/doctor.js'
import { keyReport } from './commands/key.js'
import { postureReport } from './commands/posture.js'
import type { Report, Surroundings } from './commands/report.js'
import { CommandFailure, EXIT, misused, type ExitCode } from './failure.js'
import type { Examination } from './protocol.js'
import { examine } from './supervise.js'
import { FILE_LAYOUT, layoutOf, write } from './terminal.js'
import { writeWhole } from './write-file.js'

/** The process that the command runs in. */
export interface World {
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where the compiled command lies. */
  readonly folder: string
}

type MakeReport = (examination: Examination, options: CommandOptions, surroundings: Surroundings) => Report

const REPORTS: Readonly<Record<string, MakeReport>> = {
  posture: postureReport,
  doctor: doctorReport,
  check: checkReport,
  audit: auditReport,
}

/** Does what the arguments ask for and answers the exit code. It never rejects. */
export async function run(argv: readonly string[], world: World): Promise<ExitCode> {
  const showsStack =
    argv.includes('--stack') || (world.environment['DEBUG'] ?? '').includes('express-bulwark')
  try {
    return await fulfil(readArguments(argv), world)
  } catch (cause) {
    await write(world.stderr, failureText(cause, showsStack))
    return cause instanceof CommandFailure ? cause.exitCode : EXIT.fault
  }
}

async function fulfil(wish: Wish, world: World): Promise<ExitCode> {
  if (wish.kind === 'command') {
    if (wish.command === 'key')
      return deliver(keyReport(wish.module, wish.subject, wish.options, world), undefined, world)
    if (wish.command === 'abuse')
      return deliver(await abuseReport(wish.module, wish.options, world), undefined, world)
    return perform(wish, world)
  }
  await write(world.stdout, answerTo(wish, world))
  return EXIT.fine
}

function answerTo(wish: Exclude<Wish, { kind: 'command' }>, world: World): string {
  if (wish.kind === 'version') return `${versionIn(world.folder) ?? 'unknown'}\n`
  const description = wish.kind === 'help' ? COMMANDS[wish.command] : undefined
  return wish.kind === 'help' && description !== undefined ? helpText(wish.command, description) : usageText()
}

async function perform(
  { command, module, options }: Extract<Wish, { kind: 'command' }>,
  world: World,
): Promise<ExitCode> {
  const { stdout, cwd, environment, folder } = world
  const examination = await examine(
    {
      command,
      module,
      exportName: options['export'],
      call: options['call'] !== undefined,
      name: options['name'],
      baseline: options['baseline'],
      evidence: options['load-evidence'],
    },
    { inside: join(folder, 'inside.js'), cwd, timeoutSeconds: secondsOf(options['load-timeout']) },
  )
  const { output } = options
  const surroundings = {
    cwd,
    layout: output === undefined ? layoutOf(stdout, environment) : FILE_LAYOUT,
    version: versionIn(folder),
    pages: pagesIn(cwd, folder),
  }
  return deliver((REPORTS[command] as MakeReport)(examination, options, surroundings), output, world)
}

async function deliver(
  report: Report,
  output: string | undefined,
  { stdout, stderr, cwd }: World,
): Promise<ExitCode> {
  if (output === undefined) await write(stdout, report.text)
  else writeWhole(cwd, output, report.text)
  const remarks = report.remarks.map((remark) => `express-bulwark: ${neutralise(remark, 1200)}\n`)
  await write(stderr, remarks.join(''))
  return report.exitCode
}

function secondsOf(text = '10'): number {
  const seconds = Number(text)
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 600) return seconds
  throw misused(`--load-timeout must be whole seconds from 1 to 600, got "${neutralise(text, 40)}".`)
}

/** Where the pages lie that findings name, for whoever stands in the working directory. */
function pagesIn(cwd: string, folder: string): string | undefined {
  const pages = join(folder, '../../../docs')
  return existsSync(pages) ? relative(cwd, pages).split(sep).join('/') : undefined
}

/** The package lies two folders above the compiled command's parent: dist/esm/cli. */
function versionIn(folder: string): string | undefined {
  try {
    const { version } = JSON.parse(readFileSync(join(folder, '../../../package.json'), 'utf8')) as {
      version?: unknown
    }
    return typeof version === 'string' ? version : undefined
  } catch {
    return undefined
  }
}

function failureText(cause: unknown, showsStack: boolean): string {
  const isFault = !(cause instanceof CommandFailure) || cause.exitCode === EXIT.fault
  const message = cause instanceof Error ? cause.message : String(cause)
  const said = isFault ? `This is a fault of express-bulwark, not of your application: ${message}` : message
  const hint = isFault ? 'Please report it, with what --stack shows.' : cause.hint
  const stack = cause instanceof CommandFailure ? cause.cause : (cause as { stack?: unknown }).stack
  const stackLines = showsStack && typeof stack === 'string' ? stack.split('\n').slice(0, 60) : []
  return [
    `express-bulwark: ${neutralise(said, 1200)}`,
    ...(hint === undefined ? [] : [`  ${neutralise(hint, 1200)}`]),
    ...stackLines.map((line) => `  ${neutralise(line, 500)}`),
    '',
  ].join('\n')
}
