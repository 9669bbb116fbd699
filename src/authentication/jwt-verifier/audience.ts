import { checkOptions, either, listOf, record, required, text } from '../../core/options.js'
import type { ClaimPolicy } from './claims.js'

/** This service, as a claim of its tokens names it. */
export type Audience = string | readonly string[] | { readonly claim: string; readonly value: string }

export const audienceRule = either(text(), listOf(text()), record)

/** Which claim must name this service, and how. Throws a `TypeError` for a claim without a name or a value. */
export function audienceOf(me: string, audience: Audience): ClaimPolicy['audience'] {
  if (typeof audience === 'string') return { claim: 'aud', values: Object.freeze([audience]) }
  if (isList(audience)) return { claim: 'aud', values: Object.freeze([...audience]) }
  checkOptions(`${me}: audience`, audience, { claim: required(text()), value: required(text()) })
  return { claim: audience.claim, values: Object.freeze([audience.value]) }
}

function isList(audience: Audience): audience is readonly string[] {
  return Array.isArray(audience)
}
