import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { clientKey } from '../../core/client.js'
import { requirePrincipal, type RequestContext } from '../../core/context.js'
import { SecurityProblem } from '../../core/problem.js'
import { isThenable } from '../../core/thenable.js'

/** Answers whom a request is charged to. An empty answer refuses the request: it is never one bucket for everybody. */
export type KeyFunction = (req: IncomingMessage, context: RequestContext) => string | Promise<string>

/** Whom a limit counts. */
export type LimitBy = 'address' | 'principal' | 'api-key' | KeyFunction

const MAX_KEY_LENGTH = 200

type KeyReader = (req: IncomingMessage, context: RequestContext) => string | Promise<string>

export function keyReader(by: LimitBy): KeyReader {
  if (by === 'address') return (req, context) => clientKey(req, context.client)
  if (by === 'principal') return (_req, context) => bounded(requirePrincipal(context).key)
  if (by === 'api-key') return (_req, context) => bounded(apiKeyName(context))
  return (req, context) => {
    const key = by(req, context)
    return isThenable(key) ? Promise.resolve(key).then(answered) : answered(key)
  }
}

function apiKeyName(context: RequestContext): string {
  const principal = requirePrincipal(context)
  // Of principalFrom, the principal itself is the key's.
  const own = principal.authenticatedBy === 'api-key' ? principal.credentialId : undefined
  const id = context.apiKeyId ?? own
  return JSON.stringify([principal.key, present(id, 'the caller did not come with an API key')])
}

/** A function may answer with a secret: only its digest is kept. */
function answered(key: unknown): string {
  return digest(present(typeof key === 'string' ? key : undefined, 'the key function answered no text'))
}

/** A caller's name may be as long as its token. */
function bounded(key: string): string {
  return key.length > MAX_KEY_LENGTH ? digest(key) : key
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function present(key: string | undefined, problem: string): string {
  if (key === undefined || key === '')
    throw new SecurityProblem('limiter_key_missing', { evidence: { problem } })
  return key
}
