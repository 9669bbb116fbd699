import { createHash } from 'node:crypto'
import { basename, isAbsolute, relative } from 'node:path'
import type { GuardMetadata } from '../../core/metadata.js'
import { neutralise } from '../../core/text.js'
import type { PostureGuard } from '../model.js'
import type { Passed } from './evidence.js'

const MAX_DEPTH = 4
const MAX_ITEMS = 100
const MAX_TEXT = 500
// Deeper lists are no set-up facts that anybody writes; those that hold themselves would take for ever.
const MAX_PRINTED_DEPTH = 2

/** Writes guards down for the report; one that stands before many routes is written once. */
export class GuardWriter {
  readonly #root: string
  readonly #written = {
    before: new Map<GuardMetadata, PostureGuard>(),
    route: new Map<GuardMetadata, PostureGuard>(),
  }

  constructor(root: string) {
    this.#root = root
  }

  write({ about, mounted }: Passed): PostureGuard {
    const known = this.#written[mounted].get(about)
    if (known !== undefined) return known
    const { kind, layer, name, mode, facts, definedAt } = about
    const guard: PostureGuard = Object.freeze({
      kind: neutralise(kind, 64),
      layer,
      name: neutralise(name, MAX_TEXT),
      mode,
      facts: plainRecord(facts, 0),
      file: definedAt === undefined ? undefined : shownFile(definedAt.file, this.#root),
      line: definedAt?.line,
      mounted,
    })
    this.#written[mounted].set(about, guard)
    return guard
  }
}

/** Relative to the root, with forward slashes; of a file outside it the name alone, for the rest is the machine's own. */
export function shownFile(file: string, root: string): string {
  const path = isAbsolute(file) ? relative(root, file) : file
  const shown = path.replaceAll('\\', '/')
  const isOutside = /^(?:\.\.(?:\/|$)|\/|[A-Za-z]:|[a-z-]+:)/.test(shown)
  return neutralise(isOutside ? basename(shown) : shown, MAX_TEXT)
}

/** What JSON can say of a fact, in bounds: nothing that a guard puts there makes the report fail or grow without end. */
function plain(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return neutralise(value, MAX_TEXT)
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'bigint':
      return value.toString().slice(0, MAX_TEXT)
    case 'object':
      return plainObject(value, depth)
    case 'undefined':
    case 'function':
    case 'symbol':
      return undefined
  }
}

function plainObject(value: object | null, depth: number): unknown {
  if (value === null) return null
  if (depth >= MAX_DEPTH) return '[more]'
  if (value instanceof RegExp) return neutralise(String(value), MAX_TEXT)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (Array.isArray(value) || value instanceof Set) {
    const items = [...(value as Iterable<unknown>)]
    const shown = items.slice(0, MAX_ITEMS).map((item) => plain(item, depth + 1) ?? null)
    return items.length > MAX_ITEMS ? [...shown, restOf(items.slice(MAX_ITEMS), depth)] : shown
  }
  return plainRecord(value, depth)
}

/** How many more there are, and a print of them: a lock file must change with what the report cuts off. */
function restOf(items: readonly unknown[], depth: number): string {
  if (depth > MAX_PRINTED_DEPTH) return `[${items.length} more]`
  const hash = createHash('sha256')
  for (const item of items) hash.update(JSON.stringify(textOrPlain(item) ?? null)).update(',')
  return `[${items.length} more, SHA-256 ${hash.digest('hex').slice(0, 16)}]`
}

function textOrPlain(item: unknown): unknown {
  return typeof item === 'string' ? item : plain(item, MAX_DEPTH - 1)
}

function plainRecord(value: object, depth: number): Readonly<Record<string, unknown>> {
  const shown: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const name of Object.keys(value).slice(0, MAX_ITEMS)) {
    const item = plain(read(value, name), depth + 1)
    if (item !== undefined) shown[neutralise(name, 100)] = item
  }
  return { ...shown }
}

function read(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name]
  } catch {
    return '[unreadable]'
  }
}
