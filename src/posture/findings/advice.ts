import { entryOf } from '../catalogue.js'
import type { Entry } from '../catalogue/entry.js'
import type { ROUTES } from '../catalogue/routes.js'

/** What stands in every finding of one code, whatever it is about. */
export type Advice = Pick<Entry, 'severity' | 'consequence' | 'remedy'>

/** What the posture can raise. */
export type PostureCode = keyof typeof ROUTES

/** Of `route-optional` where deny-by-default refuses those without a credential. */
export const REFUSED_OPTIONAL: Advice = {
  severity: 'note',
  consequence:
    'Deny-by-default answers 403 to callers without a credential: that they may pass has no effect.',
  remedy: 'Put publicRoute(reason) into the route if they are to get through, or set required: true.',
}

// A fault of the inventory that this file does not know is still a fault.
const UNLISTED: Advice = {
  severity: 'error',
  consequence: 'The route is not protected as its guards say.',
  remedy: 'Put the guards into an order that can work; the message says which.',
}

export function adviceOf(code: string): Advice {
  const { severity, consequence, remedy } = entryOf(code) ?? UNLISTED
  return { severity, consequence, remedy }
}
