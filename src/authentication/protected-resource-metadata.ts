import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Next } from '../core/guard.js'
import {
  checkOptions,
  flag,
  integer,
  listOf,
  misuse,
  required,
  text,
  type OptionRule,
} from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'
import { isSecureUrl, plainSecureUrl, secureUrl } from '../core/remote-json.js'
import { isTokenText } from '../core/text.js'

/** Each member of RFC 9728 section 2 under its own name, in this library's spelling. */
export interface ProtectedResourceMetadataOptions {
  /** This service's resource identifier, as clients know it: an https URL without fragment. Told as it stands here. */
  readonly resource: string
  /** Issuers whose tokens this service accepts, each as `authenticate` has it. */
  readonly authorizationServers: readonly string[]
  /** Scopes that clients may ask for: what of them is to be public. */
  readonly scopesSupported?: readonly string[]
  /** The service's name, for people. */
  readonly resourceName?: string
  /** https URLs of pages for people: documentation, policy, terms of service. */
  readonly resourceDocumentation?: string
  readonly resourcePolicyUri?: string
  readonly resourceTosUri?: string
  /** https URL of the keys with which this service signs what it answers. */
  readonly jwksUri?: string
  /** Algorithms with which it signs what it answers. */
  readonly resourceSigningAlgValuesSupported?: readonly string[]
  /** Algorithms of the DPoP proofs that it accepts (RFC 9449). */
  readonly dpopSigningAlgValuesSupported?: readonly string[]
  /** Whether every token must be bound to a key (RFC 9449). @default false */
  readonly dpopBoundAccessTokensRequired?: boolean
  /** Whether it accepts tokens that are bound to a client certificate (RFC 8705). @default false */
  readonly tlsClientCertificateBoundAccessTokens?: boolean
  /** Types of authorization details that it knows (RFC 9396). */
  readonly authorizationDetailsTypesSupported?: readonly string[]
  /** How long the document may be kept by whoever asked, in **seconds**, 0 to a week. @default 3600 */
  readonly cacheSeconds?: number
}

/** A handler that answers with the metadata, and where it is to stand. */
export interface ProtectedResourceMetadata {
  (req: IncomingMessage, res: ServerResponse, next: Next): void
  /** Path for `app.get`: `/.well-known/oauth-protected-resource/orders`. */
  readonly path: string
  /** The whole address, for `authenticate({ resourceMetadata })`. */
  readonly url: string
  /** What is answered. */
  readonly document: Readonly<Record<string, unknown>>
}

const ME = 'protectedResourceMetadata'
const WELL_KNOWN = '/.well-known/oauth-protected-resource'
const WEEK_SECONDS = 604_800

const ALIASES: Readonly<Record<string, string>> = {
  resourceServerUrl: 'resource',
  issuer: 'authorizationServers',
  issuers: 'authorizationServers',
  scopes: 'scopesSupported',
  bearerMethodsSupported: 'nothing: authenticate reads the header, and nothing else',
  maxAge: 'cacheSeconds (seconds)',
}

