import type { IncomingMessage } from 'node:http'

/** Whether a request has a body, as its headers say (RFC 9112 section 6.3). What a parser left behind says nothing. */
export function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  const length = headers['content-length']
  return length !== undefined && Number(length) !== 0
}

/** The media type without parameters, in lower case; `undefined` where there is none or it is malformed. */
export function mediaTypeOf({ headers }: IncomingMessage): string | undefined {
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  const plain = type.trim().toLowerCase()
  return isMediaType(plain) ? plain : undefined
}

export function isMediaType(text: string): boolean {
  return /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/.test(text)
}
