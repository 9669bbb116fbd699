import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { expressjwt } from 'express-jwt'
import createError from 'http-errors'
import multer from 'multer'
import supertest, { type Response } from 'supertest'
import { SecurityProblem } from '../../src/core.js'
import { problem } from '../../src/errors/problem.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { rawRequest, sendRaw, serve } from '../support/server.js'
import { until } from '../audit/support.js'
import { appThat, failing, isExpress4, unreachable } from './support.js'

// They come without types.
const load = createRequire(import.meta.url)
const passport = load('passport')
const { Strategy: BearerStrategy } = load('passport-http-bearer')

const CANARY = 'canary-7f3a'

function expectProblem(answer: Response, status: number, code: string): void {
  expect([answer.status, answer.body.code]).toEqual([status, code])
  expect(answer.headers['content-type']).toBe('application/problem+json')
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(answer.headers['x-content-type-options']).toBe('nosniff')
  expect(Object.keys(answer.body)).toEqual(
    expect.arrayContaining(['type', 'title', 'status', 'detail', 'code', 'requestId']),
  )
  expect(answer.body.status).toBe(status)
  expect(answer.text).not.toContain('canary')
  expect(JSON.stringify(answer.headers)).not.toContain('canary')
}

describe('errors of the body parsers', () => {
  const parsers = [
    express.json({ limit: 1000, verify: refuseSigned }),
    express.urlencoded({ extended: true, limit: 1000, parameterLimit: 5, depth: 3 } as never),
  ]
  const rest = rawParts()

  it.each<[string, number, string, string, readonly string[], string | Buffer]>([
    ['entity.parse.failed', 400, 'body_malformed', 'application/json', [], `{"a": ${CANARY}}`],
    ['entity.parse.failed of a scalar', 400, 'body_malformed', 'application/json', [], `"${CANARY}"`],
    ['entity.verify.failed', 400, 'body_malformed', 'application/json', [], `{"signed":"${CANARY}"}`],
    ['entity.too.large', 413, 'body_too_large', 'application/json', [], JSON.stringify(CANARY.repeat(200))],
    [
      'encoding.unsupported',
      415,
      'media_type_unsupported',
      'application/json',
      [`Content-Encoding: ${CANARY}`],
      '{}',
    ],
    ['charset.unsupported', 415, 'media_type_unsupported', `application/json; charset=${CANARY}`, [], '{}'],
    [
      'parameters.too.many',
      413,
      'body_too_large',
      'application/x-www-form-urlencoded',
      [],
      'a=1&b=2&c=3&d=4&e=5&f=6',
    ],
    [
      'a body that is not what its encoding says',
      400,
      'bad_request',
      'application/json',
      ['Content-Encoding: gzip'],
      CANARY,
    ],
    [
      'a compressed body that is too large when it is not',
      413,
      'body_too_large',
      'application/json',
      ['Content-Encoding: gzip'],
      gzipSync(JSON.stringify(CANARY.repeat(200))),
    ],
  ])('%s is %i %s', async (_case, status, code, type, lines, body) => {
    const { app, log } = appThat([...parsers, failing(new Error('the parser let it pass'))])
    const server = await serve(app)
    const answer = await rest.send(server.port, [`Content-Type: ${type}`, ...lines], body)
    await server.close()
    expect(answer).toContain(`HTTP/1.1 ${status} `)
    expect(answer).toContain(`"code":"${code}"`)
    expect(answer).not.toContain('canary')
    expect(JSON.stringify(log.kept)).not.toContain('canary')
  })

  it('a form nested too deep is 413 where the parser says so, and never more than a 4xx', async () => {
    const { app } = appThat([...parsers, (_req, res) => void res.json({})])
    const answer = await supertest(app).post('/').type('form').send('a[b][c][d][e][f][g]=1')
    expectProblem(answer, 413, 'body_too_large')
  })

  it('a body cut short closes the connection, unanswered, and is recorded as aborted', async () => {
    const { app, log } = appThat([...parsers, failing(new Error('the parser let it pass'))])
    const server = await serve(app)
    await new Promise<void>((resolve) => {
      const socket = connect(server.port, '127.0.0.1', () => {
        const lines = ['Host: api.test', 'Content-Type: application/json', 'Content-Length: 100']
        socket.write(`POST / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n{"a":`, () => {
          setTimeout(() => socket.destroy(), 20)
        })
      })
      socket.on('error', () => undefined)
      server.server.once('request', (_req, res) => res.once('close', () => setTimeout(resolve, 20)))
    })
    await server.close()
    expect(log.kept.at(-1)?.record.event.outcome).toBe('aborted')
    expect(log.kept.at(-1)?.record.http.response.status_code).toBeUndefined()
  })

  it('none lets the body out that it carries', async () => {
    const carrying = Object.assign(new SyntaxError(`Unexpected ${CANARY}`), {
      body: CANARY,
      status: 400,
      statusCode: 400,
      expose: true,
      type: 'entity.parse.failed',
    })
    const { app, log } = appThat(failing(carrying))
    expectProblem(await supertest(app).get('/'), 400, 'body_malformed')
    expect(JSON.stringify(log.kept)).not.toContain('canary')
  })
})

