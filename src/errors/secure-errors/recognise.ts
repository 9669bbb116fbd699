import { STATUS_CODES } from 'node:http'
import { types } from 'node:util'
import type { RefusalReason } from '../../core/catalogue.js'
import { misuseSaid } from '../../core/options.js'
import { SecurityProblem, isSecurityProblem } from '../../core/problem.js'

// body-parser's own words (its README, "Errors"). Its messages may quote the body, so none is used.
const BODY_PARSER: Readonly<Record<string, RefusalReason>> = {
  'encoding.unsupported': 'media_type_unsupported',
  'charset.unsupported': 'media_type_unsupported',
  'entity.parse.failed': 'body_malformed',
  'entity.verify.failed': 'body_malformed',
  'entity.too.large': 'body_too_large',
  'parameters.too.many': 'body_too_large',
  'querystring.parse.rangeError': 'body_too_deep',
  'request.size.invalid': 'body_malformed',
}

// What a client wrote wrongly, where multer's other codes tell of its limits.
const MULTER_MALFORMED = ['LIMIT_UNEXPECTED_FILE', 'MISSING_FIELD_NAME', 'INVALID_FIELD_NAME']

// express-jwt, passport (`failWithError`): the caller was not authenticated, by code beside this library.
const AUTHENTICATION_ERRORS = ['UnauthorizedError', 'AuthenticationError']

type Thrown = Readonly<Record<'name' | 'type' | 'code' | 'status' | 'statusCode' | 'expose', unknown>>

/** The caller went away while the body was read: there is nobody to answer. */
export function isAbort(error: unknown): boolean {
  try {
    return (error as Partial<Thrown> | null | undefined)?.type === 'request.aborted'
  } catch {
    return false
  }
}

/**
 * Turns what was thrown into what may be said. A 4xx is given only to the errors in this file, each told by its shape;
 * all else is a 500 without a word, and so is what throws when it is looked at.
 */
export function recognise(error: unknown): SecurityProblem {
  try {
    return isSecurityProblem(error) ? error : (recognised(error) ?? unhandled(error))
  } catch {
    return unhandled(error)
  }
}

function recognised(error: unknown): SecurityProblem | undefined {
  // Node's own errors are not of this class where code runs in another context.
  if (!types.isNativeError(error) && !(error instanceof Error)) return undefined
  const thrown = error as Error & Partial<Thrown>
  const { name, type, code, status } = thrown
  if (typeof type === 'string' && Object.hasOwn(BODY_PARSER, type))
    return seen(BODY_PARSER[type] as RefusalReason, type)
  // Only the router's own: a URIError of a handler has no status.
  if (name === 'URIError' && status === 400) return seen('url_malformed', name)
  if (name === 'MulterError') return ofMulter(String(code))
  if (AUTHENTICATION_ERRORS.includes(name) && status === 401) return seen('credential_missing', name)
  return isHttpError(thrown) ? withStatus(thrown.status as number, thrown) : undefined
}

function ofMulter(code: string): SecurityProblem | undefined {
  if (MULTER_MALFORMED.includes(code)) return seen('body_malformed', code)
  return code.startsWith('LIMIT_') ? seen('body_too_large', code) : undefined
}

/** http-errors, and what `send` makes of files that are not there: recognised as http-errors itself does. */
function isHttpError({ status, statusCode, expose }: Partial<Thrown>): boolean {
  return (
    typeof expose === 'boolean' &&
    status === statusCode &&
    Number.isInteger(status) &&
    isClientError(status as number)
  )
}

function isClientError(status: number): boolean {
  return status >= 400 && status < 500
}

// Statuses that have a face of their own; others are `bad_request` with their status.
const BY_STATUS: Readonly<Record<number, RefusalReason>> = {
  404: 'route_unmatched',
  405: 'method_unmatched',
  413: 'body_too_large',
  415: 'media_type_unsupported',
}

// Of an error's own fields these say nothing but what its status needs.
const PASSED_ON = ['allow', 'retry-after', 'content-range']

/** The status is kept; the message, which may quote anything, is not. */
function withStatus(status: number, thrown: Error & { readonly headers?: unknown }): SecurityProblem {
  const title = STATUS_CODES[status] ?? 'Bad Request'
  const reason = BY_STATUS[status]
  const face = reason === undefined ? { status, title, detail: `${title}.` } : {}
  return new SecurityProblem(reason ?? 'request_refused', {
    ...face,
    headers: fieldsOf(thrown.headers),
    evidence: { thrown: thrown.name },
  })
}

function fieldsOf(headers: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(typeof headers === 'object' && headers !== null ? headers : {})
    .map(([name, value]): [string, string] => [name.toLowerCase(), String(value)])
    .filter(([name, value]) => PASSED_ON.includes(name) && /^[\x20-\x7e]{1,200}$/.test(value))
  return Object.fromEntries(entries)
}

function seen(reason: RefusalReason, thrown: string): SecurityProblem {
  return new SecurityProblem(reason, { evidence: { thrown } })
}

function unhandled(cause: unknown): SecurityProblem {
  const problem = misuseSaid(cause)
  return new SecurityProblem('unhandled_error', {
    cause,
    ...(problem === undefined ? {} : { evidence: { problem } }),
  })
}
