import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { transformFileSync } from '@swc/core'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { onEvent, type OperationalEvent } from '../../src/core/events.js'
import { redisStore } from '../../src/stores/redis.js'
import type { SharedStore } from '../../src/core/ports.js'
import { requestTimeout } from '../../src/traffic/request-timeout.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { describeWith, program } from '../support/requirements.js'
import { caller, essence, service } from './idempotency-support.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

describeWith(program('redis-server', 'redis-server'), 'idempotency in a real Redis', () => {
  let redis: RunningRedis
  let ioredis: Redis
  let nodeRedis: ReturnType<typeof createClient>
  let prefixes = 0
  const storeOf = (client: object = ioredis): SharedStore => {
    prefixes += 1
    return redisStore(client, { prefix: `t${prefixes}`, timeoutMs: 1000 })
  }
  const keyIn = async ({ prefix }: SharedStore): Promise<string> => {
    const keys = await ioredis.keys(`${prefix}:*`)
    expect(keys).toEqual([expect.stringMatching(/^t\d+:idempotency:[\w-]{43}$/)])
    return keys[0] as string
  }

  beforeAll(async () => {
    redis = await startRedis()
    ioredis = new Redis(redis.url)
    nodeRedis = createClient({ url: redis.url }).on('error', () => undefined) as never
    await nodeRedis.connect()
  })
  afterAll(async () => {
    ioredis.disconnect()
    nodeRedis.destroy()
    await redis.stop()
  })

  it.each(['ioredis', 'node-redis'])('does a request once, through %s', async (client) => {
    const store = storeOf(client === 'ioredis' ? ioredis : nodeRedis)
    const to = service({ store, secret: 's'.repeat(32) }, (_req, res, runs) => {
      res
        .status(201)
        .location(`/orders/${runs}`)
        .send(Buffer.from([0, 255, runs]))
    })
    const first = await to.post()
    const again = await to.post()
    expect(first.status).toBe(201)
    expect(again.body).toEqual(Buffer.from([0, 255, 1]))
    expect(essence(again)).toEqual(essence(first))
    expect(again.headers['idempotency-replayed']).toBe('true')
    expect((await to.post({ body: { sku: 2 } })).status).toBe(422)
    expect((await to.post({ user: 'bob' })).body).toEqual(Buffer.from([0, 255, 2]))
  })

  it('keeps it for as long as it says, under a name that tells nothing', async () => {
    const store = storeOf()
    const to = service({ store, ttlSeconds: 600, leaseSeconds: 20 }, async (_req, res) => {
      const key = await keyIn(store)
      res.json({ lease: await ioredis.pttl(key), kept: await ioredis.get(key) })
    })
    const { lease, kept } = (await to.post({ key: '"canary"', user: 'canary' })).body
    expect(lease).toBeGreaterThan(15_000)
    expect(lease).toBeLessThanOrEqual(20_000)
    const key = await keyIn(store)
    expect(await ioredis.pttl(key)).toBeGreaterThan(590_000)
    expect(`${key} ${kept}`).not.toContain('canary')
  })

  it('frees the lease of a 503, and keeps that of a handler which never answered', async () => {
    const store = storeOf()
    const to = service({ store }, (_req, res, runs) => {
      if (runs === 1) res.status(503).end()
      else if (runs === 2) res.destroy()
      else res.json({})
    })
    expect((await to.post()).status).toBe(503)
    expect(await ioredis.keys(`${store.prefix}:*`)).toEqual([])
    await expect(to.post()).rejects.toThrow()
    expect((await to.post()).status).toBe(409)
    await ioredis.del(await keyIn(store))
    expect((await to.post()).status).toBe(200)
  })

  it.each([201, 500])('keeps a late %d, or frees its lease, behind a time-out', async (status) => {
    const store = storeOf()
    let late: (() => void) | undefined
    const to = service(
      { store },
      (_req, res, runs) => {
        res
          .status(runs === 1 ? status : 200)
          .location(`/orders/${runs}`)
          .write('run ')
        late = () => res.end(String(runs))
        if (runs > 1) late()
      },
      { before: [caller, requestTimeout({ timeoutMs: 50 })] },
    )
    const refused = await to.post()
    expect([refused.status, refused.headers['location']]).toEqual([503, undefined])
    expect((await to.post()).status).toBe(409)
    late?.()
    let again = await to.post()
    while (again.status === 409) again = await to.post()
    const expected = status === 201 ? [201, 'run 1', '/orders/1', 1] : [200, 'run 2', '/orders/2', 2]
    expect([again.status, again.text, again.headers['location'], to.runs()]).toEqual(expected)
    expect((await to.post()).headers['idempotency-replayed']).toBe('true')
  })

  it('answers 409 for good where the answer was too large to keep', async () => {
    const store = storeOf()
    const to = service({ store, maxBodyBytes: 10 }, (_req, res) => {
      res.json({ more: 'than ten bytes' })
    })
    expect((await to.post()).body.more).toBe('than ten bytes')
    const again = await to.post()
    expect(again).toMatchObject({ status: 409, body: { code: 'conflict', title: 'Answer Not Kept' } })
    expect(again.headers).not.toHaveProperty('retry-after')
    expect(to.runs()).toBe(1)
  })

  it.each<[string, (good: string) => string]>([
    ['junk', () => 'junk'],
    ['nothing', () => ''],
    ['an answer with a forged status', (good) => good.replace('"status":200', '"status":999')],
    ['an answer with a field that ends its line', (good) => good.replace('application', 'a\\r\\nb')],
  ])('answers 503 where somebody wrote %s, and does nothing', async (_case, forge) => {
    const store = storeOf()
    const to = service({ store }, (_req, res) => {
      res.json({})
    })
    await to.post()
    const key = await keyIn(store)
    await ioredis.set(key, forge((await ioredis.get(key)) ?? ''))
    const answer = await to.post()
    expect(answer.status).toBe(503)
    expect(answer.headers['retry-after']).toBe('60')
    expect(to.runs()).toBe(1)
    expect(store.health().status).toBe('ok')
  })

  it('sends no field that is not listed, whoever put it there', async () => {
    const store = storeOf()
    const to = service({ store })
    await to.post()
    const key = await keyIn(store)
    const forged = ((await ioredis.get(key)) ?? '').replace('["etag",', '["set-cookie",["a=b"]],["etag",')
    await ioredis.set(key, forged)
    const again = await to.post()
    expect(again.status).toBe(201)
    expect(again.headers).not.toHaveProperty('set-cookie')
  })

  it('does not touch what another request has taken meanwhile, and says so', async () => {
    const events: OperationalEvent[] = []
    const stop = onEvent((event) => events.push(event))
    const store = storeOf()
    let stolen = ''
    const to = service({ store }, async (_req, res) => {
      const key = await keyIn(store)
      stolen = ((await ioredis.get(key)) ?? '').replace(/"owner":"./, '"owner":"?')
      await ioredis.set(key, stolen)
      res.json({})
    })
    expect((await to.post()).status).toBe(200)
    stop()
    expect(await ioredis.get(await keyIn(store))).toBe(stolen)
    expect(events).toMatchObject([{ event: 'idempotency_lease_lost', facts: { rule: 'idempotency' } }])
  })

  it('answers 503 in time where Redis is frozen, runs nothing, and leaves no lease behind', async () => {
    const store = redisStore(ioredis, { prefix: 'frozen', timeoutMs: 200, breakerFailures: 10 })
    const to = service({ store })
    redis.freeze()
    const begin = performance.now()
    const refused = await to.post()
    const passed = performance.now() - begin
    redis.thaw()
    expect(refused.status).toBe(503)
    expect(refused.headers['retry-after']).toMatch(/^\d+$/)
    expect(passed).toBeLessThan(450)
    expect([to.runs(), to.reasons()]).toEqual([0, ['store_unavailable']])
    // What was asked in vain is carried out now, and what followed it.
    await ioredis.ping()
    expect((await to.post()).status).toBe(201)
  })

  it('leaves no lease of many at once behind, though after a few nothing is asked any more', async () => {
    // Open after one: failures of one turn count once, and a busy process hears of several in one.
    const store = redisStore(ioredis, {
      prefix: 'many',
      timeoutMs: 100,
      breakerFailures: 1,
      breakerCoolDownMs: 60_000,
    })
    const to = service({ store })
    // The server knows how to begin, and has not heard yet of a release.
    await ioredis.script('FLUSH')
    expect((await to.post()).status).toBe(201)
    const good = await ioredis.keys('many:*')
    redis.freeze()
    const refused = await Promise.all(
      Array.from({ length: 12 }, (_, index) => to.post({ key: `"k${index}"` })),
    )
    redis.thaw()
    expect(refused.map(({ status }) => status)).toEqual(Array(12).fill(503))
    // Untried: what was not asked needs no release either.
    expect((await to.post({ key: '"untried"' })).status).toBe(503)
    for (let index = 0; index < 2; index += 1) await ioredis.ping()
    expect(await ioredis.keys('many:*')).toEqual(good)
    expect(to.runs()).toBe(1)
  })

  it('takes back only what it asked for: the lease of another request stays', async () => {
    const store = redisStore(ioredis, { prefix: 'other', timeoutMs: 100, breakerFailures: 1 })
    const busy = service({ store }, async (_req, res) => {
      redis.freeze()
      const second = await busy.post()
      redis.thaw()
      await ioredis.ping()
      res.json({ second: second.status, held: (await ioredis.keys('other:*')).length })
    })
    expect((await busy.post()).body).toEqual({ second: 503, held: 1 })
  })

  it('asks nothing of a Redis that is left alone', async () => {
    const sent: string[] = []
    const client = {
      defineCommand: () => undefined,
      call: (name: string, text: string) => {
        sent.push(`${name} ${text.length}`)
        return Promise.reject(new Error('no'))
      },
    }
    const store = redisStore(client, { breakerFailures: 1, breakerCoolDownMs: 60_000 })
    const to = service({ store })
    expect((await to.post()).status).toBe(503)
    // The lease, and what takes it back; both fail, and nobody is told of the second.
    expect(sent).toHaveLength(2)
    expect((await to.post()).status).toBe(503)
    expect(sent).toHaveLength(2)
    expect([to.runs(), to.reasons()]).toEqual([0, ['store_unavailable']])
  })

  it('answers all the same where Redis freezes while the handler runs, and says that nothing was kept', async () => {
    const events: OperationalEvent[] = []
    const stop = onEvent((event) => events.push(event))
    const store = redisStore(ioredis, { prefix: 'late', timeoutMs: 200 })
    const to = service({ store }, (_req, res) => {
      redis.freeze()
      res.json({})
    })
    const answer = await to.post()
    redis.thaw()
    stop()
    expect(answer.status).toBe(200)
    expect(events).toMatchObject([
      { event: 'idempotency_not_kept', facts: { rule: 'idempotency', step: 'finish' } },
    ])
    await ioredis.ping()
  })

  describe('two processes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bulwark-idempotency-'))
    const running: ChildProcess[] = []

    afterAll(async () => {
      for (const child of running) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      rmSync(folder, { recursive: true, force: true })
    })

    async function start(): Promise<{ child: ChildProcess; url: string }> {
      const child = fork(join(folder, 'service.js'), [redis.url], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        execArgv: [],
        env: { ...process.env, NODE_OPTIONS: '' },
      })
      running.push(child)
      const [{ port }] = (await once(child, 'message')) as [{ port: number }]
      return { child, url: `http://127.0.0.1:${port}/orders` }
    }

    const ask = async (
      url: string,
      key: string,
    ): Promise<{ status: number; pid: unknown; replayed: boolean }> => {
      const answer = await fetch(url, {
        method: 'POST',
        headers: { 'idempotency-key': `"${key}"`, 'content-type': 'application/json' },
        body: '{"sku":1}',
      })
      const { pid } = (await answer.json()) as { pid?: unknown }
      return { status: answer.status, pid, replayed: answer.headers.has('idempotency-replayed') }
    }

    it('run the handler once, though both are asked at the same time, and give one answer', async () => {
      compile(folder)
      const [one, other] = await Promise.all([start(), start()])
      for (let round = 0; round < 5; round += 1) {
        const key = `round ${round}`
        const urls = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one.url : other.url))
        const answers = await Promise.all(urls.map((url) => ask(url, key)))
        const done = answers.filter(({ status }) => status === 201)
        expect(answers.filter(({ status }) => status === 409)).toHaveLength(20 - done.length)
        expect(done.filter(({ replayed }) => !replayed)).toHaveLength(1)
        const later = await Promise.all([ask(one.url, key), ask(other.url, key)])
        expect(later).toEqual(Array(2).fill({ status: 201, pid: done[0]?.pid, replayed: true }))
        expect(await ioredis.get(`handled:${key}`)).toBe('1')
      }
      // A process that ends in the middle leaves its lease; nobody does its work again before that has ended.
      const lost = ask(one.url, 'crash').catch(() => 'lost')
      await once(one.child, 'exit')
      expect(await lost).toBe('lost')
      expect((await ask(other.url, 'crash')).status).toBe(409)
      expect(await ioredis.get('handled:crash')).toBe('1')
    })
  })
})

