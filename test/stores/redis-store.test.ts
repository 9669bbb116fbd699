import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import request from 'supertest'
import { rateLimit, redisStore, secureErrors } from '../../src/index.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { describeWith, program } from '../support/requirements.js'

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
    await expect(untried).rejects.toMatchObject({ headers: { 'retry-after': '1' } })
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

describeWith(program('redis-server', 'redis-server'), 'rateLimit on a real Redis', () => {
  let redis: RunningRedis
  let name = 0

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(async () => {
    await redis.stop()
  })
  beforeEach(() => {
    name += 1
  })

  const appWith = (client: object, limit = 3): express.Express => {
    const app = express()
    const store = redisStore(client, { breakerCoolDownMs: 200 })
    app.use(rateLimit({ name: `real-${name}`, limit, windowSeconds: 60, by: 'address', store }))
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

  describe('with ioredis', () => {
    let client: Redis
    beforeEach(() => {
      client = new Redis(redis.port, '127.0.0.1')
      client.on('error', () => undefined)
    })
    afterEach(() => {
      client.disconnect()
    })

    it('allows exactly the limit, with the fields of the draft', async () => {
      const app = appWith(client)
      expect(await statuses(app, 2)).toEqual([200, 200])
      const last = await request(app).get('/')
      expect(last.headers).toMatchObject({
        ratelimit: expect.stringMatching(/^"real-\d+";r=0;t=(59|60)$/),
        'ratelimit-policy': `"real-${name}";q=3;w=60`,
      })
      const refused = await request(app).get('/')
      expect(refused.status).toBe(429)
      expect(refused.headers['retry-after']).toMatch(/^\d+$/)
      expect(refused.body['violated-policies']).toEqual([`real-${name}`])
    })

    it('shares counts between two processes’ worth of limiters', async () => {
      const other = new Redis(redis.port, '127.0.0.1')
      const [first, second] = [appWith(client), appWith(other)]
      expect([...(await statuses(first, 2)), ...(await statuses(second, 2))]).toEqual([200, 200, 200, 429])
      other.disconnect()
    })

    it('answers 503 within its time-out when Redis is frozen, at once when the circuit is open, and recovers', async () => {
      const app = appWith(client, 1000)
      expect(await statuses(app, 1)).toEqual([200])
      redis.freeze()
      try {
        const startedMs = performance.now()
        const first = await request(app).get('/')
        expect(first.status).toBe(503)
        expect(first.headers['retry-after']).toMatch(/^\d+$/)
        expect(performance.now() - startedMs).toBeLessThan(1000)
        expect(await statuses(app, 2)).toEqual([503, 503])
        const openMs = performance.now()
        expect(await statuses(app, 5)).toEqual([503, 503, 503, 503, 503])
        expect(performance.now() - openMs).toBeLessThan(200)
      } finally {
        redis.thaw()
      }
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(await statuses(app, 2)).toEqual([200, 200])
    })

    it('answers 503, never 200, when Redis is killed, and recovers when it is back', async () => {
      const app = appWith(client, 1000)
      expect(await statuses(app, 1)).toEqual([200])
      await redis.stop()
      expect(await statuses(app, 6)).toEqual([503, 503, 503, 503, 503, 503])
      redis = await startRedis(redis.port)
      await expect(client.ping()).resolves.toBe('PONG')
      await new Promise((resolve) => setTimeout(resolve, 250))
      expect(await statuses(app, 1)).toEqual([200])
    })
  })

  it('works with node-redis too', async () => {
    const client = createClient({ url: redis.url })
    client.on('error', () => undefined)
    await client.connect()
    expect(await statuses(appWith(client), 4)).toEqual([200, 200, 200, 429])
    client.destroy()
  })
})
