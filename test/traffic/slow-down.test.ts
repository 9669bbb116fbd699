import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { memoryStore } from '../../src/stores/memory.js'
import { contextOf } from '../../src/core/context.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { slowDown, type SlowDownOptions } from '../../src/traffic/slow-down.js'
import { serve, type RunningServer } from '../support/server.js'
import { GET, appWith, opened, statusOf, until, type Handler } from './overload-support.js'

const user: SlowDownOptions['by'] = (req) => String(req.headers['x-user'] ?? 'ada')
const throttle = (overrides: Partial<SlowDownOptions> = {}): ReturnType<typeof slowDown> =>
  slowDown({
    name: 'test',
    after: 0,
    windowSeconds: 60,
    delayMs: 60_000,
    maxDelayMs: 60_000,
    by: user,
    store: memoryStore(),
    ...overrides,
  })

let handled = 0
const ok: Handler = (_req, res) => {
  handled += 1
  res.json({})
}
let server: RunningServer
const serving = async (...guards: unknown[]): Promise<string> => {
  handled = 0
  server = await serve(appWith(guards, ok))
  return server.url
}
const waiting = (guard: ReturnType<typeof slowDown>, count: number): Promise<void> =>
  until(() => guard.health().detail?.endsWith(`${count} waiting`) === true, `${count} waiting`)

afterEach(() => server.close())

describe('slowDown', () => {
  it('delays each request beyond the free ones longer than the one before, and none longer than the longest', async () => {
    const delays: (number | undefined)[] = []
    const real = globalThis.setTimeout
    jest.spyOn(globalThis, 'setTimeout').mockImplementation((run: () => void, ms?: number, ...rest: []) => {
      if (ms !== undefined && ms >= 7000 && ms % 1000 === 7) delays.push(ms)
      return real(run, ms !== undefined && ms >= 7000 && ms % 1000 === 7 ? 0 : ms, ...rest)
    })
    const url = await serving(
      throttle({ after: 2, delayMs: (beyond) => beyond * 7000 + 7, maxDelayMs: 20_007 }),
    )
    for (let i = 0; i < 6; i += 1) expect(await statusOf(url)).toBe(200)
    expect(delays).toEqual([7007, 14_007, 20_007, 20_007])
  })

  it('really waits', async () => {
    const url = await serving(throttle({ delayMs: 60 }))
    const startedMs = performance.now()
    expect(await statusOf(url)).toBe(200)
    expect(performance.now() - startedMs).toBeGreaterThan(55)
  })

  it('lets few of one caller wait, and refuses the rest with 429: another caller is not touched', async () => {
    const guard = throttle({ after: 1, maxWaitingPerCaller: 2 })
    const url = await serving(guard)
    expect(await statusOf(url)).toBe(200)
    const slow = [statusOf(url), statusOf(url)]
    await waiting(guard, 2)
    const refused = await fetch(url)
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(60)
    expect(await refused.json()).toMatchObject({ 'violated-policies': ['test'] })
    expect(await statusOf(url, { headers: { 'x-user': 'bob' } })).toBe(200)
    await guard.close()
    expect(await Promise.all(slow)).toEqual([200, 200])
  })

  it('lets no more wait than there is room for, whoever they are: 503', async () => {
    const guard = throttle({ maxWaiting: 3 })
    const url = await serving(guard)
    const as = (name: string): Promise<number> => statusOf(url, { headers: { 'x-user': name } })
    const slow = ['a', 'b', 'c'].map(as)
    await waiting(guard, 3)
    expect(await as('d')).toBe(503)
    await guard.close()
    await Promise.all(slow)
  })

  it('forgets at once who leaves while waiting, pipelined requests too, and runs no handler for them', async () => {
    const guard = throttle()
    await serving(guard)
    const socket = await opened(server.port, GET.repeat(5))
    await waiting(guard, 5)
    socket.destroy()
    await waiting(guard, 0)
    await new Promise((resolve) => setImmediate(resolve))
    expect(handled).toBe(0)
  })

  it('keeps no process alive', async () => {
    const timers: NodeJS.Timeout[] = []
    const real = globalThis.setTimeout
    jest.spyOn(globalThis, 'setTimeout').mockImplementation((run: () => void, ms?: number, ...rest: []) => {
      const timer = real(run, ms, ...rest)
      if (ms === 54_321) timers.push(timer)
      return timer
    })
    const guard = throttle({ delayMs: 54_321 })
    const url = await serving(guard)
    const slow = statusOf(url)
    await waiting(guard, 1)
    expect(timers.map((timer) => timer.hasRef())).toEqual([false])
    await guard.close()
    await slow
  })

  it('counts a request once, however often it passes, and apart from a rateLimit of its name', async () => {
    const store = memoryStore()
    const guard = throttle({ after: 1, store })
    const url = await serving(
      rateLimit({ name: 'test', limit: 100, windowSeconds: 60, by: 'address', store }),
      guard,
      guard,
    )
    expect(await statusOf(url)).toBe(200)
  })

  it('in mode report delays nobody, and says whom it would have delayed', async () => {
    const seen: unknown[] = []
    const url = await serving(throttle({ mode: 'report' }), ((req, _res, next) => {
      seen.push(contextOf(req).decisions.at(-1))
      next()
    }) as Handler)
    expect(await statusOf(url)).toBe(200)
    expect(seen).toMatchObject([{ outcome: 'allow', mode: 'report', evidence: { delayMs: 60_000 } }])
  })

  it.each<[string, SlowDownOptions['delayMs']]>([
    [
      'throws',
      () => {
        throw new Error('fault')
      },
    ],
    ['answers NaN', () => NaN],
    ['answers less than nothing', () => -5],
    ['answers a promise', () => Promise.reject(new Error('late')) as never],
  ])('answers 500 where delayMs %s', async (_case, delayMs) => {
    expect(await statusOf(await serving(throttle({ delayMs })))).toBe(500)
  })

  it('answers 500 for an empty key', async () => {
    expect(await statusOf(await serving(throttle({ by: () => '' })))).toBe(500)
  })

  it.each<[string, Partial<Record<keyof SlowDownOptions, unknown>>, RegExp]>([
    ['no delay', { delayMs: 0 }, /delayMs must be/],
    ['a negative allowance', { after: -1 }, /after must be/],
    ['a delay of an hour', { maxDelayMs: 3_600_000 }, /maxDelayMs must be/],
    ['a window of NaN', { windowSeconds: NaN }, /windowSeconds must be/],
    ['no by', { by: undefined }, /by must be/],
    ['another store', { store: { kind: 'limiter' } }, /store must be/],
    ['another library’s word', { delayAfter: 1 } as never, /Did you mean after/],
  ])('throws for %s', async (_case, overrides, message) => {
    await serving()
    expect(() => throttle(overrides as Partial<SlowDownOptions>)).toThrow(message)
  })
})
