import { MalformedValue } from './malformed-value.js'

const QUOTE = '"'
const BACKSLASH = '\\'

/**
 * Splits text at a separator that stands outside quotes. In quotes a backslash takes the next character as it stands.
 * Quotes that do not end are malformed.
 */
export function splitOutsideQuotes(text: string, separator: ',' | ';'): readonly string[] {
  const parts: string[] = []
  let start = 0
  let quoted = false
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index]
    if (quoted && character === BACKSLASH) index += 1
    else if (character === QUOTE) quoted = !quoted
    else if (character === separator && !quoted) {
      parts.push(text.slice(start, index))
      start = index + 1
    }
  }
  if (quoted) throw new MalformedValue('quotes that do not end')
  parts.push(text.slice(start))
  return parts
}

/**
 * The value of a pair: all in quotes, or without any. A value with a quote elsewhere was made to be read in two ways.
 * Backslashes are left as they stand: they are only ever written in names, which nobody reads.
 */
export function unquoted(text: string): string {
  if (!text.includes(QUOTE)) return text
  const content = /^"((?:[^"\\]|\\.)*)"$/.exec(text)?.[1]
  if (content === undefined) throw new MalformedValue('quotes inside a value')
  return content
}
