import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import { Cluster, Redis } from 'ioredis'
import { createCluster } from 'redis'
import request from 'supertest'
import type { LimitRule, RateLimitCheck } from '../../src/core/ports.js'
import { auditLog } from '../../src/audit/audit-log.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { slotOf } from '../../src/stores/redis/cluster.js'
import { RedisLimiter } from '../../src/stores/redis/limiter.js'
import { redisStore } from '../../src/stores/redis.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { keepingLogger } from '../support/records.js'
import { startCluster, type RunningCluster } from '../support/redis-cluster.js'
import { describeWith, program } from '../support/requirements.js'

const sliding = (limit: number): LimitRule => ({ algorithm: 'sliding', limit, windowMs: 600_000 })
const check = (name: string, key: string, limit: number, cost = 1): RateLimitCheck => ({
  name,
  key,
  rule: sliding(limit),
  cost,
})

/** Keys that are kept on the first, the second and the third node. */
function keysOnEachNode(prefix: string): readonly [string, string, string] {
  const on = (node: number): string => {
    for (let index = 0; ; index += 1) {
      const key = `${prefix}-${index}`
      if (Math.floor((slotOf(`{${key}}`) * 3) / 16_384) === node) return key
    }
  }
  return [on(0), on(1), on(2)]
}

describeWith(program('redis-server', 'redis-server'), 'on a Redis Cluster of three nodes', () => {
  let cluster: RunningCluster
  const clients: Record<string, object> = {}
  const ends: (() => void)[] = []

  beforeAll(async () => {
    cluster = await startCluster()
    const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }))
    const ioredis = new Cluster(nodes)
    ioredis.on('error', () => undefined)
    const nodeRedis = createCluster({
      rootNodes: nodes.map(({ port }) => ({ url: `redis://127.0.0.1:${port}` })),
    })
    nodeRedis.on('error', () => undefined)
    ends.push(() => {
      ioredis.disconnect()
      nodeRedis.destroy()
    })
    await nodeRedis.connect()
    await ioredis.set('warm', '1')
    Object.assign(clients, { ioredis, 'node-redis': nodeRedis })
  }, 60_000)
  afterAll(async () => {
    for (const end of ends) end()
    await cluster.stop()
  })

  describe.each(['ioredis', 'node-redis'])('with %s', (name) => {
    const limiterOf = (prefix: string): RedisLimiter =>
      new RedisLimiter(redisStore(clients[name]!, { prefix: `${name}-${prefix}`, timeoutMs: 3000 }))

    it('counts policies that are kept on three nodes, all or nothing', async () => {
      const limiter = limiterOf('three')
      const [first, second, third] = keysOnEachNode(name)
      const checks = [check('wide', first, 50), check('narrow', second, 2), check('wider', third, 60)]
      const answers = []
      for (let index = 0; index < 20; index += 1) answers.push(await limiter.take(checks))
      expect(answers.map(({ allowed }) => allowed)).toEqual([true, true, ...Array<boolean>(18).fill(false)])
      expect(answers.at(-1)?.states.map(({ remaining }) => remaining)).toEqual([48, 0, 58])
      const { states } = await limiter.peek(checks)
      expect(states.map(({ remaining }) => remaining)).toEqual([48, 0, 58])
    })

    it('never admits more than the limit of many at once', async () => {
      const limiter = limiterOf('many')
      const [first, second] = keysOnEachNode(name)
      const checks = [check('wide', first, 100), check('narrow', second, 10)]
      const answers = await Promise.all(Array.from({ length: 100 }, () => limiter.take(checks)))
      expect(answers.filter(({ allowed }) => allowed)).toHaveLength(10)
      await limiter.refund(checks)
      const { states } = await limiter.peek(checks)
      expect(states.map(({ remaining }) => remaining)).toEqual([91, 1])
      await limiter.reset(checks)
      expect((await limiter.peek(checks)).states.map(({ remaining }) => remaining)).toEqual([100, 10])
    })

    it('counts what keys of any spelling say', async () => {
      const limiter = limiterOf('spelling')
      for (const key of ['}', '{', '{}', '}{a}', '["https://id.example","ada"]', 'é{é}', ' ']) {
        const both = [check('a', key, 1), check('b', key, 1)]
        expect([(await limiter.take(both)).allowed, (await limiter.take(both)).allowed]).toEqual([
          true,
          false,
        ])
      }
    })
  })

  it('refuses through rateLimit what one of three policies refuses, and answers with all of them', async () => {
    const app = express()
    const store = redisStore(clients['ioredis']!, { prefix: 'app', timeoutMs: 3000 })
    const [first, second, third] = keysOnEachNode('app')
    const policies = [
      { name: 'a', limit: 9, windowSeconds: 600, by: () => first },
      { name: 'b', limit: 2, windowSeconds: 600, by: () => second },
      { name: 'c', limit: 100, period: 'day' as const, by: () => third },
    ]
    app.use(auditLog({ logger: keepingLogger() }), rateLimit({ store, policies }))
    app.get('/', (_req, res) => res.end())
    app.use(secureErrors())
    const statuses = []
    for (let index = 0; index < 3; index += 1) statuses.push((await request(app).get('/')).status)
    expect(statuses).toEqual([200, 200, 429])
    const refused = await request(app).get('/')
    expect(refused.body['violated-policies']).toEqual(['b'])
    expect(refused.headers['ratelimit']).toMatch(/^"a";r=7;t=\d+, "b";r=0;t=\d+, "c";r=98;t=\d+$/)
  })

  // A client of one node that was given where a Cluster is: every command across nodes is an error.
  it.each<['deny' | 'local' | 'allow', readonly number[]]>([
    ['deny', [503, 503, 503, 503, 503, 503]],
    ['allow', [503, 503, 503, 503, 503, 503]],
    ['local', [200, 429, 429, 429, 429, 429]],
  ])('never takes CROSSSLOT for "allowed": onOutage %s', async (onOutage, expected) => {
    const client = new Redis(cluster.nodes[0]!.port, '127.0.0.1')
    const store = redisStore(client, { prefix: 'wrong', timeoutMs: 3000 })
    const [, second, third] = keysOnEachNode('wrong')
    const policies = [second, third].map((key, index) => ({
      name: `${onOutage}-${index}`,
      limit: 1,
      windowSeconds: 600,
      by: () => key,
    }))
    const app = express()
    app.use(auditLog({ logger: keepingLogger() }), rateLimit({ store, policies, onOutage }))
    app.get('/', (_req, res) => res.end())
    app.use(secureErrors())
    const statuses = []
    for (let index = 0; index < 6; index += 1) statuses.push((await request(app).get('/')).status)
    client.disconnect()
    expect(statuses).toEqual(expected)
  })

  it('gives back what two nodes charged when the third does not answer', async () => {
    const limiter = new RedisLimiter(
      redisStore(clients['ioredis']!, { prefix: 'frozen', timeoutMs: 500, breakerFailures: 100 }),
    )
    const [first, second, third] = keysOnEachNode('frozen')
    const checks = [check('a', first, 9), check('b', second, 9), check('c', third, 9)]
    await limiter.take(checks)
    cluster.nodes[2]!.freeze()
    await expect(limiter.take(checks)).rejects.toMatchObject({ reason: 'store_unavailable' })
    const { states } = await limiter.peek(checks.slice(0, 2))
    cluster.nodes[2]!.thaw()
    expect(states.map(({ remaining }) => remaining)).toEqual([8, 8])
  })
})
