import { callback, checkOptions, integer, record, required, type OptionRule } from '../../core/options.js'
import type { Policy, PolicyDecision, PolicyRequest } from '../../core/policy.js'
import { isSecureUrl } from '../../core/remote-json.js'
import { neutralise } from '../../core/text.js'
import { postJson, withinMs } from './authzen/post-json.js'
import { ownMember } from './engine-facts.js'

export interface AuthzenPolicyOptions {
  /** The server, without `/access/v1/evaluation`. https, or http on loopback; no user, query or fragment. */
  readonly url: string
  /** Header fields for each question, such as the server's own API key. Called each time; it answers at once. */
  readonly headers?: () => Readonly<Record<string, string>>
  /** Time for the whole answer, 1 to 10,000 ms. @default 500 */
  readonly timeoutMs?: number
  /** Longest answer, 64 to 1,048,576 bytes. @default 65536 */
  readonly maxResponseBytes?: number
  /** Asks instead of Node's `fetch`, for a proxy or a client certificate. */
  readonly fetch?: typeof globalThis.fetch
}

const ENDPOINT = '/access/v1/evaluation'
const serverUrl: OptionRule = {
  says: 'an https URL without user, query and fragment (http on loopback)',
  // A path is put behind it.
  holds: (value) => isSecureUrl(value) && isBare(new URL(value as string)),
}

function isBare({ search, hash }: URL): boolean {
  return search === '' && hash === ''
}

/**
 * A policy that any AuthZEN 1.0 server decides (OpenID Authorization API 1.0, section 6):
 * `authorize(authzenPolicy({ url }), ...)`.
 *
 * Sends `subject`, `action`, `resource` and `context`, and nothing else: no token of the caller. Follows no redirect,
 * keeps no answer, asks once.
 *
 * **Not checked:** that the server is the right one beyond what TLS proves.
 *
 * Throws a `TypeError` for impossible options. The policy rejects for everything but a 200 with JSON and a boolean
 * `decision` within `timeoutMs` and `maxResponseBytes`.
 */
export function authzenPolicy(options: AuthzenPolicyOptions): Policy {
  checkOptions('authzenPolicy', options, {
    url: required(serverUrl),
    headers: callback,
    timeoutMs: integer(1, 10_000, 'ms'),
    maxResponseBytes: integer(64, 1024 * 1024, 'bytes'),
    fetch: callback,
  })
  const { timeoutMs = 500, maxResponseBytes = 64 * 1024, headers } = options
  const url = options.url.replace(/\/+$/, '') + ENDPOINT
  // Looked up for each question: instrumentation replaces the global one later.
  const ask: typeof fetch = options.fetch ?? ((...given) => fetch(...given))

  return async ({ subject, action, resource, context }: PolicyRequest) => {
    const body = JSON.stringify({ subject, action, resource, context })
    const answer = await withinMs(timeoutMs, (signal) =>
      postJson({ fetch: ask, url, headers: headers?.() ?? {}, body, signal, maxBytes: maxResponseBytes }),
    )
    return decisionOf(answer)
  }
}

function decisionOf(answer: unknown): PolicyDecision {
  const decision = ownMember(answer, 'decision')
  if (typeof decision !== 'boolean') throw new Error('authzenPolicy: the answer has no boolean decision')
  const context = ownMember(answer, 'context')
  const rule = ownMember(context, 'id')
  const reason = firstText(ownMember(context, 'reason_admin')) ?? firstText(ownMember(context, 'reason'))
  return {
    decision,
    ...(typeof rule === 'string' ? { rule: neutralise(rule) } : {}),
    ...(reason === undefined ? {} : { reason: neutralise(reason) }),
  }
}

/** A text, or the first in an object of texts: by language, or by code. */
function firstText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (!record.holds(value)) return undefined
  return Object.values(value as object).find((item): item is string => typeof item === 'string')
}
