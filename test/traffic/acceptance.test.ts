import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import { Redis } from 'ioredis'
import request from 'supertest'
import { auditLog } from '../../src/audit/audit-log.js'
import { addressKey } from '../../src/core/address.js'
import type { LimitRule, RateLimitAnswer, RateLimitCheck, RateLimitPort } from '../../src/core/ports.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { MemoryLimiter } from '../../src/stores/memory/limiter.js'
import { memoryStore } from '../../src/stores/memory.js'
import { RedisLimiter } from '../../src/stores/redis/limiter.js'
import { redisStore } from '../../src/stores/redis.js'
import { rateLimit, type RateLimitOptions } from '../../src/traffic/rate-limit.js'
import { keepingLogger } from '../support/records.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { describeWith, program } from '../support/requirements.js'
import { rawRequest, sendRaw, serve } from '../support/server.js'

const sliding = (limit: number, windowMs = 1000): LimitRule => ({ algorithm: 'sliding', limit, windowMs })
const check = (name: string, rule: LimitRule, key = 'a', cost = 1): RateLimitCheck => ({
  name,
  rule,
  key,
  cost,
})
const appWith = (options: Partial<RateLimitOptions> = {}): express.Express => {
  const app = express()
  const limiter = rateLimit({
    name: 'accepted',
    limit: 5,
    windowSeconds: 60,
    by: 'address',
    store: memoryStore(),
    ...options,
  })
  app.use(auditLog({ logger: keepingLogger() }), limiter)
  app.get('/', (_req, res) => res.end())
  app.use(secureErrors())
  return app
}

let now = 0
const setClock = (): void => {
  jest.spyOn(performance, 'now').mockImplementation(() => now)
  jest.spyOn(Date, 'now').mockImplementation(() => 1_795_348_800_000 + now)
}
afterEach(() => {
  jest.restoreAllMocks()
})

/** The most that passed in any second. */
function most(admitted: readonly number[]): number {
  return Math.max(...admitted.map((from) => admitted.filter((at) => at >= from && at < from + 1000).length))
}

