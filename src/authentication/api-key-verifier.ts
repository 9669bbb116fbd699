import { withParameters } from '../core/challenge.js'
import { checkOptions, misuse, oneOf, required, text, type OptionRule } from '../core/options.js'
import { createPrincipal } from '../core/principal.js'
import { chain } from '../core/thenable.js'
import type { ApiKeyMatch, ApiKeys, ApiKeySecret } from './api-keys.js'
import type { Credential, Verified, Verifier } from './verifier.js'

export interface ApiKeyVerifierOptions {
  /** What `apiKeys()` made. */
  readonly keys: ApiKeys
  /** Name of the header that keys come in. @default 'x-api-key' */
  readonly header?: string
  /** `header`, or the Authorization field as a bearer token, told from others by the prefix. @default 'header' */
  readonly scheme?: 'header' | 'bearer'
  /** Becomes `principal.issuer`. @default 'api-keys:<prefix>' */
  readonly issuer?: string
}

const ME = 'apiKeyVerifier'
/** Whoever else writes or reads these would meet keys there, and these here; and names that other credentials go by. */
const TAKEN =
  /^(?:authorization|proxy-authorization|cookie|set-cookie|host|connection|forwarded|via|dpop|bearer|basic|certificate|client-cert.*|x-forwarded-.*|content-.*)$/

const headerRule: OptionRule = {
  says: 'the name of a header of its own, of at most 64 letters, digits and "-"',
  holds: (value) =>
    typeof value === 'string' && /^[A-Za-z][\w-]{0,63}$/.test(value) && !TAKEN.test(value.toLowerCase()),
}
const keysRule: OptionRule = {
  says: 'what apiKeys() makes',
  holds: (value) => {
    const { prefix, match } = (value ?? {}) as Partial<ApiKeys>
    return typeof prefix === 'string' && typeof match === 'function'
  },
}

/**
 * Verifies API keys, which come in a header of their own, or as bearer token. They are never read from the query, where
 * logs, histories and referrers would keep them.
 *
 * The principal is a `service`: its subject the one the key was made for, its client or its id; its claims `tenant` and
 * `rate_tier`; its `credentialId` the id of the key. Every refusal of a key is 401 `invalid_token`, and only the record
 * says why: `api_key_malformed`, `api_key_unknown`, `api_key_expired` or `api_key_disabled`. A store that does not
 * answer is 503.
 *
 * **Not checked:** where the request comes from: whoever holds a key is taken for its owner.
 *
 * Throws a `TypeError` for missing, impossible or unknown options.
 */
export function apiKeyVerifier(options: ApiKeyVerifierOptions): Verifier {
  checkOptions(
    ME,
    options,
    { keys: required(keysRule), header: headerRule, scheme: oneOf('header', 'bearer'), issuer: text(200) },
    { headerName: 'header', apiKeys: 'keys', apiKeyHeaders: 'header' },
  )
  const { keys, scheme = 'header', issuer = `api-keys:${keys.prefix}` } = options
  if (scheme === 'bearer' && options.header !== undefined)
    throw misuse(ME, 'header', 'left out where scheme is "bearer"', options.header)
  const header = scheme === 'header' ? (options.header ?? 'x-api-key').toLowerCase() : undefined
  const start = `${keys.prefix}_`
  /** Records are frozen, and another one when they change: so are their secrets, and what was made of them. */
  const made = new WeakMap<ApiKeySecret, Verified>()

  function accept(match: ApiKeyMatch): Verified {
    const known = made.get(match.secret)
    if (known !== undefined) return known
    const verified = verifiedOf(match, issuer)
    made.set(match.secret, verified)
    return verified
  }

  return Object.freeze<Verifier>({
    kind: 'api-key',
    // No scheme of the Authorization field: what says so keeps clients from sending `Authorization: ApiKey ...`.
    challenge: header === undefined ? 'Bearer' : withParameters('ApiKey', { header }),
    facts: Object.freeze({ ...keys.facts, issuer, in: header ?? 'bearer' }),
    ...(header === undefined ? {} : { header }),
    recognises: (credential: Credential) =>
      header === undefined
        ? credential.scheme === 'bearer' && credential.value.startsWith(start)
        : credential.scheme === header,
    verify: ({ value }: Credential) => chain(keys.match(value), accept),
    warmUp: () => keys.warmUp(),
    health: () => keys.health(),
    close: () => keys.close(),
  })
}

function verifiedOf({ record, secret }: ApiKeyMatch, issuer: string): Verified {
  const { id, subject, clientId, scopes, tenant, rateTier } = record
  const ends = [record.expiresAt, secret.expiresAt].filter((each) => each !== undefined)
  const principal = createPrincipal({
    type: 'service',
    subject: subject ?? clientId ?? id,
    issuer,
    clientId,
    scopes,
    claims: {
      ...(tenant === undefined ? {} : { tenant }),
      ...(rateTier === undefined ? {} : { rate_tier: rateTier }),
    },
    authenticatedBy: 'api-key',
    credentialId: id,
    expiresAt: ends.length === 0 ? undefined : Math.min(...ends),
  })
  return Object.freeze({ principal, issuedAt: secret.createdAt })
}
