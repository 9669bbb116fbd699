import { neutralise } from '../../core/text.js'

/** What JSON can hold. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain }

const MAX_DEPTH = 6
const MAX_ITEMS = 1000
const MAX_TEXT = 4096

/** Set-up facts as JSON can hold them, their names sorted. What JSON cannot hold is named: `[function]`. */
export function plainFacts(facts: Readonly<Record<string, unknown>>): Readonly<Record<string, Plain>> {
  return plainObject(facts, 0)
}

function plain(value: unknown, depth: number): Plain {
  switch (typeof value) {
    case 'string':
      return cut(value)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'boolean':
      return value
    case 'bigint':
      return cut(String(value))
    case 'object':
      return value === null ? null : plainOrUnreadable(value, depth)
    case 'undefined':
    case 'symbol':
    case 'function':
      return `[${typeof value}]`
  }
}

/** A getter or a proxy among the facts may throw; a report is still wanted. */
function plainOrUnreadable(value: object, depth: number): Plain {
  try {
    return plainStructure(value, depth)
  } catch {
    return '[unreadable]'
  }
}

function plainStructure(value: object, depth: number): Plain {
  if (value instanceof RegExp || value instanceof URL) return cut(String(value))
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (depth >= MAX_DEPTH) return '[nested too deep]'
  if (Array.isArray(value) || value instanceof Set) {
    const items = [...(value as Iterable<unknown>)]
    const kept = items.slice(0, MAX_ITEMS).map((item) => plain(item, depth + 1))
    return items.length > MAX_ITEMS ? [...kept, `[${items.length - MAX_ITEMS} more]`] : kept
  }
  if (value instanceof Map) return plainStructure([...(value as Map<unknown, unknown>)], depth)
  return plainObject(value as Readonly<Record<string, unknown>>, depth + 1)
}

function plainObject(
  value: Readonly<Record<string, unknown>>,
  depth: number,
): Readonly<Record<string, Plain>> {
  const entries = Object.keys(value)
    .sort(byCodeUnit)
    .slice(0, MAX_ITEMS)
    .filter((name) => value[name] !== undefined)
    .map((name) => [cut(name), plain(value[name], depth)] as const)
  return Object.fromEntries(entries)
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 3)}...` : text
}

/** The same order on every machine, whatever its language. */
export function byCodeUnit(one: string, other: string): number {
  if (one === other) return 0
  return one < other ? -1 : 1
}

/** JSON with two spaces, in which every character that could repaint a terminal stands as an escape. */
export function jsonText(value: unknown): string {
  return `${escapeUnsafe(JSON.stringify(value, undefined, 2))}\n`
}

/** JSON text stays the same value: what is escaped can stand in its strings only. */
export function escapeUnsafe(json: string): string {
  return json.replace(/[^\x20-\x7e\n]/gu, (character) =>
    isHarmless(character) ? character : escaped(character),
  )
}

function isHarmless(character: string): boolean {
  return neutralise(character) === character
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}

/** One value on one line, for a person: `orders:read, orders:write`, `60`, `{"claim":"client_id"}`. */
export function valueText(value: Plain): string {
  if (typeof value === 'string') return neutralise(value, MAX_TEXT)
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object' || item === null)) {
    return value.length === 0 ? 'none' : neutralise(value.map(String).join(', '), MAX_TEXT)
  }
  return neutralise(JSON.stringify(value), MAX_TEXT)
}
