import type { OptionRule } from '../../core/options.js'

/** What a waiver names where a finding is about the application and not about one row. */
export const APPLICATION = 'application'

/** Stands for one segment, and for several, where a pattern is itself looked at as a text. */
const SEGMENT = '\u0001'
const SEGMENTS = '\u0002'

export const rowPattern: OptionRule = {
  says: '"METHOD /path", with * for any method or within a segment and ** across segments',
  holds: (value) =>
    typeof value === 'string' && value.length <= 300 && /^(\*|[A-Z][A-Z-]*) [^\s\p{Cc}]+$/u.test(value),
}

/** As a row pattern, but it must name something: a waiver for everything would switch its rule off. */
export const waiverPattern: OptionRule = {
  says: `"${APPLICATION}" or ${rowPattern.says}, and not a path of wildcards only`,
  holds: (value) => value === APPLICATION || (rowPattern.holds(value) && namesSomething(value as string)),
}

function namesSomething(pattern: string): boolean {
  const path = pattern.slice(pattern.indexOf(' ') + 1)
  return path === '/' || /[^*/]/.test(path)
}

/** Whether a row, `POST /orders`, is one that a pattern names. Takes time in proportion to both lengths. */
export function matches(pattern: string, label: string): boolean {
  if (pattern === label) return true
  const parts = pattern.match(/\*\*|[^]/g) ?? []
  let reached = new Set([0])
  for (const part of parts) {
    if (reached.size === 0) return false
    reached = stepped(part, reached, label)
  }
  return reached.has(label.length)
}

/** Whether every row that `narrow` names is named by `wide` too. It may say no where it is so, never the reverse. */
export function covers(wide: string, narrow: string): boolean {
  if (wide === narrow) return true
  return matches(wide, narrow.replaceAll('**', SEGMENTS).replaceAll('*', SEGMENT))
}

/** From the positions reached so far, those that one more part of the pattern leads to. */
function stepped(part: string, reached: ReadonlySet<number>, label: string): Set<number> {
  const next = new Set<number>()
  if (part !== '*' && part !== '**') {
    for (const position of reached) if (label[position] === part) next.add(position + 1)
    return next
  }
  const stops = part === '*' ? `/ ${SEGMENTS}` : ' '
  for (let position = Math.min(...reached); position <= label.length; position += 1) {
    const continues = next.has(position - 1) && !stops.includes(label[position - 1] as string)
    if (reached.has(position) || continues) next.add(position)
  }
  return next
}
