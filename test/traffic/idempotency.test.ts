import { createServer } from 'node:http'
import { createGzip, type Gzip } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { denyByDefault } from '../../src/authorization/deny-by-default.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { memoryStore } from '../../src/stores/memory.js'
import { idempotency, type IdempotencyOptions } from '../../src/traffic/idempotency.js'
import { requestTimeout } from '../../src/traffic/request-timeout.js'
import { rawRequest, sendRaw, serve } from '../support/server.js'
import { caller, essence, service, type Handler, type Said } from './idempotency-support.js'

const gate = (): { open: () => void; opened: Promise<void> } => {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

describe('idempotency', () => {
  it('does a request once, and gives its answer again', async () => {
    const to = service()
    const first = await to.post()
    const again = await to.post()
    expect(first).toMatchObject({ status: 201, body: { run: 1 } })
    expect(first.headers).not.toHaveProperty('idempotency-replayed')
    expect(again.headers['idempotency-replayed']).toBe('true')
    expect(essence(again)).toEqual(essence(first))
    expect(to.runs()).toBe(1)
  })

  it.each<[string, Said, number]>([
    ['without its quotes', { key: 'k' }, 400],
    ['of nothing', { key: '""' }, 400],
    ['of 256 characters', { key: `"${'k'.repeat(256)}"` }, 400],
    ['of 8000 characters', { key: `"${'k'.repeat(8000)}"` }, 400],
    ['with a parameter', { key: '"k";a=1' }, 400],
    ['that is a list', { key: '"k", "l"' }, 400],
    ['with a character that is not ASCII', { key: '"k\u00e9"' }, 400],
    ['with an escape that is none', { key: '"\\n"' }, 400],
    ['that is a byte sequence', { key: ':az09:' }, 400],
    ['of 255 characters', { key: `"${'k'.repeat(255)}"` }, 201],
    ['with escaped quotes and a comma', { key: '"a\\"b, c\\\\"' }, 201],
  ])('answers a key %s', async (_case, said, status) => {
    const to = service()
    expect((await to.post(said)).status).toBe(status)
    expect(to.runs()).toBe(status === 201 ? 1 : 0)
    if (status === 400) expect(to.reasons()).toEqual(['idempotency_key_malformed'])
  })

  it('answers 400 without a key, and says nothing of the one that was malformed', async () => {
    const to = service()
    const missing = await to.post({ key: '' })
    expect(missing).toMatchObject({ status: 400, body: { code: 'bad_request' } })
    expect(to.reasons()).toEqual(['idempotency_key_missing'])
    expect((await to.post({ key: 'canary' })).text).not.toContain('canary')
  })

  it('answers 400 to two lines, also where joined they would be one good key', async () => {
    const to = service()
    const server = await serve(to.app)
    for (const lines of [
      ['Idempotency-Key: "a', 'Idempotency-Key: b"'],
      ['Idempotency-Key: "k"', 'idempotency-key: "k"'],
    ])
      expect(await sendRaw(server.port, rawRequest('POST', '/orders', ['x-user: ada', ...lines]))).toMatch(
        /^HTTP\/1\.1 400 /,
      )
    await server.close()
    expect(to.runs()).toBe(0)
  })

  it('tells keys apart by their case, and not field names by theirs', async () => {
    const to = service()
    await to.post({ key: '"Key"' })
    expect((await to.post({ key: '"key"' })).body.run).toBe(2)
    const shouted = await request(to.app)
      .post('/orders')
      .set({ 'X-User': 'ada', 'IDEMPOTENCY-KEY': '"Key"' })
      .send({ sku: 1 })
    expect(shouted.body.run).toBe(1)
  })

  it.each<[string, Said]>([
    ['method', { method: 'patch' }],
    ['path', { path: '/orders/2' }],
    ['query', { path: '/orders?dryRun=1' }],
    ['body', { body: { sku: 2 } }],
    ['body, which has another field', { body: { sku: 1, toString: 1 } }],
    ['body, whose value is of another type', { body: { sku: '1' } }],
    ['kind of body', { body: '{"sku":1}', type: 'text/plain' }],
  ])('answers 422 to a key that came with another %s', async (_case, said) => {
    const to = service()
    await to.post()
    const answer = await to.post(said)
    expect(answer).toMatchObject({ status: 422, body: { code: 'key_reused' } })
    expect(to.runs()).toBe(1)
  })

  it('takes a body with its fields in another order for the same', async () => {
    const to = service()
    await to.post({ body: '{"a":1,"b":{"c":[1,2],"d":null}}', type: 'application/json' })
    const again = await to.post({ body: '{ "b": {"d":null,"c":[1,2]}, "a":1 }', type: 'application/json' })
    expect(again.headers['idempotency-replayed']).toBe('true')
  })

  it.each(['bob', 'ada/other-client'])('never gives %s the answer that ada got', async (user) => {
    const to = service()
    await to.post()
    const other = await to.post({ user })
    expect(other.body.run).toBe(2)
    expect(other.headers).not.toHaveProperty('idempotency-replayed')
  })

  it('tells callers apart whose names only run together with the key', async () => {
    const to = service()
    await to.post({ user: 'ada', key: '"x,k"' })
    expect((await to.post({ user: 'ada","x', key: '"k"' })).body.run).toBe(2)
  })

  it('answers 500 where no authentication ran, whatever the key, and 401 to an anonymous caller', async () => {
    const unordered = service({}, undefined, { before: [] })
    expect((await unordered.post({ key: '' })).status).toBe(500)
    expect(unordered.reasons()).toEqual(['guard_order'])
    const to = service()
    expect((await to.post({ user: '' })).status).toBe(401)
    expect(unordered.runs() + to.runs()).toBe(0)
  })

  it.each<[number, string, Said]>([
    [500, 'guard_order', {}],
    [415, 'media_type_unsupported', { body: 'a', type: 'text/html' }],
    [415, 'media_type_unsupported', { body: '--b--', type: 'Multipart/form-data; boundary=b' }],
  ])('answers %d where a body came that nothing read', async (status, reason, said) => {
    const to = service({}, undefined, { parsers: said.body === undefined ? [] : [express.json()] })
    expect((await to.post(said)).status).toBe(status)
    expect(to.reasons()).toEqual([reason])
    expect(to.runs()).toBe(0)
  })

  it('takes no body, an empty object and an empty text for three different things', async () => {
    const to = service()
    const bare = () => request(to.app).post('/orders').set({ 'x-user': 'ada', 'idempotency-key': '"k"' })
    expect((await bare()).status).toBe(201)
    expect((await bare()).headers['idempotency-replayed']).toBe('true')
    expect((await to.post({ body: {} })).status).toBe(422)
  })

  it('lets one of two simultaneous requests run, and answers the other 409 with Retry-After', async () => {
    const { open, opened } = gate()
    const to = service({}, (_req, res) => {
      void opened.then(() => res.json({}))
    })
    const server = await serve(to.app)
    const ask = (): Promise<{ status: number; retryAfter: string | null }> =>
      fetch(`${server.url}/orders`, {
        method: 'POST',
        headers: { 'x-user': 'ada', 'idempotency-key': '"k"', 'content-type': 'application/json' },
        body: '{}',
      }).then(({ status, headers }) => ({ status, retryAfter: headers.get('retry-after') }))
    const asked = Array.from({ length: 20 }, ask)
    const refused: unknown[] = []
    await new Promise<void>((resolve) => {
      for (const one of asked)
        void one.then((answer) => {
          refused.push(answer)
          if (refused.length === 19) resolve()
        })
    })
    expect(refused).toEqual(Array(19).fill({ status: 409, retryAfter: '1' }))
    // Another body is told so though the first is not done.
    expect((await to.post({ body: { other: true } })).status).toBe(422)
    open()
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    await server.close()
    expect(statuses.toSorted()).toEqual([200, ...Array<number>(19).fill(409)])
    expect(to.runs()).toBe(1)
  })

  it.each([401, 403, 429, 500, 503])('does a request again that was answered %d', async (status) => {
    const to = service({}, (_req, res, runs) => {
      if (runs === 1) res.status(status)
      res.json({ runs })
    })
    expect((await to.post()).status).toBe(status)
    expect((await to.post()).status).toBe(200)
    expect((await to.post()).headers['idempotency-replayed']).toBe('true')
    expect(to.runs()).toBe(2)
  })

  it.each([200, 204, 302, 400, 404, 409, 422])('keeps an answer of %d', async (status) => {
    const to = service({}, (_req, res, runs) => {
      res.status(status).json({ runs })
    })
    const first = await to.post().redirects(0)
    const again = await to.post().redirects(0)
    expect(essence(again)).toEqual(essence(first))
    expect(again.status).toBe(status)
    expect(to.runs()).toBe(1)
  })

  it('does again what a handler threw, and what a later guard refused', async () => {
    let isRefused = true
    const thrown = service({}, (_req, res, runs) => {
      if (runs === 1) throw new Error('no')
      res.json({})
    })
    const refused = service({}, undefined, {
      after: [
        (_req: unknown, res: express.Response, next: () => void) => {
          if (isRefused) res.status(403).end()
          else next()
        },
      ],
    })
    expect([(await thrown.post()).status, (await thrown.post()).status]).toEqual([500, 200])
    expect((await refused.post()).status).toBe(403)
    isRefused = false
    expect((await refused.post()).status).toBe(201)
  })

  it('does not do again at once what took too long: its handler may be at it still', async () => {
    const over = gate()
    const to = service(
      {},
      (_req, res) => {
        setTimeout(() => {
          res.json({})
          over.open()
        }, 60)
      },
      { before: [caller, requestTimeout({ timeoutMs: 20 })] },
    )
    expect((await to.post()).status).toBe(503)
    expect((await to.post()).status).toBe(409)
    await over.opened
    expect((await to.post()).status).toBe(200)
    expect(to.runs()).toBe(1)
  })

  it('does again what failed by itself, while a time-out is only tried out', async () => {
    const to = service(
      {},
      (_req, res) => {
        setTimeout(() => res.status(500).end(), 20)
      },
      { before: [caller, requestTimeout({ timeoutMs: 1, mode: 'report' })] },
    )
    expect([(await to.post()).status, (await to.post()).status]).toEqual([500, 500])
    expect(to.runs()).toBe(2)
  })

  it('lets what it is not for pass, and with required: false what has no key', async () => {
    const to = service({ required: false, methods: ['PUT', 'POST'] })
    await request(to.app).get('/orders')
    await to.post({ method: 'patch' })
    await to.post({ key: '' })
    await to.post({ key: '' })
    await to.post({ method: 'put' })
    expect((await to.post({ method: 'put' })).headers['idempotency-replayed']).toBe('true')
    expect(to.runs()).toBe(5)
    expect((await to.post({ key: 'malformed' })).status).toBe(400)
  })

  it('keeps listed fields only, and never a cookie', async () => {
    const to = service({ headers: ['X-Receipt', 'Link'] }, (_req, res) => {
      res.set({ 'X-Receipt': '17', 'X-Other': 'no', 'Set-Cookie': 'sid=1' })
      res.append('Link', ['<a>; rel=next', '<b>; rel=prev'])
      res.json({})
    })
    expect((await to.post()).headers).toHaveProperty('set-cookie')
    const { headers } = await to.post()
    expect(headers).toMatchObject({ 'x-receipt': '17', link: '<a>; rel=next, <b>; rel=prev' })
    expect(headers).not.toHaveProperty('set-cookie')
    expect(headers).not.toHaveProperty('x-other')
  })

  it('is mounted twice on one way without being in its own', async () => {
    const store = memoryStore()
    const to = service({ store }, undefined, {
      after: [idempotency({ store }), idempotency({ store, name: 'inner' })],
    })
    expect((await to.post()).status).toBe(201)
    expect((await to.post()).headers['idempotency-replayed']).toBe('true')
    expect(to.runs()).toBe(1)
  })

  it.each<[string, Handler]>([
    ['says it with res.json', (_req, res, runs) => res.status(201).json({ run: runs, text: 'x'.repeat(50) })],
    [
      'makes its head itself',
      (_req, res, runs) =>
        res.writeHead(201, { 'Content-Type': 'text/plain', ETag: '"e"' }).end(`run ${runs}`),
    ],
    [
      'says it in parts',
      (_req, res, runs) => {
        res.status(201).type('text')
        res.write(`run ${runs}`)
        res.end(' and more')
      },
    ],
    [
      'sends the head before the body',
      (_req, res, runs) => {
        res.status(201).type('text').flushHeaders()
        res.end(`run ${runs}`)
      },
    ],
  ])('gives an answer again that is packed on its way, where the handler %s', async (_case, handler) => {
    const bodies: string[] = []
    for (const mount of [{ before: [caller, packed] }, { after: [packed] }, {}]) {
      const to = service({}, handler, mount)
      const [first, again] = [await to.post(), await to.post()]
      expect(essence(again)).toEqual(essence(first))
      expect(again.headers['content-encoding']).toBe(first.headers['content-encoding'])
      expect(first.headers['content-encoding']).toBe(
        'before' in mount || 'after' in mount ? 'gzip' : undefined,
      )
      expect(again.headers['idempotency-replayed']).toBe('true')
      expect(to.runs()).toBe(1)
      bodies.push(first.text, again.text)
    }
    // What the client made of it is the same, whoever packed it.
    expect(new Set(bodies).size).toBe(1)
  })

  it.each([204, 304])('gives a %d again where Node.js is told to throw for a body of one', async (status) => {
    const to = service({}, (_req, res) => {
      res.status(status).end()
    })
    const server = createServer({ rejectNonStandardBodyWrites: true }, to.app)
    for (const replayed of [undefined, 'true']) {
      const answer = await request(server)
        .post('/orders')
        .set({ 'x-user': 'ada', 'idempotency-key': '"k"' })
        .send({})
      expect([answer.status, answer.headers['idempotency-replayed']]).toEqual([status, replayed])
    }
    expect(to.reasons()).toEqual([])
  })

  it('leaves no connection open where Node.js throws for what a handler said', async () => {
    const to = service({}, (_req, res) => {
      res.status(204).end('a body')
    })
    const server = createServer({ rejectNonStandardBodyWrites: true }, to.app)
    const asked = request(server).post('/orders').set({ 'x-user': 'ada', 'idempotency-key': '"k"' }).send({})
    await expect(asked).rejects.toThrow()
  })

  it('gives no answer again in the middle of another one', async () => {
    let isFlushed = false
    const flush = (_req: unknown, res: express.Response, next: () => void): void => {
      if (isFlushed) res.flushHeaders()
      next()
    }
    const to = service({}, undefined, { before: [caller, flush] })
    expect((await to.post()).status).toBe(201)
    isFlushed = true
    await expect(to.post()).rejects.toThrow()
    expect(to.runs()).toBe(1)
  })

  it('keeps the head of the answer that went out, not of one that could not', async () => {
    const to = service({}, (_req, res) => {
      expect(() => res.writeHead(200, { ETag: '"no"', 'X-Bad': 'a\nb' })).toThrow(/Invalid character/)
      res.removeHeader('ETag')
      res.writeHead(201, { Location: '/made' })
      expect(() => res.writeHead(200, { Location: '/late' })).toThrow(/Cannot write headers/)
      res.end('a')
    })
    const [first, again] = [await to.post(), await to.post()]
    expect(first.headers).toMatchObject({ location: '/made' })
    expect(essence(again)).toEqual(essence(first))
  })

  it('runs nothing after a replay, also where what is over the response sends it later', async () => {
    const later = (_req: unknown, res: express.Response, next: () => void): void => {
      const end = res.end.bind(res) as (...given: unknown[]) => unknown
      res.end = ((...given: unknown[]) => {
        setTimeout(() => end(...given), 10)
        return res
      }) as typeof res.end
      next()
    }
    const to = service({}, undefined, { before: [caller, later] })
    await to.post()
    expect((await to.post()).headers['idempotency-replayed']).toBe('true')
    expect(to.runs()).toBe(1)
  })

  it('works where everything is refused by default', async () => {
    const app = express()
    let runs = 0
    denyByDefault(app)
    app.use(caller as express.RequestHandler, express.json())
    app.post('/orders', idempotency({ store: memoryStore() }) as express.RequestHandler, (_req, res) => {
      runs += 1
      res.status(201).json({ runs })
    })
    app.use(secureErrors() as express.ErrorRequestHandler)
    const post = () =>
      request(app).post('/orders').set({ 'x-user': 'ada', 'idempotency-key': '"k"' }).send({})
    expect((await post()).body).toEqual({ runs: 1 })
    const again = await post()
    expect(again).toMatchObject({ status: 201, body: { runs: 1 } })
    expect(again.headers['idempotency-replayed']).toBe('true')
  })

  it('keeps answers apart by what its scope says', async () => {
    const to = service({ scope: (req) => `${req.headers.host ?? ''} ${String(req.headers['if-match'])}` })
    const ask = (header: Record<string, string>) => to.post().set({ host: 'a.test', ...header })
    expect((await ask({ 'if-match': '"1"' })).body.run).toBe(1)
    expect((await ask({ 'if-match': '"1"' })).headers['idempotency-replayed']).toBe('true')
    expect((await ask({ 'if-match': '"2"' })).body.run).toBe(2)
    expect((await ask({ 'if-match': '"1"', host: 'other.test' })).body.run).toBe(3)
    // No scope is none of them.
    expect((await service().post()).body.run).toBe(1)
  })

  it.each<[string, unknown]>([
    ['an empty text', () => ''],
    ['nothing', () => undefined],
    ['a number', () => 5],
    ['a promise', async () => 'acme'],
    ['a promise that fails', () => Promise.reject(new Error('no'))],
    [
      'a throw',
      () => {
        throw new Error('no')
      },
    ],
  ])('answers 500 where its scope answers with %s', async (_case, scope) => {
    const to = service({ scope } as IdempotencyOptions)
    expect((await to.post()).status).toBe(500)
    expect([to.reasons(), to.runs()]).toEqual([['guard_fault'], 0])
  })

  it('asks its scope with the context, and only of a request that has a key', async () => {
    const asked: unknown[] = []
    const to = service({
      required: false,
      scope: (_req, { principal }) => {
        asked.push(principal?.subject)
        return 'acme'
      },
    })
    await to.post({ key: '' })
    await to.post({ key: 'malformed' })
    expect(asked).toEqual([])
    await to.post()
    expect(asked).toEqual(['ada'])
  })

  it.each([
    [{}, 665_600],
    [{ maxBodyBytes: 10_000 }, 110_240],
  ])(
    'has room for an answer of one caller with the least memory that it takes: %j',
    async (bounds, least) => {
      expect(() => idempotency({ ...bounds, maxBytes: least - 1 })).toThrow(
        `idempotency: maxBytes must be at least ${least} (10 * (maxBodyBytes + 1024))`,
      )
      const to = service({ ...bounds, maxBytes: least })
      expect((await to.post()).status).toBe(201)
      expect((await to.post({ key: '"l"', user: 'bob' })).status).toBe(201)
    },
  )

  it('runs nothing for a caller who left before, and leaves the key free', async () => {
    let isGone = true
    const leave = (_req: unknown, res: express.Response, next: () => void): void => {
      if (isGone) res.destroy()
      next()
    }
    const to = service({}, undefined, { before: [caller, leave] })
    await expect(to.post()).rejects.toThrow()
    expect(to.runs()).toBe(0)
    isGone = false
    expect((await to.post()).body.run).toBe(1)
  })

  it('keeps what was done for a caller who left', async () => {
    const { open, opened } = gate()
    const began = gate()
    const to = service({}, (_req, res, runs) => {
      began.open()
      void opened.then(() => res.json({ runs }))
    })
    const server = await serve(to.app)
    const leaving = new AbortController()
    const left = fetch(`${server.url}/orders`, {
      method: 'POST',
      headers: { 'x-user': 'ada', 'idempotency-key': '"k"', 'content-type': 'application/json' },
      body: '{"sku":1}',
      signal: leaving.signal,
    }).catch(() => 'left')
    await began.opened
    leaving.abort()
    expect(await left).toBe('left')
    open()
    await server.close()
    expect((await to.post()).body).toEqual({ runs: 1 })
    expect(to.runs()).toBe(1)
  })

  it('shows what it is, and no secret', () => {
    const secret = 'canary'.repeat(8)
    const metadata = guardMetadataOf(idempotency({ store: memoryStore(), secret }))
    expect(metadata).toMatchObject({
      kind: 'idempotency',
      layer: 'traffic',
      mode: 'enforce',
      facts: { store: 'memory', required: true, methods: ['POST', 'PATCH'], ttlSeconds: 86_400, keyed: true },
    })
    expect(JSON.stringify(metadata)).not.toContain('canary')
    expect(metadata?.facts).not.toHaveProperty('scope')
    expect(guardMetadataOf(idempotency({ scope: () => 'a' }))?.facts).toMatchObject({ scope: 'function' })
  })

  it.each<[string, object, RegExp]>([
    ['a report mode', { mode: 'report' }, /mode must be "enforce"/],
    ['GET', { methods: ['GET'] }, /methods must be/],
    [
      'a lease that outlives what it is for',
      { ttlSeconds: 60, leaseSeconds: 61 },
      /at most ttlSeconds \(60\)/,
    ],
    ['a cookie', { headers: ['Set-Cookie'] }, /no cookies/],
    ['a short secret', { secret: 'canary' }, /^idempotency: secret must be text of 32 to 1000 characters$/],
    [
      'bounds of a memory that is not there',
      { store: { kind: 'redis' }, maxBytes: 65_536 },
      /left out with a shared/,
    ],
    ['a store that is none', { store: {} }, /redisStore\(client\) or memoryStore\(\)/],
    ['another name of an option', { ttl: 60 }, /Did you mean ttlSeconds/],
    ['a scope that is no function', { scope: 'tenant' }, /scope must be a function/],
  ])('refuses %s at set-up', (_case, options, message) => {
    expect(() => idempotency(options)).toThrow(message)
  })
})

/** Does as `compression` does: it changes the head when it is made, and each word of the body from then on. */
function packed(_req: unknown, res: express.Response, next: () => void): void {
  const { write, end, writeHead } = res as unknown as Record<string, (...given: unknown[]) => unknown>
  let gzip: Gzip | undefined
  Object.assign(res, {
    writeHead: (status: number, fields: Record<string, string> = {}) => {
      for (const [name, value] of Object.entries(fields)) res.setHeader(name, value)
      if (!res.headersSent && !res.hasHeader('Content-Encoding')) {
        res.setHeader('Content-Encoding', 'gzip')
        res.removeHeader('Content-Length')
        gzip = createGzip()
        gzip.on('data', (bytes) => write?.call(res, bytes)).on('end', () => end?.call(res))
      }
      return writeHead?.call(res, status)
    },
    write: (bytes: string) => {
      if (!res.headersSent) res.writeHead(res.statusCode)
      return gzip === undefined ? write?.call(res, bytes) : gzip.write(bytes)
    },
    end: (bytes?: string) => {
      if (!res.headersSent) res.writeHead(res.statusCode)
      if (gzip === undefined) return end?.call(res, bytes)
      gzip.end(bytes)
      return res
    },
  })
  next()
}
