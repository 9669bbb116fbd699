import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { AddressPrefix } from '../../core/address.js'
import { clientKey } from '../../core/client.js'
import { requirePrincipal, type RequestContext } from '../../core/context.js'
import { ownClaim } from '../../core/principal.js'
import { SecurityProblem } from '../../core/problem.js'
import { UNMATCHED, routeTemplate } from '../../core/route.js'
import { isThenable } from '../../core/thenable.js'

/** Answers whom a request is charged to. An empty answer refuses the request: it is never one bucket for everybody. */
export type KeyFunction = (req: IncomingMessage, context: RequestContext) => string | Promise<string>

/** What of a request is verified, and may therefore be counted by. */
export type LimitFact = 'address' | 'principal' | 'client' | 'api-key' | 'tenant' | 'route'

/** Whom a limit counts: one fact, several together, or what a function answers. */
export type LimitBy = LimitFact | readonly LimitFact[] | KeyFunction

export const LIMIT_FACTS: readonly LimitFact[] = [
  'address',
  'principal',
  'client',
  'api-key',
  'tenant',
  'route',
]

const MAX_KEY_LENGTH = 200

type KeyReader = (req: IncomingMessage, context: RequestContext) => string | Promise<string>

export function keyReader(by: LimitBy, addressPrefix: AddressPrefix): KeyReader {
  if (typeof by === 'function')
    return (req, context) => {
      const key = by(req, context)
      return isThenable(key) ? Promise.resolve(key).then(answered) : answered(key)
    }
  if (typeof by === 'string') return (req, context) => bounded(READERS[by](req, context, addressPrefix))
  const readers = by.map((fact) => READERS[fact])
  // As a list, so that no two callers run together.
  return (req, context) => bounded(JSON.stringify(readers.map((read) => read(req, context, addressPrefix))))
}

type FactReader = (req: IncomingMessage, context: RequestContext, addressPrefix: AddressPrefix) => string

const READERS: Readonly<Record<LimitFact, FactReader>> = {
  address: (req, { client }, addressPrefix) => clientKey(req, client, addressPrefix),
  principal: (_req, context) => requirePrincipal(context).key,
  client(_req, context) {
    const { issuer, clientId } = requirePrincipal(context)
    return JSON.stringify([issuer, present(clientId, 'the credential names no client')])
  },
  'api-key'(_req, context) {
    const principal = requirePrincipal(context)
    // Of principalFrom, the principal itself is the key's.
    const own = principal.authenticatedBy === 'api-key' ? principal.credentialId : undefined
    const id = context.apiKeyId ?? own
    return JSON.stringify([principal.key, present(id, 'the caller did not come with an API key')])
  },
  tenant(_req, context) {
    const { issuer, claims } = requirePrincipal(context)
    const tenant = ownClaim(claims, 'tenant')
    return JSON.stringify([
      issuer,
      present(typeof tenant === 'string' ? tenant : undefined, 'the caller has no claim "tenant"'),
    ])
  },
  // Express serves HEAD by the route of GET, and the handler does the same work for it.
  route: (req, { method }) => `${method === 'HEAD' ? 'GET' : method} ${servedRoute(req)}`,
}

/** Before a route is chosen every request would be one place, and share one bucket. */
function servedRoute(req: IncomingMessage): string {
  const template = routeTemplate(req)
  if (template !== UNMATCHED) return template
  throw new SecurityProblem('guard_order', {
    evidence: { problem: "by: 'route' stands outside a route: put the limit into app.get(path, limit, ...)" },
  })
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
