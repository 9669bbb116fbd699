import { publishEvent } from '../../core/events.js'
import type { Claims, Principal } from '../../core/principal.js'

/**
 * Tells that a hop accepted, or named, what this service does not. The verdict of this service is the one that counts;
 * somebody should look at the hop.
 */
export function reportDisagreement(hop: string, about: 'validity' | 'authority' | 'caller'): void {
  publishEvent('warn', 'gateway_disagrees', { hop, about })
}

/** Compares whom a hop's assertion names with the principal that is found later. */
export function callerComparison(
  hop: string,
  claims: Claims,
  isSame: (claims: Claims, principal: Principal) => boolean = hasSubject,
): (principal: Principal) => void {
  return (principal) => {
    if (!answerOf(() => isSame(claims, principal))) reportDisagreement(hop, 'caller')
  }
}

/** An assertion that names nobody contradicts nobody. */
function hasSubject({ sub }: Claims, { subject }: Principal): boolean {
  return sub === undefined || sub === subject
}

function answerOf(question: () => unknown): boolean {
  try {
    return question() === true
  } catch {
    return false
  }
}