describe('errors of Express', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'files-'))
    writeFileSync(join(folder, 'here.txt'), 'here it is')
  })
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })

  const router = (): express.Express => {
    const app = express()
    app.get('/orders/:id', (_req, res) => {
      res.json({})
    })
    app.use('/files', express.static(folder, { fallthrough: false }))
    app.get('/send', (_req, res, next) => {
      res.sendFile(join(folder, 'missing.txt'), next)
    })
    app.get('/send-up', (_req, res, next) => {
      res.sendFile('../../../etc/passwd', { root: folder }, next)
    })
    app.use(secureErrors())
    return app
  }

  it.each([
    ['/orders/%E0%A4%A', 400, 'url_malformed'],
    ['/orders/%zz', 400, 'url_malformed'],
    ['/files/%zz', 400, 'bad_request'],
    ['/files/missing.txt', 404, 'not_found'],
    ['/files/a%00b', 400, 'bad_request'],
    ['/files/..%2f..%2fetc/passwd', 403, 'bad_request'],
    ['/send', 404, 'not_found'],
    ['/send-up', 403, 'bad_request'],
  ])('of the request %s: %i', async (path, status, code) => {
    const server = await serve(router())
    const answer = await sendRaw(server.port, rawRequest('GET', path))
    await server.close()
    expect(answer).toContain(`HTTP/1.1 ${status} `)
    expect(answer).toContain('Content-Type: application/problem+json')
    expect(answer).toContain(`"code":"${code}"`)
    expect(answer).not.toContain(folder)
    expect(answer).not.toContain('ENOENT')
  })

  it('of a range that cannot be had: 416, with the length of the file and nothing else of it', async () => {
    const answer = await supertest(router()).get('/files/here.txt').set('Range', 'bytes=900-')
    expectProblem(answer, 416, 'bad_request')
    expect(answer.headers['content-range']).toBe('bytes */10')
    for (const field of ['last-modified', 'etag', 'accept-ranges'])
      expect(answer.headers[field]).toBeUndefined()
  })
})