/** Parts that Express reads as a pattern in a path are refused: the document would stand somewhere else. */
const resourceUrl: OptionRule = {
  says: 'an https URL (http only for a loopback host), without user name, password or fragment, its path of letters, digits, "-", ".", "_", "~", "%" and "/"',
  holds: (value) => {
    if (typeof value !== 'string' || !isSecureUrl(value) || /[#\s\\]/.test(value)) return false
    return /^[a-z]+:\/\/[^/?]+(?:\/(?!\.{1,2}(?:[/?]|$))[\w.~%-]*)*(?:\?[\x21-\x7e]*)?$/.test(value)
  },
}
const word: OptionRule = {
  says: 'text in printable ASCII without space, quote or backslash',
  holds: (value) => isTokenText(value, 256),
}

const RULES: Readonly<Record<keyof ProtectedResourceMetadataOptions, OptionRule>> = {
  resource: required(resourceUrl),
  authorizationServers: required(listOf(plainSecureUrl)),
  scopesSupported: listOf(word),
  resourceName: text(256),
  resourceDocumentation: secureUrl,
  resourcePolicyUri: secureUrl,
  resourceTosUri: secureUrl,
  jwksUri: secureUrl,
  resourceSigningAlgValuesSupported: listOf(word),
  dpopSigningAlgValuesSupported: listOf(word),
  dpopBoundAccessTokensRequired: flag,
  tlsClientCertificateBoundAccessTokens: flag,
  authorizationDetailsTypesSupported: listOf(text(256)),
  cacheSeconds: integer(0, WEEK_SECONDS, 'seconds'),
}

/**
 * Tells clients which authorization servers this service trusts, and how to ask for tokens (RFC 9728).
 *
 * Put it where its `path` says, in a route that is public, and give its `url` to `authenticate({ resourceMetadata })`,
 * which then tells it in every challenge. All of it comes from the options: nothing of a request, and never its `Host`, is
 * in the answer. `bearer_methods_supported` is always `header`; what is not given is left out.
 *
 * **Not checked:** whether the options say what `authenticate` does; whether the authorization servers know this service.
 *
 * Throws a `TypeError` for missing, impossible or unknown options. Mounted by `use` every request gets 500 (`guard_order`).
 */
export function protectedResourceMetadata(
  options: ProtectedResourceMetadataOptions,
): ProtectedResourceMetadata {
  checkOptions(ME, options, RULES, ALIASES)
  const { resource, cacheSeconds = 3600 } = options
  const { path, url, query } = locationOf(resource)
  const document = documentOf(options)
  const body = JSON.stringify(document)
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': cacheSeconds === 0 ? 'no-cache' : `public, max-age=${cacheSeconds}`,
  }

  function protectedResourceMetadataHandler(req: IncomingMessage, res: ServerResponse, next: Next): void {
    if (!standsInARoute(req)) {
      const problem = `${ME}() stands outside a route: put it into app.get(metadata.path, publicRoute(...), metadata)`
      next(new SecurityProblem('guard_order', { evidence: { problem } }))
      return
    }
    const isAsked = (req.method === 'GET' || req.method === 'HEAD') && queryAllows(req, query)
    if (!isAsked) {
      next()
      return
    }
    res.statusCode = 200
    for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
    res.end(req.method === 'HEAD' ? undefined : body)
  }

  return Object.freeze(Object.assign(protectedResourceMetadataHandler, { path, url, document }))
}

/** Section 3.1: between host and path; a slash that ends the host is no path. */
function locationOf(resource: string): {
  readonly path: string
  readonly url: string
  readonly query: string
} {
  const [, origin = '', path = '', query = ''] = /^([a-z]+:\/\/[^/?]+)([^?]*)(\?.*)?$/.exec(resource) ?? []
  const wellKnown = `${WELL_KNOWN}${path === '/' ? '' : path}`
  const url = `${origin}${wellKnown}${query}`
  if (!URL.canParse(url)) throw misuse(ME, 'resource', resourceUrl.says, resource)
  return { path: wellKnown, url, query }
}

function documentOf(options: ProtectedResourceMetadataOptions): Readonly<Record<string, unknown>> {
  const members = Object.entries<unknown>({ ...options, cacheSeconds: undefined })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [memberName(name), fixed(value)] as const)
  return Object.freeze({ ...Object.fromEntries(members), bearer_methods_supported: fixed(['header']) })
}

function fixed(value: unknown): unknown {
  return Array.isArray(value) ? Object.freeze([...(value as readonly unknown[])]) : value
}

function memberName(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** A resource that is told from another by its query has its metadata under that query, and not under another. */
function queryAllows(req: IncomingMessage, query: string): boolean {
  if (query === '') return true
  const url = (req as { readonly originalUrl?: string }).originalUrl ?? req.url ?? ''
  const start = url.indexOf('?')
  return start !== -1 && url.slice(start) === query
}

function standsInARoute(req: IncomingMessage): boolean {
  return (req as { readonly route?: unknown }).route !== undefined
}