const SERVICE = `
import express from 'express'
import { Redis } from 'ioredis'
import { principalFrom } from './src/authentication/principal-from.js'
import { redisStore } from './src/stores/redis.js'
import { idempotency } from './src/traffic/idempotency.js'

const client = new Redis(process.argv[2])
const app = express()
app.use(express.json(), principalFrom(() => ({ subject: 'ada' }), { name: 'test' }))
app.use(idempotency({ store: redisStore(client, { prefix: 'two', timeoutMs: 2000 }) }))
app.post('/orders', async (req, res) => {
  const key = req.headers['idempotency-key'].slice(1, -1)
  await client.incr('handled:' + key)
  if (key === 'crash') process.kill(process.pid, 'SIGKILL')
  setTimeout(() => res.status(201).json({ pid: process.pid }), 20)
})
app.use((error, req, res, next) => res.status(error.status).json({ code: error.code }))
const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
`

/** The sources as they are: a build would take longer, and be shared with other tests. */
function compile(folder: string): void {
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  writeFileSync(join(folder, 'service.js'), SERVICE)
  for (const layer of ['core', 'stores', 'authentication', 'traffic']) {
    const from = join(root, 'src', layer)
    for (const file of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
      const to = join(folder, 'src', layer, file)
      mkdirSync(join(to, '..'), { recursive: true })
      if (!file.endsWith('.ts')) continue
      const { code } = transformFileSync(join(from, file), {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'es6' },
      })
      writeFileSync(`${to.slice(0, -3)}.js`, code)
    }
  }
}
