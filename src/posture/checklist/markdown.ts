import { neutralise } from '../../core/text.js'
import { codeSpan, referenced } from '../render/markdown-text.js'

const BRACKETS: Readonly<Record<string, number>> = { '(': 1, '{': 1, '[': 1, ')': -1, '}': -1, ']': -1 }

/**
 * One line of text as Markdown without effect: plain words as they are; paths, addresses and code, whole, as code.
 *
 * In code nothing becomes a link, a mention, an emphasis or HTML.
 */
export function inert(text: string, maxLength: number): string {
  const words = neutralise(text, maxLength).split(' ')
  const parts: string[] = []
  for (let at = 0; at < words.length;) {
    const end = endOfCode(words, at)
    parts.push(end === at ? (words[at] as string) : asCode(words.slice(at, end).join(' ')))
    at = Math.max(end, at + 1)
  }
  return parts.join(' ')
}

/** Where the code ends that begins with a word: with its method's path, or where its brackets are closed. */
function endOfCode(words: readonly string[], at: number): number {
  const word = words[at] as string
  if (word === '') return at
  if (/^[A-Z][A-Z-]*$/.test(word) && words[at + 1]?.startsWith('/') === true) return at + 2
  if (isPlain(word) && (at > 0 || /^\p{L}/u.test(word))) return at
  let depth = 0
  for (const [index, next] of words.slice(at).entries()) {
    for (const character of next) depth += BRACKETS[character] ?? 0
    if (depth <= 0) return at + index + 1
  }
  return at + 1
}

/** No call, no dot or colon inside it, which would make an address, no commit, and no issue of another name. */
function isPlain(word: string): boolean {
  return /^[\p{L}\p{N},;'()-]*[.:]?$/u.test(word) && !/\w\(|GH-\d|[0-9a-f]{7}/i.test(word)
}

/** Text as code, and the end of its sentence after it. */
export function asCode(text: string): string {
  const [end = ''] = /[.,;:]?$/.exec(text) ?? []
  const body = text.slice(0, text.length - end.length)
  return body === '' ? referenced(text) : `${codeSpan(body)}${end}`
}
