import { escapeUnsafe } from '../plain.js'

/** Markup that this library wrote. Nothing else gets into a page unescaped. */
export interface Markup {
  readonly markup: string
}

type Part = string | number | Markup | readonly Markup[]

const REFERENCES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}

/**
 * A template whose values are text unless they are markup themselves. Attribute values need their quotes around them.
 * The indentation of the template itself is left out.
 */
export function html(template: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const pieces = template.map((text, at) => {
    const part = parts[at]
    return `${text.replace(/\n\s+/g, '\n')}${part === undefined ? '' : markupOf(part)}`
  })
  return { markup: pieces.join('') }
}

export const NOTHING: Markup = { markup: '' }

/** For the style and the script of the page, which stand in this folder. Never for text of an application. */
export function trusted(markup: string): Markup {
  return { markup }
}

/** Data for a `<script type="application/json">`, in which nothing can end the element or begin a comment. */
export function embeddedJson(value: unknown): Markup {
  const json = escapeUnsafe(JSON.stringify(value))
  return trusted(
    json.replace(
      /[<>&\u2028\u2029]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  )
}

function markupOf(part: Part): string {
  if (typeof part === 'string') return part.replace(/[&<>"'`]/g, (character) => REFERENCES[character] ?? '')
  if (typeof part === 'number') return String(part)
  if ('markup' in part) return part.markup
  return part.map(({ markup }) => markup).join('')
}
