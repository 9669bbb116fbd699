import type { IncomingMessage } from 'node:http'

/** Whether a request has a body, as its headers say (RFC 9112 section 6.3). What a parser left behind says nothing. */
export function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  const length = headers['content-length']
  return length !== undefined && Number(length) !== 0
}

const PARAMETERS = /^(?:\s*;(?:\s*[\w!#$&^.+-]+=(?:[\w!#$&^.+-]+|"[^"\\]*"))?)*\s*$/
const CHARSET = /;\s*charset="?([^;"\s]*)/i

/**
 * The media type without parameters, in lower case; `undefined` where there is none, where it is malformed, or where it
 * names a charset other than UTF-8: what filters in front of the service read as UTF-8 must be read so here.
 */
export function mediaTypeOf({ headers }: IncomingMessage): string | undefined {
  const value = headers['content-type'] ?? ''
  const [type = ''] = value.split(';', 1)
  const plain = type.trim().toLowerCase()
  const parameters = value.slice(type.length)
  const charset = CHARSET.exec(parameters)?.[1]?.toLowerCase() ?? 'utf-8'
  return isMediaType(plain) && PARAMETERS.test(parameters) && charset === 'utf-8' ? plain : undefined
}

export function isMediaType(text: string): boolean {
  return /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(text)
}
