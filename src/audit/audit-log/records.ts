import type { IncomingMessage } from 'node:http'
import { PROBLEMS, REFUSALS, type ProblemFace, type RefusalReason } from '../../core/catalogue.js'
import type { RequestContext } from '../../core/context.js'
import type { Decision, Layer } from '../../core/decision.js'
import type { OperationalEvent } from '../../core/events.js'
import type { Principal } from '../../core/principal.js'
import type { Evidence } from '../../core/problem.js'
import { neutralise } from '../../core/text.js'
import { errorFields } from './error-fields.js'

/**
 * One audit record: Elastic Common Schema names, OWASP Logging Vocabulary actions. It is built field by field from an
 * allow-list; nothing of a request is ever spread into it, so there is nothing to redact.
 */
export type AuditRecord = Readonly<Record<string, unknown>>

export type Level = 'info' | 'warn' | 'error'

/** How a request ended. */
export interface Completion {
  readonly outcome: 'success' | 'failure' | 'aborted'
  /** `undefined` where no answer went out. */
  readonly status: number | undefined
  readonly method: string
  /** Template of the route, or `unmatched`. */
  readonly route: string
  readonly durationMs: number
  /** Whether the route that answered is a `publicRoute`. */
  readonly public: boolean
}

// OWASP Logging Vocabulary; it has login terms only, so a token's are made after their pattern.
const REFUSED: Readonly<Record<Layer, string>> = {
  transport: 'authz_fail',
  authentication: 'authn_token_fail',
  authorization: 'authz_fail',
  traffic: 'excess_rate_limit_exceeded',
  validation: 'input_validation_fail',
  errors: 'request_fail',
}
const FAULT = 'sys_error'

export function decisionRecord(
  decision: Decision,
  context: RequestContext,
  req: IncomingMessage,
  errorMessages: boolean,
): AuditRecord {
  const { outcome, layer, reason, mode, rule, guard, status, evidence, cause, durationMs } = decision
  return {
    ...requestFields(context, req, decision.route, status),
    ...(cause === undefined ? {} : { error: errorFields(cause, errorMessages) }),
    event: {
      action: outcome === 'fault' ? FAULT : actionOf(decision),
      category: [layer === 'authentication' ? 'authentication' : 'api'],
      dataset: 'express-bulwark.audit',
      duration: nanoseconds(durationMs),
      kind: 'event',
      mode,
      outcome: 'failure',
      reason,
    },
    ...(evidence === undefined ? {} : { evidence: shownEvidence(evidence) }),
    rule: { name: neutralise(rule), ruleset: guard },
  }
}

/** What a limiter refuses for another reason than a limit is no excess: a caller who is nobody, a key that is missing. */
function actionOf({ layer, reason }: Decision): string {
  if (layer !== 'traffic') return REFUSED[layer]
  const { status } = PROBLEMS[REFUSALS[reason as RefusalReason]] as ProblemFace
  if (status === 401) return REFUSED.authentication
  return status === 429 || status === 503 ? REFUSED.traffic : REFUSED.validation
}

export function levelOf({ outcome }: Decision): Level {
  return outcome === 'fault' ? 'error' : 'warn'
}

/**
 * What is the same of all refusals of one caller at one address under one rule and the same of its policies, or, with `isCrowd`, of many callers under it. Their
 * number and times are added when they are known.
 */
export function coalescedRecord(
  decision: Decision,
  context: RequestContext,
  req: IncomingMessage,
  isCrowd: boolean,
): AuditRecord {
  const { client, user, event, rule } = decisionRecord(decision, context, req, false) as {
    readonly [field: string]: Readonly<Record<string, unknown>> | undefined
  }
  const same = Object.fromEntries(Object.entries(event ?? {}).filter(([name]) => name !== 'duration'))
  const policies = decision.evidence?.['policies']
  return {
    ...(isCrowd ? {} : { client, user }),
    event: same,
    ...(policies === undefined ? {} : { evidence: shownEvidence({ policies }) }),
    rule,
  }
}

/**
 * The end of a request: as short as it can be and still say who did what, where and when, and how it ended. It is
 * written for every request, and its length is most of what it costs.
 */
export function completionRecord(completion: Completion, context: RequestContext): AuditRecord {
  const { principal, trace } = context
  return {
    client: { address: label(context.client.address) },
    event: {
      action: 'http_request',
      duration: nanoseconds(completion.durationMs),
      outcome: completion.outcome,
    },
    http: {
      request: { id: context.id, method: neutralise(context.method, 16) },
      response: { status_code: completion.status },
      route: neutralise(completion.route),
    },
    trace: trace === undefined ? undefined : { id: trace.id, trusted: false },
    user: principal === undefined ? undefined : userFields(principal),
  }
}

export function eventRecord({ event, facts }: OperationalEvent): AuditRecord {
  return {
    event: {
      action: event,
      category: ['process'],
      dataset: 'express-bulwark.audit',
      kind: 'event',
      outcome: 'unknown',
    },
    evidence: shownEvidence(facts),
  }
}

/** Who, from where, for what: the part that every record of a request has. */
function requestFields(
  context: RequestContext,
  req: IncomingMessage,
  route: string,
  status: number | undefined,
): Readonly<Record<string, unknown>> {
  const { client, id, method, principal, trace } = context
  return {
    // Where proxies are trusted, this is text from a header.
    client: { address: label(client.address) },
    http: {
      request: { id, inbound_id: label(req.headers['x-request-id']), method: neutralise(method, 16) },
      response: { status_code: status },
      route: neutralise(route),
    },
    trace: trace === undefined ? undefined : { id: trace.id, trusted: false },
    user:
      principal === undefined
        ? undefined
        : { ...userFields(principal), method: neutralise(principal.authenticatedBy), type: principal.type },
    user_agent: { original: label(req.headers['user-agent']) },
  }
}

function userFields(principal: Principal): Readonly<Record<string, unknown>> {
  return {
    client_id: label(principal.clientId),
    credential_id: label(principal.credentialId),
    id: neutralise(principal.subject),
    issuer: neutralise(principal.issuer),
  }
}

function label(text: string | readonly string[] | undefined): string | undefined {
  return typeof text === 'string' ? neutralise(text) : undefined
}

function shownEvidence(evidence: Evidence): Readonly<Record<string, unknown>> {
  const entries = Object.entries(evidence).map(([name, value]): [string, unknown] => {
    if (typeof value === 'string') return [name, neutralise(value, 512)]
    return [name, Array.isArray(value) ? value.slice(0, 50).map((item: string) => neutralise(item)) : value]
  })
  return Object.fromEntries(entries)
}

function nanoseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6)
}
