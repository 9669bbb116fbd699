import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { auditLog } from '../../src/audit/audit-log.js'
import { principalFrom } from '../../src/authentication/principal-from.js'
import type { Decision } from '../../src/core/decision.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { redisStore } from '../../src/stores/redis.js'
import { memoryStore } from '../../src/stores/memory.js'
import { rateLimit, type LimitPolicy, type LimitSettings } from '../../src/traffic/rate-limit.js'
import { keepingLogger } from '../support/records.js'

const who = principalFrom(
  (req) => {
    const given = req.headers['x-user']
    return typeof given === 'string' ? (JSON.parse(given) as { subject: string }) : undefined
  },
  { name: 'test', required: false },
)
const policy = (name: string, overrides: Partial<LimitPolicy> = {}): LimitPolicy => ({
  name,
  limit: 2,
  windowSeconds: 60,
  by: () => 'everybody',
  ...overrides,
})
const logger = keepingLogger()
const appWith = (policies: readonly LimitPolicy[], settings: LimitSettings = {}): express.Express => {
  const app = express()
  const limiter = rateLimit({ policies, store: memoryStore(), ...settings })
  app.set('trust proxy', 1)
  app.use(auditLog({ logger }), who)
  app.get('/orders/:id', limiter, (_req, res) => res.end())
  app.post('/orders/:id', limiter, (_req, res) => res.end())
  app.get('/other', limiter, (_req, res) => res.end())
  app.use(secureErrors())
  return app
}
const get = (app: express.Express, headers: Record<string, string> = {}, path = '/orders/1'): request.Test =>
  request(app).get(path).set(headers)
const as = (principal: object): Record<string, string> => ({ 'x-user': JSON.stringify(principal) })
const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address })

