// What a terminal, a log viewer or a line-based parser could be made to obey: C0, DEL, C1, zero-width and
// bidirectional controls, tags, line and paragraph separators, the byte order mark, lone surrogates.
const UNSAFE =
  // eslint-disable-next-line no-control-regex -- finding control characters is what it is for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu

const PLAIN = /^[\x20-\x7e]*$/

/**
 * Makes text from outside safe to show: every control, bidirectional and separator character becomes U+FFFD, and
 * the result is at most `maxLength` UTF-16 units long.
 *
 * It does not hide secrets; it only takes away the power to forge lines or to repaint a terminal.
 */
export function neutralise(text: string, maxLength = 256): string {
  const short = text.length > maxLength ? text.slice(0, maxLength) : text
  return PLAIN.test(short) ? short : short.replace(UNSAFE, '\ufffd')
}

/** The value of a quoted-string (RFC 9110 section 5.6.4); characters that cannot stand in a header are dropped. */
export function quotedString(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, '').replace(/["\\]/g, '\\$&')}"`
}

const TOKEN_TEXT = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * Whether a value is text of which lists with spaces between, inside quoted strings, are made: printable ASCII without
 * space, quote and backslash (RFC 6749 section 3.3).
 */
export function isTokenText(value: unknown, maxLength = Infinity): value is string {
  return typeof value === 'string' && value.length <= maxLength && TOKEN_TEXT.test(value)
}