describe('limits that hold, in memory', () => {
  it.each<[string, readonly (readonly [number, number])[]]>([
    [
      'A: 1, then 99 just before the end of the window and 150 just after it',
      [
        [0, 1],
        [990, 99],
        [1010, 150],
      ],
    ],
    [
      'A, by the clock',
      [
        [500, 1],
        [999, 99],
        [1001, 150],
      ],
    ],
    [
      'C: 120 at once, then one each millisecond',
      [[0, 120], ...Array.from({ length: 1000 }, (_, ms) => [ms, 1] as const)],
    ],
  ])('boundary %s: at most 100 in any second', (_name, schedule) => {
    setClock()
    const limiter = new MemoryLimiter()
    const admitted: number[] = []
    for (const [at, times] of schedule) {
      now = 10_000 + at
      for (let index = 0; index < times; index += 1)
        if (limiter.take([check('boundary', sliding(100))]).allowed) admitted.push(now)
    }
    expect(most(admitted)).toBeLessThanOrEqual(100)
    expect(admitted).toHaveLength(100)
  })

  it('10 pipelined requests at limit 5: 5 × 200', async () => {
    const server = await serve(appWith())
    const piped =
      rawRequest('GET', '/').replace('Connection: close\r\n', '').repeat(9) + rawRequest('GET', '/')
    const answers = (await sendRaw(server.port, piped)).match(/HTTP\/1\.1 \d+/g)
    await server.close()
    expect(answers?.map((line) => line.slice(-3))).toEqual([...Array(5).fill('200'), ...Array(5).fill('429')])
  })

  it('100 requests with 2 admitted: other dimensions charged 2', () => {
    const limiter = new MemoryLimiter()
    const checks = [
      check('wide', sliding(1000)),
      check('narrow', sliding(2, 60_000)),
      check('last', sliding(1000)),
    ]
    for (let index = 0; index < 100; index += 1) limiter.take(checks)
    expect(limiter.peek(checks).states.map(({ remaining }) => remaining)).toEqual([998, 0, 998])
  })

  it('1 M junk keys: bounded heap, and the attacker stays limited', () => {
    const limiter = new MemoryLimiter()
    const rule = sliding(5, 600_000)
    const isAllowed = (key: string): boolean => limiter.take([check('junk', rule, key)]).allowed
    expect(Array.from({ length: 6 }, () => isAllowed('attacker')).filter(Boolean)).toHaveLength(5)
    for (let index = 0; index < 200_000; index += 1) isAllowed(`junk-${index}`)
    const before = process.memoryUsage().heapUsed
    for (let index = 200_000; index < 1_000_000; index += 1) isAllowed(`junk-${index}`)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000)
    expect(limiter.size).toBeLessThanOrEqual(100_001)
    expect(isAllowed('attacker')).toBe(false)
  })

  it('::ffff:, NAT64, spelling variants: one client is one client, and two are two', () => {
    const same = (...spellings: string[]): number => new Set(spellings.map((text) => addressKey(text))).size
    expect(
      same('192.0.2.1', '::ffff:192.0.2.1', '::FFFF:c000:0201', '64:ff9b::192.0.2.1', '64:ff9b::c000:201'),
    ).toBe(1)
    expect(same('2001:db8::1', '2001:DB8:0:0::ffff', '2001:0db8:0000:0000:1::', '2001:db8::1%eth0')).toBe(1)
    expect(
      same('::ffff:192.0.2.1', '::ffff:192.0.2.2', '64:ff9b::192.0.2.3', '2001:db8:1::1', '2001:db8:1:1::1'),
    ).toBe(5)
  })

  it('30-day quota', () => {
    setClock()
    const limiter = new MemoryLimiter()
    const passed = (rule: LimitRule): boolean => limiter.take([check(rule.algorithm, rule)]).allowed
    for (const rule of [
      sliding(2, 30 * 86_400_000),
      { algorithm: 'fixed', limit: 2, period: 'month' } as const,
    ]) {
      now = 0
      expect([passed(rule), passed(rule), passed(rule)]).toEqual([true, true, false])
      now += 86_400_000
      expect(passed(rule)).toBe(false)
      now += 31 * 86_400_000
      expect(passed(rule)).toBe(true)
    }
  })

  it('0.5 s window', async () => {
    setClock()
    now = 1000
    const app = appWith({ limit: 1, windowSeconds: 0.5 })
    const seen = [(await request(app).get('/')).status, (await request(app).get('/')).status]
    now += 511
    expect([...seen, (await request(app).get('/')).status]).toEqual([200, 429, 200])
  })

  it.each([0, -5, 0.9, NaN, Infinity, '1', undefined, null, 2 ** 40])(
    'cost %p: refused, never free',
    async (cost) => {
      const app = appWith({ cost: () => cost as never })
      expect((await request(app).get('/')).status).toBe(500)
      if (cost !== undefined)
        expect(() => appWith({ cost: cost as never })).toThrow('rateLimit: cost must be')
    },
  )

  it.each(['deny', 'allow'] as const)('CROSSSLOT: never allowed, with onOutage %s', async (onOutage) => {
    const client = {
      defineCommand: () => undefined,
      call: () => Promise.reject(new Error("CROSSSLOT Keys in request don't hash to the same slot")),
    }
    const app = appWith({ store: redisStore(client), onOutage })
    // More than the circuit breaker waits for: while it is open nobody is asked, and nobody passes.
    const statuses: number[] = []
    for (let index = 0; index < 8; index += 1) statuses.push((await request(app).get('/')).status)
    expect(statuses).toEqual(Array(8).fill(503))
  })
})

/** Reserves, verifies, and gives back what turned out good. */
async function login(
  port: RateLimitPort,
  checks: readonly RateLimitCheck[],
  verify: () => Promise<boolean>,
): Promise<void> {
  if (!(await port.take(checks)).allowed) return
  if (await verify()) await port.refund(checks)
}

