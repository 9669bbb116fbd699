import { performance } from 'node:perf_hooks'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { loadShed, type LoadShedOptions, type Priority } from '../../src/traffic/load-shed.js'
import { keepingLogger } from '../support/records.js'
import {
  GET,
  appWith,
  closeServers,
  holding,
  opened,
  serve,
  statusOf,
  type Handler,
  until,
} from './overload-support.js'

const ok: Handler = (_req, res) => res.json({})
const fromHeader = (req: { headers: Record<string, unknown> }): Priority =>
  (req.headers['x-priority'] ?? 'normal') as Priority
const prioritised: LoadShedOptions['priority'] = (req) => fromHeader(req)

const guards: ReturnType<typeof loadShed>[] = []
const shedder = (options: LoadShedOptions): ReturnType<typeof loadShed> => {
  const guard = loadShed(options)
  guards.push(guard)
  return guard
}
afterEach(async () => {
  await closeServers()
  await Promise.all(guards.splice(0).map((guard) => guard.close()))
})

/** A process whose utilization and clock are what a test says. */
function pretended(): { busy: number; pass(ms: number): void } {
  let nowMs = 1_000_000
  const process = {
    busy: 0,
    pass: (ms: number) => {
      nowMs += ms
    },
  }
  jest.spyOn(globalThis.performance, 'now').mockImplementation(() => nowMs)
  jest
    .spyOn(performance, 'eventLoopUtilization')
    .mockImplementation(() => ({ idle: 0, active: 0, utilization: process.busy }))
  return process
}

const outcomeOf = (guard: ReturnType<typeof loadShed>, priority?: string): number => {
  let status = 0
  const req = {
    headers: { 'x-priority': priority },
    socket: { once: () => undefined },
    method: 'GET',
    url: '/',
  }
  guard(req as never, { on: () => undefined } as never, (problem) => {
    status = (problem as { status?: number } | undefined)?.status ?? 200
  })
  return status
}
const admitted = (guard: ReturnType<typeof loadShed>): string =>
  ['low', 'normal', 'high', 'critical'].filter((priority) => outcomeOf(guard, priority) === 200).join(' ')

