import type { IncomingMessage, ServerResponse } from 'node:http'
import helmet from 'helmet'
import { openContext } from '../core/context.js'
import type { Guard, Next } from '../core/guard.js'
import { describeMiddleware } from '../core/metadata.js'
import { checkOptions, either, flag, integer, oneOf, record, type OptionRule } from '../core/options.js'

export interface SecureHeadersOptions {
  /** Directives of `Content-Security-Policy`, in place of the API profile's. */
  readonly contentSecurityPolicy?: Readonly<Record<string, readonly string[]>>
  /** `Strict-Transport-Security` (RFC 6797), sent only where the request came over TLS; `false` for none. */
  readonly hsts?:
    | false
    | { readonly maxAgeSeconds?: number; readonly includeSubDomains?: boolean; readonly preload?: boolean }
  /** Who may embed what this service sends. @default 'same-origin' */
  readonly crossOriginResourcePolicy?: 'same-origin' | 'same-site' | 'cross-origin'
  /** `Cache-Control` of every answer that sets none itself; `false` for none. @default 'no-store' */
  readonly cacheControl?: string | false
}

const YEAR_SECONDS = 31_536_000
const API_POLICY = { 'default-src': ["'none'"], 'base-uri': ["'none'"], 'frame-ancestors': ["'none'"] }

const isPrintable = (value: unknown): boolean => typeof value === 'string' && /^[\x20-\x7e]+$/.test(value)

const directives: OptionRule = {
  says: 'an object of directives, each an array of strings',
  holds: (value) =>
    record.holds(value) &&
    Object.values(value as object).every((values) => Array.isArray(values) && values.every(isPrintable)),
}

const fieldValue: OptionRule = { says: 'text of printable ASCII characters', holds: isPrintable }

/**
 * Sets the security headers of an API: helmet with a profile for answers that are data, not pages.
 *
 * `Content-Security-Policy: default-src 'none'; base-uri 'none'; frame-ancestors 'none'`, `X-Frame-Options: DENY`,
 * `X-Content-Type-Options: nosniff`, `Referrer-Policy: no-referrer`, `Cross-Origin-Resource-Policy`, `Cache-Control:
 * no-store`, `Strict-Transport-Security` over TLS; `X-Powered-By` is removed. All values are made once.
 *
 * **Not checked:** what handlers set later; and a service that sends pages needs a profile of its own.
 *
 * Throws a `TypeError` for impossible or unknown options.
 */
export function secureHeaders(options: SecureHeadersOptions = {}): Guard {
  checkOptions(
    'secureHeaders',
    options,
    {
      contentSecurityPolicy: directives,
      hsts: either(oneOf(false), record),
      crossOriginResourcePolicy: oneOf('same-origin', 'same-site', 'cross-origin'),
      cacheControl: either(oneOf(false), fieldValue),
    },
    { csp: 'contentSecurityPolicy', strictTransportSecurity: 'hsts', maxAge: 'hsts.maxAgeSeconds' },
  )
  const always = fieldsOf(options)
  const overTls = options.hsts === false ? undefined : transportSecurity(options.hsts ?? {})

  function secureHeadersMiddleware(req: IncomingMessage, res: ServerResponse, next: Next): void {
    let tls: boolean
    try {
      ;({ tls } = openContext(req).client)
    } catch (problem) {
      next(problem)
      return
    }
    for (const [field, value] of always) res.setHeader(field, value)
    if (tls && overTls !== undefined) res.setHeader('Strict-Transport-Security', overTls)
    res.removeHeader('X-Powered-By')
    next()
  }

  return describeMiddleware(secureHeadersMiddleware, {
    kind: 'secureHeaders',
    layer: 'transport',
    facts: { fields: always.map(([field]) => field), hsts: overTls ?? false },
  })
}

/** Runs helmet once, on a response that only remembers, so that requests set finished values. */
function fieldsOf(options: SecureHeadersOptions): readonly (readonly [string, string])[] {
  const {
    contentSecurityPolicy = API_POLICY,
    crossOriginResourcePolicy = 'same-origin',
    cacheControl = 'no-store',
  } = options
  const fields = new Map<string, string>()
  const apply = helmet({
    contentSecurityPolicy: false,
    crossOriginResourcePolicy: { policy: crossOriginResourcePolicy },
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: false,
    // These speak to pages, or to browsers that are gone.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    dnsPrefetchControl: false,
    ieNoOpen: false,
    permittedCrossDomainPolicies: false,
    xssFilter: false,
    hidePoweredBy: false,
  })
  run(policyOf(contentSecurityPolicy), fields)
  run(apply, fields)
  if (cacheControl !== false) fields.set('Cache-Control', cacheControl)
  return [...fields]
}

function policyOf(policy: NonNullable<SecureHeadersOptions['contentSecurityPolicy']>): Helmet {
  const copy = Object.entries(policy).map(([name, values]) => [name, [...values]] as const)
  try {
    return helmet.contentSecurityPolicy({ useDefaults: false, directives: Object.fromEntries(copy) })
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new TypeError(
      `secureHeaders: contentSecurityPolicy must be a policy that browsers read: ${detail}`,
      {
        cause,
      },
    )
  }
}

function transportSecurity(hsts: Exclude<SecureHeadersOptions['hsts'], false | undefined>): string {
  checkOptions(
    'secureHeaders: hsts',
    hsts,
    { maxAgeSeconds: integer(0, 10 * YEAR_SECONDS, 'seconds'), includeSubDomains: flag, preload: flag },
    { maxAge: 'maxAgeSeconds' },
  )
  const { maxAgeSeconds: maxAge = YEAR_SECONDS, includeSubDomains = true, preload = false } = hsts
  const fields = new Map<string, string>()
  run(helmet.strictTransportSecurity({ maxAge, includeSubDomains, preload }), fields)
  return fields.get('Strict-Transport-Security') ?? ''
}

type Helmet = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

function run(apply: Helmet, fields: Map<string, string>): void {
  const res = { setHeader: (field: string, value: string) => fields.set(field, value) }
  apply({} as unknown as IncomingMessage, res as unknown as ServerResponse, (error) => {
    if (error !== undefined) throw error as Error
  })
}
