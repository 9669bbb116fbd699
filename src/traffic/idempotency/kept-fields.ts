import type { ServerResponse } from 'node:http'
import type { KeptAnswer } from './answers.js'

/** The listed fields of a head. What is given to `writeHead` need not be among the fields of the response. */
export function keptFields(
  names: ReadonlySet<string>,
  res: ServerResponse,
  given: readonly unknown[],
): KeptAnswer['headers'] {
  const over = new Map<string, string[]>()
  for (const [name, value] of fieldsIn(given.find((value, at) => at > 0 && typeof value === 'object'))) {
    const lower = name.toLowerCase()
    over.set(lower, [...(over.get(lower) ?? []), ...linesOf(value)])
  }
  return [...names].flatMap((name): KeptAnswer['headers'] => {
    const values = over.get(name) ?? linesOf(res.getHeader(name))
    return values.length === 0 ? [] : [[name, values]]
  })
}

/** The forms that `writeHead` takes: an object, a flat list, a list of pairs. */
function fieldsIn(given: unknown): readonly (readonly [string, unknown])[] {
  if (typeof given !== 'object' || given === null) return []
  if (!Array.isArray(given)) return Object.entries(given)
  const list = given as readonly unknown[]
  if (list.every((item) => Array.isArray(item)))
    return (list as readonly (readonly unknown[])[]).map(([name, value]) => [String(name), value])
  return list.flatMap((name, at) => (at % 2 === 0 ? [[String(name), list[at + 1]] as const] : []))
}

function linesOf(value: unknown): string[] {
  if (value === undefined || value === null) return []
  return [value as string | number | readonly string[]].flat().map(String)
}
