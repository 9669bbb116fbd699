import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import * as fc from 'fast-check'
import { Redis } from 'ioredis'
import { onEvent } from '../../src/core/events.js'
import type { LimitRule, RateLimitAnswer, RateLimitCheck, RateLimitPort } from '../../src/core/ports.js'
import { MemoryLimiter } from '../../src/stores/memory/limiter.js'
import { redisStore } from '../../src/stores/redis.js'
import { slotOf } from '../../src/stores/redis/cluster.js'
import { LIMIT_SCRIPT } from '../../src/stores/redis/limit-script.js'
import { RedisLimiter } from '../../src/stores/redis/limiter.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { describeWith, program } from '../support/requirements.js'

// 2026-11-22T12:00:00Z, so that calendar periods end where the tests say.
const NOON = Date.UTC(2026, 10, 22, 12)
let now = NOON

const sliding = (limit: number, windowMs = 1000): LimitRule => ({ algorithm: 'sliding', limit, windowMs })
const gcra = (limit: number, burst: number, windowMs = 1000): LimitRule => ({
  algorithm: 'gcra',
  limit,
  windowMs,
  burst,
})
const check = (rule: LimitRule, key = 'a', cost = 1, name = 'x'): RateLimitCheck => ({
  name,
  rule,
  key,
  cost,
})

