import { Digests, pepperRule } from '../../authentication/api-keys/digests.js'
import { makeKey, type MadeApiKey, type NewApiKey } from '../../authentication/api-keys/make.js'
import { prefixRule } from '../../authentication/api-keys/options.js'
import { FACT_RULES, nowSeconds } from '../../authentication/api-keys/record.js'
import { neutralise } from '../../core/text.js'
import { wordsOf, type CommandOptions } from '../arguments.js'
import { EXIT, misused } from '../failure.js'
import { addToKeyFile } from '../key-file.js'
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

/**
 * Makes a key. On standard output stand the key and, where no file takes it, the record; nothing else ever shows the
 * key again. The pepper comes by the environment: arguments are seen by everybody on the machine.
 */
export function newKeyReport(
  options: CommandOptions,
  {
    cwd,
    environment,
  }: { readonly cwd: string; readonly environment: Readonly<Record<string, string | undefined>> },
): Report {
  const { prefix = '', file } = options
  if (!prefixRule.holds(prefix))
    throw misused(`--prefix must be ${prefixRule.says}, got "${neutralise(prefix, 40)}".`)
  const made = makeKey(prefix, factsOf(options), new Digests(pepperOf(options, environment)))
  if (file !== undefined) addToKeyFile(cwd, file, made.record)
  return {
    text: file === undefined ? `${made.key}\n${JSON.stringify(made.record)}\n` : `${made.key}\n`,
    remarks: remarksOn(made, file),
    exitCode: EXIT.fine,
  }
}

function factsOf(options: CommandOptions): Facts {
  const scopes = options['scopes']
  const given: Facts = {
    scopes: scopes === undefined ? [] : wordsOf(scopes),
    name: options['name'],
    subject: options['subject'],
    clientId: options['client-id'],
    tenant: options['tenant'],
    rateTier: options['rate-tier'],
    expiresAt: endOf(options['expires']),
  }
  for (const [fact, rule] of Object.entries(FACT_RULES)) {
    const value = given[fact as keyof Facts]
    if (value !== undefined && !rule.holds(value))
      throw misused(`--${OPTION_OF[fact as keyof Facts]} must be ${rule.says}.`)
  }
  return given
}

function endOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const [, count, unit] = /^([1-9]\d{0,4})([dh])$/.exec(text) ?? []
  if (count === undefined)
    throw misused(`--expires must be days or hours from now, as 90d or 12h, got "${neutralise(text, 40)}".`)
  return nowSeconds() + Number(count) * (unit === 'd' ? 86_400 : 3600)
}

function pepperOf(
  { 'pepper-variable': variable }: CommandOptions,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (variable === undefined) return undefined
  const pepper = Object.hasOwn(environment, variable) ? environment[variable] : undefined
  if (pepper !== undefined && pepperRule.holds(pepper)) return pepper
  throw misused(`The environment variable "${neutralise(variable, 60)}" must hold 32 to 1000 characters.`)
}

function remarksOn({ id, record: { expiresAt } }: MadeApiKey, file: string | undefined): readonly string[] {
  const end =
    expiresAt === undefined ? 'it never ends' : `it ends at ${new Date(expiresAt * 1000).toISOString()}`
  const place =
    file === undefined ? 'Keep the record, below it, in the key file' : `Its record was added to ${file}`
  return [`This is the only time that key ${id} is shown; ${end}.`, `${place}.`]
}
