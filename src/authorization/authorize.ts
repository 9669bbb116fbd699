import type { IncomingMessage } from 'node:http'
import { requirePrincipal, type RequestContext } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { defineGuard, type Guard } from '../core/guard.js'
import {
  callback,
  checkOptions,
  either,
  enforceOrReport,
  integer,
  misuse,
  required,
  ruleName,
  text,
} from '../core/options.js'
import type { Policy, PolicyAction, PolicyEntity, PolicyRequest } from '../core/policy.js'
import type { Principal } from '../core/principal.js'
import { ask } from './authorize/ask.js'
import { actionFrom, contextFrom, entity, entityFrom, frozenEntity, subjectOf } from './authorize/question.js'

export interface AuthorizeOptions<R extends IncomingMessage = IncomingMessage> {
  /** What is to be done: a name, or a function that says. */
  readonly action: string | ((req: R) => PolicyAction | string)
  /** What it is to be done to: `{ type, id, properties? }`, or a function that says. */
  readonly resource: PolicyEntity | ((req: R, context: RequestContext) => PolicyEntity)
  /** What else the policy is to know: time, network, device. @default nothing */
  readonly context?: (req: R, context: RequestContext) => Readonly<Record<string, unknown>>
  /**
   * Who asks. @default `{ type, id, properties: { issuer, client_id, roles, scopes } }` of the principal, `id` being its
   * subject
   */
  readonly subject?: (principal: Principal, req: R) => PolicyEntity
  /** The rule's id in audit and metrics. @default the action, where it is a fixed name, else 'policy' */
  readonly name?: string
  /** In `report`, a policy that fails is recorded too, and refuses nobody. @default 'enforce' */
  readonly mode?: Mode
  /** How long a policy that answers later may take, in **milliseconds**, 1 to 60000. @default 1000 */
  readonly timeoutMs?: number
}

/**
 * Asks a policy (OpenID AuthZEN Authorization API 1.0, section 6) and refuses what it does not allow with 403
 * `policy_denied`.
 *
 * Only a decision whose own `decision` is `true` allows. A policy that throws, rejects, takes too long or answers
 * anything else is no policy: 503 `policy_unavailable` with `Retry-After`, never allowed. Its rule and version go into
 * the record, of a pass too. One that answers at once is passed on at once. An anonymous caller gets 401 unasked; a
 * function of these options that throws, or describes nothing, is 500.
 *
 * **Not checked:** what the policy says; and how long one takes that answers at once: it holds the process.
 *
 * Throws a `TypeError` for impossible options.
 */
export function authorize<R extends IncomingMessage = IncomingMessage>(
  policy: Policy,
  options: AuthorizeOptions<R>,
): Guard {
  if (!callback.holds(policy)) throw misuse('authorize', 'policy', callback.says, policy)
  checkOptions('authorize', options, {
    action: required(either(text(256), callback)),
    resource: required(either(entity, callback)),
    context: callback,
    subject: callback,
    name: ruleName,
    mode: enforceOrReport,
    timeoutMs: integer(1, 60_000, 'milliseconds'),
  })
  const { action, mode, timeoutMs = 1000 } = options
  const resource = typeof options.resource === 'function' ? options.resource : frozenEntity(options.resource)

  return defineGuard({
    kind: 'authorize',
    layer: 'authorization',
    name: options.name ?? (ruleName.holds(action) ? (action as string) : 'policy'),
    mode,
    facts: {
      ...(typeof action === 'string' ? { action } : {}),
      ...(typeof resource === 'object' ? { resource: resource.type } : {}),
      timeoutMs,
    },
    check(req, context) {
      const principal = requirePrincipal(context)
      // Whatever Express has made of it by now.
      return ask(policy, question(req as R, principal, context), timeoutMs)
    },
  })

  function question(req: R, principal: Principal, about: RequestContext): PolicyRequest {
    const subject = options.subject === undefined ? undefined : options.subject(principal, req)
    const context = options.context === undefined ? undefined : contextFrom(options.context(req, about))
    return {
      subject: options.subject === undefined ? subjectOf(principal) : entityFrom(subject, 'subject'),
      action: actionFrom(typeof action === 'function' ? action(req) : action),
      resource: typeof resource === 'function' ? entityFrom(resource(req, about), 'resource') : resource,
      ...(context === undefined ? {} : { context }),
    }
  }
}
