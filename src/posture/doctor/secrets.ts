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

const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN (?:[A-Z]{1,12} ){0,2}PRIVATE KEY-----/, 'a private key (PEM)'],
  [/"d"\s{0,5}:\s{0,5}"[\w-]{20,}"|\bd:\s{0,5}'[\w-]{40,}'/, 'a private key (JWK)'],
  [/\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/, 'an access key of AWS'],
  [/\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/, 'a JSON Web Token'],
  [/\bgh[pousr]_\w{36,}|\bxox[abprs]-[\w-]{10,}|\bsk_live_\w{16,}/, 'an access token'],
  [/[?&\s'"`]client_secret=[^\s&'"`$]{6,}/, 'a client_secret in a URL or form'],
  [/\b[a-z][a-z+.-]{1,20}:\/\/[^\s:/@'"`$]{0,60}:[^\s@/'"`$]{3,}@/i, 'a URL with a password'],
]

/** Secrets written into the source of the module. The value itself is in no finding. */
export function secretLiterals({ source }: Examined): readonly Finding[] {
  if (source === undefined) return []
  const lines = source.text.slice(0, MAX_SOURCE).split('\n')
  return lines
    .flatMap((line, index) => {
      const what = secretIn(line.slice(0, MAX_LINE))
      if (what === undefined) return []
      const site = { file: source.file, line: index + 1 }
      return [found('secret-literal', `The source holds ${what}.`, site)]
    })
    .slice(0, MAX_FINDINGS)
}

function secretIn(line: string): string | undefined {
  const shape = SHAPES.find(([pattern]) => pattern.test(line))
  if (shape !== undefined) return shape[1]
  for (const [, name = '', , value = ''] of [...line.matchAll(ASSIGNED), ...line.matchAll(SET)]) {
    if (SECRET_NAME.test(name) && isLiteral(name, value)) return `text for "${neutralise(name, 40)}"`
  }
  return undefined
}

/** Not a template, and not the name of a header, a field or a variable in place of what it holds. */
function isLiteral(name: string, value: string): boolean {
  if (value.includes('${')) return false
  if (/secret|pass/i.test(name) && !/name|header|field|path|file|url|key$|id$/i.test(name))
    return !SECRET_NAME.test(value)
  return /\d/.test(value) && /^[\w+/=.~-]{12,}$/.test(value) && !/name|header|field|path|file|url/i.test(name)
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
