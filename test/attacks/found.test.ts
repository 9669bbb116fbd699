// Attacks that once worked, or worked halfway.
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import {
  auditLog,
  authenticate,
  memoryStore,
  principalFrom,
  rateLimit,
  requireScopes,
  secureErrors,
  validateBody,
} from '../../src/index.js'
import { onEvent, type OperationalEvent } from '../../src/core/events.js'
import { localIssuer, type LocalIssuer } from '../../src/testing/local-issuer.js'
import { keepingLogger } from '../support/records.js'
import { serve } from '../support/server.js'

const AUDIENCE = 'https://api.test'
const cleanUp: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const undo of cleanUp.splice(0)) await undo()
})

async function issuerOf(): Promise<LocalIssuer> {
  const local = await localIssuer()
  cleanUp.push(() => local.stop())
  return local
}

/** A service whose keys come from a server that answers this text; its answer to a good token, and its events. */
async function askWithKeys(
  document: (jwk: object) => string,
): Promise<{ status: number; events: OperationalEvent[] }> {
  const local = await issuerOf()
  const keys = await serve((_req, res) => {
    res.end(document(local.jwks.keys[0] as object))
  })
  cleanUp.push(() => keys.close())
  const events: OperationalEvent[] = []
  cleanUp.push(onEvent((event) => events.push(event)))
  const app = express()
  app.use(auditLog({ logger: keepingLogger() }))
  app.use(authenticate({ issuer: local.issuer, audience: AUDIENCE, jwksUri: `${keys.url}/jwks` }))
  app.get('/', (_req, res) => {
    res.json({})
  })
  app.use(secureErrors())
  const { status } = await request(app)
    .get('/')
    .auth(await local.token(), { type: 'bearer' })
  return { status, events }
}

describe('a key server', () => {
  it('cannot flood the log, or keep the process busy, with half a million keys in one megabyte', async () => {
    const { status, events } = await askWithKeys(() => `{"keys":[${'0,'.repeat(500_000)}0]}`)
    expect(status).toBe(503)
    expect(events.length).toBeLessThan(5)
  })

  it('disables nobody with one key that throws when it is looked at', async () => {
    const { status } = await askWithKeys((jwk) =>
      JSON.stringify({ keys: [jwk, { kty: 'EC', crv: { toString: 1, valueOf: 1 } }] }),
    )
    expect(status).toBe(200)
  })

  it('may list one key twice, with and without its algorithm', async () => {
    const { status } = await askWithKeys((jwk) => JSON.stringify({ keys: [jwk, { ...jwk, alg: undefined }] }))
    expect(status).toBe(200)
  })

  it('is not quoted in the log', async () => {
    const { status, events } = await askWithKeys(() => '<html>c4nary')
    expect(status).toBe(503)
    expect(events.map(({ event }) => event)).toContain('key_set_unavailable')
    expect(JSON.stringify(events)).not.toContain('c4nary')
  })
})