describe('rateLimit, whom it counts', () => {
  const issuer = 'https://id.example'
  type Facts = LimitPolicy['by']

  it.each<[Facts, readonly object[], readonly object[]]>([
    [
      'principal',
      [{ issuer, subject: 'ada' }],
      [
        { issuer, subject: 'bob' },
        { issuer: 'https://other', subject: 'ada' },
      ],
    ],
    [
      'tenant',
      [
        { issuer, subject: 'ada', claims: { tenant: 'acme' } },
        { issuer, subject: 'bob', claims: { tenant: 'acme' } },
      ],
      [
        { issuer, subject: 'ada', claims: { tenant: 'acme2' } },
        { issuer: 'https://other', subject: 'ada', claims: { tenant: 'acme' } },
      ],
    ],
    [
      ['tenant', 'principal'],
      [{ issuer, subject: 'ada', claims: { tenant: 'acme' } }],
      [
        { issuer, subject: 'bob', claims: { tenant: 'acme' } },
        { issuer, subject: 'ada', claims: { tenant: 'acme2' } },
      ],
    ],
  ])('by %p: the same together, others apart', async (by, same, others) => {
    const app = appWith([policy('facts', { by, limit: 1 })])
    const seen = []
    for (const principal of same) seen.push((await get(app, as(principal))).status)
    expect(seen).toEqual(same.map((_, index) => (index === 0 ? 200 : 429)))
    expect((await get(app, as(same[0]!))).status).toBe(429)
    for (const principal of others) expect((await get(app, as(principal))).status).toBe(200)
  })

  it.each<[Facts, object | undefined, number]>([
    ['principal', undefined, 401],
    ['tenant', { issuer, subject: 'ada' }, 500],
    ['tenant', { issuer, subject: 'ada', claims: { tenant: '' } }, 500],
    ['tenant', { issuer, subject: 'ada', claims: { tenant: 7 } }, 500],
    ['client', { issuer, subject: 'ada' }, 500],
    ['api-key', { issuer, subject: 'ada' }, 500],
    [['address', 'tenant'], { issuer, subject: 'ada' }, 500],
  ])(
    'by %p refuses %p, which has none: it is never one bucket for everybody',
    async (by, principal, status) => {
      const app = appWith([policy('facts', { by })])
      expect((await get(app, principal === undefined ? {} : as(principal))).status).toBe(status)
    },
  )

  it('by route: its template and method, and never a path that a caller makes up', async () => {
    const app = appWith([policy('route', { by: ['address', 'route'], limit: 1 })])
    expect([
      (await get(app)).status,
      (await get(app, {}, '/orders/2?x=1')).status,
      (await request(app).post('/orders/3')).status,
      (await get(app, {}, '/other')).status,
    ]).toEqual([200, 429, 200, 200])
  })

  it('by route outside a route is an order that cannot work, not one bucket for everything', async () => {
    const app = express()
    const limiter = rateLimit({ policies: [policy('lost', { by: 'route' })], store: memoryStore() })
    app.use(auditLog({ logger: keepingLogger() }), limiter)
    app.get('/', (_req, res) => res.end())
    app.use(secureErrors())
    const { status, body } = await get(app, {}, '/')
    expect([status, body]).toEqual([500, expect.objectContaining({ code: 'internal' })])
  })

  it('counts a request once, however often it passes, and one that it refused each time', async () => {
    const limiter = rateLimit({ ...policy('once', { limit: 3 }), store: memoryStore() })
    const app = express()
    app.use(auditLog({ logger: keepingLogger() }))
    app.get('/', limiter, limiter, limiter, (_req, res) => res.end())
    app.get('/again', limiter, (_req, res) => res.end())
    const passOn: express.ErrorRequestHandler = (_problem, _req, _res, next) => {
      next()
    }
    app.use('/again', passOn)
    app.get('/again', limiter, (_req, res) => res.end())
    app.use(secureErrors())
    const first = await get(app, {}, '/')
    expect(first.headers['ratelimit']).toMatch(/^"once";r=2;t=\d+$/)
    expect((await get(app, {}, '/')).headers['ratelimit']).toMatch(/^"once";r=1;/)
    expect((await get(app, {}, '/')).status).toBe(200)
    // What an application does with the refusal is not leave to pass.
    expect((await get(app, {}, '/again')).status).toBe(429)
  })

  it('says whose mistake it is where a function answers nonsense, and which policy is impossible', async () => {
    const kept = keepingLogger()
    for (const [overrides, problem] of [
      [{ limit: () => 0 }, 'rateLimit: what limit answers must be an integer from 1 to 1000000000, got 0'],
      [
        { limit: (async () => 3) as never },
        /^rateLimit: what limit answers must be .*, at once, got a promise$/,
      ],
      [{ cost: () => -1 }, 'rateLimit: what cost answers must be an integer from 1 to 1000000000, got -1'],
    ] as const) {
      const app = express()
      app.use(auditLog({ logger: kept }))
      app.get('/', rateLimit({ ...policy('nonsense', overrides), store: memoryStore() }), (_req, res) =>
        res.end(),
      )
      app.use(secureErrors())
      const { status, text } = await get(app, {}, '/')
      expect(status).toBe(500)
      expect(text).not.toContain('rateLimit')
      const fault = kept.kept.findLast(({ record }) => record.event.reason === 'guard_fault')
      expect(fault?.record.evidence.problem).toEqual(
        typeof problem === 'string' ? problem : expect.stringMatching(problem),
      )
    }
    const wrong = [policy('a'), policy('b', { limit: 0 })]
    expect(() => rateLimit({ policies: wrong })).toThrow('rateLimit: policies[1]: limit must be')
    expect(() => rateLimit({ ...policy('c'), store: Promise.resolve() as never })).toThrow('got a promise')
    expect(() => rateLimit({ ...policy('d'), algorithm: 'fixed' })).toThrow(
      'period must be given where algorithm is fixed',
    )
    expect(() => rateLimit({ ...policy('e'), cost: 3 })).toThrow('cost must be at most 2')
  })

  it('says of what never fits that there is no later', async () => {
    const app = appWith([policy('dear', { cost: () => 3 })])
    const { status, headers, body } = await get(app)
    expect([status, headers['retry-after'], body.detail]).toEqual([
      429,
      undefined,
      'This request costs more than its limit allows.',
    ])
  })

  it('tells the numbers of the share that it counts by', async () => {
    const gone = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
    const store = redisStore({ defineCommand: () => undefined, call: () => Promise.reject(gone) })
    const kept = keepingLogger()
    const app = express()
    app.use(auditLog({ logger: kept }), rateLimit({ ...policy('shared', { limit: 6 }), store, instances: 3 }))
    app.get('/', (_req, res) => res.end())
    app.use(secureErrors())
    const answers = []
    for (let index = 0; index < 3; index += 1) answers.push(await get(app, {}, '/'))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429])
    expect(answers[0]?.headers['ratelimit-policy']).toBe('"shared";q=2;w=60')
    const refused = kept.kept.find(({ record }) => record.event.reason === 'limit_exceeded')
    expect(refused?.record.evidence).toMatchObject({ limits: ['2'], counted: 'by share' })
  })

  it('is one rule of its own name', () => {
    const of = (options: object): unknown =>
      guardMetadataOf(rateLimit({ policies: [policy('a'), policy('b')], store: memoryStore(), ...options }))
        ?.name
    expect(of({})).toBe('a b')
    expect(of({ name: 'orders' })).toBe('orders')
    expect(() => of({ name: '' })).toThrow('rateLimit: name must be')
  })

  it('by route counts HEAD as GET, whose route serves it', async () => {
    const app = appWith([policy('head', { by: ['address', 'route'], limit: 1 })])
    expect([(await get(app)).status, (await request(app).head('/orders/2')).status]).toEqual([200, 429])
  })

  it.each<[56 | 64, string, string, boolean]>([
    [64, '192.0.2.1', '::ffff:192.0.2.1', true],
    [64, '192.0.2.1', '::ffff:c000:201', true],
    [64, '192.0.2.1', '64:ff9b::192.0.2.1', true],
    [64, '192.0.2.1', '192.0.2.1:4711', true],
    [64, '192.0.2.1', '192.0.2.2', false],
    [64, '::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
    [64, '64:ff9b::192.0.2.1', '64:ff9b::192.0.2.2', false],
    [64, '2001:db8::1', '2001:DB8:0:0:ffff::9', true],
    [64, '2001:db8::1', '[2001:db8::2]:443', true],
    [64, 'fe80::1%eth0', 'fe80::2%eth1', true],
    [64, '2001:db8:0:1::1', '2001:db8:0:2::1', false],
    [56, '2001:db8:0:1::1', '2001:db8:0:2::1', true],
    [56, '2001:db8:0:100::1', '2001:db8:0:200::1', false],
  ])('with prefix %d takes %s and %s for one client: %p', async (addressPrefix, first, second, isOne) => {
    const app = appWith([policy('address', { by: 'address', limit: 1 })], { addressPrefix })
    expect((await get(app, from(first))).status).toBe(200)
    expect((await get(app, from(second))).status).toBe(isOne ? 429 : 200)
  })

  it.each(['unknown', '_hidden', 'localhost', '999.1.1.1', '192.0.2.1x', '1.2.3', '0x7f000001', 'é'])(
    'refuses %p, which is no address',
    async (address) => {
      const app = appWith([policy('address', { by: 'address' })])
      expect((await get(app, from(encodeURI(address)))).status).toBe(500)
    },
  )

  it('is ended by no key function: one that rejects after another has refused', async () => {
    const rejections: unknown[] = []
    const note = (cause: unknown): void => void rejections.push(cause)
    process.on('unhandledRejection', note)
    const late = (): Promise<string> => new Promise((_, reject) => setTimeout(reject, 5, new Error('late')))
    const app = appWith([policy('late', { by: late }), policy('principal', { by: 'principal' })])
    expect((await get(app)).status).toBe(401)
    const rejecting = { limit: (() => Promise.reject(new Error('plan'))) as never }
    expect((await get(appWith([policy('promised', rejecting)]))).status).toBe(500)
    await new Promise((resolve) => setTimeout(resolve, 20))
    process.off('unhandledRejection', note)
    expect(rejections).toEqual([])
  })
})

