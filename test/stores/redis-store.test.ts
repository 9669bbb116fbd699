import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import request from 'supertest'
import { auditLog } from '../../src/audit/audit-log.js'
import type { SharedStore } from '../../src/core/ports.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { evaluate } from '../../src/stores/redis/command.js'
import { RedisLimiter } from '../../src/stores/redis/limiter.js'
import { redisStore, type RedisStoreOptions } from '../../src/stores/redis.js'
import { rateLimit, type RateLimitOptions, type RateLimiter } from '../../src/traffic/rate-limit.js'
import { keepingLogger } from '../support/records.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { describeWith, program } from '../support/requirements.js'
import { slowProxy } from '../support/slow-proxy.js'

describe('redisStore', () => {
  const client = { defineCommand: () => undefined }

  it.each([undefined, null, 'redis://localhost', {}, { get: () => undefined }])(
    'refuses %p, which is no client',
    (given) => {
      expect(() => redisStore(given as never)).toThrow(
        'redisStore: client must be an ioredis or node-redis client',
      )
    },
  )

  it.each<[object, string]>([
    [{ timeoutMs: 0 }, 'redisStore: timeoutMs must be an integer from 5 to 5000 milliseconds, got 0'],
    [{ timeoutMs: 'x' }, 'redisStore: timeoutMs must be an integer from 5 to 5000 milliseconds, got "x"'],
    [{ breakerFailures: 0 }, 'redisStore: breakerFailures must be an integer from 1 to 100, got 0'],
    [{ timeout: 50 }, 'Did you mean timeoutMs?'],
  ])('refuses options %p', (options, message) => {
    expect(() => redisStore(client, options)).toThrow(message)
  })

  it('shows its time-out, its failures and its recovery', async () => {
    const store = redisStore(client, { timeoutMs: 5, breakerFailures: 2, breakerCoolDownMs: 100 })
    const never = (): Promise<never> => new Promise(() => undefined)
    expect(store.health().status).toBe('ok')
    await expect(store.run(never)).rejects.toMatchObject({ status: 503, reason: 'store_unavailable' })
    await expect(store.run(() => Promise.reject(new Error('x')))).rejects.toMatchObject({ status: 503 })
    expect(store.health()).toMatchObject({ status: 'down', detail: 'circuit open' })
    let tried = false
    const untried = store.run(() => Promise.resolve((tried = true)))
    await expect(untried).rejects.toMatchObject({
      headers: { 'retry-after': expect.stringMatching(/^[12]$/) },
    })
    expect(tried).toBe(false)
    await new Promise((resolve) => setTimeout(resolve, 110))
    await expect(store.run(() => Promise.resolve(7))).resolves.toBe(7)
    expect(store.health().status).toBe('ok')
  })

  it('takes an operation that throws at once for a failure', async () => {
    const store = redisStore(client)
    const broken = (): never => {
      throw new Error('x')
    }
    await expect(store.run(broken)).rejects.toMatchObject({ reason: 'store_unavailable' })
  })
})

describe('a script', () => {
  const NOSCRIPT = new Error('NOSCRIPT No matching script. Please use EVAL.')
  const scripted = (answers: (name: string) => Promise<unknown>): readonly [object, string[]] => {
    const sent: string[] = []
    const call = (name: string): Promise<unknown> => {
      sent.push(name)
      return answers(name)
    }
    return [{ defineCommand: () => undefined, call }, sent]
  }
  const ask = (client: object, timeoutMs = 1000): Promise<unknown> =>
    evaluate(redisStore(client, { timeoutMs }), 'return 1', ['key'], [])

  it('is sent by its digest, and as text only where the server does not know it', async () => {
    const [knows, first] = scripted(() => Promise.resolve(1))
    const [forgot, second] = scripted((name) =>
      name === 'EVAL' ? Promise.resolve(1) : Promise.reject(NOSCRIPT),
    )
    expect([await ask(knows), await ask(forgot)]).toEqual([1, 1])
    expect([first, second]).toEqual([['EVALSHA'], ['EVALSHA', 'EVAL']])
  })

  it('is not sent again for any other failure', async () => {
    for (const cause of [
      new Error('OOM command not allowed'),
      new Error('x NOSCRIPT'),
      'NOSCRIPT',
      undefined,
    ]) {
      const [client, sent] = scripted(() => Promise.reject(cause))
      await expect(ask(client)).rejects.toMatchObject({ reason: 'store_unavailable' })
      expect(sent).toEqual(['EVALSHA'])
    }
  })

  it('is not sent once its time is over, for then nobody waits for what it would count', async () => {
    const [client, sent] = scripted(
      () =>
        new Promise((_, reject) =>
          setTimeout(() => {
            reject(NOSCRIPT)
          }, 200),
        ),
    )
    await expect(ask(client, 5)).rejects.toMatchObject({ evidence: { problem: 'too slow' } })
    await new Promise((resolve) => setTimeout(resolve, 230))
    expect(sent).toEqual(['EVALSHA'])
  })
})