describe('errors of other libraries', () => {
  const codes: Readonly<Record<number, string>> = {
    401: 'unauthorized',
    404: 'not_found',
    405: 'method_not_allowed',
    413: 'body_too_large',
    415: 'media_type_unsupported',
  }
  it.each([400, 401, 403, 404, 405, 409, 410, 413, 415, 418, 422, 429, 451])(
    'http-errors %i keeps its status, without its message',
    async (status) => {
      const headers = { 'x-note': CANARY, 'set-cookie': CANARY, 'retry-after': '30' }
      const { app } = appThat(failing(createError(status, CANARY, { headers })))
      const answer = await supertest(app).get('/')
      expectProblem(answer, status, codes[status] ?? 'bad_request')
      if (status === 429) expect(answer.headers['retry-after']).toBe('30')
    },
  )

  it.each([500, 501, 503, 599])('http-errors %i is a 500', async (status) => {
    const { app } = appThat(failing(createError(status, CANARY, { expose: true })))
    expectProblem(await supertest(app).get('/'), 500, 'internal')
  })

  it('a 401 always comes with a challenge (RFC 9110 section 15.5.2), and keeps the one that was set', async () => {
    const bare = await supertest(appThat(failing(createError(401))).app).get('/')
    expect(bare.headers['www-authenticate']).toBe('Bearer')
    const set: RequestHandler = (_req, res, next) => {
      res.setHeader('WWW-Authenticate', 'Basic realm="files"')
      next(createError(401))
    }
    const answer = await supertest(appThat(set).app).get('/')
    expect(answer.headers['www-authenticate']).toBe('Basic realm="files"')
  })

  it.each([
    ['none', undefined],
    ['a foreign one', 'Bearer eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.AAAA'],
    ['a malformed one', `Bearer ${CANARY}`],
  ])('express-jwt’s refusal of a credential is 401: %s', async (_case, authorization) => {
    const { app, log } = appThat([
      expressjwt({ secret: 'not-a-secret', algorithms: ['HS256'] }),
      (_req, res) => void res.json({}),
    ])
    const call = supertest(app).get('/')
    const answer = await (authorization === undefined ? call : call.set('Authorization', authorization))
    expectProblem(answer, 401, 'unauthorized')
    expect(answer.headers['www-authenticate']).toBe('Bearer')
    expect(JSON.stringify(log.kept)).not.toContain('canary')
  })

  it('passport’s refusal (failWithError) is 401 and keeps its challenge', async () => {
    passport.use(
      new BearerStrategy((_token: string, done: (error: unknown, user?: unknown) => void) => {
        done(null, false)
      }),
    )
    const handler = passport.authenticate('bearer', { session: false, failWithError: true }) as RequestHandler
    const answer = await supertest(appThat(handler).app).get('/').set('Authorization', `Bearer ${CANARY}`)
    expectProblem(answer, 401, 'unauthorized')
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="Users", error="invalid_token"')
  })

  const upload = (limits: object): RequestHandler => multer({ limits }).single('file')
  it.each<[string, object, number, (call: supertest.Test) => supertest.Test]>([
    ['LIMIT_FILE_SIZE', { fileSize: 10 }, 413, (call) => call.attach('file', Buffer.alloc(100), CANARY)],
    ['LIMIT_FIELD_VALUE', { fieldSize: 10 }, 413, (call) => call.field('a', CANARY.repeat(9))],
    ['LIMIT_FIELD_COUNT', { fields: 1 }, 413, (call) => call.field('a', '1').field('b', '2')],
    ['LIMIT_FIELD_KEY', { fieldNameSize: 5 }, 413, (call) => call.field(CANARY, '1')],
    ['LIMIT_PART_COUNT', { parts: 1 }, 413, (call) => call.field('a', '1').field('b', '2')],
    ['LIMIT_UNEXPECTED_FILE', {}, 400, (call) => call.attach(CANARY, Buffer.alloc(1), 'x')],
  ])('multer’s %s is a 4xx', async (_code, limits, status, send) => {
    const { app } = appThat([upload(limits), (_req, res) => void res.json({})])
    const answer = await send(supertest(app).post('/'))
    expectProblem(answer, status, status === 413 ? 'body_too_large' : 'body_malformed')
  })

  it('multer’s MISSING_FIELD_NAME is a 4xx', async () => {
    const { app } = appThat([upload({}), (_req, res) => void res.json({})])
    const body = '--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--\r\n'
    const answer = await supertest(app)
      .post('/')
      .set('Content-Type', 'multipart/form-data; boundary=x')
      .send(body)
    expectProblem(answer, 400, 'body_malformed')
  })
})

