import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import pg from 'pg'
import {
  BurstyRateLimiter,
  RLWrapperTimeouts,
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterUnion,
} from 'rate-limiter-flexible'
import request from 'supertest'
import { auditLog } from '../../src/audit/audit-log.js'
import type { LimiterStore, RateLimitCheck } from '../../src/core/ports.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import {
  fromRateLimiterFlexible,
  type FlexibleLimiter,
  type FlexiblePolicy,
} from '../../src/traffic/from-rate-limiter-flexible.js'
import { rateLimit, type LimitPolicy, type LimitSettings } from '../../src/traffic/rate-limit.js'
import { inTime } from '../support/in-time.js'
import { postgres, startPostgres, type RunningPostgres } from '../support/postgres.js'
import { keepingLogger } from '../support/records.js'
import { describeWith } from '../support/requirements.js'

const inMemory = ({ name, points, duration }: FlexiblePolicy): FlexibleLimiter =>
  new RateLimiterMemory({ keyPrefix: name, points, duration })
const memory = (overrides: object = {}): FlexibleLimiter =>
  new RateLimiterMemory({ points: 5, duration: 60, ...overrides })
const policy = (name: string, overrides: Partial<LimitPolicy> = {}): LimitPolicy => ({
  name,
  limit: 5,
  windowSeconds: 60,
  algorithm: 'fixed',
  by: () => 'caller',
  ...overrides,
})
const check = (name: string, limit: number, cost = 1, key = 'a', windowMs = 60_000): RateLimitCheck => ({
  name,
  rule: { algorithm: 'sliding', limit, windowMs },
  key,
  cost,
})
const appWith = (
  store: LimiterStore,
  policies: readonly LimitPolicy[],
  settings: LimitSettings = {},
): express.Express => {
  const app = express()
  app.use(auditLog({ logger: keepingLogger() }), rateLimit({ policies, store, ...settings }))
  app.get('/', (_req, res) => res.end())
  app.use(secureErrors())
  return app
}
const statuses = async (app: express.Express, times: number): Promise<number[]> => {
  const seen: number[] = []
  for (let index = 0; index < times; index += 1) seen.push((await request(app).get('/')).status)
  return seen
}

