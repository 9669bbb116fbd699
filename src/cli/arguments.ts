import { parseArgs } from 'node:util'
import { nearest } from '../core/options.js'
import { neutralise } from '../core/text.js'
import { COMMANDS, type CommandDescription, type OptionDescription } from './command-list.js'
import { misused } from './failure.js'

/** What the caller wants. */
export type Wish =
  | { readonly kind: 'usage' }
  | { readonly kind: 'version' }
  | { readonly kind: 'help'; readonly command: string }
  | {
      readonly kind: 'command'
      readonly command: string
      /** The module to be loaded; of a command that loads none what is to be done, or the URL. */
      readonly module: string
      /** What stands behind that, as the id of a key. */
      readonly subject?: string
      readonly options: CommandOptions
    }

/** Options of a command as they were given; a flag is `''`, and what was given several times stands line by line. */
export type CommandOptions = Readonly<Record<string, string | undefined>>

/** Reads the arguments after the command's name. Throws a failure of usage for whatever it does not understand. */
export function readArguments(argv: readonly string[]): Wish {
  const [first, ...rest] = argv
  if (first === undefined) throw misused('A command is missing.', 'Try express-bulwark --help.')
  if (first === '--help' || first === '-h') return { kind: 'usage' }
  if (first === '--version' || first === '-v') return { kind: 'version' }
  if (first === 'help') return helpWish(rest)
  const description = commandOf(first)
  const { options, positionals } = readOptions(first, description, rest)
  if (options['help'] !== undefined) return { kind: 'help', command: first }
  const [module = '', ...behind] = positionals
  const subject = description.subject?.of.includes(module) === true ? behind[0] : undefined
  const others = subject === undefined ? behind : behind.slice(1)
  if (description.actions !== undefined) requireAction(first, description.actions, module)
  else if (module === '' && description.takes !== undefined)
    throw misused(
      `What ${first} is about is missing: <${description.takes}>.`,
      `See: express-bulwark help ${first}`,
    )
  else if (module === '')
    throw misused('The module of the application is missing.', `Try: express-bulwark ${first} ./app.js`)
  if (others.length > 0)
    throw misused(
      `"${shown(others[0] ?? '')}" is one argument too many.`,
      `See: express-bulwark help ${first}`,
    )
  for (const [name, { required, value }] of Object.entries(description.options)) {
    if (required === true && options[name] === undefined)
      throw misused(`--${name} <${value ?? ''}> is missing.`, `See: express-bulwark help ${first}`)
  }
  return { kind: 'command', command: first, module, ...(subject === undefined ? {} : { subject }), options }
}

function requireAction(command: string, actions: readonly string[], action: string): void {
  if (actions.includes(action)) return
  if (action === '')
    throw misused(`A subcommand is missing: ${actions.join(', ')}.`, `See: express-bulwark help ${command}`)
  throw misused(
    `${command} cannot do "${shown(action)}".${meant(action, actions)}`,
    `It can: ${actions.join(', ')}`,
  )
}

function helpWish([command]: readonly string[]): Wish {
  if (command === undefined) return { kind: 'usage' }
  commandOf(command)
  return { kind: 'help', command }
}

function commandOf(name: string): CommandDescription {
  const description = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (description !== undefined) return description
  throw misused(`There is no command "${shown(name)}".${meant(name, Object.keys(COMMANDS))}`, 'Try --help.')
}

function readOptions(
  command: string,
  { options: known }: CommandDescription,
  rest: readonly string[],
): { readonly options: CommandOptions; readonly positionals: readonly string[] } {
  const types = Object.entries(known).map(([name, { value }]) => [
    name,
    { type: value === undefined ? ('boolean' as const) : ('string' as const) },
  ])
  const { tokens } = parseArgs({
    args: [...rest],
    options: Object.fromEntries(types) as Record<string, { type: 'boolean' | 'string' }>,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const options: Record<string, string> = {}
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const { name, rawName, value, inlineValue } = token
    const description = Object.hasOwn(known, name) ? known[name] : undefined
    if (description === undefined || rawName !== `--${name}`)
      throw unknown(command, rawName, Object.keys(known))
    const before = Object.hasOwn(options, name) ? options[name] : undefined
    if (before !== undefined && description.repeats !== true) throw misused(`--${name} is given twice.`)
    const given = checked(name, description, value, inlineValue === true)
    options[name] = before === undefined ? given : `${before}\n${given}`
  }
  return { options, positionals }
}

function checked(
  name: string,
  { value: wanted, oneOf, listOf }: OptionDescription,
  value: string | undefined,
  isInline: boolean,
): string {
  if (wanted === undefined) {
    if (value !== undefined) throw misused(`--${name} takes no value.`)
    return ''
  }
  if (value === undefined || value === '') throw misused(`--${name} needs a value: <${wanted}>.`)
  if (!isInline && value.startsWith('-'))
    throw misused(
      `--${name} needs a value: <${wanted}>.`,
      `One that begins with "-" is given as --${name}=${shown(value)}`,
    )
  if (oneOf !== undefined) requireKnown(name, value, oneOf)
  if (listOf !== undefined) for (const word of wordsOf(value)) requireKnown(name, word, listOf)
  return value
}

function requireKnown(name: string, word: string, known: readonly string[]): void {
  if (known.includes(word)) return
  throw misused(
    `--${name} does not know "${shown(word)}".${meant(word, known)}`,
    `It knows: ${known.join(', ')}`,
  )
}

/** The words of a comma-separated value. */
export function wordsOf(value: string): readonly string[] {
  return value.split(',').map((word) => word.trim())
}

function unknown(command: string, rawName: string, known: readonly string[]): Error {
  const hint = meant(
    rawName,
    known.map((name) => `--${name}`),
  )
  return misused(
    `${command} has no option "${shown(rawName)}".${hint}`,
    `See: express-bulwark help ${command}`,
  )
}

function meant(word: string, known: readonly string[]): string {
  const candidate = nearest(word, known)
  return candidate === undefined ? '' : ` Did you mean ${candidate}?`
}

function shown(text: string): string {
  return neutralise(text, 60)
}