describe('anything else that is thrown', () => {
  const hostile = (name: string): Error => {
    const error = new Error(CANARY)
    Object.defineProperty(error, name, {
      get: () => {
        throw new Error(CANARY)
      },
    })
    return error
  }
  const proxy = (target: object): object =>
    new Proxy(target, {
      get: () => {
        throw new Error(CANARY)
      },
      getPrototypeOf: () => {
        throw new Error(CANARY)
      },
      has: () => {
        throw new Error(CANARY)
      },
    })
  const revoked = (): object => {
    const { proxy: made, revoke } = Proxy.revocable({}, {})
    revoke()
    return made
  }

  const thrown: readonly (readonly [string, unknown])[] = [
    ['an Error', new Error(CANARY)],
    ['an Error with a cause', new Error(CANARY, { cause: new Error(CANARY) })],
    ['an Error that is its own cause', Object.assign(new Error(CANARY), { cause: undefined })],
    ['an AggregateError', new AggregateError([new Error(CANARY)], CANARY)],
    ['a string', CANARY],
    ['a number', 42],
    ['zero', 404],
    ['true', true],
    ['a symbol', Symbol(CANARY)],
    ['a bigint', 10n],
    ['a function', () => CANARY],
    ['an object', { message: CANARY, status: 403 }],
    [
      'an object that looks like http-errors',
      { message: CANARY, status: 403, statusCode: 403, expose: true },
    ],
    ['an object without a prototype', Object.assign(Object.create(null), { message: CANARY })],
    ['a frozen Error', Object.freeze(new Error(CANARY))],
    [
      'an Error with status 200',
      Object.assign(new Error(CANARY), { status: 200, statusCode: 200, expose: true }),
    ],
    [
      'an Error with status 302',
      Object.assign(new Error(CANARY), {
        status: 302,
        statusCode: 302,
        expose: true,
        headers: { location: '//evil' },
      }),
    ],
    ['an Error with statusCode "x"', Object.assign(new Error(CANARY), { statusCode: 'x', expose: true })],
    [
      'an Error with status "404"',
      Object.assign(new Error(CANARY), { status: '404', statusCode: '404', expose: true }),
    ],
    ['an Error with status 404 only', Object.assign(new Error(CANARY), { status: 404 })],
    [
      'an Error with status 404.5',
      Object.assign(new Error(CANARY), { status: 404.5, statusCode: 404.5, expose: true }),
    ],
    [
      'an Error with status NaN',
      Object.assign(new Error(CANARY), { status: NaN, statusCode: NaN, expose: true }),
    ],
    [
      'an Error with two statuses',
      Object.assign(new Error(CANARY), { status: 404, statusCode: 403, expose: true }),
    ],
    ['an Error with another type', Object.assign(new Error(CANARY), { type: 'constructor', status: 400 })],
    [
      'an Error with an object for a type',
      Object.assign(new Error(CANARY), { type: { toString: () => CANARY } }),
    ],
    [
      'an Error named UnauthorizedError without a status',
      Object.assign(new Error(CANARY), { name: 'UnauthorizedError' }),
    ],
    ['an Error with headers', Object.assign(new Error(CANARY), { headers: { 'x-secret': CANARY } })],
    ['a URIError of a handler', new URIError(CANARY)],
    ['a SyntaxError of a handler', new SyntaxError(CANARY)],
    ...['name', 'message', 'stack', 'status', 'statusCode', 'expose', 'type', 'code', 'cause', 'headers'].map(
      (name): [string, unknown] => [`an Error whose ${name} throws`, hostile(name)],
    ),
    [
      'an object whose toString throws',
      {
        toString: () => {
          throw new Error(CANARY)
        },
      },
    ],
    [
      'an object that throws when it is inspected',
      {
        [Symbol.for('nodejs.util.inspect.custom')]: () => {
          throw new Error(CANARY)
        },
      },
    ],
    ['a proxy that throws', proxy({})],
    ['a proxy of an Error that throws', proxy(new Error(CANARY))],
    ['a revoked proxy', revoked()],
  ]

  describe.each([
    ['recorded by auditLog', true],
    ['recorded by nobody', false],
  ])('%s', (_case, isRecorded) => {
    it.each(thrown)('is a 500 without a word: %s', async (_name, value) => {
      const printed = jest.spyOn(console, 'error').mockImplementation(() => undefined)
      const { app, log } = isRecorded ? appThat(failing(value)) : { app: bare(value), log: undefined }
      const answer = await supertest(app).get('/')
      expectProblem(answer, 500, 'internal')
      if (log === undefined) {
        expect(printed).toHaveBeenCalled()
        return
      }
      expect(printed).not.toHaveBeenCalled()
      expect(log.reasons()).toEqual(['unhandled_error'])
      expect(JSON.stringify(log.kept)).not.toContain('canary')
      expect(log.kept[0]?.record.http.request.id).toBe(answer.body.requestId)
    })
  })

  const bare = (value: unknown): express.Express => {
    const app = express()
    app.get('/', failing(value))
    app.use(secureErrors())
    return app
  }

  it.each([
    [
      'thrown',
      () => {
        throw new Error(CANARY)
      },
    ],
    [
      'passed on from a promise',
      (_req, _res, next) => {
        Promise.reject(new Error(CANARY)).catch(next)
      },
    ],
    [
      'rejected, where Express catches that',
      async (_req, _res, next) => {
        if (!isExpress4) throw new Error(CANARY)
        next(new Error(CANARY))
      },
    ],
    [
      'rejected with nothing, where Express catches that',
      async (_req, _res, next) => {
        if (!isExpress4) return Promise.reject()
        next(new Error(CANARY))
      },
    ],
  ] as [string, RequestHandler][])('is a 500 however it comes: %s', async (_case, handler) => {
    expectProblem(await supertest(appThat(handler).app).get('/'), 500, 'internal')
  })

  const { NODE_ENV } = process.env
  afterEach(() => {
    process.env['NODE_ENV'] = NODE_ENV
  })
  it.each(['production', 'development', 'test', '', undefined])(
    'says the same where NODE_ENV is %j',
    async (value) => {
      if (value === undefined) delete process.env['NODE_ENV']
      else process.env['NODE_ENV'] = value
      const answer = await supertest(appThat(failing(new Error(CANARY))).app).get('/')
      const { requestId, ...rest } = answer.body
      expect(requestId).toMatch(/^[0-9a-f-]{36}$/)
      expect(rest).toEqual({
        type: 'about:blank',
        title: 'Internal Server Error',
        status: 500,
        detail: 'Something went wrong on our side.',
        code: 'internal',
      })
    },
  )
})

