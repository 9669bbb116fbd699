import type { IncomingMessage } from 'node:http'
import { SecurityProblem } from '../../core/problem.js'

export const MAX_KEY_LENGTH = 255

// RFC 9651 section 3.3.3: printable ASCII in quotes; only the quote and the backslash are escaped. No parameters: the
// field is an sf-string and nothing else.
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
const KEY_FORM = `one text of 1 to ${MAX_KEY_LENGTH} printable characters in double quotes`
const MAX_QUOTED_LENGTH = 2 * MAX_KEY_LENGTH + 2

/**
 * The key of a request, without its quotes; `undefined` where there is none. Throws for what is no key, and for more
 * than one: Node joins two lines with a comma, and `"a` and `b"` would make one good key of two bad ones.
 */
export function keyOf(req: IncomingMessage): string | undefined {
  const lines = req.headersDistinct['idempotency-key'] ?? []
  if (lines.length === 0) return undefined
  const key = lines.length === 1 ? parseKey(lines[0] ?? '') : undefined
  if (key === undefined)
    throw new SecurityProblem('idempotency_key_malformed', {
      detail: `Idempotency-Key must be ${KEY_FORM}.`,
      evidence: { lines: lines.length },
    })
  return key
}

export function keyMissing(): SecurityProblem {
  return new SecurityProblem('idempotency_key_missing', {
    detail: `This request needs an Idempotency-Key, new for each operation: ${KEY_FORM}.`,
  })
}

/** The text of an sf-string of 1 to 255 characters; `undefined` for anything else. */
export function parseKey(field: string): string | undefined {
  if (field.length > MAX_QUOTED_LENGTH) return undefined
  const key = QUOTED.exec(field)?.[1]?.replace(/\\(["\\])/g, '$1')
  return key === undefined || key === '' || key.length > MAX_KEY_LENGTH ? undefined : key
}
