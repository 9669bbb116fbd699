import type { RequestContext } from './request-context.js'
import { quotedString } from './text.js'

/** A challenge (RFC 9110 section 11.6.1) with more parameters, each as a quoted string. */
export function withParameters(challenge: string, parameters: Readonly<Record<string, string>>): string {
  const added = Object.entries(parameters).map(([name, value]) => `${name}=${quotedString(value)}`)
  return added.length === 0
    ? challenge
    : `${challenge}${challenge.includes(' ') ? ', ' : ' '}${added.join(', ')}`
}

/** What to tell a caller who did authenticate, in the scheme it used: that the credential does not reach this far. */
export function challengeWith(context: RequestContext, parameters: Readonly<Record<string, string>>): string {
  return withParameters(challengeOf(context), parameters)
}

function challengeOf({ challenges, scheme }: RequestContext): string {
  if (scheme === undefined) return challenges[0] ?? 'Bearer'
  return challenges.find((challenge) => challenge === scheme || challenge.startsWith(`${scheme} `)) ?? scheme
}