describe('the answer', () => {
  it('has nothing left of the one that the handler had prepared', async () => {
    const { app } = appThat((_req, res, next) => {
      res.status(201)
      res.statusMessage = CANARY
      for (const name of [
        'ETag',
        'Last-Modified',
        'Content-Encoding',
        'Content-Language',
        'Content-Disposition',
        'Content-Range',
        'Content-Location',
        'Content-Digest',
        'Repr-Digest',
        'Accept-Ranges',
        'Expires',
        'Link',
        'Location',
      ])
        res.setHeader(name, CANARY)
      res.setHeader('Cache-Control', 'public, max-age=600')
      res.setHeader('Content-Length', 3)
      res.setHeader('Transfer-Encoding', 'chunked')
      res.setHeader('X-Kept', 'yes')
      next(new Error('late'))
    })
    const server = await serve(app)
    const answer = await sendRaw(server.port, rawRequest('GET', '/'))
    await server.close()
    expect(answer).toMatch(/^HTTP\/1\.1 500 Internal Server Error\r\n/)
    expect(answer).not.toContain('canary')
    expect(answer).not.toMatch(/transfer-encoding|max-age/i)
    expect(answer).toContain('X-Kept: yes')
    const [, body = ''] = answer.split('\r\n\r\n')
    expect(answer).toContain(`Content-Length: ${Buffer.byteLength(body)}`)
    expect(JSON.parse(body).status).toBe(500)
  })

  it('to HEAD has the head of the answer to GET, and no body', async () => {
    const server = await serve(appThat(failing(new Error(CANARY))).app)
    const head = await sendRaw(server.port, rawRequest('HEAD', '/'))
    await server.close()
    expect(head).toContain('500 Internal Server Error')
    expect(head).toContain('Content-Type: application/problem+json')
    expect(head).toMatch(/Content-Length: \d\d+/)
    expect(head.endsWith('\r\n\r\n')).toBe(true)
  })

  it('that has begun is cut off, so that half of it cannot pass for the whole', async () => {
    const { app, log } = appThat((_req, res, next) => {
      res.setHeader('Content-Length', 100)
      res.write('half of it')
      setTimeout(() => {
        next(new Error(CANARY))
      }, 20)
    })
    const server = await serve(app)
    const failure = await read(server.port)
    await server.close()
    expect(failure).toBe('cut off: half of it')
    await until(() => log.kept.length === 2)
    expect(log.reasons()).toEqual(['unhandled_error'])
    expect(log.kept.at(-1)?.record.event.outcome).toBe('aborted')
    expect(log.kept.at(-1)?.record.http.response.status_code).toBe(200)
  })

  it('that has begun in chunks is cut off, also where the error comes at once', async () => {
    const server = await serve(
      appThat((_req, res, next) => {
        res.write('half of it')
        next(new Error(CANARY))
      }).app,
    )
    expect(await read(server.port)).toMatch(/^cut off/)
    await server.close()
  })

  it('that was complete before the error came is delivered whole', async () => {
    const { app, log } = appThat((_req, res, next) => {
      res.json({ padding: 'x'.repeat(20_000_000) })
      next(new Error(CANARY))
    })
    const answer = await supertest(app).get('/')
    expect(answer.body.padding).toHaveLength(20_000_000)
    expect(log.reasons()).toEqual(['unhandled_error'])
  })

  it('carries one id for one request, that of its records, and the application’s own where it has one', async () => {
    const app = express()
    app.use((req, _res, next) => {
      Object.assign(req, { id: 'order-7\r\nX: y' })
      next()
    })
    app.get('/', failing(new Error(CANARY)))
    app.use(secureErrors())
    jest.spyOn(console, 'error').mockImplementation(() => undefined)
    expect((await supertest(app).get('/')).body.requestId).toBe('order-7\ufffd\ufffdX: y')
  })
})

