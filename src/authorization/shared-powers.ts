import type { Mode } from '../core/decision.js'
import { checkOptions, enforceOrReport, listOf, misuse, ruleName, type OptionRule } from '../core/options.js'
import { isTokenText, neutralise } from '../core/text.js'
import type { TextSet } from '../core/text-set.js'

// A padded scope would never match.
export const scope: OptionRule = {
  says: 'a scope without spaces, quotes or backslashes (RFC 6749 section 3.3)',
  holds: (value) => isTokenText(value),
}

/** Directories name roles as people do, with spaces; but a padded or an invisible one would never match. */
export const role: OptionRule = {
  says: 'a role of 1 to 256 printable characters, without space around it',
  holds: (value) =>
    typeof value === 'string' && value !== '' && value.trim() === value && neutralise(value) === value,
}

/** All of some powers, or any of them. */
export interface Demand {
  readonly every: boolean
  readonly powers: readonly string[]
  readonly name: string
  readonly mode: Mode
}

interface DemandOptions {
  readonly all?: readonly string[]
  readonly any?: readonly string[]
  readonly name?: string
  readonly mode?: Mode
}

/** Reads `guard('a', 'b')` and `guard({ any: ['a', 'b'] })`. Throws a `TypeError` for anything else. */
export function readDemand(
  middleware: string,
  power: OptionRule,
  given: readonly (string | DemandOptions)[],
): Demand {
  const options =
    typeof given[0] === 'object' && given.length === 1 ? given[0] : { all: given as readonly string[] }
  const lists = { all: listOf(power), any: listOf(power) }
  checkOptions(middleware, options, { ...lists, name: ruleName, mode: enforceOrReport })
  const powers = options.all ?? options.any
  if (powers === undefined || (options.all !== undefined && options.any !== undefined)) {
    throw misuse(middleware, 'options', 'an object with exactly one of all and any', options)
  }
  const every = options.all !== undefined
  const name = options.name ?? powers.join(every ? ' ' : '|')
  return { every, powers: [...powers], name, mode: options.mode ?? 'enforce' }
}

/** Whether what is held meets a demand: compared whole, and with their case. */
export function meets({ every, powers }: Demand, held: TextSet): boolean {
  return every ? powers.every((needed) => held.has(needed)) : powers.some((needed) => held.has(needed))
}
