import {
  checkOptions,
  either,
  enforceOrReport,
  integer,
  listOf,
  misuse,
  oneOf,
  record,
  required,
  text,
  type OptionRule,
} from '../../core/options.js'
import type { Mode } from '../../core/decision.js'
import { isStandardSchema, type StandardSchema } from '../../core/standard-schema.js'
import { inlineKeySet, type KeySet } from '../key-set/key-set.js'
import { plainSecureUrl, secureUrl } from '../../core/remote-json.js'
import { SIGNATURE_ALGORITHMS } from '../key-set/algorithms.js'
import { sharedKeySet } from '../key-set/remote-key-set.js'
import type { JwtVerifierOptions } from './options.js'
import { audienceOf, audienceRule } from './audience.js'
import { normalisedType, type Tightening } from './claims.js'
import type { JwtPolicy } from './issuer-verifier.js'
import { principalBuilder } from './principal-mapping.js'

const DAY_SECONDS = 86_400
const schema: OptionRule = { says: 'a Standard Schema', holds: isStandardSchema }
const tighteningRule: OptionRule = {
  ...record,
  says: "an object such as { seconds: 900, mode: 'report' }",
}

/** What each option of `jwtVerifier` must be. */
export const JWT_RULES: Readonly<Record<keyof JwtVerifierOptions<StandardSchema>, OptionRule>> = {
  issuer: required(text()),
  audience: required(audienceRule),
  jwksUri: secureUrl,
  jwks: record,
  algorithms: listOf(oneOf(...SIGNATURE_ALGORITHMS)),
  typ: either(text(), listOf(text()), record),
  clockToleranceSeconds: integer(0, 60, 'seconds'),
  maxTokenAgeSeconds: integer(1, 365 * DAY_SECONDS, 'seconds'),
  maxTokenAge: tighteningRule,
  maxTokenLifetimeSeconds: integer(1, 365 * DAY_SECONDS, 'seconds'),
  maxTokenLifetime: tighteningRule,
  requiredClaims: listOf(text()),
  principal: record,
  claims: schema,
  jwksTimeoutMs: integer(100, 30_000, 'milliseconds'),
  jwksCooldownMs: integer(1000, 3_600_000, 'milliseconds'),
  jwksMaxAgeMs: integer(1000, DAY_SECONDS * 1000, 'milliseconds'),
  jwksStaleMs: integer(0, DAY_SECONDS * 1000, 'milliseconds'),
  verifiedTokens: either(oneOf(false), record),
}

// What jose, express-jwt, jwks-rsa and express-oauth2-jwt-bearer call the same things.
export const JWT_ALIASES: Readonly<Record<string, string>> = {
  issuerBaseURL: 'issuer',
  iss: 'issuer',
  aud: 'audience',
  jwksUrl: 'jwksUri',
  jwks_uri: 'jwksUri',
  secret: 'jwks (this library takes public keys only)',
  tokenSigningAlg: 'algorithms',
  algs: 'algorithms',
  clockTolerance: 'clockToleranceSeconds (seconds)',
  graceSeconds: 'clockToleranceSeconds',
  maxAge: 'maxTokenAgeSeconds (seconds)',
  maxLifetime: 'maxTokenLifetimeSeconds (seconds)',
  cooldownDuration: 'jwksCooldownMs (milliseconds)',
  timeoutDuration: 'jwksTimeoutMs (milliseconds)',
  cacheMaxAge: 'jwksMaxAgeMs (milliseconds)',
  cacheMaxAgeFallback: 'jwksStaleMs (milliseconds)',
  timeout: 'jwksTimeoutMs (milliseconds)',
  checkTyp: 'typ',
  strict: 'typ',
}