describe('loadShed', () => {
  it('sheds in steps, those that matter least first, never what is critical, and takes the steps back', () => {
    const process = pretended()
    const guard = shedder({ maxEventLoopUtilization: 0.9, priority: prioritised })
    const seen: string[] = []
    const after = (busy: number): void => {
      process.busy = busy
      process.pass(250)
      seen.push(admitted(guard))
    }
    seen.push(admitted(guard))
    for (const busy of [0.95, 0.95, 0.95, 0.95, 0.85, 0.2, 0.2, 0.2, 0.2]) after(busy)
    expect(seen).toEqual([
      'low normal high critical',
      'normal high critical',
      'high critical',
      'critical',
      'critical',
      // Between well and too much: as it was.
      'critical',
      'high critical',
      'normal high critical',
      'low normal high critical',
      'low normal high critical',
    ])
  })

  it('does not flap: it changes at most once in a quarter of a second, whatever is measured', () => {
    const process = pretended()
    const guard = shedder({ maxEventLoopUtilization: 0.9 })
    outcomeOf(guard)
    let changes = 0
    let before = 200
    for (let ms = 0; ms < 5000; ms += 10) {
      process.pass(10)
      process.busy = ms % 20 === 0 ? 1 : 0.88
      const now = outcomeOf(guard)
      if (now !== before) changes += 1
      before = now
    }
    expect(changes).toBe(1)
  })

  it('is well after a long rest, and at once sees an overload after one', () => {
    const process = pretended()
    const guard = shedder({ maxEventLoopUtilization: 0.9, priority: prioritised })
    outcomeOf(guard)
    process.busy = 1
    for (let i = 0; i < 4; i += 1) {
      process.pass(250)
      outcomeOf(guard)
    }
    expect(guard.health().status).toBe('degraded')
    process.busy = 0.01
    process.pass(60_000)
    expect(admitted(guard)).toBe('low normal high critical')
    expect(guard.health().status).toBe('ok')
    // Six seconds of rest or an hour: the next quarter of a second counts by itself.
    process.pass(3_600_000)
    outcomeOf(guard)
    process.busy = 1
    process.pass(250)
    expect(outcomeOf(guard, 'low')).toBe(503)
  })

  it('recovers without a request: health says so', () => {
    const process = pretended()
    const guard = shedder({ maxEventLoopUtilization: 0.9 })
    outcomeOf(guard)
    process.busy = 1
    process.pass(250)
    expect(guard.health().status).toBe('degraded')
    process.busy = 0
    process.pass(250)
    expect(guard.health().status).toBe('ok')
  })

  it.each<[string, LoadShedOptions, string]>([
    ['utilization', { maxEventLoopUtilization: 0.8 }, 'event loop utilization'],
    ['delay', { maxEventLoopDelayMs: 100 }, 'event loop delay'],
  ])('sees by its %s that the event loop is really blocked', async (_case, options, signal) => {
    const logger = keepingLogger()
    const guard = shedder(options)
    const app = express()
    app.get('/block', (_req, res) => {
      const end = performance.now() + 400
      while (performance.now() < end);
      res.json({})
    })
    app.use(auditLog({ logger }), guard)
    app.get('/', ok)
    app.use(secureErrors())
    const server = await serve(app)
    expect(await statusOf(server.url)).toBe(200)
    // Node's timer needs a first tick to measure from.
    await new Promise((resolve) => setTimeout(resolve, 30))
    const blocking = statusOf(`${server.url}/block`)
    const shed = await blocking.then(async () => {
      // The delay is measured by a timer of Node's own, which comes after what has waited.
      await new Promise((resolve) => setTimeout(resolve, 15))
      return fetch(server.url)
    })
    expect(shed.status).toBe(503)
    expect(await shed.json()).toMatchObject({ code: 'overloaded' })
    expect(Number(shed.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(guard.health().status).toBe('degraded')
    expect(logger.kept.find(({ message }) => message === 'load_shed')?.record.evidence).toEqual({
      signal,
      priority: 'all',
    })
    let recovered = 503
    for (let i = 0; i < 40 && recovered !== 200; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      recovered = await statusOf(server.url)
    }
    expect(recovered).toBe(200)
  })

  it('refuses by memory', () => {
    const process = pretended()
    const guard = shedder({ maxRssMiB: 1 })
    outcomeOf(guard)
    process.pass(250)
    expect(outcomeOf(guard)).toBe(503)
    const heap = shedder({ maxHeapMiB: 10_000_000 })
    outcomeOf(heap)
    process.pass(250)
    expect(outcomeOf(heap)).toBe(200)
  })

  it('leaves those that were admitted alone, and refuses at once by what is in flight', async () => {
    const guard = shedder({ maxInFlight: 10, priority: prioritised })
    const server = await holding(guard)
    const as = (priority: string): Promise<number> =>
      statusOf(server.url, { headers: { 'x-priority': priority } })
    const answers: Promise<number>[] = []
    const fill = async (priority: string, count: number): Promise<void> => {
      const target = server.inside.length + count
      for (let i = 0; i < count; i += 1) answers.push(as(priority))
      await until(() => server.inside.length === target)
    }
    await fill('low', 7)
    expect(await as('low')).toBe(503)
    await fill('normal', 1)
    expect(await as('normal')).toBe(503)
    await fill('high', 1)
    expect(await as('high')).toBe(503)
    await fill('critical', 1)
    expect(await as('critical')).toBe(503)
    while (server.inside.length > 0) server.answer()
    expect(new Set(await Promise.all(answers))).toEqual(new Set([200]))
    await until(() => guard.health().detail?.startsWith('0 in flight') === true)
  })

  it('counts a request in flight once, also where its connection is dropped before its turn', async () => {
    const guard = shedder({ maxInFlight: 100 })
    const server = await holding(guard, guard)
    const socket = await opened(server.port, GET.repeat(5))
    await until(() => server.inside.length === 5)
    expect(guard.health().detail).toBe('5 in flight, nothing shed')
    socket.destroy()
    await until(() => guard.health().detail === '0 in flight, nothing shed')
  })

  it('in mode report refuses nobody and counts all', async () => {
    const logger = keepingLogger()
    const guard = shedder({ maxInFlight: 1, mode: 'report' })
    const server = await holding(auditLog({ logger }), guard)
    const answers = [statusOf(server.url), statusOf(server.url)]
    await until(() => server.inside.length === 2)
    expect(guard.health().detail).toBe('2 in flight, nothing shed')
    server.answer()
    server.answer()
    expect(await Promise.all(answers)).toEqual([200, 200])
    expect(logger.reasons()).toContain('load_shed')
  })

  it.each<[string, LoadShedOptions['priority']]>([
    [
      'throws',
      () => {
        throw new Error('fault')
      },
    ],
    ['answers another word', () => 'urgent' as never],
    ['answers a promise', () => Promise.reject(new Error('late')) as never],
  ])('answers 500 where priority %s: that is no priority', async (_case, priority) => {
    const server = await serve(appWith([shedder({ maxInFlight: 5, priority: priority! })], ok))
    expect(await statusOf(server.url)).toBe(500)
  })

  it.each<[string, unknown, RegExp]>([
    ['no ceiling', {}, /given one of/],
    ['a utilization in percent', { maxEventLoopUtilization: 90 }, /0\.1 to 1/],
    ['a delay of NaN', { maxEventLoopDelayMs: NaN }, /maxEventLoopDelayMs must be/],
    ['another library’s word', { maxRssBytes: 1 }, /Did you mean maxRssMiB/],
  ])('throws for %s', (_case, options, message) => {
    expect(() => loadShed(options as LoadShedOptions)).toThrow(message)
  })
})
