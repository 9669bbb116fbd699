import type { Principal } from '../../core/principal.js'
import { nestsDeeper, MAX_DEPTH } from '../jwt-verifier/compact.js'
import { neutralise } from '../../core/text.js'
import { readConfirmation, type Confirmation } from '../binding/confirmation.js'
import {
  checkClaims,
  checkType,
  issuerMismatch,
  type Breach,
  type ClaimPolicy,
  type TokenTimes,
} from '../jwt-verifier/claims.js'
import { principalAsItCame, sessionOf, type PrincipalBuilder } from '../jwt-verifier/principal-mapping.js'
import { refusal } from '../refusal.js'

type Json = Readonly<Record<string, unknown>>

export interface AnswerPolicy extends ClaimPolicy {
  readonly buildPrincipal: PrincipalBuilder
  readonly withoutSubject: 'refused' | 'client'
}

/** What an answer says of a good token, and what of it time changes. */
export interface Described {
  readonly principal: Principal
  readonly times: TokenTimes
  readonly confirmation: Confirmation | undefined
  readonly sessionId: string | undefined
}

/** The end of a token that has none: as long as the server calls it active. */
export const NO_END = Number.MAX_SAFE_INTEGER

const TYPES: ReadonlySet<string> = new Set(['bearer', 'dpop'])
// What servers that describe every token of theirs (Keycloak) call those that are not for access.
const NOT_FOR_ACCESS: ReadonlySet<string> = new Set(['refresh', 'offline', 'id', 'logout'])

/**
 * Judges an answer (RFC 7662 section 2.2) but for its times. Throws a refusal: not active, of another issuer or for
 * another audience, not an access token, bound to what is not known here.
 */
export function readAnswer(answer: Json, policy: AnswerPolicy): Described {
  if (answer['active'] !== true) throw refusal('token_inactive')
  if (nestsDeeper(answer, MAX_DEPTH)) throw refusal('claim_invalid')
  if (Object.hasOwn(answer, 'iss') && answer['iss'] !== policy.issuer)
    throw issuerMismatch([policy.issuer], answer['iss'])
  const claims: Json = { ...answer, ...subjectOf(answer, policy), iss: policy.issuer }
  checkKind(claims, policy)
  const hasEnd = Object.hasOwn(claims, 'exp') || policy.requiredClaims.includes('exp')
  const times = checkClaims(hasEnd ? claims : { ...claims, exp: NO_END }, policy, refuse)
  const confirmation = readConfirmation(claims)
  if (tokenTypeOf(claims) === 'dpop' && confirmation?.jkt === undefined) throw refusal('confirmation_missing')
  return { principal: principalOf(claims, policy), times, confirmation, sessionId: sessionOf(claims) }
}

/** Never the client in the place of a missing subject, unless told so: a client may be called as a user is. */
function subjectOf(answer: Json, { withoutSubject }: AnswerPolicy): Json {
  if (withoutSubject === 'refused' || Object.hasOwn(answer, 'sub')) return {}
  const clientId = Object.hasOwn(answer, 'client_id') ? answer['client_id'] : undefined
  if (clientId === undefined) throw refusal('claim_missing', { claims: ['sub', 'client_id'] })
  return { sub: clientId }
}

/** A server describes its refresh and ID tokens too, and calls them active. */
function checkKind(claims: Json, policy: AnswerPolicy): void {
  checkType({}, claims, { ...policy, types: undefined }, refuse)
  const { typ } = claims
  if (typeof typ === 'string' && NOT_FOR_ACCESS.has(typ.toLowerCase())) throw refusal('token_not_for_access')
  const type = tokenTypeOf(claims)
  if (type !== undefined && !TYPES.has(type)) throw refusal('token_type_refused', { claimed: type })
}

function tokenTypeOf(claims: Json): string | undefined {
  if (!Object.hasOwn(claims, 'token_type')) return undefined
  const type = claims['token_type']
  if (typeof type !== 'string') throw refusal('claim_invalid', { claims: ['token_type'] })
  return neutralise(type.toLowerCase(), 64)
}

/** The server's own nesting, too deep for the stack, is no fault of ours either. */
function principalOf(claims: Json, { buildPrincipal }: AnswerPolicy): Principal {
  try {
    return principalAsItCame(buildPrincipal, claims)
  } catch (cause) {
    throw cause instanceof RangeError ? refusal('token_malformed', undefined, cause) : cause
  }
}

/** No rule here has a report mode. */
export const refuse: Breach = (_mode, reason, evidence) => {
  throw refusal(reason, evidence)
}
