// What stands in documentation and templates where a secret is to stand. Drawn characters spell none of it.
const PLACEHOLDER = /change|secret|example|placeholder|random|password/i
/** How many different characters or bytes a secret has, at least, if it was drawn. */
export const MIN_DISTINCT = 8

/** Whether a text reads as what stands in for a secret until somebody makes one. */
export function isPlaceholder(text: string): boolean {
  return PLACEHOLDER.test(text)
}

/** Whether a secret, a character for each of its bytes, may have been drawn rather than thought up. Its length is another question. */
export function isDrawn(secret: string): boolean {
  return new Set(secret).size >= MIN_DISTINCT && !isPlaceholder(secret)
}

/** What may be told of a text that is no secret: its length, for it may be the secret with a slip in it. */
export function secretTextShown(text: string): string {
  const length = `a text of ${text.length} characters`
  return isPlaceholder(text) ? `${length} with a word in it as placeholders have` : length
}
