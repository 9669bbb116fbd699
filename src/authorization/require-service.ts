import { requirePrincipal } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Guard } from '../core/guard.js'
import { checkOptions, enforceOrReport, listOf, ruleName, text } from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'

export interface RequireServiceOptions {
  /** Client ids that may call, compared exactly. @default every service */
  readonly clients?: readonly string[]
  /** The rule's id in audit and metrics. @default 'service' */
  readonly name?: string
  /** @default 'enforce' */
  readonly mode?: Mode
}

/**
 * Refuses callers that are not services of their own (`principal.type` is `service`) with 403 `service_required`.
 *
 * `authenticate` says which tokens are a service's: those whose subject is the client itself (RFC 9068 section 2.2), or
 * what `principal: { type }` says. A principal from `principalFrom` is `external`, and never a service.
 *
 * **Not checked:** from where the call came: a service's token works from anywhere, unless it is bound. See
 * `internalOnly`.
 *
 * Throws a `TypeError` for an empty list or an empty client id.
 */
export function requireService(options: RequireServiceOptions = {}): Guard {
  checkOptions('requireService', options, {
    clients: listOf(text(256)),
    name: ruleName,
    mode: enforceOrReport,
  })
  const clients = options.clients === undefined ? undefined : [...options.clients]

  return defineGuard({
    kind: 'requireService',
    layer: 'authorization',
    name: options.name ?? 'service',
    mode: options.mode,
    facts: clients === undefined ? {} : { clients },
    check(_req, context) {
      const { type, clientId } = requirePrincipal(context)
      if (type !== 'service')
        return new SecurityProblem('service_required', { evidence: { problem: 'no service', type } })
      if (clients === undefined) return PASSED
      if (clientId !== undefined && clients.includes(clientId)) return PASSED
      return new SecurityProblem('service_required', {
        evidence: { problem: 'another service', required: clients },
      })
    },
  })
}
