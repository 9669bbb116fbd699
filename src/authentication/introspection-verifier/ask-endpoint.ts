import { record } from '../../core/options.js'
import { readJson } from '../../core/remote-json.js'
import { neutralise } from '../../core/text.js'
import { refusal } from '../refusal.js'
import type { Credentials } from './client-authentication.js'

/** An answer describes one token. */
const MAX_BYTES = 64 * 1024

/** A request to the endpoint that brought no answer about the token. */
export class EndpointFault extends Error {
  /** Whether the server itself is at fault, or only what it thinks of this one request. */
  readonly isOutage: boolean

  constructor(message: string, isOutage: boolean) {
    super(message)
    this.isOutage = isOutage
  }
}

/**
 * Asks about a token (RFC 7662 section 2.1): form, POST, no redirect, JSON of at most 64 KiB.
 *
 * Throws a refusal where the server says that it has no tokens of this kind (`unsupported_token_type`), and for
 * everything else that is not a JSON object with `active` in a 200 an error, of which no part is the server's own text.
 */
export async function askEndpoint(
  url: string,
  token: string,
  { authorization, form }: Credentials,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(url, {
    method: 'POST',
    redirect: 'manual',
    signal,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: new URLSearchParams({ token, token_type_hint: 'access_token', ...form }).toString(),
  })
  if (response.status !== 200) throw await faultOf(response, url)
  if (!isJson(response)) {
    await response.body?.cancel()
    throw new EndpointFault(`${url} answered no application/json`, false)
  }
  const answer = await readBody(response, url)
  if (!isAnswer(answer)) throw new EndpointFault(`${url} answered no boolean "active"`, false)
  return answer
}

/** A connection that breaks is an outage; too much, and what is no JSON, is what the server thinks of this token. */
async function readBody(response: Response, url: string): Promise<unknown> {
  try {
    return await readJson(response, url, MAX_BYTES)
  } catch (cause) {
    // What breaks or aborts a download has a name of its own.
    const isAboutBody = cause instanceof Error && cause.name === 'Error'
    throw isAboutBody ? new EndpointFault(cause.message, false) : cause
  }
}

/** RFC 7662 section 2.2: `active` is there, and `true` or `false`; not 1, and not the word. */
function isAnswer(answer: unknown): answer is Readonly<Record<string, unknown>> {
  if (!record.holds(answer) || !Object.hasOwn(answer as object, 'active')) return false
  return typeof (answer as { active: unknown }).active === 'boolean'
}

async function faultOf(response: Response, url: string): Promise<Error> {
  const { status } = response
  const error = await errorCodeOf(response, url)
  // RFC 7009 section 2.2.1, used for introspection too: some servers answer so to every JWT.
  if (error === 'unsupported_token_type') return refusal('token_inactive', { server: error })
  const said = error === undefined ? '' : ` ${neutralise(error, 64)}`
  return new EndpointFault(`${url} answered ${status}${said}`, isOutage(status, error))
}

/** Whether any other token would have been answered so. A 403 may be a firewall's word about this one. */
function isOutage(status: number, error: string | undefined): boolean {
  if (error === 'invalid_client' || error === 'unauthorized_client') return true
  return status >= 500 || (status >= 300 && status < 400) || status === 401 || status === 429
}

async function errorCodeOf(response: Response, url: string): Promise<string | undefined> {
  if (response.status >= 400 && response.status < 500 && isJson(response)) {
    const { error } = ((await readJson(response, url, MAX_BYTES).catch(() => undefined)) ?? {}) as {
      error?: unknown
    }
    return typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? error : undefined
  }
  await response.body?.cancel()
  return undefined
}

function isJson({ headers }: Response): boolean {
  return /^application\/json(?:\s*;|$)/i.test(headers.get('content-type') ?? '')
}