/** What every store of rate-limiter-flexible must do behind the port. */
function behaves(make: (policy: FlexiblePolicy) => FlexibleLimiter): void {
  let made = 0
  const name = (): string => `policy-${(made += 1)}`
  const options = { timeoutMs: 5000 }

  it('passes what the policy says, tells whom it refuses, and when to come back', async () => {
    const app = appWith(fromRateLimiterFlexible(make, options), [policy(name(), { limit: 3 })])
    expect(await statuses(app, 5)).toEqual([200, 200, 200, 429, 429])
    const refused = await request(app).get('/')
    expect(refused.headers['ratelimit']).toMatch(/;r=0;t=\d+$/)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    expect(refused.body.code).toBe('limit_exceeded')
  })

  it('charges no policy for a request that one of them refuses', async () => {
    const { port } = fromRateLimiterFlexible(make, options)
    const checks = [check(name(), 50), check(name(), 2), check(name(), 60)]
    const answers = []
    for (let index = 0; index < 20; index += 1) answers.push(await port.take(checks))
    expect(answers.filter(({ allowed }) => allowed)).toHaveLength(2)
    expect(answers.at(-1)?.states.map(({ remaining }) => remaining)).toEqual([48, 0, 58])
    const { states } = await port.peek(checks)
    expect(states.map(({ remaining }) => remaining)).toEqual([48, 0, 58])
  })

  it('charges a heavy request that is refused nothing, and one that never fits nobody', async () => {
    const { port } = fromRateLimiterFlexible(make, options)
    const [heavy, light] = [check(name(), 10, 7), check(name(), 10, 1)]
    const same = { ...heavy, cost: 3 }
    expect((await port.take([heavy])).allowed).toBe(true)
    expect(await port.take([heavy])).toMatchObject({ allowed: false, states: [{ remaining: 3 }] })
    const never = await port.take([light, { ...heavy, cost: 11 }])
    expect(never.states[1]).toMatchObject({ allowed: false, retryMs: Infinity })
    expect((await port.peek([light])).states[0]?.remaining).toBe(10)
    expect((await port.take([same])).allowed).toBe(true)
  })

  it('is not held up by requests that are only refused', async () => {
    const limiters: FlexibleLimiter[] = []
    const { port } = fromRateLimiterFlexible((asked) => {
      const limiter = make(asked)
      limiters.push(limiter)
      return limiter
    }, options)
    const [heavy, light] = [check(name(), 100, 60), check('', 100, 1)]
    const reads = { ...light, name: heavy.name }
    expect((await port.take([heavy])).allowed).toBe(true)
    const consume = jest.spyOn(limiters[0]!, 'consume')
    // None of them ever takes what it would have to give back.
    const answers = await Promise.all(
      Array.from({ length: 60 }, async (_, at) => port.take([at % 2 === 0 ? heavy : reads])),
    )
    expect(answers.map(({ allowed }) => allowed)).toEqual(answers.map((_, at) => at % 2 === 1))
    expect(new Set(consume.mock.calls.map(([, points]) => points))).toEqual(new Set([1]))
    expect((await port.take([heavy])).states[0]).toMatchObject({ allowed: false, remaining: 10 })
  })

  it('never admits more than the limit of many heavy ones at once', async () => {
    const { port } = fromRateLimiterFlexible(make, options)
    const heavy = check(name(), 100, 30)
    const answers = await Promise.all(Array.from({ length: 20 }, async () => port.take([heavy])))
    expect(answers.filter(({ allowed }) => allowed).length).toBeLessThanOrEqual(3)
    expect(answers.filter(({ allowed }) => allowed).length).toBeGreaterThanOrEqual(1)
  })

  it('never admits more than the limit of many at once', async () => {
    const { port } = fromRateLimiterFlexible(make, options)
    const checks = [check(name(), 500), check(name(), 5)]
    const answers = await Promise.all(Array.from({ length: 60 }, async () => port.take(checks)))
    expect(answers.filter(({ allowed }) => allowed).length).toBeLessThanOrEqual(5)
    expect(answers.filter(({ allowed }) => allowed).length).toBeGreaterThanOrEqual(1)
    const { states } = await port.peek(checks)
    expect(500 - (states[0]?.remaining ?? 0)).toBe(answers.filter(({ allowed }) => allowed).length)
  })

  it('gives back what was charged, and never more', async () => {
    const { port } = fromRateLimiterFlexible(make, options)
    const checks = [check(name(), 3)]
    await port.refund(checks)
    await port.take(checks)
    await port.take(checks)
    for (let index = 0; index < 5; index += 1) await port.refund(checks)
    const allowed = []
    for (let index = 0; index < 5; index += 1) allowed.push((await port.take(checks)).allowed)
    expect(allowed).toEqual([true, true, true, false, false])
    await port.reset(checks)
    expect((await port.take(checks)).allowed).toBe(true)
  })

  it('counts a trial, and refuses nobody for it', async () => {
    const { port } = fromRateLimiterFlexible(make, options)
    const checks = [{ ...check(name(), 1), isTrial: true }, check(name(), 3)]
    const answers = []
    for (let index = 0; index < 4; index += 1) answers.push(await port.take(checks))
    expect(answers.map(({ allowed }) => allowed)).toEqual([true, true, true, false])
    expect(answers.map(({ states }) => states[0]?.allowed)).toEqual([true, false, false, false])
  })

  it('counts a calendar day by its own end', async () => {
    const { port } = fromRateLimiterFlexible(make, options)
    const daily: RateLimitCheck = {
      ...check(name(), 1),
      rule: { algorithm: 'fixed', limit: 2, period: 'day' },
    }
    const day = Math.floor(Date.now() / 86_400_000)
    const [state] = (await port.take([daily])).states
    expect(state?.remaining).toBe(1)
    expect(state?.resetMs).toBeLessThanOrEqual(86_400_000)
    await port.take([daily])
    expect((await port.take([daily])).allowed).toBe(false)
    jest.spyOn(Date, 'now').mockReturnValue((day + 1) * 86_400_000)
    expect((await port.take([daily])).allowed).toBe(true)
    jest.restoreAllMocks()
  })

  it('keeps callers and policies apart, whatever they are called', async () => {
    const { port } = fromRateLimiterFlexible(make, options)
    const [first, second] = [name(), name()]
    for (const key of ['a', 'a:b', ' ', '\u0000', '"\'; DROP TABLE limits --', 'é'.repeat(5000)])
      for (const policyName of [first, second]) {
        expect((await port.take([check(policyName, 1, 1, key)])).allowed).toBe(true)
        expect((await port.take([check(policyName, 1, 1, key)])).allowed).toBe(false)
      }
  })
}

