import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { memoryStore } from '../../src/stores/memory.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { serve, type RunningServer } from '../support/server.js'

type Fetching = (url: string, init?: object, options?: object) => Promise<Response>

const page = readFileSync(join(process.cwd(), 'docs/rate-limits.md'), 'utf8')
const shown = /```js\n(async function fetchPatiently.*?)```/s.exec(page)?.[1] ?? ''

describe('the client of docs/rate-limits.md', () => {
  let server: RunningServer
  let now = 0
  const waits: number[] = []
  // What it shows, with a clock that runs as fast as it is waited for.
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the text of our own page
  const make = new Function('setTimeout', `return ${shown}`) as (wait: unknown) => Fetching
  const fetchPatiently = make((then: () => void, ms: number) => {
    waits.push(ms)
    now += ms
    setImmediate(then)
  })

  beforeAll(async () => {
    const app = express()
    const [store, windowSeconds] = [memoryStore(), 60]
    const limited = { limit: 2, windowSeconds, by: 'address', store } as const
    app.get('/', rateLimit({ name: 'client', ...limited }), (_req, res) => res.end('done'))
    app.get('/dear', rateLimit({ name: 'dear', ...limited, cost: () => 3 }), (_req, res) => res.end('done'))
    app.get('/missing', (_req, res) => res.status(404).end())
    app.use(secureErrors())
    server = await serve(app)
  })
  afterAll(async () => {
    await server.close()
  })
  beforeEach(() => {
    jest.spyOn(performance, 'now').mockImplementation(() => now)
  })

  it('gets everything done, and waits as long as it is told', async () => {
    for (let index = 0; index < 6; index += 1)
      expect(await (await fetchPatiently(`${server.url}/`)).text()).toBe('done')
    expect(waits.length).toBeGreaterThanOrEqual(2)
    expect(waits.length).toBeLessThanOrEqual(4)
    for (const ms of waits) expect(ms >= 1000 && ms <= 70_000).toBe(true)
  })

  it('gives up where it will never fit, where it is to wait too long, and for any other answer', async () => {
    waits.length = 0
    expect((await fetchPatiently(`${server.url}/dear`)).status).toBe(429)
    expect((await fetchPatiently(`${server.url}/missing`)).status).toBe(404)
    const hasty = { longestWaitSeconds: 0 }
    const statuses = []
    for (let index = 0; index < 3; index += 1)
      statuses.push((await fetchPatiently(`${server.url}/`, {}, hasty)).status)
    expect(statuses.at(-1)).toBe(429)
    expect(waits).toEqual([])
  })
})
