import { SecurityProblem } from './problem.js'
import { TextSet } from './text-set.js'

export type PrincipalType = 'user' | 'service' | 'certificate' | 'external'

/** JSON values, frozen all the way down. Objects among them have no prototype. */
export type Claims = Readonly<Record<string, unknown>>

/** Who makes the request. Written once, by authentication, and frozen. */
export interface Principal<C = Claims> {
  readonly type: PrincipalType
  /** Issuer and subject, unambiguously joined: the only safe name to keep things under. Never join them by hand. */
  readonly key: string
  readonly subject: string
  readonly issuer: string
  readonly clientId: string | undefined
  readonly scopes: TextSet
  readonly roles: TextSet
  readonly claims: C
  /**
   * How the caller proved it: `jwt`, `introspection`, `api-key`, `certificate`, what a verifier of one's own says, or the
   * name given to `principalFrom`.
   */
  readonly authenticatedBy: string
  /**
   * Names the credential itself, where it has a name: `jti` of a token, id of an API key, thumbprint of a certificate.
   * Never the credential.
   */
  readonly credentialId: string | undefined
  /** When the credential ends, in **seconds** since the epoch, where it says so. */
  readonly expiresAt: number | undefined
  /** What the credential is bound to (RFC 7800 `cnf`), where it is. */
  readonly binding: Claims | undefined
}

/** What authentication knows when it makes a principal. */
export interface PrincipalFacts {
  readonly type: PrincipalType
  readonly subject: string
  readonly issuer: string
  readonly clientId?: string | undefined
  readonly scopes?: Iterable<string> | undefined
  readonly roles?: Iterable<string> | undefined
  readonly claims?: unknown
  readonly authenticatedBy: string
  readonly credentialId?: string | undefined
  readonly expiresAt?: number | undefined
  readonly binding?: unknown
}

// Deeper than any token that fits in a header; a guard against claims built in-process with a cycle.
const MAX_CLAIM_DEPTH = 200

/** Builds a frozen principal. Throws a fault where there is no subject or issuer, or where claims are not plain data. */
export function createPrincipal(facts: PrincipalFacts): Principal {
  if (!isText(facts.subject) || !isText(facts.issuer)) {
    throw unusable('a principal needs a subject and an issuer, both non-empty strings')
  }
  return Object.freeze({
    type: facts.type,
    key: JSON.stringify([facts.issuer, facts.subject]),
    subject: facts.subject,
    issuer: facts.issuer,
    clientId: facts.clientId,
    scopes: new TextSet(facts.scopes ?? []),
    roles: new TextSet(facts.roles ?? []),
    claims: frozenClaims(facts.claims ?? {}),
    authenticatedBy: facts.authenticatedBy,
    credentialId: facts.credentialId,
    expiresAt: facts.expiresAt,
    binding: facts.binding === undefined ? undefined : frozenClaims(facts.binding),
  })
}

/** A Date, a Map or a document of a database would lose what it is in a copy, and could be changed without one. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** A fault of whoever built the facts, told in a sentence that holds nothing of them. */
function unusable(problem: string): SecurityProblem {
  return new SecurityProblem('guard_fault', { evidence: { problem } })
}

/** A claim by its own name: what every object inherits is none. */
export function ownClaim(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined
}

/**
 * Claims that nobody changes any more, all the way down. Throws a fault where they are not plain data, or nested too deep.
 */
export function frozenClaims(claims: unknown): Claims {
  return frozenCopy(claims, 0) as Claims
}

/** A deep, frozen copy whose objects have no prototype, so that a claim named `constructor` is only a claim. */
function frozenCopy(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth > MAX_CLAIM_DEPTH) throw unusable(`claims are nested deeper than ${MAX_CLAIM_DEPTH} levels`)
  if (Array.isArray(value)) return Object.freeze(value.map((item) => frozenCopy(item, depth + 1)))
  if (!isPlain(value))
    throw unusable('claims must be plain data: objects, arrays, text, numbers, booleans, null')
  const copy = Object.create(null) as Record<string, unknown>
  for (const name of Object.keys(value)) {
    copy[name] = frozenCopy((value as Record<string, unknown>)[name], depth + 1)
  }
  return Object.freeze(copy)
}