describe('fromRateLimiterFlexible, in memory', () => {
  behaves(inMemory)

  it('takes one limiter for the one policy that it fits', async () => {
    expect(await statuses(appWith(fromRateLimiterFlexible(memory()), [policy('one')]), 6)).toEqual([
      200, 200, 200, 200, 200, 429,
    ])
  })

  it('keeps the counts of a policy that is used twice', async () => {
    const store = fromRateLimiterFlexible(inMemory)
    const [first, second] = [appWith(store, [policy('twice')]), appWith(store, [policy('twice')])]
    expect([...(await statuses(first, 3)), ...(await statuses(second, 3))]).toEqual([
      200, 200, 200, 200, 200, 429,
    ])
  })

  it('takes plans, whose limit a function answers', async () => {
    const store = fromRateLimiterFlexible(inMemory)
    expect(await statuses(appWith(store, [policy('plan', { limit: () => 2 })]), 3)).toEqual([200, 200, 429])
  })

  it.each<[string, () => FlexibleLimiter, string]>([
    ['nothing', () => undefined as never, 'limiter must be a limiter'],
    [
      'a union',
      () => new RateLimiterUnion(memory() as never) as never,
      'must be a limiter of rate-limiter-flexible',
    ],
    [
      'a bursty limiter',
      () => new BurstyRateLimiter(memory() as never, memory() as never) as never,
      'must be a limiter of rate-limiter-flexible',
    ],
    [
      'a wrapper with time-outs',
      () => new RLWrapperTimeouts({ limiter: memory() as never }),
      'the limiter itself (time-out and breaker are here), got "RLWrapperTimeouts"',
    ],
    [
      'one that blocks',
      () => memory({ blockDuration: 10 }),
      'blockDuration of the limiter (RateLimiterMemory) must be left out: it makes a refusal outlast its window, got 10',
    ],
    [
      'one that delays',
      () => memory({ execEvenly: true }),
      'execEvenly of the limiter (RateLimiterMemory) must be left out: it holds requests back, got true',
    ],
    [
      'one with an insurance',
      () =>
        new RateLimiterRedis({
          points: 5,
          duration: 60,
          storeClient: {},
          insuranceLimiter: memory() as never,
        }),
      'insuranceLimiter of the limiter (RateLimiterRedis) must be left out: onOutage',
    ],
    [
      'one that looks through its blocked keys',
      () => new RateLimiterRedis({ points: 5, duration: 60, storeClient: {}, inMemoryBlockOnConsumed: 5 }),
      'inMemoryBlockOnConsumed of the limiter (RateLimiterRedis) must be left out',
    ],
    [
      'one with a script of its own',
      () =>
        new RateLimiterRedis({
          points: 5,
          duration: 60,
          storeClient: {},
          customIncrTtlLuaScript: 'return 1',
        }),
      'customIncrTtlLuaScript of the limiter (RateLimiterRedis) must be left out: it replaces the script of every limiter on that client',
    ],
  ])('refuses %s', (_name, make, message) => {
    expect(() => fromRateLimiterFlexible(make())).toThrow(message)
    if (message.startsWith('limiter')) return
    expect(() => rateLimit({ ...policy('x'), store: fromRateLimiterFlexible(make) })).toThrow(message)
  })

  it.each<[Partial<LimitPolicy>, string]>([
    [{ algorithm: 'sliding' }, 'algorithm must be "fixed" in a store of rate-limiter-flexible'],
    [{ algorithm: undefined as never }, 'algorithm must be "fixed" in a store of rate-limiter-flexible'],
    [{ algorithm: 'gcra', burst: 5 }, 'algorithm must be "fixed"'],
    [{ windowSeconds: 0.5 }, 'windowSeconds must be whole seconds'],
    [{ windowSeconds: 1.9 }, 'windowSeconds must be whole seconds'],
    [{ limit: 6 }, 'points of the limiter for "x" must be 6, as the policy says, got 5'],
    [{ windowSeconds: 61 }, 'duration of the limiter for "x" must be 61, as the policy says, got 60'],
    [{ windowSeconds: undefined as never, period: 'day' }, 'duration of the limiter for "x" must be 86400'],
  ])('refuses %p for a limiter of 5 points in 60 seconds', (overrides, message) => {
    const store = fromRateLimiterFlexible(memory())
    expect(() => rateLimit({ ...policy('x', overrides), store })).toThrow(message)
  })

  it('refuses more than 24.8 days in memory, where every count would be forgotten at once', () => {
    const store = fromRateLimiterFlexible(inMemory)
    expect(() => rateLimit({ ...policy('x', { windowSeconds: 2_592_000 }), store })).toThrow(
      'at most 2147483 seconds',
    )
    const month = { name: 'x', limit: 5, period: 'month', by: 'address' } as const
    expect(() => rateLimit({ ...month, store })).toThrow('at most 2147483 seconds')
  })

  it.each([{ timeoutMs: 0 }, { breakerFailures: 0 }, { timeout: 5 }])('refuses options %p', (options) => {
    expect(() => fromRateLimiterFlexible(memory(), options)).toThrow('fromRateLimiterFlexible:')
  })

  it('takes windowSeconds with "fixed" for no other store', () => {
    expect(() => rateLimit(policy('x'))).toThrow('period must be given where algorithm is fixed')
  })
})