describeWith(program('redis-server', 'redis-server'), 'rateLimit on a real Redis', () => {
  let redis: RunningRedis
  let client: Redis
  let name = 0
  const limiters: RateLimiter[] = []

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(async () => {
    await redis.stop()
  })
  beforeEach(() => {
    name += 1
    client = new Redis(redis.port, '127.0.0.1')
    client.on('error', () => undefined)
  })
  afterEach(async () => {
    client.disconnect()
    await Promise.all(limiters.splice(0).map((limiter) => limiter.close()))
  })

  const limiterOf = (options: Partial<RateLimitOptions> = {}, store = storeOf()): RateLimiter => {
    const limiter = rateLimit({
      name: `real-${name}`,
      limit: 3,
      windowSeconds: 60,
      by: 'address',
      store,
      ...options,
    })
    limiters.push(limiter)
    return limiter
  }
  const storeOf = (options: RedisStoreOptions = {}, on: object = client): SharedStore =>
    redisStore(on, { breakerCoolDownMs: 150, ...options })
  const appWith = (limiter = limiterOf()): express.Express => {
    const app = express()
    app.use(auditLog({ logger: keepingLogger() }), limiter)
    app.get('/', (_req, res) => {
      res.json({})
    })
    app.use(secureErrors())
    return app
  }
  const statuses = async (app: express.Express, times: number): Promise<number[]> => {
    const seen: number[] = []
    for (let i = 0; i < times; i += 1) seen.push((await request(app).get('/')).status)
    return seen
  }
  const coolDown = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 200))

  it('allows exactly the limit, with the fields of the draft', async () => {
    const app = appWith()
    expect(await statuses(app, 2)).toEqual([200, 200])
    const last = await request(app).get('/')
    expect(last.headers).toMatchObject({
      ratelimit: expect.stringMatching(/^"real-\d+";r=0;t=(59|6[0-2])$/),
      'ratelimit-policy': `"real-${name}";q=3;w=60`,
    })
    const refused = await request(app).get('/')
    expect(refused.status).toBe(429)
    expect(refused.headers['retry-after']).toMatch(/^\d+$/)
    expect(refused.body['violated-policies']).toEqual([`real-${name}`])
  })

  it('shares counts between two processes’ worth of limiters', async () => {
    const other = new Redis(redis.port, '127.0.0.1')
    const [first, second] = [appWith(), appWith(limiterOf({}, storeOf({}, other)))]
    expect([...(await statuses(first, 2)), ...(await statuses(second, 2))]).toEqual([200, 200, 200, 429])
    other.disconnect()
  })

  it('works with node-redis too', async () => {
    const nodeRedis = createClient({ url: redis.url })
    nodeRedis.on('error', () => undefined)
    await nodeRedis.connect()
    expect(await statuses(appWith(limiterOf({}, storeOf({}, nodeRedis))), 4)).toEqual([200, 200, 200, 429])
    nodeRedis.destroy()
  })

  type Mode = 'local' | 'deny' | 'allow'
  const modes: readonly [Mode, readonly number[], string][] = [
    ['local', [200, 200, 429, 429, 429, 429], '6 by share, 0 uncounted'],
    ['deny', [503, 503, 503, 503, 503, 503], ''],
    ['allow', [200, 200, 200, 200, 200, 200], '0 by share, 6 uncounted'],
  ]

  describe.each(modes)('with onOutage %s', (onOutage, expected, tally) => {
    // A limit of 8 for 4 instances is a share of 2.
    const outage = { onOutage, instances: 4, limit: 8 }
    const check = async (limiter: RateLimiter, app: express.Express): Promise<void> => {
      expect(await statuses(app, 6)).toEqual(expected)
      expect(limiter.health().status).not.toBe('ok')
      expect(limiter.health().detail).toContain(tally)
    }

    it('decides while Redis is frozen, counts what it admitted, and recovers', async () => {
      const limiter = limiterOf(outage)
      const app = appWith(limiter)
      expect(await statuses(app, 1)).toEqual([200])
      redis.freeze()
      await check(limiter, app).finally(() => {
        redis.thaw()
      })
      await coolDown()
      expect(await statuses(app, 1)).toEqual([200])
      expect(limiter.health().status).toBe('ok')
    })

    it('decides when Redis is killed, and recovers when it is back, empty', async () => {
      const limiter = limiterOf(outage)
      const app = appWith(limiter)
      expect(await statuses(app, 8)).toEqual(Array(8).fill(200))
      await redis.stop()
      await check(limiter, app)
      redis = await startRedis(redis.port)
      await expect(client.ping()).resolves.toBe('PONG')
      await coolDown()
      // It came back without scripts and without counts. What ioredis had kept for it to do may have been charged.
      const recovered = await statuses(app, 9)
      expect(recovered[0]).toBe(200)
      expect(recovered.at(-1)).toBe(429)
      expect(limiter.health().status).toBe('ok')
    })

    it('decides when Redis is slow, as behind a bad network', async () => {
      const proxy = await slowProxy(redis.port)
      const slow = new Redis(proxy.port, '127.0.0.1')
      const limiter = limiterOf(outage, storeOf({}, slow))
      const app = appWith(limiter)
      expect(await statuses(app, 1)).toEqual([200])
      proxy.delayMs = 400
      await check(limiter, app)
      slow.disconnect()
      await proxy.close()
    })
  })

  it('decides within the time-out, and at once when the circuit is open', async () => {
    const rule = { algorithm: 'sliding', limit: 1000, windowMs: 60_000 } as const
    const checks = [{ name: 'timed', rule, key: 'a', cost: 1 }]
    const timed = async (limiter: RedisLimiter): Promise<number> => {
      const taken: number[] = []
      for (let index = 0; index < 9; index += 1) {
        const startedMs = performance.now()
        await expect(limiter.take(checks)).rejects.toMatchObject({ reason: 'store_unavailable' })
        taken.push(performance.now() - startedMs)
      }
      return taken.toSorted((a, b) => a - b)[4]!
    }
    const patient = new RedisLimiter(storeOf({ breakerFailures: 100 }))
    const guarded = new RedisLimiter(storeOf({ breakerFailures: 1, breakerCoolDownMs: 60_000 }))
    await patient.take(checks)
    redis.freeze()
    const [slow, open] = [await timed(patient), await timed(guarded)]
    redis.thaw()
    expect(slow).toBeGreaterThanOrEqual(45)
    // 10 ms more than the time-out, and room for a machine that has other work.
    expect(slow).toBeLessThan(120)
    expect(open).toBeLessThan(10)
  })

  it('never tries a take again that timed out: the server may still carry it out', async () => {
    const rule = { algorithm: 'sliding', limit: 100, windowMs: 60_000 } as const
    const checks = [{ name: `once-${name}`, rule, key: 'a', cost: 1 }]
    const limiter = new RedisLimiter(storeOf({ breakerFailures: 100 }))
    const calm = new RedisLimiter(storeOf({ timeoutMs: 5000 }))
    await limiter.take(checks)
    redis.freeze()
    const taken = await Promise.allSettled(Array.from({ length: 5 }, () => limiter.take(checks)))
    redis.thaw()
    expect(taken.map(({ status }) => status)).toEqual(Array(5).fill('rejected'))
    expect((await calm.peek(checks)).states[0]?.remaining).toBe(94)
  })

  it('counts one share for all limiters of a name', async () => {
    const store = storeOf({ breakerFailures: 1, breakerCoolDownMs: 60_000 })
    const [first, second] = [appWith(limiterOf({}, store)), appWith(limiterOf({}, store))]
    redis.freeze()
    const seen = [...(await statuses(first, 2)), ...(await statuses(second, 2))]
    redis.thaw()
    expect(seen).toEqual([200, 200, 200, 429])
  })

  it('says when to come back to a cost that is more than a share, and nothing of one that never fits', async () => {
    const store = storeOf({ breakerFailures: 1, breakerCoolDownMs: 60_000 })
    const heavy = appWith(limiterOf({ limit: 10, instances: 5, cost: 4 }, store))
    redis.freeze()
    const refused = await request(heavy).get('/')
    redis.thaw()
    expect(refused.status).toBe(429)
    expect(refused.headers['retry-after']).toMatch(/^\d+$/)
  })
})
