/** What Cedar's JSON format can say. */
export type CedarValue = boolean | number | string | CedarValue[] | { [name: string]: CedarValue }

// Names by which Cedar's JSON format tells an entity or a function call from a record.
const ESCAPES = ['__entity', '__extn', '__expr']
const MAX_DEPTH = 20

/**
 * A record of values for Cedar. `undefined` and `null` are absent.
 *
 * Throws for what Cedar does not know (fractions, dates, functions), and for a record that would be read as an entity
 * or a function call: data from a caller must not become either.
 */
export function cedarRecord(given: object | undefined, depth = 0): Record<string, CedarValue> {
  const entries = Object.entries(given ?? {}).filter(([, value]) => value !== undefined && value !== null)
  if (entries.some(([name]) => ESCAPES.includes(name))) throw unsayable('a record with a reserved name')
  return Object.fromEntries(entries.map(([name, value]) => [name, cedarValue(value, depth + 1)]))
}

function cedarValue(value: unknown, depth: number): CedarValue {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  if (depth > MAX_DEPTH) throw unsayable('a value nested this deep')
  if (Array.isArray(value)) return value.map((item) => cedarValue(item, depth + 1))
  if (isPlain(value)) return cedarRecord(value, depth)
  throw unsayable(typeof value === 'object' ? 'an object of a class, or null' : `a ${typeof value} like this`)
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function unsayable(what: string): Error {
  return new Error(`cedarPolicy: Cedar has no way to say ${what}`)
}