describe('a token', () => {
  it('with claims nested deeper than anything is refused, and is no fault of ours', async () => {
    const local = await issuerOf()
    const app = express()
    app.use(authenticate({ issuer: local.issuer, audience: AUDIENCE }))
    app.use(secureErrors())
    const deep = JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`)
    const answer = await request(app)
      .get('/')
      .auth(await local.token({ deep }), { type: 'bearer' })
    expect(answer.status).toBe(401)
  })

  it('without sub never stands for the user that is called as its client is', async () => {
    const local = await issuerOf()
    const app = express()
    app.use(authenticate({ issuer: local.issuer, audience: AUDIENCE }))
    app.use(secureErrors())
    const token = await local.token({ sub: undefined, client_id: 'victim' })
    expect((await request(app).get('/').auth(token, { type: 'bearer' })).status).toBe(401)
  })
})

describe('a caller', () => {
  it('that resets its connection at once is no fault of ours, and its request does not run', async () => {
    const logger = keepingLogger()
    let runs = 0
    const app = express()
    app.use(auditLog({ logger, completions: 'none' }))
    app.use((_req, _res, next) => {
      setTimeout(next, 20)
    })
    app.use(rateLimit({ name: 'x', limit: 1000, windowSeconds: 60, by: 'address', store: memoryStore() }))
    app.get('/', (_req, res) => {
      runs += 1
      res.end()
    })
    app.use(secureErrors())
    const server = await serve(app)
    cleanUp.push(() => server.close())
    for (let i = 0; i < 20; i += 1) {
      await new Promise<void>((resolve) => {
        const socket = connect(server.port, '127.0.0.1', () => {
          socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
          setTimeout(() => {
            socket.resetAndDestroy()
            resolve()
          }, 2)
        })
        socket.on('error', () => undefined)
      })
    }
    await new Promise((resolve) => setTimeout(resolve, 80))
    expect(logger.kept.filter(({ level }) => level === 'error')).toEqual([])
    expect(runs).toBeLessThanOrEqual(20)
  })

  it.each(['utf-7', 'utf-16', '"UTF-16LE"', 'latin1'])(
    'cannot hide a body from filters that read UTF-8 behind charset=%s',
    async (charset) => {
      const app = express()
      app.post('/', express.json(), validateBody({ type: 'object', properties: {} }), (_req, res) => {
        res.json({})
      })
      app.use(secureErrors())
      const answer = await request(app)
        .post('/')
        .set('Content-Type', `application/json; charset=${charset}`)
        .serialize((body) => body as string)
        .send('{}')
      // 400 where the parser already stumbled over the bytes.
      expect([400, 415]).toContain(answer.status)
    },
  )
})

describe('something that is thrown', () => {
  const answerTo = async (thrown: unknown): Promise<{ status: number; log: string }> => {
    const logger = keepingLogger()
    const app = express()
    app.use(auditLog({ logger }))
    app.get('/', (_req, _res, next) => {
      next(thrown)
    })
    app.use(secureErrors())
    const { status } = await request(app).get('/')
    return { status, log: JSON.stringify(logger.kept) }
  }

  it('as if the request was aborted does not cut the connection of a caller who is still there', async () => {
    const { status, log } = await answerTo({ type: 'request.aborted' })
    expect(status).toBe(500)
    expect(log).toContain('unhandled_error')
  })

  it('with a stack that somebody wrote adds no frames to the record', async () => {
    const error = new Error('x')
    error.stack = 'Error: q\n    at pw=c4nary:1'
    expect((await answerTo(error)).log).not.toContain('c4nary')
  })
})

describe('a rule in report mode', () => {
  it('records no status, for none was sent, and what it saw', async () => {
    const local = await issuerOf()
    const logger = keepingLogger()
    const app = express()
    app.use(auditLog({ logger, completions: 'none' }))
    app.use(authenticate({ issuer: local.issuer, audience: AUDIENCE, typ: { value: 'x', mode: 'report' } }))
    app.get('/', requireScopes({ all: ['a'], mode: 'report' }), (_req, res) => {
      res.json({})
    })
    const answer = await request(app)
      .get('/')
      .auth(await local.token(), { type: 'bearer' })
    expect(answer.status).toBe(200)
    expect(logger.kept.map(({ record }) => record.http.response.status_code as unknown)).toEqual([
      undefined,
      undefined,
    ])
    expect(logger.kept[0]?.record).toMatchObject({
      event: { reason: 'token_type_refused', mode: 'report' },
      evidence: { expected: ['x'], claimed: 'at+jwt' },
      user: { id: 'user-1' },
    })
  })

  it('leaves the body as it is, also where its schema would have replaced it', async () => {
    const app = express()
    const guard = validateBody(
      { type: 'object', properties: { n: { type: 'integer' } } },
      { coerce: true, mode: 'report' },
    )
    app.post('/', express.json(), guard, (req, res) => {
      res.json(req.body)
    })
    expect((await request(app).post('/').send({ n: '5' })).body).toEqual({ n: '5' })
  })

  it('does not hide an order that cannot work', async () => {
    const app = express()
    app.use(auditLog({ logger: keepingLogger() }))
    app.get('/', requireScopes({ all: ['a'], mode: 'report' }), (_req, res) => {
      res.json({})
    })
    app.use(secureErrors())
    expect((await request(app).get('/')).status).toBe(500)
  })
})

describe('a set-up', () => {
  it.each(['Session realm="caf\u00e9"', 'Bearer\r\nX: y', 'a\tb', ''])(
    'cannot send the challenge %j',
    (challenge) => {
      expect(() => principalFrom(() => undefined, { name: 'x', challenge })).toThrow(
        'principalFrom: challenge must be',
      )
    },
  )

  it('with a challenge that has parameters still answers 403 as RFC 9110 writes it', async () => {
    const app = express()
    app.use(principalFrom(() => ({ subject: 's' }), { name: 'x', challenge: 'Session realm="x"' }))
    app.use(requireScopes('a'))
    app.use(secureErrors())
    const answer = await request(app).get('/')
    expect(answer.headers['www-authenticate']).toBe(
      'Session realm="x", error="insufficient_scope", scope="a"',
    )
  })

  it.each([
    [{ type: 'object', properties: {}, additionalProperties: undefined }],
    [{ type: 'object', properties: {}, unevaluatedProperties: undefined }],
    [{ minProperties: 1 }],
  ])('is not opened by %j, which says nothing of other fields', async (schema) => {
    const app = express()
    app.post('/', express.json(), validateBody(schema), (_req, res) => {
      res.json({})
    })
    app.use(secureErrors())
    expect((await request(app).post('/').send({ evil: 1 })).status).toBe(400)
  })
})