/** Checks what stands inside the options and turns them into the one value that tokens are judged by. */
export function policyOf(me: string, options: JwtVerifierOptions<StandardSchema>): JwtPolicy {
  checkOptions(
    `${me}: verifiedTokens`,
    options.verifiedTokens === false ? {} : (options.verifiedTokens ?? {}),
    {
      maxEntries: integer(2, 1_000_000),
      maxBytes: integer(65_536, 1_073_741_824, 'bytes'),
    },
  )
  return Object.freeze({
    issuer: options.issuer,
    audience: audienceOf(me, options.audience),
    types: typesOf(me, options.typ),
    clockToleranceSeconds: options.clockToleranceSeconds ?? 5,
    maxTokenAge: tightening(me, 'maxTokenAge', options.maxTokenAgeSeconds, options.maxTokenAge),
    maxTokenLifetime: tightening(
      me,
      'maxTokenLifetime',
      options.maxTokenLifetimeSeconds,
      options.maxTokenLifetime,
    ),
    requiredClaims: fixed(options.requiredClaims ?? []),
    algorithms: fixed(options.algorithms ?? SIGNATURE_ALGORITHMS),
    keySet: keySetOf(me, options),
    buildPrincipal: principalBuilder(me, options.principal ?? {}, 'jwt'),
    claimsSchema: options.claims,
    memory:
      options.verifiedTokens === false
        ? undefined
        : { maxEntries: 10_000, maxBytes: 32 * 1024 * 1024, ...options.verifiedTokens },
  })
}

function typesOf(me: string, typ: JwtVerifierOptions['typ']): JwtPolicy['types'] {
  const given = typ ?? 'at+jwt'
  if (typeof given === 'string' || Array.isArray(given))
    return typesFrom(given as string | readonly string[], 'enforce')
  const rule = given as { readonly value: string | readonly string[]; readonly mode?: Mode }
  checkOptions(`${me}: typ`, rule, { value: required(either(text(), listOf(text()))), mode: enforceOrReport })
  return typesFrom(rule.value, rule.mode ?? 'enforce')
}

function typesFrom(value: string | readonly string[], mode: Mode): JwtPolicy['types'] {
  return { values: fixed((typeof value === 'string' ? [value] : value).map(normalisedType)), mode }
}

/** A list that neither the caller's array nor a reader of the guard's facts can change any more. */
function fixed(list: readonly string[]): readonly string[] {
  return Object.freeze([...list])
}

function tightening(
  me: string,
  name: string,
  seconds: number | undefined,
  rule: { readonly seconds: number; readonly mode?: Mode } | undefined,
): Tightening | undefined {
  if (rule === undefined) return seconds === undefined ? undefined : { seconds, mode: 'enforce' }
  if (seconds !== undefined) throw misuse(me, name, `left out where ${name}Seconds is given`, rule)
  const rules = { seconds: required(integer(1, 365 * DAY_SECONDS, 'seconds')), mode: enforceOrReport }
  checkOptions(`${me}: ${name}`, rule, rules)
  return { seconds: rule.seconds, mode: rule.mode ?? 'enforce' }
}

function keySetOf(me: string, options: JwtVerifierOptions<StandardSchema>): KeySet {
  const { issuer, jwks, jwksUri } = options
  if (jwks !== undefined) {
    if (jwksUri !== undefined) throw misuse(me, 'jwksUri', 'left out where jwks is given', jwksUri)
    return inlineKeySet(me, jwks)
  }
  const policy = {
    timeoutMs: options.jwksTimeoutMs ?? 5000,
    cooldownMs: options.jwksCooldownMs ?? 30_000,
    maxAgeMs: options.jwksMaxAgeMs ?? 600_000,
    staleMs: options.jwksStaleMs ?? 3_600_000,
  }
  if (jwksUri !== undefined) return sharedKeySet(issuer, { jwksUri }, policy)
  if (!plainSecureUrl.holds(issuer)) {
    throw misuse(
      me,
      'issuer',
      `${secureUrl.says}, query or fragment, where no jwksUri or jwks is given`,
      issuer,
    )
  }
  return sharedKeySet(issuer, { issuer }, policy)
}
