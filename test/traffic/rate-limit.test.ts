import { connect } from 'node:net'
import { describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import {
  auditLog,
  memoryStore,
  principalFrom,
  rateLimit,
  secureErrors,
  type ExternalPrincipal,
  type RateLimitOptions,
} from '../../src/index.js'
import { keepingLogger } from '../support/records.js'
import { rawRequest, sendRaw, serve } from '../support/server.js'

const options = (overrides: Partial<RateLimitOptions> = {}): RateLimitOptions => ({
  name: 'test',
  limit: 2,
  windowSeconds: 60,
  by: 'address',
  store: memoryStore(),
  ...overrides,
})

const appWith = (...handlers: unknown[]): express.Express => {
  const app = express()
  for (const handler of handlers) app.use(handler as express.RequestHandler)
  app.get('/', (_req, res) => {
    res.json({})
  })
  app.use(secureErrors())
  return app
}

const caller = (
  read: (header: string | undefined) => ExternalPrincipal | undefined,
): ReturnType<typeof principalFrom> =>
  principalFrom((req) => read(req.headers['x-user'] as string | undefined), { name: 'test', required: false })

describe('rateLimit', () => {
  it('answers 429 after the limit, with the fields of draft 10 and no word about anybody else', async () => {
    const app = appWith(rateLimit(options()))
    const first = await request(app).get('/')
    expect(first.headers).toMatchObject({
      ratelimit: '"test";r=1;t=60',
      'ratelimit-policy': '"test";q=2;w=60',
    })
    await request(app).get('/')
    const refused = await request(app).get('/')
    expect(refused.status).toBe(429)
    expect(refused.headers['ratelimit']).toMatch(/^"test";r=0;t=6[0-2]$/)
    const retryAfter = Number(refused.headers['retry-after'])
    expect(Number.isInteger(retryAfter) && retryAfter >= 60 && retryAfter <= 69).toBe(true)
    expect(refused.body).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Too Many Requests',
      status: 429,
      detail: expect.any(String),
      code: 'limit_exceeded',
      'violated-policies': ['test'],
      requestId: expect.any(String),
    })
  })

  it('spreads Retry-After, so that callers refused together do not come back together', async () => {
    const app = appWith(rateLimit(options({ limit: 1 })))
    await request(app).get('/')
    const seen = new Set<string>()
    for (let i = 0; i < 40; i += 1) seen.add((await request(app).get('/')).headers['retry-after'] as string)
    expect(seen.size).toBeGreaterThan(1)
  })

  it('joins the fields of several limiters into one list', async () => {
    const app = appWith(rateLimit(options({ name: 'a' })), rateLimit(options({ name: 'b', limit: 9 })))
    const { headers } = await request(app).get('/')
    expect(headers['ratelimit']).toBe('"a";r=1;t=60, "b";r=8;t=60')
    expect(headers['ratelimit-policy']).toBe('"a";q=2;w=60, "b";q=9;w=60')
  })

  it('gives pipelined requests exactly the limit', async () => {
    const server = await serve(appWith(rateLimit(options({ limit: 5 }))))
    const piped =
      rawRequest('GET', '/').replace('Connection: close\r\n', '').repeat(9) + rawRequest('GET', '/')
    const answers = (await sendRaw(server.port, piped)).match(/HTTP\/1\.1 \d+/g)
    await server.close()
    expect(answers).toEqual([
      ...Array<string>(5).fill('HTTP/1.1 200'),
      ...Array<string>(5).fill('HTTP/1.1 429'),
    ])
  })

  it('counts each principal by issuer and subject, whatever its address', async () => {
    const app = appWith(
      caller((user) => ({ subject: user ?? '', issuer: 'i' })),
      rateLimit(options({ by: 'principal', limit: 1 })),
    )
    const as = async (user: string): Promise<number> =>
      (await request(app).get('/').set('x-user', user)).status
    expect([await as('ada'), await as('bob'), await as('ada')]).toEqual([200, 200, 429])
  })

  it('tells callers apart whose issuer and subject only run together', async () => {
    const app = appWith(
      caller((user) => (user === '1' ? { issuer: 'a', subject: 'bc' } : { issuer: 'ab', subject: 'c' })),
      rateLimit(options({ by: 'principal', limit: 1 })),
    )
    const as = async (user: string): Promise<number> =>
      (await request(app).get('/').set('x-user', user)).status
    expect([await as('1'), await as('2')]).toEqual([200, 200])
  })

  it.each<[string, unknown[], number]>([
    ['500 where no authentication ran', [], 500],
    ['401 where the caller is anonymous', [caller(() => undefined)], 401],
  ])('by principal answers %s', async (_case, before, status) => {
    const app = appWith(
      auditLog({ logger: keepingLogger() }),
      ...before,
      rateLimit(options({ by: 'principal' })),
    )
    expect((await request(app).get('/')).status).toBe(status)
  })

  it('counts by API key only where the caller came with one', async () => {
    const limiter = rateLimit(options({ by: 'api-key', limit: 1 }))
    const withKey = appWith(
      principalFrom((req) => ({ subject: 's', credentialId: req.headers['x-user'] as string }), {
        name: 'api-key',
      }),
      limiter,
    )
    const as = async (key: string): Promise<number> =>
      (await request(withKey).get('/').set('x-user', key)).status
    expect([await as('k1'), await as('k2'), await as('k1')]).toEqual([200, 200, 429])
    const without = appWith(
      auditLog({ logger: keepingLogger() }),
      caller(() => ({ subject: 's' })),
      limiter,
    )
    expect((await request(without).get('/')).status).toBe(500)
  })

  it.each<[string, RateLimitOptions['by']]>([
    ['answers nothing', () => undefined as never],
    ['answers an empty text', () => ''],
    ['answers a number', () => 7 as never],
    ['resolves to nothing', () => Promise.resolve(undefined as never)],
    [
      'throws',
      () => {
        throw new Error('x')
      },
    ],
    ['rejects', () => Promise.reject(new Error('x'))],
  ])('refuses with 500, and counts nobody, when a key function %s', async (_case, by) => {
    const logger = keepingLogger()
    const app = appWith(auditLog({ logger }), rateLimit(options({ by, limit: 1 })))
    for (let i = 0; i < 3; i += 1) expect((await request(app).get('/')).status).toBe(500)
    expect(logger.reasons()).not.toContain('limit_exceeded')
  })

  it('counts what a key function answers, synchronous or not', async () => {
    for (const by of [() => 'tenant-1', () => Promise.resolve('tenant-1')]) {
      const app = appWith(rateLimit(options({ by, limit: 1 })))
      expect([(await request(app).get('/')).status, (await request(app).get('/')).status]).toEqual([200, 429])
    }
  })

  it('refuses with 500 a client without an address, as on a UNIX socket', async () => {
    const app = appWith(auditLog({ logger: keepingLogger() }), rateLimit(options()))
    const server = (await import('node:http')).createServer(app)
    const path = `/tmp/bulwark-${process.pid}-${Date.now()}.sock`
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(path, () => socket.write(rawRequest('GET', '/')))
      let text = ''
      socket.on('data', (chunk) => (text += String(chunk)))
      socket.on('close', () => {
        resolve(text)
      })
    })
    server.close()
    expect(answer).toMatch(/^HTTP\/1\.1 500/)
  })

  it('in report mode counts and records, refuses nobody and sends no fields', async () => {
    const logger = keepingLogger()
    const app = appWith(auditLog({ logger }), rateLimit(options({ limit: 1, mode: 'report' })))
    await request(app).get('/')
    const second = await request(app).get('/')
    expect(second.status).toBe(200)
    expect(second.headers).not.toHaveProperty('ratelimit')
    expect(logger.reasons()).toEqual(['limit_exceeded'])
  })

  it('believes X-Forwarded-For only as far as trust proxy says', async () => {
    const spoofing = async (trust: unknown): Promise<number[]> => {
      const app = appWith(rateLimit(options({ limit: 1 })))
      if (trust !== undefined) app.set('trust proxy', trust)
      const seen: number[] = []
      for (const address of ['198.51.100.1', '198.51.100.2'])
        seen.push((await request(app).get('/').set('X-Forwarded-For', address)).status)
      return seen
    }
    const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    expect(await spoofing(undefined)).toEqual([200, 429])
    expect(await spoofing(1)).toEqual([200, 200])
    warning.mockRestore()
  })

  it('refuses every request where trust proxy is true, which lets callers choose their address', async () => {
    const app = appWith(auditLog({ logger: keepingLogger() }), rateLimit(options()))
    app.set('trust proxy', true)
    expect((await request(app).get('/').set('X-Forwarded-For', '198.51.100.1')).status).toBe(500)
  })

  it('shares counts between limiters of one name and the same options', async () => {
    const store = memoryStore()
    const [first, second] = [appWith(rateLimit(options({ store }))), appWith(rateLimit(options({ store })))]
    await request(first).get('/')
    await request(second).get('/')
    expect((await request(first).get('/')).status).toBe(429)
  })

  it('throws at set-up for one name with different options, until the first is closed', async () => {
    const store = memoryStore()
    const first = rateLimit(options({ store }))
    expect(() => rateLimit(options({ store, limit: 3 }))).toThrow(
      'rateLimit: name must be unique among limiters with different options, got "test" with limit 3, algorithm sliding, windowSeconds 60, by address beside limit 2, algorithm sliding, windowSeconds 60, by address',
    )
    await first.close()
    expect(() => rateLimit(options({ store, limit: 3 }))).not.toThrow()
  })

  it.each<[Record<string, unknown>, string]>([
    [{ name: undefined }, 'rateLimit: name must be a name of 1 to 64'],
    [{ name: 'a"b' }, 'rateLimit: name must be a name of 1 to 64'],
    [{ limit: 0 }, 'rateLimit: limit must be an integer from 1 to 1000000000, or a function, got 0'],
    [{ limit: '5' }, 'rateLimit: limit must be an integer from 1 to 1000000000, or a function, got "5"'],
    [{ limit: NaN }, 'got NaN'],
    [
      { windowSeconds: 0.05 },
      'rateLimit: windowSeconds must be a number from 0.1 to 2678400 seconds, got 0.05',
    ],
    [{ windowSeconds: 2_678_401 }, 'got 2678401'],
    [{ windowSeconds: undefined }, 'rateLimit: windowSeconds must be'],
    [{ windowSeconds: '60' }, 'rateLimit: windowSeconds must be'],
    [{ windowSeconds: NaN }, 'rateLimit: windowSeconds must be'],
    [{ period: 'week', windowSeconds: undefined }, 'rateLimit: period must be'],
    [{ period: 'day' }, 'rateLimit: windowSeconds must be left out'],
    [{ algorithm: 'gcra' }, 'rateLimit: burst must be given'],
    [{ burst: 5 }, 'rateLimit: burst must be left out'],
    [{ algorithm: 'fixed', windowSeconds: undefined }, 'rateLimit: period must be given'],
    [{ cost: 0 }, 'rateLimit: cost must be'],
    [{ cost: -5 }, 'rateLimit: cost must be'],
    [{ cost: 0.9 }, 'rateLimit: cost must be'],
    [{ cost: NaN }, 'rateLimit: cost must be'],
    [{ onOutage: 'open' }, 'rateLimit: onOutage must be'],
    [{ instances: 0 }, 'rateLimit: instances must be'],
    [{ addressPrefix: 128 }, 'rateLimit: addressPrefix must be'],
    [{ fields: 'draft-8' }, 'rateLimit: fields must be'],
    [{ policies: [{ ...options(), name: 'x' }] }, 'rateLimit: unknown option'],
    [{ standardHeaders: true }, 'Did you mean fields?'],
    [{ by: 'ip' }, 'or a function, got "ip"'],
    [{ by: undefined }, 'got undefined'],
    [
      { store: {} },
      'rateLimit: store must be redisStore(client), memoryStore() or an adapter, got an object',
    ],
    [{ mode: 'off' }, 'rateLimit: mode must be "enforce" or "report", got "off"'],
    [{ windowMs: 60_000 }, 'Did you mean windowSeconds (seconds)?'],
    [{ max: 5 }, 'Did you mean limit?'],
    [{ keyGenerator: () => 'x' }, 'Did you mean by?'],
  ])('refuses %p at set-up', (overrides, message) => {
    expect(() => rateLimit({ ...options(), ...overrides })).toThrow(message)
  })

  it('tells its health from its store', () => {
    expect(rateLimit(options()).health()).toEqual({ name: 'test', status: 'ok' })
    const down = {
      kind: 'redis',
      client: { defineCommand: () => undefined },
      dialect: 'ioredis',
      prefix: 'x',
    } as const
    const store = {
      ...down,
      run: () => Promise.reject(new Error('x')),
      health: () => ({ name: 'r', status: 'down' as const }),
    }
    // Where it goes on without the store, no probe is to take the instance away.
    expect(rateLimit(options({ store })).health()).toEqual({ name: 'test', status: 'degraded' })
    expect(rateLimit(options({ store, onOutage: 'allow' })).health()).toEqual({
      name: 'test',
      status: 'degraded',
    })
    expect(rateLimit(options({ store, onOutage: 'deny' })).health()).toEqual({ name: 'test', status: 'down' })
  })
})
