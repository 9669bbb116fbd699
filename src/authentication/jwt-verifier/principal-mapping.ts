import { callback, checkOptions, either, text } from '../../core/options.js'
import { createPrincipal, ownClaim, type Claims, type Principal } from '../../core/principal.js'
import { isSecurityProblem } from '../../core/problem.js'
import { refusal } from '../refusal.js'

type Json = Readonly<Record<string, unknown>>

/** Where scopes, roles and the kind of caller are found in a token's claims. */
export interface PrincipalMapping {
  /**
   * A claim's name or path (`realm_access.roles`), or a function. @default `scope`, else `scp`; text (separated by
   * spaces) or an array of strings
   */
  readonly scopes?: string | ((claims: Claims) => Iterable<string>)
  /** As `scopes`. @default `roles` */
  readonly roles?: string | ((claims: Claims) => Iterable<string>)
  /** @default `service` where `sub` is the client itself, or the issuer says so; else `user` */
  readonly type?: (claims: Claims) => 'user' | 'service'
}

export type PrincipalBuilder = (payload: Json, claims: unknown) => Principal

const mapper = either(text(), callback)

/** Checks a mapping and turns it into one function, once. Throws a `TypeError`. */
export function principalBuilder(
  me: string,
  mapping: PrincipalMapping,
  authenticatedBy: 'jwt' | 'introspection',
): PrincipalBuilder {
  checkOptions(`${me}: principal`, mapping, { scopes: mapper, roles: mapper, type: callback })
  const scopesOf = reader(mapping.scopes, ['scope', 'scp'])
  const rolesOf = reader(mapping.roles, ['roles'])
  const typeOf = mapping.type ?? detectType

  return function buildPrincipal(payload, claims) {
    const clientId =
      textClaim(payload, 'client_id') ??
      textClaim(payload, 'azp') ??
      textClaim(payload, 'appid') ??
      textClaim(payload, 'cid')
    // Never the client in its place: a client may be called as a user is (RFC 9068 section 5).
    const subject = textClaim(payload, 'sub')
    if (subject === undefined) throw refusal('claim_missing', { claims: ['sub'] })
    return createPrincipal({
      type: typeOf(payload),
      subject,
      issuer: payload['iss'] as string,
      clientId,
      scopes: scopesOf(payload),
      roles: rolesOf(payload),
      claims,
      authenticatedBy,
      credentialId: textClaim(payload, 'jti'),
      expiresAt: payload['exp'] as number,
      binding: payload['cnf'],
    })
  }
}

/** Of claims as they came: what cannot be built of them is the token's fault, not ours. */
export function principalAsItCame(buildPrincipal: PrincipalBuilder, payload: Json): Principal {
  try {
    return buildPrincipal(payload, payload)
  } catch (cause) {
    throw isSecurityProblem(cause) && cause.reason === 'guard_fault'
      ? refusal('claim_invalid', cause.evidence)
      : cause
  }
}

/** The session that a token belongs to (OpenID Connect Back-Channel Logout section 2.1), by which it can be revoked. */
export function sessionOf({ sid }: Json): string | undefined {
  return typeof sid === 'string' && sid !== '' ? sid : undefined
}

function reader(
  mapping: string | ((claims: Claims) => Iterable<string>) | undefined,
  defaults: readonly string[],
): (payload: Json) => readonly string[] {
  if (typeof mapping === 'function') return (payload) => listOf(itemsOf(mapping(payload)))
  const names = mapping === undefined ? defaults : [mapping]
  return (payload) => {
    const found = names.map((name) => claimAt(payload, name)).find((value) => value !== undefined)
    return found === undefined ? [] : listOf(found)
  }
}

/** A text is iterable too, but its letters are no scopes. */
function itemsOf(values: Iterable<string>): unknown {
  return typeof values === 'string' ? values : [...values]
}

/** Scopes are separated by single spaces (RFC 6749 section 3.3) or listed. Anything else is no statement about scopes. */
function listOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split(' ').filter((item) => item !== '')
  if (Array.isArray(value) && value.every((item): item is string => typeof item === 'string')) return value
  throw refusal('claim_invalid')
}

/** A claim by its own name, dots and all, else by a path of own properties. */
function claimAt(payload: Json, path: string): unknown {
  if (Object.hasOwn(payload, path)) return payload[path]
  let value: unknown = payload
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Json)[name]
  }
  return value
}

/** `sub` is the client (RFC 9068 section 2.2), or the word of Auth0 (`gty`) or Entra (`idtyp`). */
function detectType(payload: Json): 'user' | 'service' {
  const subject = textClaim(payload, 'sub')
  const clients = [payload['client_id'], payload['azp'], payload['appid'], payload['cid']]
  if (clients.includes(subject)) return 'service'
  return payload['gty'] === 'client-credentials' || payload['idtyp'] === 'app' ? 'service' : 'user'
}

function textClaim(payload: Json, claim: string): string | undefined {
  const value = ownClaim(payload, claim)
  if (value === undefined || value === '') return undefined
  if (typeof value !== 'string') throw refusal('claim_invalid', { claims: [claim] })
  return value
}