describe('map and render', () => {
  class Closed extends Error {}
  const closed = problem({ status: 409, code: 'order_closed', detail: 'This order is closed.' })

  it('map turns an application’s error into a problem, and leaves the others', async () => {
    const map = (error: unknown): SecurityProblem | undefined =>
      error instanceof Closed ? closed : undefined
    expectProblem(
      await supertest(appThat(failing(new Closed(CANARY)), { map }).app).get('/'),
      409,
      'order_closed',
    )
    expectProblem(await supertest(appThat(failing(new Error(CANARY)), { map }).app).get('/'), 500, 'internal')
  })

  it('map never sees a refusal', async () => {
    const seen: unknown[] = []
    const map = (error: unknown): undefined => {
      seen.push(error)
    }
    expectProblem(await supertest(appThat(failing(closed), { map }).app).get('/'), 409, 'order_closed')
    expect(seen).toEqual([])
  })

  it.each<[string, (error: unknown) => unknown]>([
    [
      'throws',
      () => {
        throw new Error(CANARY)
      },
    ],
    ['answers something else', () => ({ status: 200, message: CANARY })],
    ['answers a promise', () => Promise.resolve(closed)],
    ['answers a promise that rejects', () => Promise.reject(new Error(CANARY))],
    ['answers null', () => null],
  ])('map that %s changes nothing: 500', async (_case, map) => {
    const { app, log } = appThat(failing(new Error(CANARY)), { map: map as never })
    expectProblem(await supertest(app).get('/'), 500, 'internal')
    expect(JSON.stringify(log.kept)).not.toContain('canary')
  })

  it('render shapes the body; status and headers stay', async () => {
    const render = ({ code, requestId }: { code: string; requestId: string }): object => ({
      error: code,
      id: requestId,
    })
    const answer = await supertest(appThat(failing(closed), { render }).app).get('/')
    expect([answer.status, answer.headers['content-type']]).toEqual([409, 'application/problem+json'])
    expect(answer.body).toEqual({ error: 'order_closed', id: expect.any(String) })
  })

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error(CANARY)
      },
    ],
    ['answers nothing', () => undefined],
    ['answers a function', () => () => CANARY],
    ['answers a symbol', () => Symbol(CANARY)],
    ['answers what is no JSON', () => ({ big: 1n })],
    [
      'answers a circle',
      () => {
        const circle: Record<string, unknown> = {}
        circle['circle'] = circle
        return circle
      },
    ],
    ['answers a promise', () => Promise.resolve({ canary: CANARY })],
    ['answers a promise that rejects', () => Promise.reject(new Error(CANARY))],
    ['answers what makes itself nothing', () => ({ toJSON: () => undefined })],
  ])('render that %s leaves the problem as it was', async (_case, render) => {
    const answer = await supertest(appThat(failing(closed), { render: render as never }).app).get('/')
    expectProblem(answer, 409, 'order_closed')
  })

  it.each([{ map: 'x' }, { render: {} }, { handler: () => 1 }])('set-up refuses %j', (options) => {
    expect(() => secureErrors(options as never)).toThrow(/^secureErrors: /)
  })
})

describe('a problem that cannot be sent', () => {
  it.each<[string, SecurityProblem]>([
    [
      'for a header with a line break',
      new SecurityProblem('application_problem', { headers: { 'x-a': `b\r\nset-cookie: ${CANARY}` } }),
    ],
    ['for a header without a name', new SecurityProblem('application_problem', { headers: { '': CANARY } })],
    ['for a status that is none', new SecurityProblem('application_problem', { status: 99 })],
    ['for a status beyond', new SecurityProblem('application_problem', { status: 1000 })],
    ['for a member that is no JSON', new SecurityProblem('application_problem', { members: { big: 1n } })],
  ])('%s is a 500 without a word', async (_case, unsendable) => {
    expectProblem(await supertest(appThat(failing(unsendable)).app).get('/'), 500, 'internal')
  })
})

