import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import supertest, { type Response } from 'supertest'
import { auditLog, type AuditLogOptions } from '../../src/audit/audit-log.js'
import { authenticate } from '../../src/authentication/authenticate.js'
import { requireScopes } from '../../src/authorization/require-scopes.js'
import { contextOf, optionalPrincipalOf } from '../../src/core.js'
import { notFound } from '../../src/errors/not-found.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { localIssuer, type LocalIssuer } from '../../src/testing/local-issuer.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { secureHeaders } from '../../src/transport/secure-headers.js'
import { validateBody } from '../../src/validation/validate-body.js'
import { keepingLogger } from '../support/records.js'
import { until } from './support.js'

// One secret for each place that a caller or a handler can put one. They share no text, and look like what they are.
const SECRETS = {
  cookie: 'ck-5f1c0e9a77',
  apiKey: 'ak-9b3d2c4e61',
  query: 'qy-0d8e7f6a52',
  pathParameter: 'pp-3c2b1a0f43',
  bodyValue: 'bv-7e6d5c4b34',
  bodyField: 'bf-1f2e3d4c25',
  referer: 'rf-8a9b0c1d16',
  proxyAuthorization: 'cHgtNGYzZTJkMWM=',
  basicUser: 'YnUtNmMzYjJhMWY=',
  responseBody: 'rb-2b3c4d5e07',
  setCookie: 'sc-6d7e8f9a98',
  errorMessage: 'em-4e5f6a7b89',
  errorCause: 'ec-0a1b2c3d7a',
  claim: 'cl-9c8d7e6f6b',
}
interface Observed {
  readonly place: string
  readonly text: string
}

