import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { addressKey } from '../../core/address.js'
import { requirePrincipal, type RequestContext } from '../../core/context.js'
import { SecurityProblem } from '../../core/problem.js'

/** Answers whom a request is charged to. An empty answer refuses the request: it is never one bucket for everybody. */
export type KeyFunction = (req: IncomingMessage, context: RequestContext) => string | Promise<string>

/** Whom a limit counts. */
export type LimitBy = 'address' | 'principal' | 'api-key' | KeyFunction

type KeyReader = (req: IncomingMessage, context: RequestContext) => string | Promise<string>

export function keyReader(by: LimitBy): KeyReader {
  if (by === 'address')
    return (_req, context) => present(addressKey(context.client.address), 'the client has no IP address')
  if (by === 'principal') return (_req, context) => requirePrincipal(context).key
  if (by === 'api-key') return (_req, context) => apiKeyName(context)
  return (req, context) => {
    const key: unknown = by(req, context)
    return key instanceof Promise ? key.then(digestOf) : digestOf(key)
  }
}

function apiKeyName(context: RequestContext): string {
  const principal = requirePrincipal(context)
  const id = principal.authenticatedBy === 'api-key' ? principal.credentialId : undefined
  return JSON.stringify([principal.key, present(id, 'the caller did not come with an API key')])
}

/** A function may answer with a secret or with a book; a store gets neither. */
function digestOf(key: unknown): string {
  const text = present(typeof key === 'string' ? key : undefined, 'the key function answered no text')
  return createHash('sha256').update(text).digest('base64url')
}

function present(key: string | undefined, problem: string): string {
  if (key === undefined || key === '')
    throw new SecurityProblem('limiter_key_missing', { evidence: { problem } })
  return key
}
