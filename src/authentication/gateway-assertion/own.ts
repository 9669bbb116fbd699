import type { HopProof } from '../../core/hop-proof.js'
import {
  checkOptions,
  integer,
  listOf,
  misuse,
  oneOf,
  record,
  required,
  text,
  type OptionRule,
} from '../../core/options.js'
import { plainSecureUrl } from '../../core/remote-json.js'
import { chain } from '../../core/thenable.js'
import { normalisedType } from '../jwt-verifier/claims.js'
import { inlineKeySet } from '../key-set/key-set.js'
import { assertionProof } from './assertion-proof.js'
import { BINDINGS, checkBindings } from './binding.js'
import type { GatewayAssertionOptions } from './options.js'
import { listed, names, remoteKeys } from './rules.js'
import { checkSecrets, secretSource } from './secrets.js'
import { jwtAssertion, type AssertionSigner } from './verify-jwt.js'

const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'RS256', 'PS256', 'PS384', 'PS512', 'EdDSA', 'Ed25519']

// Whoever may write these may write them in any request, or the connection itself depends on them.
const MEANINGFUL =
  /^(?:authorization|proxy-.*|cookie|host|connection|forwarded|x-forwarded-.*|content-.*|transfer-encoding|te|upgrade)$/
const headerName: OptionRule = {
  says: 'the name of a header that has no other meaning, of letters, digits and hyphens',
  holds: (value) =>
    typeof value === 'string' &&
    /^[A-Za-z][A-Za-z0-9-]{0,63}$/.test(value) &&
    !MEANINGFUL.test(value.toLowerCase()),
}

/**
 * Proves a hop by a JWT that it signs for each request: `gateway({ provenBy: { assertion: gatewayAssertion(...) } })`.
 *
 * Accepted is one line, from `issuer`, for `audience`, signed with one of the keys, `exp` and `iat` in reach and at most
 * `maxLifetimeSeconds` apart, made for this method and path. Anything else is refused, and an event
 * (`assertion_refused`); none is unproven. Where the key server is out and no key is known the request is refused with 503.
 *
 * **Not checked:** `jti`: one assertion may be sent again while it lasts, to the same method and path. The body, the
 * query and any header beside the assertion, which it does not speak of.
 *
 * Throws a `TypeError` for missing, impossible or unknown options.
 */
export function gatewayAssertion(options: GatewayAssertionOptions): HopProof {
  const me = 'gatewayAssertion'
  checkOptions(me, options, {
    header: required(headerName),
    issuer: required(text()),
    audience: names,
    jwks: record,
    jwksUri: plainSecureUrl,
    // Looked at by checkSecrets, which does not show them.
    secrets: { says: 'secrets', holds: () => true },
    algorithms: listOf(oneOf(...ALGORITHMS)),
    typ: text(100),
    maxLifetimeSeconds: integer(1, 300, 'seconds'),
    clockToleranceSeconds: integer(0, 30, 'seconds'),
    boundTo: {
      says: 'an array of "method" and "path"',
      holds: (value) =>
        Array.isArray(value) && value.every((entry) => (BINDINGS as readonly unknown[]).includes(entry)),
    },
  })
  const { issuer, typ, maxLifetimeSeconds = 60, clockToleranceSeconds = 5 } = options
  const boundTo = Object.freeze([...(options.boundTo ?? BINDINGS)])
  const audience = options.audience === undefined ? undefined : listed(options.audience)
  const signer = signerOf(me, options)
  const expected = {
    issuer,
    audience,
    typ: typ === undefined ? undefined : normalisedType(typ),
    clockToleranceSeconds,
    maxLifetimeSeconds,
  }
  const verifyJwt = jwtAssertion(expected, signer)
  return assertionProof({
    header: options.header.toLowerCase(),
    beside: [],
    facts: {
      issuer,
      audience,
      boundTo,
      maxLifetimeSeconds,
      keys: 'secrets' in signer ? 'shared secret' : options.jwks === undefined ? 'remote' : 'inline',
    },
    ...('keySet' in signer ? { keys: signer.keySet } : {}),
    verify: (assertion, _req, context) =>
      chain(verifyJwt(assertion), (claims) => {
        checkBindings(claims, context, boundTo)
        return claims
      }),
  })
}

function signerOf(
  me: string,
  { jwks, jwksUri, secrets, algorithms, issuer }: GatewayAssertionOptions,
): AssertionSigner {
  const given = Object.entries({ jwks, jwksUri, secrets }).filter(([, value]) => value !== undefined)
  if (given.length !== 1) {
    throw misuse(
      me,
      'jwks',
      'the one of jwks, jwksUri and secrets that is given',
      given.map(([name]) => name),
    )
  }
  if (secrets !== undefined) {
    checkSecrets(me, secrets)
    if (algorithms !== undefined)
      throw misuse(me, 'algorithms', 'left out where secrets are given', algorithms)
    return { secrets: secretSource(secrets) }
  }
  const accepted = Object.freeze([...(algorithms ?? ['ES256', 'EdDSA', 'Ed25519'])])
  if (jwksUri !== undefined) return { keySet: remoteKeys(issuer, jwksUri), algorithms: accepted }
  return { keySet: inlineKeySet(me, jwks as NonNullable<typeof jwks>), algorithms: accepted }
}
