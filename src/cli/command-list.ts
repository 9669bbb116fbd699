import { ROUTES } from '../posture/catalogue/routes.js'
import { wrap } from '../posture/render/table/layout.js'
import { PROOFS } from '../posture/render/words.js'
import { keyDescription } from './commands/key/description.js'

export interface OptionDescription {
  /** What stands for the value in the help; a flag has none. */
  readonly value?: string
  readonly says: string
  /** The only values it takes. */
  readonly oneOf?: readonly string[]
  /** The only words that its comma-separated value is made of. */
  readonly listOf?: readonly string[]
  /** The command cannot do without it. */
  readonly required?: boolean
  /** It may be given several times. */
  readonly repeats?: boolean
}

export interface CommandDescription {
  readonly summary: string
  /** The words of which one stands in the place of a module: this command loads none. */
  readonly actions?: readonly string[]
  /** What stands behind some of these words, and which. */
  readonly subject?: { readonly value: string; readonly of: readonly string[] }
  /** What stands in the place of a module instead: this command loads none either. */
  readonly takes?: string
  readonly options: Readonly<Record<string, OptionDescription>>
}

export const SEVERITIES = ['error', 'warning', 'note'] as const

const LOADING = {
  export: { value: 'name', says: 'the export that is the application, or gives it' },
  call: { says: 'call that export, without arguments, to get the application' },
  name: { value: 'name', says: 'name of the application in the output (default: that of its package)' },
  'load-timeout': { value: 'seconds', says: 'how long the module may take to load, 1 to 600 (default: 10)' },
} as const
const SHARED = {
  output: { value: 'file', says: 'write there instead of to standard output' },
  stack: { says: 'show the stack of what failed' },
  help: { says: 'show this' },
} as const

function formats(...names: readonly string[]): OptionDescription {
  return { value: names.join('|'), says: `form of the output (default: ${names[0] ?? ''})`, oneOf: names }
}

/** Said alone: fails by nothing. */
export const NOTHING = 'none'

/** What `posture --fail-on` understands: nothing, proof classes, changes to the lock, severities, codes of findings. */
export const POSTURE_LEVELS: readonly string[] = [
  NOTHING,
  ...PROOFS,
  'changed',
  ...SEVERITIES,
  ...Object.keys(ROUTES),
]

export const COMMANDS: Readonly<Record<string, CommandDescription>> = {
  posture: {
    summary: 'lists every route, and what protects it',
    options: {
      ...LOADING,
      format: formats('table', 'json', 'markdown', 'sarif', 'html', 'csv'),
      'fail-on': {
        value: 'words',
        says: 'exit with 1 where there are such: open, unknown, optional, report-mode, error, warning, note, changed, or codes of findings; separated by commas (default: error); none: only list',
        listOf: POSTURE_LEVELS,
      },
      lock: { value: 'file', says: 'compare with this posture.lock; exit with 1 where something got weaker' },
      'write-lock': { says: 'write the posture.lock (default file: posture.lock)' },
      ...SHARED,
    },
  },
  doctor: {
    summary: 'looks for set-ups that cannot protect',
    options: {
      ...LOADING,
      format: formats('table', 'json', 'sarif'),
      'fail-on': {
        value: 'level',
        says: 'exit with 1 at findings of this level or above: error, warning, note (default: error)',
        oneOf: SEVERITIES,
      },
      ...SHARED,
    },
  },
  check: {
    summary: "holds the application against an organisation's baseline",
    options: {
      baseline: {
        value: 'module',
        says: 'a file or package whose default export is made by defineBaseline()',
        required: true,
      },
      ...LOADING,
      format: formats('table', 'json', 'sarif'),
      'fail-on': {
        value: 'level',
        says: 'exit with 1 at findings of this level or above: error, warning, note (default: error)',
        oneOf: SEVERITIES,
      },
      ...SHARED,
    },
  },
  audit: {
    summary: "answers the five questions of the API guide's checklist, with evidence",
    options: {
      ...LOADING,
      baseline: { value: 'module', says: 'count the findings and waivers of this baseline as well' },
      'load-evidence': { value: 'file', says: 'JSON with results of load tests of the limits' },
      format: formats('table', 'json', 'markdown'),
      ...SHARED,
    },
  },
  abuse: {
    summary: 'proves the limits of a service on this machine by using them up',
    takes: 'url',
    options: {
      targets: { value: 'urls', says: 'further processes of the same service, separated by commas' },
      limit: {
        value: 'count',
        says: 'the limit (default: as the fields RateLimit-Policy and RateLimit say)',
      },
      window: { value: 'seconds', says: 'the length of its window' },
      burst: { value: 'count', says: 'how many at once, for a limit by the algorithm gcra' },
      rule: { value: 'name', says: 'the name of the limit (default: as the fields say)' },
      method: { value: 'method', says: 'the method of every request (default: GET)' },
      body: { value: 'text', says: 'the body of every request, of at most 64 KiB' },
      'body-file': { value: 'file', says: 'a file that holds it' },
      type: { value: 'type', says: 'its media type (default: application/json)' },
      path: { value: 'path', says: 'the path, instead of that of the URLs' },
      header: {
        value: 'field',
        says: 'a field of every request, as "Name: value"; repeatable',
        repeats: true,
      },
      output: { value: 'file', says: 'write there the evidence that audit --load-evidence takes' },
      stack: SHARED.stack,
      help: SHARED.help,
    },
  },
  key: keyDescription({ stack: SHARED.stack, help: SHARED.help }),
}

export function usageText(): string {
  const names = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(9)} ${summary}`)
  return [
    'express-bulwark <command> <module> [options]',
    'express-bulwark abuse <url> [options]',
    'express-bulwark key new --prefix <prefix> [options]',
    'express-bulwark key list|disable|enable|rotate [<id>] --file <file> [options]',
    '',
    ...names,
    '',
    'express-bulwark help <command> lists its options; --version tells the version.',
    'Exit codes: 0 fine; 1 findings; 2 wrong usage; 3 the module gave no application; 4 a fault of the command.',
    '',
  ].join('\n')
}

const INDENT = 28

export function helpText(
  name: string,
  { summary, actions, subject, takes = 'module', options }: CommandDescription,
): string {
  const behind = subject === undefined ? '' : ` [<${subject.value}>]`
  const what = `${actions?.join('|') ?? `<${takes}>`}${behind}`
  const required = Object.entries(options)
    .filter(([, option]) => option.required === true)
    .map(([option, { value }]) => ` --${option} <${value ?? ''}>`)
  const lines = Object.entries(options).flatMap(([option, { value, says }]) => {
    const left = `  --${option}${value === undefined ? '' : ` <${value}>`}`
    const [first = '', ...others] = wrap(says, 80 - INDENT)
    const below = others.map((line) => `${' '.repeat(INDENT)}${line}`)
    if (left.length >= INDENT) return [left, `${' '.repeat(INDENT)}${first}`, ...below]
    return [`${left.padEnd(INDENT)}${first}`, ...below]
  })
  return [`express-bulwark ${name} ${what}${required.join('')} [options]: ${summary}`, '', ...lines, ''].join(
    '\n',
  )
}
