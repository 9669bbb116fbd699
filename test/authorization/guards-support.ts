import { jest } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { auditLog } from '../../src/audit/audit-log.js'
import { PASSED, defineGuard, type Guard } from '../../src/core/guard.js'
import { createPrincipal, type PrincipalFacts } from '../../src/core/principal.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { keepingLogger, type KeptRecord } from '../support/records.js'
import { serve } from '../support/server.js'

/** A caller that was authenticated as these facts say. */
export const caller = (facts: Partial<PrincipalFacts> = {}): Guard =>
  defineGuard({
    kind: 'testLogin',
    layer: 'authentication',
    name: 'test',
    check(_req, context) {
      const principal = { type: 'user', subject: 'ada', issuer: 'https://id.test', authenticatedBy: 'test' }
      context.authenticateAs(createPrincipal({ ...principal, ...facts } as PrincipalFacts), principal)
      return { reason: 'verified' }
    },
  })

/** Authentication ran and found nobody. */
export const anonymous = defineGuard({
  kind: 'testLogin',
  layer: 'authentication',
  name: 'test',
  check(_req, context) {
    context.addChallenge('Bearer')
    context.markAnonymous({})
    return { reason: 'anonymous' }
  },
})

export const passing = defineGuard({
  kind: 'nothing',
  layer: 'traffic',
  name: 'nothing',
  check: () => PASSED,
})

export interface Outcome {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, string>>
  /** How often the handler ran. */
  readonly handled: number
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look wherever they like
  readonly record: any
  readonly kept: readonly KeptRecord[]
}

type Handlers = readonly (Guard | express.RequestHandler)[]

/** One GET of an application with an audit log, these middlewares, and a handler that counts. */
export async function get(handlers: Handlers, path = '/', route = '/'): Promise<Outcome> {
  const logger = keepingLogger()
  let handled = 0
  const app = express()
  app.use(auditLog({ logger, requestId: () => 'fixed' }))
  app.get(route, ...(handlers as express.RequestHandler[]), (_req, res) => {
    handled += 1
    res.json({})
  })
  app.use(secureErrors())
  const { status, text, headers } = await request(app).get(path)
  const { kept } = logger
  const record = kept.find((entry) => entry.record.event.reason !== undefined)?.record
  return { status, text, headers, handled, record, kept }
}

/**
 * A caller that goes away while a guard waits for its answer. Says what became of the request, and what handler and
 * guard did afterwards.
 */
export async function leftMeanwhile(
  guardOf: (wait: () => Promise<unknown>) => Guard,
  answer: unknown,
): Promise<{ readonly answered: unknown; readonly handler: jest.Mock }> {
  let tell: (answer: unknown) => void = () => undefined
  let asked: () => void = () => undefined
  const waiting = new Promise<void>((resolve) => (asked = resolve))
  const guard = guardOf(() => {
    asked()
    return new Promise((resolve) => (tell = resolve))
  })
  const handler = jest.fn()
  let closed: Promise<unknown> = Promise.resolve()
  const app = express()
  app.use((_req, res, next) => {
    closed = new Promise((resolve) => res.once('close', resolve))
    next()
  })
  app.get('/', caller(), guard, handler as never)
  const server = await serve(app)
  const controller = new AbortController()
  const asking = fetch(server.url, { signal: controller.signal }).catch(() => 'aborted')
  await waiting
  controller.abort()
  await closed
  tell(answer)
  await new Promise(setImmediate)
  const answered = await asking
  await server.close()
  return { answered, handler }
}
