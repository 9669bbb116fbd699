import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { principalFrom } from '../../src/authentication/principal-from.js'
import { problem } from '../../src/errors/problem.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { memoryStore } from '../../src/stores/memory.js'
import { idempotency } from '../../src/traffic/idempotency.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { requestTimeout } from '../../src/traffic/request-timeout.js'
import { keepingLogger } from '../support/records.js'
import { serve, type RunningServer } from '../support/server.js'

type Fetching = (url: string, init?: object, options?: object) => Promise<Response>

const page = readFileSync(join(process.cwd(), 'docs/rate-limits.md'), 'utf8')
const blocks = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code ?? '')
const shown = blocks.find((code) => code.includes('function fetchPatiently'))

describe('the client of docs/rate-limits.md', () => {
  let server: RunningServer
  let now = 0
  const waits: number[] = []
  let whileWaiting: () => void
  // What it shows, with a clock that runs as fast as it is waited for.
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the text of our own page
  const make = new Function('setTimeout', `${String(shown)}; return fetchPatiently`) as (
    wait: unknown,
  ) => Fetching
  const fetchPatiently = make((then: () => void, ms: number) => {
    waits.push(ms)
    now += ms
    whileWaiting()
    setImmediate(then)
  })
  /** How often the handler of a path ran. */
  const runs = new Map<string, number>()
  let finishSlow: () => void

  beforeAll(async () => {
    const app = express()
    app.use(auditLog({ logger: keepingLogger() }))
    const [store, windowSeconds] = [memoryStore(), 60]
    const limited = { limit: 2, windowSeconds, by: 'address', store } as const
    const run = (req: express.Request): number => {
      runs.set(req.path, (runs.get(req.path) ?? 0) + 1)
      return runs.get(req.path) ?? 0
    }
    app.get('/', rateLimit({ name: 'client', ...limited }), (_req, res) => res.end('done'))
    app.get('/dear', rateLimit({ name: 'dear', ...limited, cost: () => 3 }), (_req, res) => res.end('done'))
    app.get('/missing', (_req, res) => res.status(404).end())
    app.post('/limited', rateLimit({ name: 'limited', ...limited }), (_req, res) => res.end('done'))

    const away = problem({
      status: 503,
      code: 'away',
      detail: 'Away.',
      headers: { 'retry-after': '1' },
    })
    // Away at the first attempt, and there at the second.
    app.all('/away', (req, res, next) => {
      if (run(req) === 1) next(away)
      else res.end('done')
    })
    app.post('/slow', requestTimeout({ timeoutMs: 20 }), (req) => {
      run(req)
    })

    app.use(
      principalFrom(() => ({ subject: 'ada' }), { name: 'test' }),
      express.json(),
    )
    const once = idempotency({ store: memoryStore(), maxBodyBytes: 100 })
    app.post('/order', once, (req, res, next) => {
      if (run(req) === 1) next(away)
      else res.status(201).json(req.body)
    })
    app.post('/long', once, (req, res) => {
      run(req)
      finishSlow = () => res.status(201).json({ id: 1 })
    })
    app.post('/large', once, (req, res) => {
      run(req)
      res.end('x'.repeat(200))
    })
    app.post('/taken', (req, res) => {
      run(req)
      res.status(409).set('Retry-After', '1').end()
    })
    app.use(secureErrors())
    server = await serve(app)
  })
  afterAll(async () => {
    await server.close()
  })
  beforeEach(() => {
    jest.spyOn(performance, 'now').mockImplementation(() => now)
    waits.length = 0
    runs.clear()
    whileWaiting = () => undefined
  })

  it('gets everything done, and waits as long as it is told', async () => {
    for (let index = 0; index < 6; index += 1)
      expect(await (await fetchPatiently(`${server.url}/`)).text()).toBe('done')
    expect(waits.length).toBeGreaterThanOrEqual(2)
    expect(waits.length).toBeLessThanOrEqual(4)
    for (const ms of waits) expect(ms >= 1000 && ms <= 70_000).toBe(true)
  })

  it('gives up where it will never fit, where it is to wait too long, and for any other answer', async () => {
    expect((await fetchPatiently(`${server.url}/dear`)).status).toBe(429)
    expect((await fetchPatiently(`${server.url}/missing`)).status).toBe(404)
    const hasty = { longestWaitSeconds: 0 }
    const statuses = []
    for (let index = 0; index < 3; index += 1)
      statuses.push((await fetchPatiently(`${server.url}/`, {}, hasty)).status)
    expect(statuses.at(-1)).toBe(429)
    expect(waits).toEqual([])
  })

  const json = { 'content-type': 'application/json' }
  const order = { method: 'POST', body: '{"sku":"a"}', headers: json }
  let keys = 0
  const keyed = () => {
    keys += 1
    return { ...order, headers: { ...json, 'idempotency-key': `"key-${keys}"` } }
  }

  it('sends whatever was refused with 429 again: no handler has run', async () => {
    for (let index = 0; index < 3; index += 1)
      expect((await fetchPatiently(`${server.url}/limited`, order)).status).toBe(200)
    expect(waits).toHaveLength(1)
  })

  it.each(['GET', 'HEAD', 'OPTIONS', 'get'])('repeats %s after a 503', async (method) => {
    expect((await fetchPatiently(`${server.url}/away`, { method })).status).toBe(200)
    expect([runs.get('/away'), waits]).toEqual([2, [1000]])
  })

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])(
    'does not repeat %s without a key after a 503',
    async (method) => {
      expect((await fetchPatiently(`${server.url}/away`, { method })).status).toBe(503)
      expect([runs.get('/away'), waits]).toEqual([1, []])
    },
  )

  it('does not repeat a POST whose time was up: its handler ran', async () => {
    jest.restoreAllMocks()
    const answer = await fetchPatiently(`${server.url}/slow`, order)
    expect([answer.status, answer.headers.has('retry-after')]).toEqual([503, true])
    expect([runs.get('/slow'), waits]).toEqual([1, []])
  })

  it('repeats a POST with a key after a 503, body and all', async () => {
    const answer = await fetchPatiently(`${server.url}/order`, keyed())
    expect([answer.status, await answer.json()]).toEqual([201, { sku: 'a' }])
    expect([runs.get('/order'), waits]).toEqual([2, [1000]])
  })

  it('waits for the answer of the first request with its key', async () => {
    const same = keyed()
    const first = fetchPatiently(`${server.url}/long`, same)
    while (!runs.has('/long')) await new Promise((resolve) => setTimeout(resolve, 5))
    whileWaiting = () => {
      finishSlow()
    }
    const second = await fetchPatiently(`${server.url}/long`, same)
    expect([second.status, second.headers.get('idempotency-replayed')]).toEqual([201, 'true'])
    expect([(await first).status, runs.get('/long'), waits]).toEqual([201, 1, [1000]])
  })

  it('gives up where the answer of the first was not kept, and for a 409 of anything else', async () => {
    const same = keyed()
    expect((await fetchPatiently(`${server.url}/large`, same)).status).toBe(200)
    expect((await fetchPatiently(`${server.url}/large`, same)).status).toBe(409)
    expect((await fetchPatiently(`${server.url}/taken`, order)).status).toBe(409)
    expect([runs.get('/large'), runs.get('/taken'), waits]).toEqual([1, 1, []])
  })
})
