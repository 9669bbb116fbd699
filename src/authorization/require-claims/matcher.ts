import { either, callback, listOf, type OptionRule } from '../../core/options.js'
import { isYes } from '../shared-answers.js'

export type ClaimValue = string | number | boolean

/** A value, a list of which the claim must be or hold one, or a function that answers `true`. */
export type ClaimExpectation = ClaimValue | readonly ClaimValue[] | ((value: unknown) => boolean)

// An empty text is a setting that nobody made.
const literal: OptionRule = {
  says: 'a non-empty string, a finite number or a boolean',
  holds: (value) =>
    (typeof value === 'string' && value !== '') || typeof value === 'boolean' || Number.isFinite(value),
}

export const expectation: OptionRule = either(literal, listOf(literal), callback)

/** Turns an expectation into one question. `undefined` is a claim that is missing, and never as expected. */
export function claimMatcher(expected: ClaimExpectation, claim: string): (value: unknown) => boolean {
  if (typeof expected === 'function')
    return (value) => value !== undefined && isYes(expected(value), `the function for ${claim}`)
  if (typeof expected !== 'object') return (value) => value === expected
  const accepted: ReadonlySet<unknown> = new Set(expected)
  return (value) => (Array.isArray(value) ? value.some((item) => accepted.has(item)) : accepted.has(value))
}

/** For a reader of the route table. */
export function shownExpectation(expected: ClaimExpectation): string {
  if (typeof expected === 'function') return 'passes a function'
  if (typeof expected !== 'object') return `is ${JSON.stringify(expected)}`
  return `is one of ${expected.map((item) => JSON.stringify(item)).join(', ')}`
}