describeWith(program('redis-server', 'redis-server'), 'limits that hold, on Redis', () => {
  let redis: RunningRedis
  let client: Redis

  beforeAll(async () => {
    redis = await startRedis()
    client = new Redis(redis.port, '127.0.0.1')
    client.on('error', () => undefined)
  })
  afterAll(async () => {
    client.disconnect()
    await redis.stop()
  })

  const patient = (prefix: string): RedisLimiter =>
    new RedisLimiter(redisStore(client, { prefix, timeoutMs: 5000 }))

  it.each<[string, () => RateLimitPort]>([
    ['in memory', () => new MemoryLimiter()],
    ['on Redis', () => patient('logins')],
  ])('200 parallel logins at 5: 5 checks, %s', async (_name, make) => {
    const port = make()
    const checks = ['address', 'account', 'both'].map((name) =>
      check(name, sliding(5, 600_000), `of ${name}`),
    )
    let verified = 0
    const verify = async (): Promise<boolean> => {
      verified += 1
      await new Promise((resolve) => setTimeout(resolve, 5))
      return false
    }
    await Promise.all(Array.from({ length: 200 }, () => login(port, checks, verify)))
    expect(verified).toBe(5)
  })

  it('100 requests with 2 admitted: other dimensions charged 2', async () => {
    const limiter = patient('dimensions')
    const checks = [check('wide', sliding(1000, 600_000)), check('narrow', sliding(2, 600_000), 'b')]
    for (let index = 0; index < 100; index += 1) await limiter.take(checks)
    expect((await limiter.peek(checks)).states.map(({ remaining }) => remaining)).toEqual([998, 0])
  })

  it('clock ±60 s between nodes: the server’s clock counts', async () => {
    const limiter = patient('clocks')
    const real = Date.now
    const rules = [
      sliding(6, 30_000),
      { algorithm: 'gcra', limit: 6, windowMs: 600_000, burst: 6 } as const,
      { algorithm: 'fixed', limit: 6, period: 'day' } as const,
    ]
    for (const rule of rules) {
      const answers: RateLimitAnswer[] = []
      for (const skewMs of [0, 60_000, -60_000, 86_400_000, 0]) {
        jest.spyOn(Date, 'now').mockImplementation(() => real() + skewMs)
        for (let index = 0; index < 3; index += 1)
          answers.push(await limiter.take([check(rule.algorithm, rule)]))
      }
      jest.restoreAllMocks()
      expect(answers.filter(({ allowed }) => allowed)).toHaveLength(6)
    }
  })

  it('two limiters on one client keep their own rules', async () => {
    const store = redisStore(client, { prefix: 'two', timeoutMs: 5000 })
    const [first, second] = [new RedisLimiter(store), new RedisLimiter(store)]
    const seen: boolean[] = []
    for (let index = 0; index < 3; index += 1) {
      seen.push((await first.take([check('one', sliding(1, 600_000))])).allowed)
      seen.push((await second.take([check('three', sliding(3, 600_000))])).allowed)
    }
    expect(seen).toEqual([true, true, false, true, false, true])
  })

  it('frozen and killed Redis: within time-out + 10 ms, and near zero once the breaker is open', async () => {
    const store = redisStore(client, { timeoutMs: 50, breakerFailures: 3, breakerCoolDownMs: 60_000 })
    const limiter = new RedisLimiter(store)
    const decisionMs = async (): Promise<number> => {
      const startedMs = performance.now()
      await expect(limiter.take([check('down', sliding(5))])).rejects.toMatchObject({
        reason: 'store_unavailable',
      })
      return performance.now() - startedMs
    }
    redis.freeze()
    const paid = [await decisionMs(), await decisionMs(), await decisionMs()]
    const free = [await decisionMs(), await decisionMs(), await decisionMs()]
    redis.thaw()
    // The least of three: the others may have waited for a machine that has other work.
    expect(Math.min(...paid)).toBeLessThan(50 + 10 + 15)
    expect(Math.min(...free)).toBeLessThan(5)
    const killed = new RedisLimiter(redisStore(client, { timeoutMs: 50, breakerFailures: 100 }))
    await redis.stop()
    const startedMs = performance.now()
    await expect(killed.take([check('down', sliding(5))])).rejects.toMatchObject({
      reason: 'store_unavailable',
    })
    expect(performance.now() - startedMs).toBeLessThan(500)
  })
})