/** A limiter that does as it is told. */
function obeying(consume: () => Promise<unknown>): FlexibleLimiter {
  return Object.assign(new RateLimiterMemory({ points: 5, duration: 60 }), { consume })
}

describe('fromRateLimiterFlexible, of a limiter that fails', () => {
  const never = (): Promise<never> => new Promise(() => undefined)
  const failures: readonly [string, () => Promise<unknown>][] = [
    ['rejects with an Error', () => Promise.reject(new Error('down'))],
    ['rejects with a plain object', () => Promise.reject({ limits: { code: 1 } })],
    ['rejects with nothing', () => Promise.reject(undefined)],
    ['rejects with null', () => Promise.reject(null)],
    ['resolves to nothing', () => Promise.resolve(undefined)],
    ['resolves to no numbers', () => Promise.resolve({ consumedPoints: NaN, msBeforeNext: 1 })],
    [
      'throws',
      () => {
        throw new Error('down')
      },
    ],
    ['never answers', never],
  ]

  it.each(failures)('that %s: 503, or a share, and never "allowed"', async (_name, consume) => {
    const store = (): LimiterStore => fromRateLimiterFlexible(obeying(consume), { timeoutMs: 20 })
    expect(await statuses(appWith(store(), [policy('down')], { onOutage: 'deny' }), 2)).toEqual([503, 503])
    const shared = appWith(store(), [policy('down', { limit: 5 })], { instances: 5 })
    expect(await statuses(shared, 3)).toEqual([200, 429, 429])
  })

  it('is left alone after a few failures, and tried again later', async () => {
    let calls = 0
    let isDown = true
    const limiter = obeying(() => {
      calls += 1
      return isDown ? never() : Promise.resolve({ consumedPoints: 1, msBeforeNext: 1000 })
    })
    const store = fromRateLimiterFlexible(limiter, { timeoutMs: 10, breakerCoolDownMs: 100 })
    const app = appWith(store, [policy('down')], { onOutage: 'deny' })
    expect(await statuses(app, 8)).toEqual(Array(8).fill(503))
    expect([calls, store.health().status]).toEqual([3, 'down'])
    isDown = false
    await new Promise((resolve) => setTimeout(resolve, 120))
    expect(await statuses(app, 1)).toEqual([200])
    expect(store.health().status).toBe('ok')
  })

  it('gives back what was charged before it failed, and asks nobody after its time', async () => {
    const asked: string[] = []
    const limiters: Record<string, FlexibleLimiter> = {
      good: memory(),
      slow: obeying(
        () => new Promise((resolve) => setTimeout(resolve, 60, { consumedPoints: 1, msBeforeNext: 9 })),
      ),
      last: obeying(() => {
        asked.push('last')
        return Promise.resolve({ consumedPoints: 1, msBeforeNext: 9 })
      }),
    }
    const { port } = fromRateLimiterFlexible(({ name }) => limiters[name]!, { timeoutMs: 20 })
    const checks = ['good', 'slow', 'last'].map((name) => check(name, 5))
    await expect(port.take(checks)).rejects.toMatchObject({ reason: 'store_unavailable' })
    await new Promise((resolve) => setTimeout(resolve, 80))
    expect(asked).toEqual([])
    expect((await port.peek(checks.slice(0, 1))).states[0]?.remaining).toBe(5)
  })

  const hanging = { reward: never, get: never }
  const tooSlow = { timeoutMs: 200 }

  it(
    'answers a refusal within its time, where nothing that comes after it answers',
    inTime(async () => {
      const limiters: Record<string, FlexibleLimiter> = {
        first: Object.assign(memory(), hanging),
        full: Object.assign(memory({ points: 1 }), hanging),
        last: Object.assign(memory(), hanging),
      }
      const { port } = fromRateLimiterFlexible(({ name }) => limiters[name]!, tooSlow)
      await port.take([check('full', 1)])
      const startedMs = performance.now()
      const answer = await port.take([check('first', 5), check('full', 1), check('last', 5)])
      expect(performance.now() - startedMs).toBeLessThan(300)
      expect(answer.allowed).toBe(false)
      expect(answer.states.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
        [true, 5],
        [false, 0],
        [true, 5],
      ])
    }),
  )

  it(
    'lets nobody wait for what is given back',
    inTime(async () => {
      const limiter = Object.assign(memory({ points: 1 }), hanging)
      const { port } = fromRateLimiterFlexible(limiter, tooSlow)
      await port.take([check('full', 1)])
      const startedMs = performance.now()
      expect(await port.take([check('full', 1)])).toMatchObject({
        allowed: false,
        states: [{ remaining: 0 }],
      })
      expect(performance.now() - startedMs).toBeLessThan(100)
    }),
  )

  it(
    'gives back what an answer did not wait for, and before the next take of the same key',
    inTime(async () => {
      const limiter = memory({ points: 10 })
      const reward = limiter.reward.bind(limiter)
      limiter.reward = async (...args) => {
        await new Promise((resolve) => setTimeout(resolve, 90))
        return reward(...args)
      }
      const limiters: Record<string, FlexibleLimiter> = { slow: limiter, full: memory({ points: 1 }) }
      const { port } = fromRateLimiterFlexible(({ name }) => limiters[name]!, { timeoutMs: 1000 })
      const [heavy, light, full] = [check('slow', 10, 7), check('slow', 10, 3), check('full', 1)]
      expect((await port.take([full])).allowed).toBe(true)
      expect((await port.take([heavy, full])).allowed).toBe(false)
      expect((await port.peek([light])).states[0]?.remaining).toBe(10)
      expect((await port.take([heavy, full])).allowed).toBe(false)
      expect((await port.take([heavy])).allowed).toBe(true)
      const others = { ...heavy, key: 'b' }
      expect((await port.take([others, full])).allowed).toBe(false)
      const startedMs = performance.now()
      await port.take([{ ...light, key: 'c' }])
      // Another caller waits for nothing.
      expect(performance.now() - startedMs).toBeLessThan(70)
    }),
  )

  it(
    'waits for what is on its way back for a tenth of its time, and not again and again',
    inTime(async () => {
      const limiter = Object.assign(memory({ points: 1 }), hanging)
      const { port } = fromRateLimiterFlexible(limiter, { timeoutMs: 1000, breakerFailures: 100 })
      await port.take([check('hangs', 1)])
      for (let index = 0; index < 5; index += 1) {
        const startedMs = performance.now()
        expect((await port.take([check('hangs', 1)])).allowed).toBe(false)
        expect(performance.now() - startedMs).toBeLessThan(250)
      }
      await new Promise((resolve) => setTimeout(resolve, 150))
      const startedMs = performance.now()
      await port.take([check('hangs', 1)])
      expect(performance.now() - startedMs).toBeLessThan(80)
    }),
  )

  it('looks whether a heavy request fits in the same time, and charges nobody after it', async () => {
    const limiter = memory({ points: 100 })
    const consume = jest.spyOn(limiter, 'consume')
    const get = limiter.get.bind(limiter)
    limiter.get = async (...args) => {
      await new Promise((resolve) => setTimeout(resolve, 60))
      return get(...args)
    }
    const { port } = fromRateLimiterFlexible(limiter, { timeoutMs: 20 })
    await expect(port.take([check('slow', 100, 60)])).rejects.toMatchObject({ reason: 'store_unavailable' })
    await new Promise((resolve) => setTimeout(resolve, 80))
    expect(consume).not.toHaveBeenCalled()
  })

  it('answers a heavy request that another one overtook between the two, and gives back what it took', async () => {
    const limiter = memory({ points: 100 })
    const { port } = fromRateLimiterFlexible(limiter)
    const heavy = check('race', 100, 60)
    const answers = await Promise.all([port.take([heavy]), port.take([heavy])])
    expect(answers.map(({ allowed }) => allowed).toSorted()).toEqual([false, true])
    expect((await port.peek([heavy])).states[0]?.remaining).toBe(40)
  })

  it('gives back what was charged after its time was over', async () => {
    const limiter = memory()
    const consume = limiter.consume.bind(limiter)
    limiter.consume = async (...args) => {
      const result = await consume(...args)
      await new Promise((resolve) => setTimeout(resolve, 60))
      return result
    }
    const { port } = fromRateLimiterFlexible(limiter, { timeoutMs: 20 })
    await expect(port.take([check('late', 5)])).rejects.toMatchObject({ reason: 'store_unavailable' })
    expect((await port.peek([check('late', 5)])).states[0]?.remaining).toBe(4)
    await new Promise((resolve) => setTimeout(resolve, 80))
    expect((await port.peek([check('late', 5)])).states[0]?.remaining).toBe(5)
  })

  it('is left alone also where what was charged before it comes back too late to be given back', async () => {
    const asked: number[] = []
    const limiters: Record<string, FlexibleLimiter> = {
      short: memory({ duration: 1 }),
      down: obeying(() => {
        asked.push(1)
        return Promise.reject(new Error('down'))
      }),
    }
    const store = fromRateLimiterFlexible(({ name }) => limiters[name]!)
    const checks = [check('short', 5, 1, 'a', 1000), check('down', 5)]
    for (let index = 0; index < 6; index += 1) {
      await expect(store.port.take(checks)).rejects.toMatchObject({ reason: 'store_unavailable' })
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect([asked.length, store.health().status]).toEqual([3, 'down'])
  })

  it('gives nothing back so late that it would be points of the next window', async () => {
    const limiter = new RateLimiterMemory({ points: 2, duration: 1 })
    const { port } = fromRateLimiterFlexible(limiter)
    const rewards = jest.spyOn(limiter, 'reward')
    for (let index = 0; index < 9; index += 1) await port.take([check('late', 2, 1, 'a', 1000)])
    await port.refund([check('late', 2, 1, 'a', 1000)])
    expect(rewards).not.toHaveBeenCalled()
  })
})

