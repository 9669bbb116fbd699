import { createHash } from 'node:crypto'
import { neutralise } from '../core/text.js'

/** What JSON can hold. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain }

/** How much is read of facts, which may come from packages that nobody here wrote. */
export interface Bounds {
  /** Objects and lists inside each other. */
  readonly depth: number
  /** Of a list, or names of an object. */
  readonly items: number
  readonly text: (value: string) => string
  readonly name: (value: string) => string
}

/** Of what a guard says of itself: for reading, so nothing in it can forge a line or repaint a terminal. */
export const SAID: Bounds = {
  depth: 4,
  items: 100,
  text: (value) => neutralise(value, 500),
  name: (value) => neutralise(value, 100),
}

/** Of what a posture holds, wherever that came from; the outputs escape it themselves. */
export const KEPT: Bounds = { depth: 6, items: 1000, text: cut, name: cut }

const MAX_TEXT = 4096
// Deeper lists are no set-up facts that anybody writes; those that hold themselves would take for ever.
const MAX_PRINTED_DEPTH = 2

/** Set-up facts as JSON can hold them, their names sorted. What JSON cannot hold is named: `[function]`. */
export function plainFacts(
  facts: Readonly<Record<string, unknown>>,
  bounds: Bounds = KEPT,
): Readonly<Record<string, Plain>> {
  return plainRecord(facts, 0, bounds)
}

function plain(value: unknown, depth: number, bounds: Bounds): Plain {
  switch (typeof value) {
    case 'string':
      return bounds.text(value)
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'bigint':
      return bounds.text(String(value))
    case 'object':
      return value === null ? null : plainOrUnreadable(value, depth, bounds)
    case 'undefined':
      return null
    case 'function':
    case 'symbol':
      return `[${typeof value}]`
  }
}

/** A proxy among the facts may throw at anything; a report is still wanted. */
function plainOrUnreadable(value: object, depth: number, bounds: Bounds): Plain {
  try {
    return plainObject(value, depth, bounds)
  } catch {
    return '[unreadable]'
  }
}

function plainObject(value: object, depth: number, bounds: Bounds): Plain {
  if (value instanceof RegExp || value instanceof URL) return bounds.text(String(value))
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (depth >= bounds.depth) return '[more]'
  if (Array.isArray(value) || value instanceof Set || value instanceof Map)
    return plainList([...(value as Iterable<unknown>)], depth, bounds)
  return plainRecord(value, depth, bounds)
}

function plainList(items: readonly unknown[], depth: number, bounds: Bounds): readonly Plain[] {
  const shown = items.slice(0, bounds.items).map((item) => plain(item, depth + 1, bounds))
  return items.length > bounds.items ? [...shown, restOf(items.slice(bounds.items), depth, bounds)] : shown
}

/** How many more there are, and a print of them: a lock file must change with what the report cuts off. */
function restOf(items: readonly unknown[], depth: number, bounds: Bounds): string {
  if (depth > MAX_PRINTED_DEPTH) return `[${items.length} more]`
  const hash = createHash('sha256')
  for (const item of items) hash.update(JSON.stringify(printed(item, bounds))).update(',')
  return `[${items.length} more, SHA-256 ${hash.digest('hex').slice(0, 16)}]`
}

/** A text whole: what differs behind the cut differs. */
function printed(item: unknown, bounds: Bounds): Plain {
  return typeof item === 'string' ? item : plain(item, bounds.depth - 1, bounds)
}

function plainRecord(value: object, depth: number, bounds: Bounds): Readonly<Record<string, Plain>> {
  const entries = Object.keys(value)
    .sort(byCodeUnit)
    .slice(0, bounds.items)
    .map((name) => [bounds.name(name), read(value, name)] as const)
    .filter(([, item]) => item !== undefined)
    .map(([name, item]) => [name, plain(item, depth + 1, bounds)] as const)
  return Object.fromEntries(entries)
}

function read(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name]
  } catch {
    return '[unreadable]'
  }
}

/** The same order on every machine, whatever its language. */
export function byCodeUnit(one: string, other: string): number {
  if (one === other) return 0
  return one < other ? -1 : 1
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 3)}...` : text
}
