import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import {
  auditLog,
  contextOf,
  inputOf,
  optionalPrincipalOf,
  principalFrom,
  principalOf,
  requireScopes,
  secureErrors,
  validateBody,
} from '../../src/index.js'
import { keepingLogger } from '../support/records.js'

const somebody = principalFrom(() => ({ subject: 'ada', scopes: ['a'], claims: { secret: 'c4nary' } }), {
  name: 'test',
})
const nobody = principalFrom(() => undefined, { name: 'test', required: false })

const statusOf = (problem: () => unknown): { status: number; reason: string } | undefined => {
  try {
    problem()
  } catch (error) {
    const { status, reason } = error as { status: number; reason: string }
    return { status, reason }
  }
  return undefined
}

const answering = (...handlers: unknown[]): express.Express => {
  const app = express()
  app.get('/things/:id', ...(handlers as express.RequestHandler[]))
  app.use(secureErrors())
  return app
}

describe('the context', () => {
  it('knows what the request was when it came in', async () => {
    const app = answering(
      auditLog({ logger: keepingLogger() }),
      (req: express.Request, res: express.Response) => {
        const { id, method, path, client, authentication, principal, trace, version } = contextOf(req)
        res.json({ id, method, path, client, authentication, principal, trace, version })
      },
    )
    const { body } = await request(app)
      .get('/things/7?token=x')
      .set('traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')
    expect(body).toMatchObject({
      version: 1,
      method: 'GET',
      path: '/things/7',
      client: { address: expect.stringContaining('127.0.0.1'), tls: false },
      authentication: 'not-run',
      trace: { id: '4bf92f3577b34da6a3ce929d0e0e4736', parentId: '00f067aa0ba902b7' },
    })
    expect(body.id).toMatch(/^[0-9a-f-]{36}$/)
    expect(body).not.toHaveProperty('principal')
  })

  it.each([
    'garbage',
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more',
    `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01${'x'.repeat(300)}`,
  ])('takes traceparent %p for no trace', async (traceparent) => {
    const app = answering(somebody, (req: express.Request, res: express.Response) => {
      res.json({ traced: contextOf(req).trace !== undefined })
    })
    expect((await request(app).get('/things/7').set('traceparent', traceparent)).body).toEqual({
      traced: false,
    })
  })

  it.each<[string, (req: object) => unknown, { status: number; reason: string } | undefined]>([
    ['contextOf', contextOf, { status: 500, reason: 'guard_order' }],
    ['principalOf', principalOf, { status: 500, reason: 'guard_order' }],
    ['optionalPrincipalOf', optionalPrincipalOf, undefined],
    [
      'inputOf',
      (req) => inputOf(req, validateBody({ type: 'string' })),
      { status: 500, reason: 'guard_order' },
    ],
  ])('%s on a request that no middleware of the library has seen', (_name, read, expected) => {
    expect(statusOf(() => read({ headers: {} }))).toEqual(expected)
  })

  it('principalOf answers 401 with a challenge where the caller is anonymous', async () => {
    const app = answering(nobody, (req: express.Request) => {
      principalOf(req)
    })
    const answer = await request(app).get('/things/7')
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Bearer')
  })

  it('hands each decision to observers and to diagnostics_channel the moment it is made', async () => {
    const seen: string[] = []
    const listener = (message: unknown): void => {
      seen.push((message as { decision: { reason: string } }).decision.reason)
    }
    subscribe('express-bulwark.decision', listener)
    const app = answering(somebody, requireScopes('b'))
    await request(app).get('/things/7')
    unsubscribe('express-bulwark.decision', listener)
    expect(seen).toEqual(['adopted', 'scope_missing'])
    await request(app).get('/things/7')
    expect(seen).toHaveLength(2)
  })

  it('keeps decisions from being edited by a reader', async () => {
    const app = answering(somebody, (req: express.Request, res: express.Response) => {
      ;(contextOf(req).decisions as unknown[]).length = 0
      res.json(contextOf(req).decisions.length)
    })
    expect((await request(app).get('/things/7')).body).toBe(1)
  })
})
