import type { IncomingMessage } from 'node:http'
import { statusOfAny, type Health } from '../../core/lifecycle.js'
import {
  callback,
  checkOptions,
  enforceOnly,
  flag,
  integer,
  listOf,
  misuse,
  oneOf,
  record,
  required as mandatory,
  ruleName,
  type OptionRule,
} from '../../core/options.js'
import type { Principal } from '../../core/principal.js'
import { secureUrl } from '../../core/remote-json.js'
import { dpopProofs, type DpopProofs } from '../binding/dpop.js'
import { verifierOf } from '../jwt-verifier.js'
import { JWT_ALIASES, JWT_RULES } from '../jwt-verifier/policy.js'
import type { RevocationList } from '../revocation.js'
import type { Verifier } from '../verifier.js'
import { authorizationSchemes } from './credentials.js'
import type { AuthenticateOptions, AuthenticateWithVerifiers, CommonOptions } from './options.js'

const ME = 'authenticate'

/** All options of one `authenticate`, checked, with their defaults. */
export interface Settings {
  readonly name: string
  readonly required: boolean
  readonly combine: 'refused' | 'accepted' | 'required'
  readonly maxTokenLength: number
  readonly senderConstrained: 'when-bound' | 'required'
  readonly expose: ((req: IncomingMessage, principal: Principal) => unknown) | undefined
  readonly verifiers: readonly Verifier[]
  readonly dpop: DpopProofs | undefined
  readonly revocation: RevocationList | undefined
  readonly resourceMetadata: string | undefined
}

const verifierRule: OptionRule = {
  says: 'what jwtVerifier(), introspectionVerifier(), apiKeyVerifier() or certificateVerifier() makes',
  holds: (value) => {
    const { kind, recognises, verify } = (value ?? {}) as Partial<Verifier>
    return typeof kind === 'string' && typeof recognises === 'function' && typeof verify === 'function'
  },
}

/** Headers that others read, and names that credentials from elsewhere go by. */
const RESERVED: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'host',
  'dpop',
  'bearer',
  'basic',
  'certificate',
])

const COMMON_RULES: Readonly<Record<keyof CommonOptions | 'mode', OptionRule>> = {
  name: ruleName,
  mode: enforceOnly,
  maxTokenLength: integer(256, 65_536, 'characters'),
  required: flag,
  expose: callback,
  failureLimit: { ...record, says: 'an object such as { limit: 20, windowSeconds: 60 }' },
  dpop: { ...record, says: "an object such as { publicOrigin: 'https://orders.example' }" },
  senderConstrained: oneOf('when-bound', 'required'),
  revocation: {
    says: 'what revocation() makes',
    holds: (value) => typeof (value as Partial<RevocationList> | null)?.check === 'function',
  },
  combine: oneOf('refused', 'accepted', 'required'),
  resourceMetadata: secureUrl,
}

// What other libraries call the same things.
const ALIASES: Readonly<Record<string, string>> = {
  credentialsRequired: 'required',
  authRequired: 'required',
  requestProperty: 'expose',
  isRevoked: 'revocation (what revocation() makes)',
  verifier: 'verifiers',
}

/** Checks the options of either form and gives every one its value. */
export function settingsOf(options: AuthenticateOptions | AuthenticateWithVerifiers): Settings {
  const verifiers = verifiersOf(options)
  const { name = 'authenticate', required = true, combine = 'refused', maxTokenLength = 8192 } = options
  if (combine !== 'refused' && verifiers.every(({ header }) => header === undefined))
    throw misuse(ME, 'combine', '"refused" where no verifier reads a header of its own', combine)
  return Object.freeze({
    name,
    required,
    combine,
    maxTokenLength,
    senderConstrained: options.senderConstrained ?? 'when-bound',
    expose: options.expose?.bind(options),
    verifiers,
    dpop: options.dpop === undefined ? undefined : dpopProofs(`${ME}: dpop`, options.dpop),
    revocation: options.revocation,
    resourceMetadata: options.resourceMetadata,
  } satisfies Settings)
}