describeWith(postgres, 'fromRateLimiterFlexible, in a real Postgres', () => {
  let server: RunningPostgres
  let pool: pg.Pool

  beforeAll(async () => {
    server = await startPostgres()
    pool = new pg.Pool({ host: server.host, user: server.user, database: server.database, max: 5 })
    pool.on('error', () => undefined)
    await pool.query('CREATE ROLE orders_service')
    await pool.query(ddlOfThePage())
  }, 60_000)
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })
  afterEach(() => {
    jest.restoreAllMocks()
  })

  const poolOfService = (): pg.Pool => {
    const { host, user, database } = server
    const own = new pg.Pool({ host, user, database, max: 1, options: '-c role=orders_service' })
    own.on('error', () => undefined)
    return own
  }
  const ddlOfThePage = (): string => {
    const page = readFileSync('docs/middlewares/from-rate-limiter-flexible.md', 'utf8')
    return /```sql\n(.*?)```/s.exec(page)![1]!
  }
  const inPostgres = ({ points, duration }: FlexiblePolicy): FlexibleLimiter =>
    new RateLimiterPostgres({ storeClient: pool, tableName: 'limits', tableCreated: true, points, duration })

  behaves(inPostgres)

  it('shares counts between processes, as two stores of one table do', async () => {
    const apps = [1, 2].map(() =>
      appWith(fromRateLimiterFlexible(inPostgres, { timeoutMs: 5000 }), [policy('shared')]),
    )
    expect([...(await statuses(apps[0]!, 3)), ...(await statuses(apps[1]!, 3))]).toEqual([
      200, 200, 200, 200, 200, 429,
    ])
  })

  it('keeps a quota of a month', async () => {
    const store = fromRateLimiterFlexible(inPostgres, { timeoutMs: 5000 })
    const app = appWith(store, [{ name: 'month', limit: 2, period: 'month', by: () => 'caller' }])
    expect(await statuses(app, 3)).toEqual([200, 200, 429])
  })

  it('needs no more rights than the page gives', async () => {
    const own = poolOfService()
    const limiter = new RateLimiterPostgres({
      storeClient: own,
      tableName: 'limits',
      tableCreated: true,
      points: 100,
      duration: 60,
    })
    const { port } = fromRateLimiterFlexible(limiter, { timeoutMs: 5000 })
    const checks = [check('rights', 100, 60)]
    expect((await port.take(checks)).allowed).toBe(true)
    expect((await port.take(checks)).allowed).toBe(false)
    await port.refund(checks)
    await port.reset(checks)
    await own.end()
  })

  it.each([
    ['is missing', 'no_such_table', ''],
    ['may not be read', 'limits', 'REVOKE ALL ON limits FROM orders_service'],
  ])(
    'refuses in spite of onOutage "allow" where the table %s: that never passes by itself',
    async (_case, tableName, first) => {
      if (first !== '') await pool.query(first)
      const own = poolOfService()
      const limiter = new RateLimiterPostgres({
        storeClient: own,
        tableName,
        tableCreated: true,
        points: 5,
        duration: 60,
      })
      const store = fromRateLimiterFlexible(limiter, { timeoutMs: 5000 })
      expect(await statuses(appWith(store, [policy('mistake')], { onOutage: 'allow' }), 5)).toEqual(
        Array(5).fill(503),
      )
      await own.end()
    },
  )

  it('decides in its time while the table is locked, and recovers', async () => {
    const store = fromRateLimiterFlexible(inPostgres, { timeoutMs: 30, breakerCoolDownMs: 100 })
    const app = appWith(store, [policy('locked')], { onOutage: 'deny' })
    const locker = await pool.connect()
    await locker.query('BEGIN; LOCK TABLE limits IN ACCESS EXCLUSIVE MODE')
    const locked = await statuses(app, 5).finally(() => locker.query('ROLLBACK'))
    locker.release()
    expect(locked).toEqual(Array(5).fill(503))
    for (let attempt = 0; attempt < 50 && (await statuses(app, 1))[0] !== 200; attempt += 1)
      await new Promise((resolve) => setTimeout(resolve, 50))
    expect(store.health().status).toBe('ok')
  })
})