describe('rateLimit, what it charges', () => {
  it('takes a plan and a cost from functions of the context', async () => {
    const app = appWith([
      policy('plan', {
        by: 'principal',
        limit: (_req, { principal }) => (principal?.subject === 'gold' ? 6 : 3),
        cost: (req) => (req.method === 'POST' ? 3 : 1),
      }),
    ])
    const post = (who: string): request.Test =>
      request(app)
        .post('/orders/1')
        .set(as({ subject: who }))
    expect([(await post('gold')).status, (await post('gold')).status, (await post('gold')).status]).toEqual([
      200, 200, 429,
    ])
    expect([(await post('free')).status, (await get(app, as({ subject: 'free' }))).status]).toEqual([
      200, 429,
    ])
  })

  it.each([0, -5, 0.9, NaN, Infinity, '3', undefined, null])(
    'answers 500 where a plan says %p',
    async (limit) => {
      expect((await get(appWith([policy('plan', { limit: () => limit as never })]))).status).toBe(500)
    },
  )

  it('charges no policy for a refused request, and names those that refused', async () => {
    const app = appWith([
      policy('wide', { limit: 100 }),
      policy('a', { limit: 1 }),
      policy('b', { limit: 1 }),
    ])
    await get(app)
    for (let index = 0; index < 5; index += 1) await get(app)
    const refused = await get(app)
    expect(refused.status).toBe(429)
    expect(refused.body['violated-policies']).toEqual(['a', 'b'])
    expect(refused.headers['ratelimit']).toMatch(/^"wide";r=99;t=\d+, "a";r=0;t=\d+, "b";r=0;t=\d+$/)
  })

  it('counts a policy in mode report, tells of it, and refuses nobody for it', async () => {
    const told: string[] = []
    const note = (message: unknown): void => {
      const { rule, mode, reason } = (message as { decision: Decision }).decision
      if (reason === 'limit_exceeded') told.push(`${rule} ${mode}`)
    }
    subscribe('express-bulwark.decision', note)
    const app = appWith([policy('trial', { limit: 1, mode: 'report' }), policy('bound', { limit: 3 })])
    const answers = []
    for (let index = 0; index < 4; index += 1) answers.push(await get(app))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
    expect(answers[0]?.headers['ratelimit-policy']).toBe('"bound";q=3;w=60')
    expect(answers[3]?.body['violated-policies']).toEqual(['bound'])
    unsubscribe('express-bulwark.decision', note)
    // The last one was refused by the other, and would have been by this one too.
    expect(told).toEqual(['trial report', 'trial report', 'trial report', 'trial bound enforce'])
  })

  it.each<[string, LimitPolicy['by']]>([
    [
      'at once',
      () => {
        throw new Error('x')
      },
    ],
    ['later', () => Promise.reject(new Error('x'))],
    ['with nothing', () => ''],
  ])('tells of a trial that cannot say whom it counts, %s, and refuses nobody for it', async (_how, by) => {
    const app = appWith([policy('trial', { by, mode: 'report' }), policy('bound', { limit: 2 })])
    expect([(await get(app)).status, (await get(app)).status, (await get(app)).status]).toEqual([
      200, 200, 429,
    ])
  })

  it('refuses policies of one name, none, and too many', () => {
    expect(() => appWith([policy('a'), policy('a')])).toThrow('limits of different names')
    expect(() => appWith([])).toThrow('policies must be')
    expect(() => appWith(Array.from({ length: 17 }, (_, index) => policy(`p${index}`)))).toThrow('at most 16')
  })
})