function verifiersOf(options: AuthenticateOptions | AuthenticateWithVerifiers): readonly Verifier[] {
  const given: unknown = (options as Partial<AuthenticateWithVerifiers> | null | undefined)?.verifiers
  const verifiers = listOf(verifierRule)
  if (given === undefined) {
    const rules = { ...JWT_RULES, verifiers, ...COMMON_RULES }
    checkOptions(ME, options, rules, { ...JWT_ALIASES, ...ALIASES })
    return [verifierOf(ME, [options as AuthenticateOptions])]
  }
  const stray = Object.keys(options).find((name) => Object.hasOwn(JWT_RULES, name))
  if (stray !== undefined) throw new TypeError(`${ME}: ${stray} belongs into jwtVerifier()`)
  checkOptions(ME, options, { verifiers: mandatory(verifiers), ...COMMON_RULES }, ALIASES)
  const list = [...(given as readonly Verifier[])]
  if (list.filter(({ kind }) => kind === 'jwt').length > 1)
    throw misuse(
      ME,
      'verifiers',
      'a list with one jwtVerifier([...]) of all issuers: a second is never asked',
      given,
    )
  checkHeaders(list)
  checkOrder(list)
  return list
}

/** A header that is called as a scheme is would bring credentials that look as if they came in the Authorization field. */
function checkHeaders(list: readonly Verifier[]): void {
  const schemes = authorizationSchemes(list)
  for (const { header } of list) {
    if (header === undefined) continue
    if (!/^[a-z][a-z\d_-]*$/.test(header) || RESERVED.has(header) || schemes.has(header))
      throw misuse(
        ME,
        'verifiers',
        'verifiers whose header is in lower case, and neither a scheme nor read by somebody else',
        header,
      )
  }
}

/** Introspection recognises every opaque token, and an API key as bearer token is one to it: the server would be sent it. */
function checkOrder(list: readonly Verifier[]): void {
  const introspection = list.findIndex(({ kind }) => kind === 'introspection')
  if (introspection === -1) return
  const after = list.slice(introspection)
  if (after.some(({ kind, header }) => kind === 'api-key' && header === undefined))
    throw new TypeError(
      `${ME}: apiKeyVerifier({ scheme: 'bearer' }) must stand before introspectionVerifier(), which would be sent the keys`,
    )
}

/** What the posture shows. One verifier's facts stand by themselves; several are listed. */
export function factsOf(
  { verifiers, required, dpop, revocation, senderConstrained, combine, resourceMetadata }: Settings,
  failureLimit: CommonOptions['failureLimit'],
): Readonly<Record<string, unknown>> {
  const [only, second] = verifiers
  return {
    ...(second === undefined && only?.kind === 'jwt'
      ? only.facts
      : { verifiers: verifiers.map(({ kind, facts }) => ({ kind, ...facts })) }),
    ...(dpop === undefined ? {} : { dpop: dpop.facts }),
    ...(revocation === undefined ? {} : { revocation: revocation.facts }),
    ...(senderConstrained === 'required' ? { senderConstrained } : {}),
    ...(combine === 'refused' ? {} : { combine }),
    ...(resourceMetadata === undefined ? {} : { resourceMetadata }),
    failureLimit: failureLimit?.limit,
    failureLimitWindowSeconds: failureLimit?.windowSeconds,
    required,
  }
}

/** One verifier that is out leaves the others working. */
export function healthOf(name: string, verifiers: readonly Verifier[]): Health {
  const healths = verifiers.flatMap((verifier) => verifier.health?.() ?? [])
  const details = healths.flatMap(({ detail }) => detail ?? [])
  return {
    name,
    status: statusOfAny(healths.map(({ status }) => status)),
    ...(details.length === 0 ? {} : { detail: details.join('; ') }),
  }
}
