import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { shownCertificate } from '../../core/client-certificate.js'
import type { RequestContext } from '../../core/context.js'
import { refusal } from '../refusal.js'
import type { Credential, Verifier } from '../verifier.js'
import type { Settings } from './settings.js'

/** What stands for a client certificate, which comes in no header. No header can say this: their values are never empty. */
export const CERTIFICATE: Credential = Object.freeze({ scheme: 'certificate', value: '' })

const SCHEME = /^[\w!#$%&'*+.^`|~-]+$/
const TOKEN68 = /^[\w.~+/-]+=*$/

/**
 * The credential in the Authorization field (RFC 9110 section 11.6.2), or `undefined` where there is no such field.
 *
 * Only the header is read, never the query or the body. Two lines are refused: Node keeps the first, another hop may
 * have kept the last.
 */
export function readAuthorization(
  req: IncomingMessage,
  schemes: ReadonlySet<string>,
  maxTokenLength: number,
  hand: Hand,
): Credential | undefined {
  if (countLines(req.rawHeaders, 'authorization') > 1) throw refusal('authorization_repeated')
  const value = req.headers.authorization
  if (value === undefined) return undefined
  const end = value.indexOf(' ')
  const written = end === -1 ? value : value.slice(0, end)
  if (!SCHEME.test(written)) throw refusal('authorization_malformed')
  const scheme = written.toLowerCase()
  // A credential that cannot be checked is not the same as none.
  if (!schemes.has(scheme)) throw refusal('scheme_unsupported')
  hand.scheme = scheme
  const token = value.slice(written.length + 1)
  if (token.length <= maxTokenLength && TOKEN68.test(token)) return { scheme, value: token }
  if (token === '' || /\s/.test(token)) throw refusal('authorization_malformed')
  if (token.length > maxTokenLength) throw refusal('token_too_long', { length: token.length })
  throw refusal('token_malformed')
}

/** A credential in a header of its own. An empty one is no credential that anybody meant to send: it is refused too. */
export function readHeader(
  req: IncomingMessage,
  name: string,
  maxTokenLength: number,
): Credential | undefined {
  const value = req.headers[name]
  if (value === undefined) return undefined
  // Node joins the lines of most headers with a comma.
  if (typeof value !== 'string' || countLines(req.rawHeaders, name) > 1) throw refusal('credential_repeated')
  if (value.length > maxTokenLength) throw refusal('token_too_long', { length: value.length })
  return { scheme: name, value }
}

/** In how many lines a header came; `name` in lower case. */
export function countLines(rawHeaders: readonly string[], name: string): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const other = rawHeaders[index] as string
    if (other.length === name.length && other.toLowerCase() === name) count += 1
  }
  return count
}

/** Schemes of the Authorization field, in lower case. The challenge of a verifier with a header of its own is none. */
export function authorizationSchemes(verifiers: readonly Verifier[]): Set<string> {
  const speaking = verifiers.filter(({ header }) => header === undefined)
  return new Set(speaking.map(({ challenge }) => challenge.split(' ', 1)[0]?.toLowerCase() ?? ''))
}

/** Scheme of the credential that is being read or verified: what a refusal is about. */
export interface Hand {
  scheme: string | undefined
}

type CredentialReader = (req: IncomingMessage, context: RequestContext, hand: Hand) => readonly Credential[]

/**
 * Reads the credentials of a request: the Authorization field first, then headers of their own. A certificate counts
 * only where there is nothing else: beside a token it is evidence of who holds the token.
 */
export function credentialReader({ verifiers, dpop, maxTokenLength }: Settings): CredentialReader {
  const headers = [...new Set(verifiers.flatMap(({ header }) => header ?? []))]
  const schemes = authorizationSchemes(verifiers)
  if (dpop !== undefined) schemes.add('dpop')
  const readsCertificates = verifiers.some((verifier) => verifier.recognises(CERTIFICATE))

  return function readCredentials(req, context, hand) {
    const found: Credential[] = []
    const authorization = readAuthorization(req, schemes, maxTokenLength, hand)
    if (authorization !== undefined) found.push(authorization)
    for (const name of headers) {
      hand.scheme = name
      const credential = readHeader(req, name, maxTokenLength)
      if (credential !== undefined) found.push(credential)
    }
    hand.scheme = found[0]?.scheme
    if (found.length > 2) throw refusal('credentials_conflict')
    if (found.length === 0 && readsCertificates && showsCertificate(req, context)) return [CERTIFICATE]
    return found
  }
}

/** Also one that nobody verified: a bad credential is not the same as none. */
function showsCertificate({ socket }: IncomingMessage, { provenHop, client }: RequestContext): boolean {
  if (provenHop !== undefined) return client.certificate !== undefined
  return shownCertificate(socket as Partial<TLSSocket>) !== undefined
}