describe('a secret', () => {
  let issuer: LocalIssuer
  const observed: Observed[] = []
  const see = (place: string, value: unknown): void => {
    observed.push({ place, text: typeof value === 'string' ? value : JSON.stringify(value) })
  }
  const onDecision = (message: unknown): void => {
    see('diagnostics_channel', message)
  }
  const onWarning = (warning: Error): void => {
    see('process warning', `${warning.message} ${warning.stack ?? ''}`)
  }

  beforeAll(async () => {
    issuer = await localIssuer()
    subscribe('express-bulwark.decision', onDecision)
    process.on('warning', onWarning)
  })
  afterAll(async () => {
    unsubscribe('express-bulwark.decision', onDecision)
    process.off('warning', onWarning)
    await issuer.stop()
  })
  beforeEach(() => {
    observed.length = 0
    for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
      jest.spyOn(console, method).mockImplementation((...said: unknown[]) => {
        see(`console.${method}`, inspect(said, { depth: 9 }))
      })
    }
  })
  afterEach(() => {
    jest.restoreAllMocks()
  })

  function service(options: AuditLogOptions = {}): {
    app: express.Express
    log: ReturnType<typeof keepingLogger>
  } {
    const log = keepingLogger()
    const app = express()
    app.use(auditLog({ ...options, logger: log, completions: 'all' }))
    app.use(secureHeaders())
    app.post('/public/:id', express.json(), (_req, res) => {
      res.json({})
    })
    app.use(authenticate({ issuer: issuer.issuer, audience: 'https://api.test' }))
    const chain = [
      rateLimit({ name: 'canary', limit: 100, windowSeconds: 60, by: 'principal' }),
      express.json({ limit: 2000 }),
      validateBody({
        type: 'object',
        properties: {
          sku: { type: 'string', pattern: '^[a-z]-' },
          labels: { type: 'object', additionalProperties: { type: 'string' } },
        },
      }),
    ]
    app.post('/orders/:id', requireScopes('orders:write'), ...chain, (_req, res) => {
      res.cookie('session', SECRETS.setCookie)
      res.json({ password: SECRETS.responseBody })
    })
    app.post('/admin/:id', requireScopes('admin'), (_req, res) => {
      res.json({})
    })
    app.post('/fails/:id', ...chain, (req, res) => {
      see('the context', shown(req))
      res.cookie('session', SECRETS.setCookie)
      throw Object.assign(new Error(SECRETS.errorMessage, { cause: new Error(SECRETS.errorCause) }), {
        name: 'DatabaseError',
        code: 'E_DB',
      })
    })
    app.use(notFound())
    app.use(secureErrors())
    return { app, log }
  }

  /** What is seen by somebody who logs the request's context, by whatever means. */
  function shown(req: express.Request): string {
    const context = contextOf(req)
    const scopes = optionalPrincipalOf(req)?.scopes
    return [
      JSON.stringify(context),
      inspect(context, { depth: 9, showHidden: true }),
      inspect(scopes, { depth: 9, showHidden: true }),
    ].join('\n')
  }

  async function call(
    { app }: { app: express.Express },
    path: string,
    change: {
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
      readonly scope?: string
      readonly method?: 'post' | 'put'
    } = {},
  ): Promise<{ answer: Response; token: string }> {
    const token = await issuer.token({ scope: change.scope ?? 'orders:write', email: SECRETS.claim })
    const headers = {
      authorization: `Bearer ${token}`,
      'proxy-authorization': `Basic ${SECRETS.proxyAuthorization}`,
      cookie: `session=${SECRETS.cookie}`,
      'x-api-key': SECRETS.apiKey,
      referer: `https://shop.example/?token=${SECRETS.referer}`,
      'content-type': 'application/json',
      ...change.headers,
    }
    const body = change.body ?? JSON.stringify({ sku: `a-${SECRETS.bodyValue}` })
    const url = `${path}/${SECRETS.pathParameter}?access_token=${SECRETS.query}`
    const request = change.method === 'put' ? supertest(app).put(url) : supertest(app).post(url)
    const answer = await request.set(headers).send(body)
    return { answer, token }
  }

  const { bodyField, bodyValue } = SECRETS
  const basic = { authorization: `Basic ${SECRETS.basicUser}` }

  it.each<[string, number, string, Parameters<typeof call>[2]]>([
    ['an accepted request', 200, '/orders', {}],
    ['a request without the scope', 403, '/admin', {}],
    ['a scheme that is not accepted', 401, '/orders', { headers: basic }],
    ['a token that is none', 401, '/orders', { headers: { authorization: `Bearer ${SECRETS.apiKey}` } }],
    ['a malformed credential', 400, '/orders', { headers: { authorization: `Bearer a ${SECRETS.apiKey}` } }],
    ['an unknown field', 400, '/orders', { body: `{"${bodyField}":"${bodyValue}"}` }],
    ['a wrong value', 400, '/orders', { body: `{"sku":"${bodyValue}"}` }],
    ['a wrong value in a map', 400, '/orders', { body: `{"labels":{"${bodyField}":1}}` }],
    [
      'a field that would change a prototype',
      400,
      '/orders',
      { body: `{"__proto__":{"${bodyField}":"${bodyValue}"}}` },
    ],
    ['no JSON', 400, '/orders', { body: `{"sku": ${bodyValue}` }],
    ['a body too large', 413, '/orders', { body: `{"sku":"${bodyValue.repeat(400)}"}` }],
    ['a body too deep', 413, '/orders', { body: `${'{"a":'.repeat(40)}"${bodyValue}"${'}'.repeat(40)}` }],
    ['another media type', 415, '/orders', { headers: { 'content-type': `text/plain; name=${bodyValue}` } }],
    [
      'an unknown charset',
      415,
      '/orders',
      { headers: { 'content-type': `application/json; charset=${bodyValue}` } },
    ],
    ['an unknown encoding', 415, '/orders', { headers: { 'content-encoding': bodyValue } }],
    ['no such route', 404, '/nowhere', {}],
    ['no such method', 405, '/orders', { method: 'put' }],
    ['a handler that fails', 500, '/fails', {}],
    [
      'no JSON on a public route',
      400,
      '/public',
      { body: `{"sku": ${bodyValue}`, headers: { authorization: '' } },
    ],
  ])('leaves by no way: %s', async (_case, status, path, change) => {
    const running = service()
    const { answer, token } = await call(running, path, change)
    await until(() => running.log.kept.some(({ record }) => record.event.action === 'http_request'))
    expect(answer.status).toBe(status)
    expect(leaksOf(running.log, answer, token)).toEqual([])
    expect(observed.length).toBeGreaterThan(3)
  })

  it('is found by this search where it is let out: the message of an error, on request', async () => {
    const running = service({ errorMessages: true })
    const { answer, token } = await call(running, '/fails')
    expect(leaksOf(running.log, answer, token)).toEqual([
      'errorMessage in audit record (error)',
      'errorCause in audit record (error)',
    ])
  })

  function leaksOf(log: ReturnType<typeof keepingLogger>, answer: Response, token: string): string[] {
    // The cookie and the body of an accepted request are the handler's own.
    const { 'set-cookie': _own, ...headers } = answer.headers as Record<string, unknown>
    see('response headers', headers)
    if (answer.status !== 200) see('problem', answer.text)
    for (const { level, message, record } of log.kept) {
      see(`audit record (${level})`, `${message} ${inspect(record, { depth: 9 })} ${JSON.stringify(record)}`)
    }
    const [, payload = '', signature = ''] = token.split('.')
    return observed.flatMap(({ place, text }) =>
      Object.entries({ ...SECRETS, token: signature, tokenPayload: payload })
        .filter(([, secret]) => text.includes(secret))
        .map(([name]) => `${name} in ${place}`),
    )
  }

  it('in a claim is not part of what a logged request shows', async () => {
    const { app } = service()
    const texts: string[] = []
    const wrapped = express()
    wrapped.use((req, _res, next) => {
      setImmediate(() => {
        texts.push(
          inspect(req, { depth: 9, showHidden: true }),
          inspect({ ...req }, { depth: 5 }),
          inspect({ ...contextOf(req) }, { depth: 9 }),
        )
      })
      next()
    })
    wrapped.use(app)
    await call({ app: wrapped }, '/orders')
    await until(() => texts.length === 3)
    expect(texts.join('\n')).not.toContain(SECRETS.claim)
  })
})