/** One implementation on a clock that a test can set. */
function contract(title: string, make: () => RateLimitPort): void {
  describe(title, () => {
    const take = async (...checks: RateLimitCheck[]): Promise<RateLimitAnswer> => make_.take(checks)
    let make_: RateLimitPort
    const passes = async (one: RateLimitCheck, times: number): Promise<number> => {
      let passed = 0
      for (let index = 0; index < times; index += 1) passed += (await take(one)).allowed ? 1 : 0
      return passed
    }
    const fresh = (): void => {
      now = NOON
      make_ = make()
    }

    it.each<[string, LimitRule, number]>([
      ['sliding', sliding(5), 5],
      ['gcra', gcra(5, 3), 3],
      ['fixed', { algorithm: 'fixed', limit: 5, period: 'minute' }, 5],
    ])('%s: passes what it says at once, and no more', async (_name, rule, limit) => {
      fresh()
      expect(await passes(check(rule), 12)).toBe(limit)
      expect(await passes(check(rule, 'b'), 1)).toBe(1)
    })

    it.each<[string, 'minute' | 'day' | 'month', number]>([
      ['a minute', 'minute', 60_000],
      ['a day', 'day', 12 * 3_600_000],
      ['a month', 'month', (8 * 24 + 12) * 3_600_000],
    ])(
      'fixed: a clock that goes back over the end of %s hands out nothing twice',
      async (_name, period, untilEnd) => {
        fresh()
        const rule: LimitRule = { algorithm: 'fixed', limit: 3, period }
        const end = NOON + untilEnd
        now = end + 50
        expect(await passes(check(rule), 5)).toBe(3)
        now = end - 100
        const refused = await take(check(rule))
        expect(refused.allowed).toBe(false)
        // Until the end of the period that is counted in, not of the one that the clock shows.
        expect(refused.states[0]?.retryMs).toBeGreaterThan(100)
        now = end + 100
        expect(await passes(check(rule), 5)).toBe(0)
        now += refused.states[0]!.retryMs
        expect(await passes(check(rule), 5)).toBe(3)
      },
    )

    it('sliding: never more than the limit in any window, whenever the requests come', async () => {
      fresh()
      const rule = sliding(100)
      const admitted: number[] = []
      const ask = async (times: number): Promise<void> => {
        for (let index = 0; index < times; index += 1)
          if ((await take(check(rule))).allowed) admitted.push(now)
      }
      await ask(1)
      now += 990
      await ask(99)
      for (let step = 0; step < 150; step += 1) {
        now += 10
        await ask(3)
      }
      const most = Math.max(
        ...admitted.map((begin) => admitted.filter((at) => at >= begin && at < begin + 1000).length),
      )
      expect(most).toBeLessThanOrEqual(100)
      expect(admitted.length).toBeGreaterThanOrEqual(200)
    })

    it('sliding: says what is left, and when the next point comes back', async () => {
      fresh()
      const rule = sliding(2, 10_000)
      expect(await take(check(rule))).toEqual({
        allowed: true,
        states: [{ allowed: true, remaining: 1, resetMs: 10_000, retryMs: 0 }],
      })
      now += 5000
      await take(check(rule))
      const [state] = (await take(check(rule))).states
      expect(state).toMatchObject({ allowed: false, remaining: 0 })
      expect(state?.retryMs).toBeGreaterThanOrEqual(5000)
      expect(state?.retryMs).toBeLessThanOrEqual(5200)
      now += state?.retryMs ?? 0
      expect(await passes(check(rule), 2)).toBe(1)
    })

    it('gcra: one point each interval after the burst', async () => {
      fresh()
      const rule = gcra(10, 2)
      expect(await passes(check(rule), 5)).toBe(2)
      expect((await take(check(rule))).states[0]?.retryMs).toBe(100)
      now += 100
      expect(await passes(check(rule), 5)).toBe(1)
      now += 250
      expect(await passes(check(rule), 5)).toBe(2)
      now += 60_000
      expect(await passes(check(rule), 5)).toBe(2)
    })

    it.each<['minute' | 'hour' | 'day' | 'month', number]>([
      ['minute', Date.UTC(2026, 10, 22, 12, 1)],
      ['hour', Date.UTC(2026, 10, 22, 13)],
      ['day', Date.UTC(2026, 10, 23)],
      ['month', Date.UTC(2026, 11, 1)],
    ])('fixed: by the %s of the UTC calendar', async (period, end) => {
      fresh()
      const rule: LimitRule = { algorithm: 'fixed', limit: 2, period }
      expect(await passes(check(rule), 3)).toBe(2)
      expect((await take(check(rule))).states[0]).toMatchObject({ resetMs: end - NOON, retryMs: end - NOON })
      now = end - 1
      expect(await passes(check(rule), 3)).toBe(0)
      now = end
      expect(await passes(check(rule), 3)).toBe(2)
    })

    it.each([
      [Date.UTC(2028, 1, 29, 23, 59, 59), Date.UTC(2028, 2, 1)],
      [Date.UTC(2027, 1, 1), Date.UTC(2027, 2, 1)],
      [Date.UTC(2026, 11, 31, 12), Date.UTC(2027, 0, 1)],
      [Date.UTC(2027, 0, 1), Date.UTC(2027, 1, 1)],
      [Date.UTC(2100, 1, 28), Date.UTC(2100, 2, 1)],
    ])('fixed: the month of %d ends at %d', async (begin, end) => {
      fresh()
      now = begin
      const rule: LimitRule = { algorithm: 'fixed', limit: 2, period: 'month' }
      expect((await take(check(rule))).states[0]?.resetMs).toBe(end - begin)
    })

    it('charges no limit for a request that one of them refuses', async () => {
      fresh()
      const [narrow, wide] = [check(sliding(2), 'a', 1, 'narrow'), check(sliding(50), 'b', 1, 'wide')]
      for (let index = 0; index < 20; index += 1) await take(wide, narrow)
      const { states } = await make_.peek([wide, narrow])
      expect(states.map(({ remaining }) => remaining)).toEqual([48, 0])
    })

    it('takes a cost, and says of one that never fits that it never does', async () => {
      fresh()
      expect((await take(check(sliding(10), 'a', 7))).states[0]?.remaining).toBe(3)
      expect((await take(check(sliding(10), 'a', 4))).allowed).toBe(false)
      expect((await take(check(sliding(10), 'a', 3))).allowed).toBe(true)
      for (const rule of [
        sliding(10),
        gcra(10, 5),
        { algorithm: 'fixed', limit: 10, period: 'day' } as LimitRule,
      ])
        expect((await take(check(rule, 'z', 11, rule.algorithm))).states[0]?.retryMs).toBe(Infinity)
    })

    it.each<[string, LimitRule]>([
      ['sliding', sliding(3)],
      ['gcra', gcra(3, 3)],
      ['fixed', { algorithm: 'fixed', limit: 3, period: 'hour' }],
    ])('%s: gives back what was charged, and never more', async (name, rule) => {
      fresh()
      const one = check(rule, 'a', 1, name)
      await take(one)
      await take(one)
      await make_.refund([one])
      expect((await make_.peek([one])).states[0]?.remaining).toBe(2)
      for (let index = 0; index < 5; index += 1) await make_.refund([one])
      expect(await passes(one, 9)).toBe(3)
      await make_.reset([one])
      expect(await passes(one, 9)).toBe(3)
    })

    it('gcra: counts each point of a rate of a thousand million a second', async () => {
      fresh()
      const rule = gcra(1_000_000_000, 1_000_000_000)
      await take(check(rule, 'a', 999_999_995))
      expect(await passes(check(rule), 12)).toBe(5)
    })

    it('counts a trial where it has room, refuses nobody for it, and charges it for no refused request', async () => {
      fresh()
      const trial = { ...check(sliding(2), 'a', 1, 'trial'), isTrial: true }
      const bound = check(sliding(4), 'a', 1, 'bound')
      const answers: RateLimitAnswer[] = []
      for (let index = 0; index < 6; index += 1) answers.push(await take(trial, bound))
      expect(answers.map(({ allowed }) => allowed)).toEqual([true, true, true, true, false, false])
      expect(answers.map(({ states }) => states[0]?.allowed)).toEqual([
        true,
        true,
        false,
        false,
        false,
        false,
      ])
      const heavy = { ...check(sliding(9), 'a', 1, 'untouched'), isTrial: true }
      await take(heavy, bound)
      expect((await make_.peek([heavy])).states[0]?.remaining).toBe(9)
    })

    it('takes a plan that shrinks or grows while its points are in use', async () => {
      fresh()
      expect(await passes(check(sliding(5)), 9)).toBe(5)
      expect((await take(check(sliding(3)))).states[0]).toMatchObject({ allowed: false, remaining: 0 })
      expect(await passes(check(sliding(8)), 9)).toBe(3)
    })

    it('says of any cost when it fits, and then it does', async () => {
      fresh()
      for (const rule of [
        sliding(10),
        gcra(10, 10),
        { algorithm: 'fixed', limit: 10, period: 'minute' } as const,
      ]) {
        now = NOON
        const name = rule.algorithm
        await take(check(rule, 'a', 4, name))
        now += 300
        await take(check(rule, 'a', 6, name))
        for (const cost of [1, 5, 10]) {
          const found = (await make_.peek([check(rule, 'a', cost, name)])).states[0]
          if (found?.allowed === true) continue
          const before = now
          now += (found?.retryMs ?? 0) - 1
          expect((await make_.peek([check(rule, 'a', cost, name)])).allowed).toBe(false)
          now += 1
          expect((await make_.peek([check(rule, 'a', cost, name)])).allowed).toBe(true)
          now = before
        }
      }
    })

    it('counts half a second, and thirty days', async () => {
      fresh()
      expect(await passes(check(sliding(2, 500), 'a', 1, 'short'), 3)).toBe(2)
      const month = check(sliding(2, 30 * 86_400_000), 'a', 1, 'long')
      expect(await passes(month, 3)).toBe(2)
      now += 511
      expect(await passes(check(sliding(2, 500), 'a', 1, 'short'), 3)).toBe(2)
      now += 29 * 86_400_000
      expect(await passes(month, 3)).toBe(0)
      now += 2 * 86_400_000
      expect(await passes(month, 3)).toBe(2)
    })
  })
}

