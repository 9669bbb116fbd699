/** One policy as `RateLimit-Policy` tells it (draft-ietf-httpapi-ratelimit-headers-10). */
export interface ToldPolicy {
  readonly name: string
  readonly limit: number
  readonly windowSeconds: number | undefined
}

/** What `RateLimit` says is left of a policy. */
export interface ToldLimit {
  readonly name: string
  readonly remaining: number
  readonly resetSeconds: number | undefined
}

/** The two fields of one answer; `undefined` for a field that is missing or is not what the draft has. */
export interface ToldFields {
  readonly policies: readonly ToldPolicy[] | undefined
  readonly limits: readonly ToldLimit[] | undefined
}

type Item = readonly [name: string, parameters: ReadonlyMap<string, number>]

export function fieldsIn(headers: Readonly<Record<string, unknown>>): ToldFields {
  return {
    policies: each(itemsOf(headers['ratelimit-policy']), (name, parameters) => {
      const limit = parameters.get('q')
      return limit === undefined ? undefined : { name, limit, windowSeconds: parameters.get('w') }
    }),
    limits: each(itemsOf(headers['ratelimit']), (name, parameters) => {
      const remaining = parameters.get('r')
      return remaining === undefined ? undefined : { name, remaining, resetSeconds: parameters.get('t') }
    }),
  }
}

/** All of them or nothing: a field with one item that is wrong is wrong. */
function each<T>(
  items: readonly Item[] | undefined,
  read: (name: string, parameters: ReadonlyMap<string, number>) => T | undefined,
): readonly T[] | undefined {
  const made = items?.map(([name, parameters]) => read(name, parameters))
  return made?.every((one) => one !== undefined) === true ? made : undefined
}

const NAME = /\s*"((?:[^"\\]|\\["\\])*)"/y
const PARAMETER = /\s*;\s*([a-z*][a-z0-9_.*-]*)=(?:(\d{1,15})(?![\d.])|"(?:[^"\\]|\\["\\])*"|:[\w+/=-]*:)/y
const BETWEEN = /\s*(,|$)/y

/** A list of strings with parameters (RFC 9651 section 3.1), of which those that are counts are kept. */
function itemsOf(value: unknown): readonly Item[] | undefined {
  if (typeof value !== 'string' || value === '') return undefined
  const items: Item[] = []
  let at = 0
  const next = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(value)
    if (found !== null) at = pattern.lastIndex
    return found
  }
  while (at < value.length) {
    const name = next(NAME)?.[1]
    if (name === undefined) return undefined
    const parameters = new Map<string, number>()
    for (let found = next(PARAMETER); found !== null; found = next(PARAMETER))
      if (found[2] !== undefined) parameters.set(found[1] as string, Number(found[2]))
    items.push([name, parameters])
    if (next(BETWEEN) === null) return undefined
  }
  return items
}
