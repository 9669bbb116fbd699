import type { IncomingMessage } from 'node:http'
import { publishEvent } from '../../core/events.js'
import type { HopAnswer, HopProof, HopStatement } from '../../core/hop-proof.js'
import type { HealthStatus } from '../../core/lifecycle.js'
import { frozenClaims } from '../../core/principal.js'
import { isSecurityProblem } from '../../core/problem.js'
import type { RequestContext } from '../../core/request-context.js'
import { isThenable } from '../../core/thenable.js'
import { countLines } from '../authenticate/credentials.js'
import { refusal } from '../refusal.js'

type Json = Readonly<Record<string, unknown>>

/** Longest assertion that is looked at. */
const MAX_LENGTH = 16_384

/** Where an assertion's keys come from, as far as health and warm-up are concerned. */
export interface AssertionKeys {
  warmUp(): Promise<void>
  status(): HealthStatus
  detail(): string
}

/** One kind of assertion: where it stands, and how it is verified. */
export interface Assertion {
  /** Lower-case name of the header that carries it. */
  readonly header: string
  /** Lower-case names of what the same gateway says beside it, unsigned. */
  readonly beside: readonly string[]
  readonly facts: Readonly<Record<string, unknown>>
  readonly keys?: AssertionKeys
  /** Its claims. Throws, or rejects with, a refusal (401) where it is not accepted, or a 503. */
  verify(assertion: string, req: IncomingMessage, context: RequestContext): Json | Promise<Json>
}

/**
 * Makes the proof of a hop out of an assertion.
 *
 * No assertion is "unproven", and what becomes of that is for `gateway` to say, in one place. One that is not accepted is
 * refused, whatever `gateway` says, and an event, `assertion_refused`, with the reason: a gateway may have signed it for
 * a request that its caller bent so that the assertion would fail.
 */
export function assertionProof(assertion: Assertion): HopProof {
  const { header, beside, facts, keys } = assertion

  function prove(req: IncomingMessage, context: RequestContext): HopAnswer | Promise<HopAnswer> {
    const value = req.headers[header]
    if (value === undefined) return undefined
    try {
      const claims = assertion.verify(onlyLine(req, header, value), req, context)
      return isThenable(claims) ? claims.then(statementOf, refused) : statementOf(claims)
    } catch (cause) {
      return refused(cause)
    }
  }

  function refused(cause: unknown): 'refused' {
    if (!isSecurityProblem(cause) || cause.status !== 401) throw cause
    publishEvent('warn', 'assertion_refused', { header, reason: cause.reason })
    return 'refused'
  }

  return Object.freeze({
    kind: 'assertion',
    facts: Object.freeze({ header, ...facts }),
    headers: Object.freeze([header, ...beside]),
    prove,
    ...(keys === undefined
      ? {}
      : {
          warmUp: async () => {
            await keys.warmUp()
          },
          health: () => ({ name: 'gateway-assertion', status: keys.status(), detail: keys.detail() }),
        }),
  })
}

/** Another hop may have kept the other of two lines. */
function onlyLine(req: IncomingMessage, header: string, value: string | readonly string[]): string {
  if (typeof value !== 'string' || countLines(req.rawHeaders, header) > 1) throw refusal('token_malformed')
  if (value.length > MAX_LENGTH) throw refusal('token_too_long', { length: value.length })
  return value
}

function statementOf(claims: Json): HopStatement {
  return Object.freeze({ claims: frozenClaims(claims) })
}
