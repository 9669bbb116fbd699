import { IncomingMessage } from 'node:http'
import { neutralise } from './text.js'
import { isThenable } from './thenable.js'

/** What one option must be. `undefined` is always "not given"; a rule made `required` refuses it. */
export interface OptionRule {
  /** Ends the sentence "must be ...". */
  readonly says: string
  readonly holds: (value: unknown) => boolean
  readonly required?: boolean
}

export const text = (maxLength = 1000): OptionRule => ({
  says: `a non-empty string of at most ${maxLength} characters`,
  holds: (value) => typeof value === 'string' && value !== '' && value.length <= maxLength,
})

export const integer = (minimum: number, maximum: number, unit = ''): OptionRule => ({
  says: `an integer from ${minimum} to ${maximum}${unit === '' ? '' : ` ${unit}`}`,
  holds: (value) => Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum,
})

export const oneOf = (...values: readonly unknown[]): OptionRule => ({
  says: values.map((value) => JSON.stringify(value)).join(' or '),
  holds: (value) => values.includes(value),
})

export const flag: OptionRule = oneOf(true, false)

export const callback: OptionRule = { says: 'a function', holds: (value) => typeof value === 'function' }

export const record: OptionRule = {
  says: 'an object',
  holds: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

export const listOf = (item: OptionRule): OptionRule => ({
  says: `a non-empty array, each item ${item.says}`,
  holds: (value) => Array.isArray(value) && value.length > 0 && value.every((entry) => item.holds(entry)),
})

export const either = (...rules: readonly OptionRule[]): OptionRule => ({
  says: rules.map(({ says }) => says).join(', or '),
  holds: (value) => rules.some((rule) => rule.holds(value)),
})

export const required = (rule: OptionRule): OptionRule => ({ ...rule, required: true })

/** The rule's id in audit and metrics. */
export const ruleName: OptionRule = {
  says: 'a name of 1 to 64 letters, digits, ".", "_", ":", "/" or "-"',
  holds: (value) => typeof value === 'string' && /^[\w.:/-]{1,64}$/.test(value),
}

export const enforceOrReport: OptionRule = oneOf('enforce', 'report')

/** For middlewares of which a mere report would be an open door. */
export const enforceOnly: OptionRule = {
  says: '"enforce": a middleware that only reported here would let everybody in',
  holds: (value) => value === 'enforce',
}

/**
 * Checks options once, when a middleware is made.
 *
 * Throws a `TypeError`: for an option that no rule names, with the one that was probably meant; for a missing or an
 * impossible value. `aliases` maps the spellings of other libraries to ours.
 */
export function checkOptions(
  middleware: string,
  options: unknown,
  rules: Readonly<Record<string, OptionRule>>,
  aliases: Readonly<Record<string, string>> = {},
): void {
  if (!record.holds(options)) throw misuse(middleware, 'options', 'an object', options)
  if (options instanceof IncomingMessage)
    throw misused(`${middleware}: got a request as its options: mount it called, app.use(${middleware}(...))`)
  const given = options as Readonly<Record<string, unknown>>
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(rules, name))
      throw new TypeError(unknownOption(middleware, name, Object.keys(rules), aliases))
  }
  for (const [name, rule] of Object.entries(rules)) {
    const value = given[name]
    if (value === undefined ? rule.required === true : !rule.holds(value)) {
      throw misuse(middleware, name, rule.says, value)
    }
  }
}

/** The error for one impossible option, in the one style of this library. Strings are shown short, objects not at all. */
export function misuse(middleware: string, option: string, says: string, value: unknown): TypeError {
  return misused(`${middleware}: ${option} must be ${says}, got ${shown(value)}`)
}

const misuses = new WeakSet<object>()

/** An error whose words are this library's own, and may stand in a record. */
function misused(message: string): TypeError {
  const error = new TypeError(message)
  misuses.add(error)
  return error
}

/** What is wrong with a set-up, where that shows only when a request comes: a function of it answers nonsense. */
export function misuseSaid(thrown: unknown): string | undefined {
  return misuses.has(thrown as object) ? (thrown as Error).message : undefined
}

function shown(value: unknown): string {
  if (isThenable(value)) return 'a promise'
  if (typeof value === 'string') return JSON.stringify(neutralise(withoutUserInfo(value), 60))
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return shownList(value)
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value)
}

function shownList(values: readonly unknown[]): string {
  const items = values.slice(0, 5).map((item) => (Array.isArray(item) ? 'an array' : shown(item)))
  return `[${items.join(', ')}${values.length > items.length ? ', ...' : ''}]`
}

// A URL option may hold a password by mistake; an error message is not the place to keep it.
function withoutUserInfo(value: string): string {
  return value.replace(/\/\/[^/?#]*@/, '//[credentials]@')
}

function unknownOption(
  middleware: string,
  name: string,
  known: readonly string[],
  aliases: Readonly<Record<string, string>>,
): string {
  const meant = Object.hasOwn(aliases, name) ? aliases[name] : nearest(name, known)
  const hint = meant === undefined ? '' : ` Did you mean ${meant}?`
  return `${middleware}: unknown option "${neutralise(name, 60)}".${hint} Known options: ${known.join(', ')}.`
}

/** The word that was probably meant: the nearest one, if it is near at all. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best !== undefined && best.distance <= Math.max(2, best.candidate.length / 3)
    ? best.candidate
    : undefined
}

function editDistance(a: string, b: string): number {
  if (a.length > 60) return Infinity
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min((row[j - 1] as number) + 1, (previous[j] as number) + 1, swap))
    }
    previous = row
  }
  return previous[b.length] as number
}
