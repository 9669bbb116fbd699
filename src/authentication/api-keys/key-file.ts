import type { ApiKeyRecord } from './record.js'
import { readRecord } from './record.js'

/** 16 MiB: some 40,000 keys. */
export const MAX_FILE_BYTES = 16_777_216

/** What a key file says. */
export interface KeyFile {
  /** By id: the record, or `undefined` for what stands there and is none, or stands there twice. */
  readonly records: ReadonlyMap<string, ApiKeyRecord | undefined>
  /** How many entries are no records, or share an id. */
  readonly malformed: number
}

/**
 * Reads the text of a key file: `{ "version": 1, "keys": [record, ...] }`. Throws an `Error` where it is no such thing.
 * An entry that is no record spoils only itself, so that one slip of the pen neither locks everybody out nor keeps
 * another key from being disabled.
 */
export function parseKeyFile(text: string): KeyFile {
  const content = parsed(text)
  const { version, keys, ...others } = (content ?? {}) as { version?: unknown; keys?: unknown }
  if (version !== 1 || !Array.isArray(keys) || Object.keys(others).length > 0)
    throw new Error('it is not { "version": 1, "keys": [...] }')
  const records = new Map<string, ApiKeyRecord | undefined>()
  let malformed = 0
  for (const entry of keys as unknown[]) {
    const record = readRecord(entry)
    const id = record?.id ?? idIn(entry)
    if (record === undefined || records.has(record.id)) malformed += 1
    // Of two, one may be the disabled one.
    if (id !== undefined) records.set(id, records.has(id) ? undefined : record)
  }
  return { records, malformed }
}

/** The text of a key file with these records, one line for each, so that a difference shows which key changed. */
export function keyFileText(records: readonly ApiKeyRecord[]): string {
  const lines = records.map((record) => `    ${JSON.stringify(record)}`)
  return `{\n  "version": 1,\n  "keys": [\n${lines.join(',\n')}\n  ]\n}\n`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the text.
    throw new Error('it is no JSON')
  }
}

function idIn(entry: unknown): string | undefined {
  const { id } = (entry ?? {}) as { id?: unknown }
  return typeof id === 'string' ? id : undefined
}
