import { neutralise } from '../../core/text.js'
import type { Plain } from '../facts.js'

const MAX_TEXT = 4096

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
