import { ownClaim } from '../../core/principal.js'
import type { RequestContext } from '../../core/request-context.js'
import { refusal } from '../refusal.js'

type Json = Readonly<Record<string, unknown>>

/** What of a request an assertion may be made for. */
export const BINDINGS = ['method', 'path'] as const

export type Binding = (typeof BINDINGS)[number]

/**
 * Checks that an assertion was made for this request: `htm` is its method, `path` its path without the query, as they
 * came in here.
 */
export function checkBindings(
  payload: Json,
  { method, path }: RequestContext,
  bindings: readonly Binding[],
): void {
  const claimOf = { method: 'htm', path: 'path' } as const
  const actual = { method, path } as const
  for (const binding of bindings) {
    const claim = claimOf[binding]
    const value = ownClaim(payload, claim)
    if (value === undefined) throw refusal('claim_missing', { claims: [claim] })
    if (value !== actual[binding]) throw refusal('confirmation_mismatch', { claim })
  }
}
