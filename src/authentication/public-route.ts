import type { IncomingMessage } from 'node:http'
import { defineGuard, type Guard } from '../core/guard.js'
import { wrappedMetadataOf } from '../core/metadata.js'
import { misuse, text } from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'

/**
 * Says that a route needs no caller, and why. It lets everybody pass.
 *
 * It stands in the route itself, `app.get('/health', publicRoute('liveness probe'), handler)`, and speaks for that
 * route only. Mounted by `use` it would speak for whatever comes after it: every request then gets 500
 * (`guard_order`). A throwing `TypeError` asks for a reason of 1 to 200 characters.
 */
export function publicRoute(reason: string): Guard {
  const rule = text(200)
  if (!rule.holds(reason) || reason.trim() === '') throw misuse('publicRoute', 'reason', rule.says, reason)

  const guard = defineGuard({
    kind: 'publicRoute',
    layer: 'authentication',
    name: 'public',
    facts: { reason },
    check(req) {
      if (!standsInItsRoute(req, guard)) {
        throw new SecurityProblem('guard_order', {
          evidence: {
            problem: 'publicRoute() stands outside a route: put it into app.get(path, publicRoute(...), ...)',
          },
        })
      }
      return { reason: 'public', evidence: { public: reason } }
    },
  })
  return guard
}

/** Looks into the matched route itself: `req.route` alone may be left over from a route that passed the request on. */
function standsInItsRoute(req: IncomingMessage, guard: Guard): boolean {
  const { route } = req as { route?: { readonly stack?: readonly { readonly handle?: unknown }[] } }
  return route?.stack?.some(({ handle }) => wrappedMetadataOf(handle)?.fn === guard) ?? false
}
