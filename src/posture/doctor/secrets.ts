import { neutralise } from '../../core/text.js'
import type { Finding } from '../model.js'
import { found } from '../catalogue.js'
import { settingsOf, type Examined } from './examined.js'

const MAX_SOURCE = 1_000_000
const MAX_LINE = 2000
const MAX_FINDINGS = 20

const SECRET_NAME =
  /secret|passw(?:or)?d|passphrase|private_?key|api_?key|access_?key|auth_?token|access_?token/i

// `sessionSecret: 'abc'`, `const API_KEY = "abc"`, `'client-secret': 'abc'`, `app.set('jwt secret', 'abc')`.
const ASSIGNED = /([\w$-]{1,60})['"`]?\s{0,10}[:=]\s{0,10}(['"`])([^'"`]{6,})\2/g
const SET = /\bset\(\s{0,10}['"`]([^'"`]{1,60})['"`]\s{0,10},\s{0,10}(['"`])([^'"`]{6,})\2/g

// `secret: { header: 'x-edge', values: [`, `values: () => `, `secrets: [`.
const LISTED = /\b(?:secret\s{0,10}:\s{0,10}\{[^{}]{0,300}?\bvalues|secrets)\s{0,10}:\s{0,10}/g
const MAX_VALUE = 1500
// A list to its end, or one value to the comma behind it.
const VALUE =
  /^(?:\(\)\s{0,10}=>\s{0,10})?\(?(?:\[(?:[^\]'"`]|'[^'\n]*'|"[^"\n]*"|`[^`]*`)*|(?:[^,}\]'"`]|'[^'\n]*'|"[^"\n]*"|`[^`]*`)*)/
// `process.env['EDGE']`, `readSecret('edge')`.
const LOOKED_UP =
  /[\w$\])](?:\[\s{0,10}(['"`])[^'"`\n]{0,200}\1\s{0,10}\]|\(\s{0,10}(['"`])[^'"`\n]{0,200}\2[^()]{0,200}\))/g
const LONG_TEXT = /(['"`])((?:(?!\$\{)[^'"`\s]){32,1024})\1/g

const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN (?:[A-Z]{1,12} ){0,2}PRIVATE KEY-----/, 'a private key (PEM)'],
  [/"d"\s{0,5}:\s{0,5}"[\w-]{20,}"|\bd:\s{0,5}'[\w-]{40,}'/, 'a private key (JWK)'],
  [/\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/, 'an access key of AWS'],
  [/\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/, 'a JSON Web Token'],
  [/\bgh[pousr]_\w{36,}|\bxox[abprs]-[\w-]{10,}|\bsk_live_\w{16,}/, 'an access token'],
  [/[?&\s'"`]client_secret=[^\s&'"`$]{6,}/, 'a client_secret in a URL or form'],
  [/\b[a-z][a-z+.-]{1,20}:\/\/[^\s:/@'"`$]{0,60}:[^\s@/'"`$]{3,}@/i, 'a URL with a password'],
]

interface Literal {
  readonly line: number
  readonly what: string
}

/** Secrets written into the source of the module. The value itself is in no finding. */
export function secretLiterals({ source }: Examined): readonly Finding[] {
  if (source === undefined) return []
  const text = source.text.slice(0, MAX_SOURCE)
  const ofLines = text.split('\n').flatMap((content, index): Literal[] => {
    const what = secretIn(content.slice(0, MAX_LINE))
    return what === undefined ? [] : [{ line: index + 1, what }]
  })
  const known = new Set(ofLines.map(({ line }) => line))
  const ofGateways = listedSecrets(text).filter(({ line }) => !known.has(line))
  return [...ofLines, ...ofGateways]
    .toSorted((one, other) => one.line - other.line)
    .slice(0, MAX_FINDINGS)
    .map(({ line, what }) =>
      found('secret-literal', `The source holds ${what}.`, { file: source.file, line }),
    )
}

function secretIn(line: string): string | undefined {
  const shape = SHAPES.find(([pattern]) => pattern.test(line))
  if (shape !== undefined) return shape[1]
  for (const [, name = '', , value = ''] of [...line.matchAll(ASSIGNED), ...line.matchAll(SET)]) {
    if (SECRET_NAME.test(name) && isLiteral(name, value))
      return `${isPlaceholder(value) ? 'a placeholder' : 'text'} for "${neutralise(name, 40)}"`
  }
  return undefined
}

/** Not a template, and not the name of a header, a field or a variable in place of what it holds. */
function isLiteral(name: string, value: string): boolean {
  if (value.includes('${')) return false
  if (/secret|pass/i.test(name) && !/name|header|field|path|file|url|key$|id$/i.test(name))
    return isPlaceholder(value) || !SECRET_NAME.test(value)
  if (/name|header|field|path|file|url/i.test(name)) return false
  return isPlaceholder(value) || (/\d/.test(value) && /^[\w+/=.~-]{12,}$/.test(value))
}

/** What stands in examples: everybody knows it. */
function isPlaceholder(value: string): boolean {
  return (
    /change[-_ ]?(?:me|this|it)|^(?:put|insert|replace|your|todo|fill)[-_ ]|example/i.test(value) ||
    /^(?:(?:my|our|the|a|top|super|very|some|test|dev)[-_ ]?){0,3}secret(?:[-_ ]?(?:key|value|here|\d{1,6}))?$/i.test(
      value,
    )
  )
}

/**
 * Texts in `secret: { header, values }` of a gateway and in lists of `secrets`, which stand on lines without such a name.
 * A gateway takes nothing shorter than 32 characters, so that a shorter text is something else.
 */
function listedSecrets(text: string): readonly Literal[] {
  const places = new Map<number, string>()
  for (const { index, 0: opening } of text.matchAll(LISTED)) {
    const start = index + opening.length
    const [own = ''] = VALUE.exec(text.slice(start, start + MAX_VALUE).replace(LOOKED_UP, blanks)) ?? []
    for (const { index: at, 2: value = '' } of own.matchAll(LONG_TEXT)) places.set(start + at, value)
  }
  let line = 1
  let counted = 0
  return [...places]
    .toSorted(([one], [other]) => one - other)
    .map(([place, value]) => {
      for (; counted < place; counted += 1) if (text[counted] === '\n') line += 1
      return { line, what: `${isPlaceholder(value) ? 'a placeholder' : 'text'} for the secret of a gateway` }
    })
}

/** As long, so that places stay. */
function blanks(part: string): string {
  return part.replace(/[^\n]/g, ' ')
}

export function secretSettings({ applications }: Examined): readonly Finding[] {
  return applications.flatMap(({ application }) =>
    Object.entries(settingsOf(application)).flatMap(([name, value]) =>
      SECRET_NAME.test(name.replace(/\W/g, '_')) && typeof value === 'string' && value.length >= 6
        ? [found('secret-in-settings', `The setting '${neutralise(name, 40)}' holds text.`)]
        : [],
    ),
  )
}