describe('beside other error handlers', () => {
  const refusal = new SecurityProblem('scope_missing', {
    headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="orders:write"' },
    evidence: { missing: CANARY },
    cause: new Error(CANARY),
  })
  const own: ErrorRequestHandler = (error, _req, res, _next) => {
    res.status(error.status).set(error.headers).json(error)
  }

  it('an application’s own, mounted instead, answers rightly and leaks nothing', async () => {
    const app = express()
    app.get('/', failing(refusal))
    app.use(own)
    const answer = await supertest(app).get('/')
    expect(answer.status).toBe(403)
    expect(answer.headers['www-authenticate']).toContain('insufficient_scope')
    expect(answer.body).toEqual({
      type: 'about:blank',
      title: 'Forbidden',
      status: 403,
      detail: 'The credential does not reach this far.',
      code: 'insufficient_scope',
    })
  })

  it('an application’s own that spreads the error into the answer leaks nothing', async () => {
    const app = express()
    app.get('/', failing(refusal))
    app.use(((error, _req, res, _next) => {
      res.status(error.status).json({ ...error, message: error.message, string: String(error) })
    }) as ErrorRequestHandler)
    const answer = await supertest(app).get('/')
    expect(answer.status).toBe(403)
    expect(answer.text).not.toContain('canary')
  })

  it('an application’s own, mounted before, takes what it wants and passes the rest on', async () => {
    const app = express()
    app.get('/', failing(refusal))
    app.get('/own', failing(Object.assign(new Error(CANARY), { own: true })))
    app.use(((error, _req, res, next) => {
      if (error.own === true) res.status(418).json({ own: true })
      else next(error)
    }) as ErrorRequestHandler)
    app.use(secureErrors())
    expectProblem(await supertest(app).get('/'), 403, 'insufficient_scope')
    expect((await supertest(app).get('/own')).status).toBe(418)
  })

  it('an application’s own, mounted after, is not reached', async () => {
    const seen: unknown[] = []
    const app = express()
    app.get('/', failing(refusal))
    app.use(secureErrors())
    app.use(unreachable(seen))
    expectProblem(await supertest(app).get('/'), 403, 'insufficient_scope')
    expect(seen).toEqual([])
  })

  const { NODE_ENV } = process.env
  afterEach(() => {
    process.env['NODE_ENV'] = NODE_ENV
  })
  it.each(['production', 'test'])(
    'Express’s own answers with status and headers, where NODE_ENV is %s',
    async (value) => {
      process.env['NODE_ENV'] = value
      jest.spyOn(console, 'error').mockImplementation(() => undefined)
      const app = express()
      app.get('/', failing(refusal))
      const answer = await supertest(app).get('/')
      expect(answer.status).toBe(403)
      expect(answer.headers['www-authenticate']).toContain('insufficient_scope')
      expect(answer.text).not.toContain('canary')
      expect(answer.text).not.toContain('node_modules')
    },
  )
})

function refuseSigned(_req: unknown, _res: unknown, body: Buffer): void {
  if (body.includes('signed')) throw new Error(CANARY)
}

function rawParts(): {
  send: (port: number, lines: readonly string[], body: string | Buffer) => Promise<string>
} {
  return {
    send: (port, lines, body) =>
      new Promise((resolve, reject) => {
        const bytes = Buffer.from(body)
        const socket = connect(port, '127.0.0.1', () => {
          const head = [
            'POST / HTTP/1.1',
            'Host: api.test',
            'Connection: close',
            ...lines,
            `Content-Length: ${bytes.length}`,
          ]
          socket.write(`${head.join('\r\n')}\r\n\r\n`)
          socket.write(bytes)
        })
        let received = ''
        socket.on('data', (chunk) => (received += chunk.toString()))
        socket.on('error', reject)
        socket.on('close', () => {
          resolve(received)
        })
      }),
  }
}

/** What a client makes of an answer: its body, or how it was cut off. */
function read(port: number): Promise<string> {
  return new Promise((resolve) => {
    let received = ''
    httpRequest({ port, host: '127.0.0.1', path: '/' }, (res) => {
      res.on('data', (chunk) => (received += String(chunk)))
      res.on('end', () => {
        resolve(received)
      })
      res.on('error', () => {
        resolve(`cut off: ${received}`)
      })
    })
      .on('error', () => {
        resolve(`cut off: ${received}`)
      })
      .end()
  })
}