describe('rateLimit, what it answers', () => {
  const two = [
    policy('a', { limit: 9 }),
    policy('b', { limit: 4, period: 'day', windowSeconds: undefined as never }),
  ]

  it('writes draft-10: every policy in one list', async () => {
    const { headers } = await get(appWith(two))
    expect(headers['ratelimit-policy']).toBe('"a";q=9;w=60, "b";q=4;w=86400')
    expect(headers['ratelimit']).toMatch(/^"a";r=8;t=\d+, "b";r=3;t=\d+$/)
    expect(headers).not.toHaveProperty('retry-after')
  })

  it('writes the older formats for the policy that leaves least', async () => {
    const { headers } = await get(appWith(two, { fields: ['draft-7', 'legacy'] }))
    expect(headers['ratelimit']).toMatch(/^limit=4, remaining=3, reset=\d+$/)
    expect(headers['ratelimit-policy']).toBe('4;w=86400')
    expect(headers).toMatchObject({ 'x-ratelimit-limit': '4', 'x-ratelimit-remaining': '3' })
    const inSeconds = Number(headers['x-ratelimit-reset']) - Date.now() / 1000
    expect(inSeconds > -2 && inSeconds <= 86_402).toBe(true)
  })

  it('writes both draft-10 and legacy, or nothing', async () => {
    const both = (await get(appWith(two, { fields: ['draft-10', 'legacy'] }))).headers
    expect([both['ratelimit'], both['x-ratelimit-limit']]).toEqual([expect.stringContaining('"a";r=8'), '4'])
    const none = (await get(appWith(two, { fields: 'none' }))).headers
    expect(Object.keys(none).filter((name) => name.includes('ratelimit'))).toEqual([])
  })

  it.each([[['draft-10', 'draft-7']], [['none', 'legacy']], [[]], ['draft-6']])(
    'refuses fields %p',
    (fields) => {
      expect(() => appWith(two, { fields: fields as never })).toThrow('fields must be')
    },
  )

  it('says no Retry-After where the cost never fits', async () => {
    const refused = await get(appWith([policy('small', { limit: 2, cost: () => 3 })]))
    expect(refused.status).toBe(429)
    expect(refused.headers).not.toHaveProperty('retry-after')
  })

  it('spreads Retry-After by a tenth, at most a minute, and never before there is room', async () => {
    jest.spyOn(Date, 'now').mockReturnValue(Date.UTC(2026, 10, 1))
    const app = appWith([policy('month', { limit: 1, period: 'month', windowSeconds: undefined as never })])
    await get(app)
    for (const [random, seconds] of [
      [0, 2_592_000],
      [0.999999, 2_592_060],
    ] as const) {
      jest.spyOn(Math, 'random').mockReturnValue(random)
      expect((await get(app)).headers['retry-after']).toBe(String(seconds))
    }
  })
})