function fakeClock(): void {
  jest.spyOn(performance, 'now').mockImplementation(() => now - NOON)
  jest.spyOn(Date, 'now').mockImplementation(() => now)
}

describe('in memory', () => {
  contract('MemoryLimiter', () => {
    fakeClock()
    return new MemoryLimiter()
  })

  it('sliding: keeps its promise whatever the schedule, in every window', () => {
    fakeClock()
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom(100, 777, 1000, 60_000),
        fc.array(fc.tuple(fc.double({ min: 0, max: 0.4, noNaN: true }), fc.integer({ min: 1, max: 5 })), {
          maxLength: 120,
        }),
        (limit, windowMs, schedule) => {
          now = NOON + 123.456
          const limiter = new MemoryLimiter()
          const admitted: (readonly [number, number])[] = []
          for (const [share, cost] of schedule) {
            now += share * windowMs
            if (limiter.take([check(sliding(limit, windowMs), 'a', cost)]).allowed) admitted.push([now, cost])
          }
          for (const [begin] of admitted) {
            const inside = admitted.filter(([at]) => at >= begin && at - begin < windowMs)
            expect(inside.reduce((sum, [, cost]) => sum + cost, 0)).toBeLessThanOrEqual(limit)
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it('holds everything that keys may be called', () => {
    const limiter = new MemoryLimiter()
    for (const key of ['__proto__', 'constructor', 'toString', '\u0000', ' ', 'é', '{', '}'.repeat(200)])
      expect(limiter.take([check(sliding(1), key)]).allowed).toBe(true)
  })

  describe('that is full', () => {
    afterEach(() => {
      jest.restoreAllMocks()
    })
    const rule = sliding(3)
    const passes = (limiter: MemoryLimiter, key: string): boolean => limiter.take([check(rule, key)]).allowed

    it('forgets no live count: further keys share one, and it is told once', () => {
      now = NOON
      fakeClock()
      const told: string[] = []
      const stop = onEvent(({ event }) => told.push(event))
      const limiter = new MemoryLimiter(100)
      expect([1, 2, 3, 4].map(() => passes(limiter, 'attacker'))).toEqual([true, true, true, false])
      const junk = Array.from({ length: 10_000 }, (_, index) => passes(limiter, `junk-${index}`))
      expect(junk.filter(Boolean)).toHaveLength(99 + 3)
      expect(passes(limiter, 'attacker')).toBe(false)
      expect(limiter.size).toBeLessThanOrEqual(101)
      expect(told).toEqual(['limiter_overflow'])
      stop()
    })

    it('has room again when a calendar period is over, whatever came before', () => {
      now = NOON
      fakeClock()
      const limiter = new MemoryLimiter(10)
      const quota: LimitRule = { algorithm: 'fixed', limit: 2, period: 'day' }
      const admitted = (key: string): boolean => limiter.take([check(quota, key)]).allowed
      for (let index = 0; index < 500; index += 1) admitted(`junk-${index}`)
      expect(admitted('newcomer')).toBe(false)
      now += 12 * 3_600_000
      expect(Array.from({ length: 10 }, (_, index) => admitted(`day-2-${index}`))).toEqual(
        Array(10).fill(true),
      )
      // A clock that was a year ahead for a moment, and is right again.
      now += 365 * 86_400_000
      expect(admitted('ahead')).toBe(true)
      now -= 365 * 86_400_000
      for (let index = 0; index < 500; index += 1) admitted(`junk-${index}`)
      now += 86_400_000
      expect(Array.from({ length: 10 }, (_, index) => admitted(`day-3-${index}`))).toEqual(
        Array(10).fill(true),
      )
    })

    it('has room again when their time is over', () => {
      now = NOON
      fakeClock()
      const limiter = new MemoryLimiter(10)
      for (let round = 0; round < 5; round += 1) {
        for (let index = 0; index < 10; index += 1) expect(passes(limiter, `${round}-${index}`)).toBe(true)
        now += 3000
      }
    })
  })
})

describe('a slot of a Cluster', () => {
  it.each([
    ['123456789', 12739],
    ['{user1000}.following', slotOf('user1000')],
    ['foo{}{bar}', slotOf('foo{}{bar}')],
    ['foo{{bar}}zap', slotOf('{bar')],
  ])('of %j is %d', (key, slot) => {
    expect(slotOf(key)).toBe(slot)
  })
})

describeWith(program('redis-server', 'redis-server'), 'in Redis', () => {
  let server: RunningRedis
  let client: Redis
  let made = 0

  beforeAll(async () => {
    server = await startRedis()
    client = new Redis(server.port, '127.0.0.1')
  })
  afterAll(async () => {
    client.disconnect()
    await server.stop()
  })

  /** A limiter whose server has the time that the test says. */
  const onOurClock = (): RedisLimiter => {
    const clocked = {
      defineCommand: () => undefined,
      call: (name: string, script: string, ...rest: string[]) => {
        if (!name.startsWith('EVAL')) return client.call(name, script, ...rest)
        const time = `{ ${Math.floor(now / 1000)}, ${Math.round((now % 1000) * 1000)} }`
        return client.call('EVAL', LIMIT_SCRIPT.replace("redis.call('TIME')", time), ...rest)
      },
    }
    made += 1
    return new RedisLimiter(redisStore(clocked, { prefix: `test-${made}`, timeoutMs: 5000 }))
  }

  contract('RedisLimiter, by a clock of ours', () => {
    return onOurClock()
  })

  it('decides as the memory does, whatever the schedule', async () => {
    fakeClock()
    const rules: readonly LimitRule[] = [
      sliding(7, 1000),
      sliding(3, 500),
      gcra(10, 4),
      { algorithm: 'fixed', limit: 9, period: 'minute' },
    ]
    const step = fc.record({
      pauseMs: fc.integer({ min: 0, max: 400 }),
      picked: fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }),
      cost: fc.integer({ min: 1, max: 4 }),
      key: fc.constantFrom('a', 'b'),
      what: fc.constantFrom(
        'take' as const,
        'take' as const,
        'take' as const,
        'peek' as const,
        'refund' as const,
      ),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        now = NOON
        const [memory, redis] = [new MemoryLimiter(), onOurClock()]
        for (const { pauseMs, picked, cost, key, what } of steps) {
          now += pauseMs
          const checks = picked.map((index) => check(rules[index] as LimitRule, key, cost, `rule-${index}`))
          expect(await redis[what](checks)).toEqual(memory[what](checks))
        }
      }),
      { numRuns: 40 },
    )
    jest.restoreAllMocks()
  })

  it.each([10, 3_600_000, 86_400_000])(
    'is not locked for as long as a clock goes back: %d ms',
    async (backMs) => {
      now = NOON
      const limiter = onOurClock()
      const rule = sliding(5, 60_000)
      const passes = async (): Promise<number> => {
        let passed = 0
        for (let index = 0; index < 8; index += 1)
          passed += (await limiter.take([check(rule)])).allowed ? 1 : 0
        return passed
      }
      expect(await passes()).toBe(5)
      now -= backMs
      const refused = await limiter.take([check(rule)])
      expect(refused).toMatchObject({ allowed: false, states: [{ remaining: 0 }] })
      // A window from the moment that the clock shows now, and the slot in which it ends.
      expect(refused.states[0]?.retryMs).toBeLessThanOrEqual(61_200)
      now += 59_000
      expect(await passes()).toBe(0)
      now += 2_300
      expect(await passes()).toBe(5)
    },
  )

  it('counts on at the slot of a clock that went back a little', async () => {
    now = NOON
    const limiter = onOurClock()
    const rule = sliding(5, 1000)
    expect((await limiter.take([check(rule, 'a', 2)])).states[0]?.remaining).toBe(3)
    now -= 30
    expect((await limiter.take([check(rule, 'a', 2)])).states[0]?.remaining).toBe(1)
    await limiter.refund([check(rule, 'a', 3)])
    expect((await limiter.take([check(rule)])).states[0]?.remaining).toBe(3)
  })

  it('asks for all limits of a request in one command, by the digest of a script that the server knows', async () => {
    const monitored = client.duplicate()
    const sent: string[][] = []
    const counting = {
      defineCommand: () => undefined,
      call: (...args: [string, ...string[]]) => {
        sent.push(args)
        return monitored.call(...args)
      },
    }
    const limiter = new RedisLimiter(redisStore(counting, { prefix: 'counted', timeoutMs: 2000 }))
    const three = [sliding(9), gcra(9, 9), { algorithm: 'fixed', limit: 9, period: 'day' } as const].map(
      (rule, index) => check(rule, `caller-${index}`, 1, `policy-${index}`),
    )
    await client.script('FLUSH')
    await limiter.take(three)
    expect(sent.map(([name]) => name)).toEqual(['EVALSHA', 'EVAL'])
    await limiter.take(three)
    expect(sent.slice(2).map(([name]) => name)).toEqual(['EVALSHA'])
    expect(sent.flat().filter((word) => word.length > 1000)).toHaveLength(1)
    monitored.disconnect()
  })

  it('leaves two limiters on one client their own', async () => {
    const store = redisStore(client, { prefix: 'one-client', timeoutMs: 2000 })
    const [first, second] = [new RedisLimiter(store), new RedisLimiter(store)]
    const [narrow, wide] = [
      check(sliding(1, 60_000), 'a', 1, 'narrow'),
      check(gcra(3, 3, 60_000), 'a', 1, 'wide'),
    ]
    const seen: boolean[] = []
    for (let index = 0; index < 4; index += 1)
      seen.push((await first.take([narrow])).allowed, (await second.take([wide])).allowed)
    expect(seen).toEqual([true, true, false, true, false, true, false, false])
  })

  it('takes an answer that is no count for no answer', async () => {
    const answers = [
      'OK',
      null,
      [],
      [1, 2, 3],
      [1, 'x', 0, 0],
      [true, 1, 0, 0],
      [1, '', 0, 0],
      [1, NaN, 0, 0],
    ]
    for (const answer of answers) {
      const lying = { defineCommand: () => undefined, call: () => Promise.resolve(answer) }
      const store = redisStore(lying, { breakerFailures: 1 })
      await expect(new RedisLimiter(store).take([check(sliding(1))])).rejects.toMatchObject({
        reason: 'store_unavailable',
        evidence: { problem: 'answered something else' },
      })
      expect(store.health().status).toBe('down')
    }
  })

  it('reads numbers that the client hands on as text', async () => {
    const wordy = { defineCommand: () => undefined, call: () => Promise.resolve(['1', '4', '1000', '0']) }
    expect(await new RedisLimiter(redisStore(wordy)).take([check(sliding(5))])).toEqual({
      allowed: true,
      states: [{ allowed: true, remaining: 4, resetMs: 1000, retryMs: 0 }],
    })
  })

  it('leaves no key without an end', async () => {
    const limiter = new RedisLimiter(redisStore(client, { prefix: 'ends', timeoutMs: 2000 }))
    await limiter.take([
      check(sliding(3), 'a', 1, 's'),
      check(gcra(3, 3), 'a', 1, 'g'),
      check({ algorithm: 'fixed', limit: 3, period: 'month' }, 'a', 1, 'f'),
    ])
    const keys = await client.keys('ends:*')
    expect(keys).toHaveLength(3)
    for (const key of keys) expect(await client.pttl(key)).toBeGreaterThan(0)
  })

  it('lets exactly the limit pass of many at once, from several clients', async () => {
    const clients = [1, 2, 3].map(() => new Redis(server.port, '127.0.0.1'))
    const limiters = clients.map(
      (one) => new RedisLimiter(redisStore(one, { prefix: 'many', timeoutMs: 5000 })),
    )
    const one = check(sliding(50, 60_000))
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, index) => (limiters[index % 3] as RedisLimiter).take([one])),
    )
    expect(answers.filter(({ allowed }) => allowed)).toHaveLength(50)
    for (const each of clients) each.disconnect()
  })

  it('counts on after the server forgot its scripts', async () => {
    const limiter = new RedisLimiter(redisStore(client, { prefix: 'flushed', timeoutMs: 2000 }))
    const one = check(sliding(3, 60_000))
    await limiter.take([one])
    await client.script('FLUSH')
    expect((await limiter.take([one])).states[0]?.remaining).toBe(1)
  })
})
