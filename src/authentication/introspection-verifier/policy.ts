import { hash } from 'node:crypto'
import {
  callback,
  checkOptions,
  either,
  integer,
  listOf,
  misuse,
  oneOf,
  record,
  required,
  text,
  type OptionRule,
} from '../../core/options.js'
import type { SharedStore } from '../../core/ports.js'
import { plainSecureUrl, secureUrl } from '../../core/remote-json.js'
import { audienceOf, audienceRule } from '../jwt-verifier/audience.js'
import { principalBuilder } from '../jwt-verifier/principal-mapping.js'
import { SIGNATURE_ALGORITHMS } from '../key-set/algorithms.js'
import type { AnswersPolicy } from './answers.js'
import { clientAuthentication } from './client-authentication.js'
import type { EndpointPolicy } from './endpoint.js'
import type { IntrospectionClient, IntrospectionVerifierOptions } from './options.js'
import type { AnswerPolicy } from './read-answer.js'

const ME = 'introspectionVerifier'

const sharedStore: OptionRule = {
  says: 'what redisStore() makes; without it answers are kept in memory',
  holds: (value) => (value as Partial<SharedStore> | null)?.kind === 'redis',
}
const secret = either(text(4096), callback)

const RULES: Readonly<Record<keyof IntrospectionVerifierOptions, OptionRule>> = {
  issuer: required(text()),
  endpoint: secureUrl,
  audience: required(audienceRule),
  client: required(record),
  timeoutMs: integer(100, 30_000, 'milliseconds'),
  maxConcurrent: integer(1, 1000),
  maxWaiting: integer(0, 100_000),
  cache: either(oneOf(false), record),
  store: sharedStore,
  principal: record,
  requiredClaims: listOf(text()),
  clockToleranceSeconds: integer(0, 60, 'seconds'),
  tokens: oneOf('any', 'opaque'),
  withoutSubject: oneOf('refused', 'client'),
}

const ALIASES: Readonly<Record<string, string>> = {
  introspectionEndpoint: 'endpoint',
  introspection_endpoint: 'endpoint',
  url: 'endpoint',
  uri: 'endpoint',
  clientId: 'client ({ id, secret })',
  clientSecret: 'client ({ id, secret })',
  client_id: 'client ({ id, secret })',
  client_secret: 'client ({ id, secret })',
  timeout: 'timeoutMs (milliseconds)',
  clockTolerance: 'clockToleranceSeconds (seconds)',
  ttl: 'cache ({ maxSeconds })',
}

export interface IntrospectionSettings {
  /** Names what was asked of whom, as whom: answers to another client may differ. */
  readonly id: string
  readonly endpoint: EndpointPolicy
  readonly answer: AnswerPolicy
  readonly cache: AnswersPolicy | undefined
  readonly store: SharedStore | undefined
  readonly tokens: 'any' | 'opaque'
}

/** Checks all options and gives every one its value. */
export function settingsOf(options: IntrospectionVerifierOptions): IntrospectionSettings {
  checkOptions(ME, options, RULES, ALIASES)
  const { issuer, endpoint, client, requiredClaims = [] } = options
  checkClient(client)
  if (endpoint === undefined && !plainSecureUrl.holds(issuer))
    throw misuse(ME, 'issuer', `${secureUrl.says}, query or fragment, where no endpoint is given`, issuer)
  if (options.cache === false && options.store !== undefined)
    throw misuse(ME, 'store', 'left out where cache is false', options.store)
  return {
    id: hash('sha256', JSON.stringify([issuer, endpoint ?? '', client.id]), 'base64url').slice(0, 22),
    endpoint: {
      issuer,
      endpoint,
      authentication: clientAuthentication(Object.freeze({ ...client }), issuer),
      timeoutMs: options.timeoutMs ?? 5000,
      maxConcurrent: options.maxConcurrent ?? 32,
      maxWaiting: options.maxWaiting ?? 256,
    },
    answer: Object.freeze({
      issuer,
      audience: audienceOf(ME, options.audience),
      types: undefined,
      clockToleranceSeconds: options.clockToleranceSeconds ?? 5,
      maxTokenAge: undefined,
      maxTokenLifetime: undefined,
      requiredClaims: [...requiredClaims],
      buildPrincipal: principalBuilder(ME, options.principal ?? {}, 'introspection'),
      withoutSubject: options.withoutSubject ?? 'refused',
    }),
    cache: cacheOf(options.cache),
    store: options.store,
    tokens: options.tokens ?? 'any',
  }
}

function checkClient(client: IntrospectionClient): void {
  const me = `${ME}: client`
  if (client.authentication === 'private_key_jwt') {
    checkOptions(me, client, {
      id: required(text()),
      authentication: required(oneOf('private_key_jwt')),
      privateKey: required(either(record, callback)),
      algorithm: required(oneOf(...SIGNATURE_ALGORITHMS)),
      keyId: text(),
      assertionAudience: text(),
    })
    return
  }
  checkOptions(me, client, {
    id: required(text()),
    secret: required(secret),
    authentication: oneOf('basic', 'post', 'private_key_jwt'),
  })
}

function cacheOf(cache: IntrospectionVerifierOptions['cache']): AnswersPolicy | undefined {
  if (cache === false) return undefined
  checkOptions(
    `${ME}: cache`,
    cache ?? {},
    {
      maxSeconds: integer(1, 60, 'seconds'),
      maxEntries: integer(2, 1_000_000),
      maxBytes: integer(65_536, 1_073_741_824, 'bytes'),
      refusedSeconds: integer(0, 60, 'seconds'),
      maxRefusedEntries: integer(1, 10_000),
    },
    { ttl: 'maxSeconds (seconds)', maxAge: 'maxSeconds (seconds)', negativeSeconds: 'refusedSeconds' },
  )
  const { maxSeconds = 10, refusedSeconds = 10, maxEntries = 10_000, maxRefusedEntries = 1000 } = cache ?? {}
  return {
    maxSeconds,
    refusedSeconds,
    maxEntries,
    maxRefusedEntries,
    maxBytes: cache?.maxBytes ?? 33_554_432,
  }
}
