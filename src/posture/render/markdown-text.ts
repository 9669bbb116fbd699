/** Text as code, whole. A pipe or a back-tick in a code span is read differently by different parsers, so it gets none. */
export function codeSpan(text: string): string {
  if (text === '') return ''
  if (/^[^`|\\]*$/.test(text) && text.trim() === text) return `\`${text}\``
  return `<code>${referenced(text)}</code>`
}

/** Character references make no structure (CommonMark section 2.5). A comment keeps `@` from naming a person or an address. */
export function referenced(text: string): string {
  return text.replace(/[^\p{L}\p{N} ]/gu, (character) => {
    const reference = `&#${character.codePointAt(0) ?? 0xfffd};`
    return character === '@' ? `<!-- -->${reference}<!-- -->` : reference
  })
}
