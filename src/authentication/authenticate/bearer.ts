import type { IncomingMessage } from 'node:http'
import { refusal } from './refusal.js'

const AUTHORIZATION = 'authorization'
const SCHEME = /^[\w!#$%&'*+.^`|~-]+$/
const TOKEN68 = /^[\w.~+/-]+=*$/

/**
 * The bearer token of a request (RFC 6750 section 2.1), or `undefined` where there is no Authorization field at all.
 *
 * Only the header is read, never the query or the body. Two Authorization lines are refused: Node keeps the first,
 * another hop may have kept the last. So is a scheme that is not `Bearer`: a credential that cannot be checked is not
 * the same as none.
 */
export function readBearer(req: IncomingMessage, maxTokenLength: number): string | undefined {
  if (countAuthorizationLines(req.rawHeaders) > 1) throw refusal('authorization_repeated')
  const value = req.headers.authorization
  if (value === undefined) return undefined
  const end = value.indexOf(' ')
  const scheme = end === -1 ? value : value.slice(0, end)
  if (!SCHEME.test(scheme)) throw refusal('authorization_malformed')
  if (scheme.toLowerCase() !== 'bearer') throw refusal('scheme_unsupported')
  const token = value.slice(scheme.length + 1)
  if (token.length <= maxTokenLength && TOKEN68.test(token)) return token
  if (token === '' || /\s/.test(token)) throw refusal('authorization_malformed')
  if (token.length > maxTokenLength) throw refusal('token_too_long', { length: token.length })
  throw refusal('token_malformed')
}

function countAuthorizationLines(rawHeaders: readonly string[]): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length === AUTHORIZATION.length && name.toLowerCase() === AUTHORIZATION) count += 1
  }
  return count
}
