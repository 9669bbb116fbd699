import { makeKey, type MadeApiKey, type NewApiKey } from '../../authentication/api-keys/make.js'
import { FACT_RULES } from '../../authentication/api-keys/record.js'
import { neutralise } from '../../core/text.js'
import { wordsOf, type CommandOptions } from '../arguments.js'
import { EXIT, misused } from '../failure.js'
import { addToKeyFile } from '../key-file.js'
import { rotateReport, switchReport } from './key/change.js'
import { digestsOf, endOf, prefixOf, requireKeyId, type KeyWorld } from './key/inputs.js'
import { listReport } from './key/list.js'
import { shownTime } from './key/time.js'
import type { Report } from './report.js'

type Facts = Omit<NewApiKey, 'scopes'> & { readonly scopes: readonly string[] }

const OPTION_OF: Readonly<Record<keyof Facts, string>> = {
  name: 'name',
  subject: 'subject',
  clientId: 'client-id',
  tenant: 'tenant',
  rateTier: 'rate-tier',
  scopes: 'scopes',
  expiresAt: 'expires',
}

/** What each action cannot do without, and what else it can be told. */
const OPTIONS: Readonly<
  Record<string, { readonly needs: readonly string[]; readonly takes: readonly string[] }>
> = {
  new: { needs: ['prefix'], takes: [...Object.values(OPTION_OF), 'file', 'pepper-variable'] },
  list: { needs: ['file'], takes: [] },
  disable: { needs: ['file'], takes: [] },
  enable: { needs: ['file'], takes: [] },
  rotate: { needs: ['prefix', 'overlap', 'file'], takes: ['expires', 'pepper-variable'] },
}
const OF_ALL: readonly string[] = ['stack', 'help']

/** Makes, lists, switches and rotates keys. A key is on standard output when it is made, and nothing ever shows it again. */
export function keyReport(
  action: string,
  id: string | undefined,
  options: CommandOptions,
  world: KeyWorld,
): Report {
  checkOptionsOf(action, options)
  const { file = '' } = options
  if (action === 'list') return listReport(file, world.cwd)
  if (action === 'disable' || action === 'enable')
    return switchReport(action, requireKeyId(action, id), file, world.cwd)
  if (action === 'rotate') return rotateReport(requireKeyId(action, id), file, options, world)
  return newKeyReport(options, world)
}

function checkOptionsOf(action: string, options: CommandOptions): void {
  const { needs, takes } = OPTIONS[action] ?? { needs: [], takes: [] }
  const odd = Object.keys(options).find((name) => ![...needs, ...takes, ...OF_ALL].includes(name))
  if (odd !== undefined)
    throw misused(
      `key ${action} takes no --${odd}.`,
      `It takes: ${[...needs, ...takes].map((name) => `--${name}`).join(', ')}`,
    )
  const missing = needs.find((name) => options[name] === undefined)
  if (missing !== undefined)
    throw misused(`key ${action} needs --${missing}.`, 'See: express-bulwark help key')
}

/** On standard output stand the key and, where no file takes it, the record. */
export function newKeyReport(options: CommandOptions, { cwd, environment }: KeyWorld): Report {
  const { file } = options
  const made = makeKey(prefixOf(options), factsOf(options), digestsOf(options, environment))
  if (file !== undefined) addToKeyFile(cwd, file, made.record)
  return {
    text: file === undefined ? `${made.key}\n${JSON.stringify(made.record)}\n` : `${made.key}\n`,
    remarks: remarksOn(made, file),
    exitCode: EXIT.fine,
  }
}

function factsOf(options: CommandOptions): Facts {
  const given: Facts = {
    scopes: scopesOf(options),
    name: options['name'],
    subject: options['subject'],
    clientId: options['client-id'],
    tenant: options['tenant'],
    rateTier: options['rate-tier'],
    expiresAt: endOf(options),
  }
  for (const [fact, rule] of Object.entries(FACT_RULES)) {
    const value = given[fact as keyof Facts]
    if (value !== undefined && !rule.holds(value))
      throw misused(`--${OPTION_OF[fact as keyof Facts]} must be ${rule.says}.`)
  }
  return given
}

function scopesOf({ scopes: text }: CommandOptions): readonly string[] {
  const scopes = text === undefined ? [] : wordsOf(text)
  if (FACT_RULES.scopes.holds(scopes)) return scopes
  throw misused(
    `--scopes must be at most 100 scopes separated by commas, got "${neutralise(text ?? '', 200)}".`,
    'As: --scopes orders:read,orders:write. Each has 1 to 200 printable characters, and no space, quote or backslash.',
  )
}

function remarksOn(
  { id, record: { expiresAt, scopes } }: MadeApiKey,
  file: string | undefined,
): readonly string[] {
  const end = expiresAt === undefined ? 'it never ends' : `it ends at ${shownTime(expiresAt)}`
  const place =
    file === undefined ? 'Keep the record, below it, in the key file' : `Its record was added to ${file}`
  return [
    `This is the only time that key ${id} is shown; ${end}.`,
    `${place}.`,
    ...(scopes.length === 0
      ? ['It has no scopes: every route that requires one refuses it. Name what it may do with --scopes a,b.']
      : []),
  ]
}
