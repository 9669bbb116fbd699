import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import { isAbsolute, relative, resolve, sep } from 'node:path'
import { callback, checkOptions, flag, misuse, record, text, type OptionRule } from '../core/options.js'
import { isApplication } from '../core/router.js'
import { neutralise } from '../core/text.js'
import { services } from './doctor/chain.js'
import { expressCopies } from './doctor/copies.js'
import { walk, type Examined } from './doctor/examined.js'
import { memoryStores, reportMode, strictTransport, upgrades } from './doctor/guards.js'
import { guardsBehindRoutes, parsersBeforeAuthentication } from './doctor/order.js'
import { secretLiterals, secretSettings } from './doctor/secrets.js'
import { trustProxy } from './doctor/trust-proxy.js'
import type { Finding } from './model.js'

export interface DiagnoseOptions {
  /** The folder that files in findings are relative to. @default the working directory */
  readonly root?: string
  /** File of the module that makes the application: it is searched for secrets. @default none is searched */
  readonly source?: string
  /** The server that the application answers on: whether it ends TLS, and whether it takes upgrades. */
  readonly server?: Server
  /** @default process.env */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Files that Node.js has loaded as CommonJS. @default those of this process */
  readonly loadedFiles?: readonly string[]
}

export interface DoctorOptions extends DiagnoseOptions {
  /** Whether to throw where a finding is an error. @default false */
  readonly fail?: boolean
  /** Takes each finding. @default a line on standard error */
  readonly log?: (finding: Finding) => void
}

const files: OptionRule = { says: 'an array of paths', holds: Array.isArray }

const RULES = {
  root: text(4096),
  source: text(4096),
  server: record,
  environment: record,
  loadedFiles: files,
}
const SEVERITIES = ['error', 'warning', 'note'] as const

const EXAMINATIONS: readonly ((examined: Examined) => readonly Finding[])[] = [
  trustProxy,
  expressCopies,
  services,
  guardsBehindRoutes,
  parsersBeforeAuthentication,
  reportMode,
  memoryStores,
  strictTransport,
  upgrades,
  secretLiterals,
  secretSettings,
]

/**
 * Looks for set-ups of an application that cannot protect it, or that nobody can have meant; the worst come first.
 *
 * Call it when everything is mounted: it sees what is there, and sends no request.
 *
 * **Not checked:** whether each route is guarded; that is what `inspectPosture` says. Mounted applications that Express
 * hides, and what a handler does.
 *
 * Throws a `TypeError` for what is no Express application, and for unknown or impossible options.
 */
export function diagnose(application: object, options: DiagnoseOptions = {}): Finding[] {
  checkOptions('diagnose', options, RULES)
  if (!isApplication(application))
    throw misuse('diagnose', 'application', 'an Express application', application)
  const { root = process.cwd(), source, server, environment = process.env, loadedFiles } = options
  const examined: Examined = {
    application,
    ...walk(application),
    environment,
    server,
    loadedFiles: loadedFiles ?? filesOfThisProcess(root),
    source: source === undefined ? undefined : sourceOf(resolve(root, source)),
  }
  return EXAMINATIONS.flatMap((examine) => examine(examined))
    .map((finding) => placed(finding, root))
    .toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity))
}

/**
 * The start-up doctor: `diagnose`, with each finding on standard error or where `log` takes it.
 *
 * With `fail: true` it throws an `Error` where a finding is an error, so that such a service does not start. What `log`
 * throws is thrown.
 */
export function doctor(application: object, options: DoctorOptions = {}): Finding[] {
  const { fail = false, log = writeLine, ...others } = options
  checkOptions('doctor', options, { ...RULES, fail: flag, log: callback })
  const findings = diagnose(application, others)
  for (const finding of findings) log(finding)
  const errors = findings.filter(({ severity }) => severity === 'error')
  if (fail && errors.length > 0)
    throw new Error(`doctor: this application should not start: ${errors.map(({ code }) => code).join(', ')}`)
  return findings
}

function writeLine({ severity, code, message, remedy, where, file, line, page }: Finding): void {
  const place = [where, file === undefined ? undefined : `${file}:${line ?? 1}`].filter(
    (part) => part !== undefined,
  )
  const sentence = [`${severity} ${code}: ${message} ${remedy}`, ...place, page].join(' | ')
  process.stderr.write(`express-bulwark doctor: ${neutralise(sentence, 2000)}\n`)
}

function filesOfThisProcess(root: string): readonly string[] {
  return Object.keys(createRequire(resolve(root, 'any.js')).cache)
}

/** A source that cannot be read holds no finding: the module was loaded from it a moment ago. */
function sourceOf(file: string): Examined['source'] {
  try {
    return { file, text: readFileSync(file, 'utf8') }
  } catch {
    return undefined
  }
}

function placed(finding: Finding, root: string): Finding {
  const { file } = finding
  if (file === undefined || !isAbsolute(file)) return finding
  const path = relative(root, file).split(sep).join('/')
  return { ...finding, file: path === '' ? file : path }
}
