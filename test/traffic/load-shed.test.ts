import { performance } from 'node:perf_hooks'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import type { SecurityProblem } from '../../src/core/problem.js'
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

/** The same numbers in each run (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * A process that is as busy as what it admits makes it: 32 requests a sample, of all priorities alike, which are `offered`
 * as much as its ceiling lets it do.
 */
function overMinutes(
  minutes: number,
  priority: LoadShedOptions['priority'],
  offered: (ms: number) => number,
): {
  /** When the step was another one than before. */
  readonly changes: readonly number[]
  /** When nothing at all was shed. */
  readonly calm: readonly number[]
  /** What was admitted, as part of what there is room for. */
  readonly work: number
  readonly refusedCritical: number
} {
  const process = pretended()
  const guard = shedder({ maxEventLoopUtilization: 0.9, ...(priority === undefined ? {} : { priority }) })
  const changes: number[] = []
  const calm: number[] = []
  let [work, refusedCritical, before] = [0, 0, 'nothing']
  for (let ms = 0; ms < minutes * 60_000; ms += 250) {
    const step = /(\w+|step \d) shed$/.exec(guard.health().detail ?? '')![1]!
    if (step !== before) changes.push(ms)
    before = step
    const passed = admitted(guard).split(' ').map(Number)
    const part = passed.reduce((sum, count) => sum + count, 0) / 32
    refusedCritical += 8 - passed[3]!
    if (part === 1) calm.push(ms)
    const busy = offered(ms) * part
    work += Math.min(1, busy)
    process.busy = Math.min(1, busy * 0.9)
    process.pass(250)
  }
  return { changes, calm, work: work / (minutes * 240), refusedCritical }
}

const outcomeOf = (guard: ReturnType<typeof loadShed>, priority?: string): number => {
  let status = 0
  const req = {
    headers: { 'x-priority': priority },
    socket: { once: () => undefined },
    method: 'GET',
    url: '/',
  }
  guard(req as never, { on: () => undefined, once: () => undefined } as never, (problem) => {
    status = (problem as { status?: number } | undefined)?.status ?? 200
  })
  return status
}
/** How many of 8 are admitted, of each priority. */
const admitted = (guard: ReturnType<typeof loadShed>): string =>
  ['low', 'normal', 'high', 'critical']
    .map((priority) => Array.from({ length: 8 }, () => outcomeOf(guard, priority)))
    .map((outcomes) => outcomes.filter((outcome) => outcome === 200).length)
    .join(' ')

describe('loadShed', () => {
  it('sheds in steps, those that matter least first, never what is critical, and takes the steps back', () => {
    const process = pretended()
    const guard = shedder({ maxEventLoopUtilization: 0.9, priority: prioritised })
    const after = (busy: number, samples: number): string[] =>
      Array.from({ length: samples }, () => {
        process.busy = busy
        process.pass(250)
        return admitted(guard)
      })
    expect(admitted(guard)).toBe('8 8 8 8')
    expect(after(0.95, 7)).toEqual([
      '4 8 8 8',
      '0 8 8 8',
      '0 4 8 8',
      '0 0 8 8',
      '0 0 4 8',
      '0 0 0 8',
      '0 0 0 8',
    ])
    // Between well and too much: as it was.
    expect(after(0.85, 2)).toEqual(['0 0 0 8', '0 0 0 8'])
    expect(after(0.2, 10)).toEqual([
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((high) => `0 0 ${high} 8`),
      '0 1 8 8',
      '0 2 8 8',
    ])
    expect(guard.health()).toMatchObject({
      status: 'degraded',
      detail: expect.stringMatching(/step 2 shed$/),
    })
    expect(after(0.2, 15).slice(-3)).toEqual(['7 8 8 8', '8 8 8 8', '8 8 8 8'])
    expect(guard.health().status).toBe('ok')
  })

  it('changes at most once in a quarter of a second, whatever is measured in between', () => {
    const process = pretended()
    const guard = shedder({ maxEventLoopUtilization: 0.9 })
    outcomeOf(guard)
    let changes = 0
    let before = guard.health().detail
    for (let ms = 0; ms < 5000; ms += 10) {
      process.pass(10)
      process.busy = ms % 20 === 0 ? 1 : 0.88
      const now = guard.health().detail
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
    for (let i = 0; i < 6; i += 1) {
      process.pass(250)
      outcomeOf(guard)
    }
    expect(admitted(guard)).toBe('0 0 0 8')
    process.busy = 0.01
    process.pass(60_000)
    expect(admitted(guard)).toBe('8 8 8 8')
    expect(guard.health().status).toBe('ok')
    // Six seconds of rest or an hour: the next quarter of a second counts by itself.
    process.pass(3_600_000)
    outcomeOf(guard)
    process.busy = 1
    process.pass(250)
    expect(admitted(guard)).toBe('4 8 8 8')
  })

  it('recovers without a request: health says so', () => {
    const process = pretended()
    const guard = shedder({ maxEventLoopUtilization: 0.9 })
    outcomeOf(guard)
    process.busy = 1
    process.pass(250)
    expect(guard.health().status).toBe('degraded')
    process.busy = 0
    process.pass(1000)
    expect(guard.health().status).toBe('ok')
  })

  it.each<[string, LoadShedOptions['priority'], number, number]>([
    ['by priority', prioritised, 1.15, 0.8],
    ['all alike', undefined, 1.15, 0.8],
    ['all alike, twice as much as there is room for', undefined, 2, 0.45],
  ])('settles where it can go on, in five minutes of overload: %s', (_case, priority, offered, least) => {
    const { changes, work, refusedCritical } = overMinutes(5, priority, () => offered)
    expect(changes.length).toBeLessThanOrEqual(2)
    expect(work).toBeGreaterThan(least)
    if (priority !== undefined) expect(refusedCritical).toBe(0)
  })

  it('neither flaps nor stays shut while an overload comes and goes', () => {
    const random = randomFrom(1)
    // Each minute: overload, calm, as much as there is room for, a noise about that, calm.
    const offeredAt = (ms: number): number =>
      [1.6, 0.5, 1, 0.75 + random() / 2, 0.5][Math.floor(ms / 60_000) % 5]!
    const { changes, calm, refusedCritical } = overMinutes(10, prioritised, offeredAt)
    const inMinute = (minute: number): number =>
      changes.filter((ms) => Math.floor(ms / 60_000) === minute).length
    for (const minute of [0, 1, 2, 4, 5, 6, 7, 9]) expect(inMinute(minute)).toBeLessThanOrEqual(4)
    // A noise is an overload that comes and goes, many times.
    for (const minute of [3, 8]) expect(inMinute(minute)).toBeLessThanOrEqual(30)
    expect(refusedCritical).toBe(0)
    for (const minute of [1, 4, 6, 9])
      expect(calm).toEqual(expect.arrayContaining([minute * 60_000 + 6000, minute * 60_000 + 59_750]))
  })

  it('does not flap by a signal that hovers about its ceiling whatever is shed', () => {
    const process = pretended()
    const guard = shedder({ maxEventLoopUtilization: 0.9, priority: prioritised })
    const random = randomFrom(2)
    const steps: (string | undefined)[] = []
    for (let sample = 0; sample < 1200; sample += 1) {
      process.busy = 0.9 * (0.8 + 0.3 * random())
      process.pass(250)
      steps.push(guard.health().detail)
      expect(outcomeOf(guard, 'critical')).toBe(200)
    }
    expect(
      steps.filter((step, at) => at > 0 && step?.at(-6) !== steps[at - 1]?.at(-6)).length,
    ).toBeLessThanOrEqual(3)
  })

  it('has no timer any more once it is closed, whoever asks how it is', async () => {
    const guard = shedder({ maxEventLoopDelayMs: 100 })
    await guard.close()
    for (let turn = 0; turn < 2; turn += 1) {
      guard.health()
      await guard.warmUp()
      await new Promise((resolve) => setTimeout(resolve, 260))
    }
    const end = performance.now() + 400
    while (performance.now() < end);
    await new Promise((resolve) => setTimeout(resolve, 15))
    // A timer that still ran would have seen that.
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

  it.each<[string, LoadShedOptions]>([
    ['resident memory', { maxRssMiB: 100, priority: prioritised }],
    ['the heap', { maxHeapMiB: 100, priority: prioritised }],
  ])(
    'takes back what it shed by %s as soon as that is below its ceiling: nothing lowers it further',
    (_case, options) => {
      const pretend = pretended()
      let mebibytes = 90
      const rss = (): number => mebibytes * 2 ** 20
      const measured = (): NodeJS.MemoryUsage => ({ heapUsed: rss() }) as NodeJS.MemoryUsage
      Object.assign(jest.spyOn(process, 'memoryUsage').mockImplementation(measured), { rss })
      const guard = shedder(options)
      const after = (now: number, samples: number): string => {
        mebibytes = now
        for (let sample = 0; sample < samples; sample += 1) {
          pretend.pass(250)
          guard.health()
        }
        return admitted(guard)
      }
      expect(after(90, 2)).toBe('8 8 8 8')
      expect(after(101, 6)).toBe('0 0 0 8')
      // Still beyond it: an idle process is shed for as long as that lasts.
      expect(after(100, 4)).toBe('0 0 0 8')
      expect(after(99, 8)).toBe('0 0 8 8')
      expect(after(99, 16)).toBe('8 8 8 8')
      expect(guard.health().status).toBe('ok')
    },
  )

  it('is well only where every signal is', () => {
    const pretend = pretended()
    let mebibytes = 101
    jest.spyOn(process.memoryUsage, 'rss').mockImplementation(() => mebibytes * 2 ** 20)
    const guard = shedder({ maxRssMiB: 100, maxEventLoopUtilization: 0.9 })
    const after = (): string => {
      pretend.pass(250)
      return guard.health().detail!
    }
    outcomeOf(guard)
    pretend.busy = 0.8
    expect(after()).toMatch(/step 1 shed/)
    // Memory is well; the event loop, further from its ceiling than memory is, is not quite.
    mebibytes = 99
    for (let sample = 0; sample < 20; sample += 1) expect(after()).toMatch(/step 1 shed/)
    const refusals: unknown[] = []
    for (let sent = 0; sent < 2; sent += 1)
      guard(
        { headers: {}, socket: { once: () => undefined }, url: '/' } as never,
        { on: () => undefined } as never,
        (problem) => refusals.push(...(problem === undefined ? [] : [(problem as SecurityProblem).evidence])),
      )
    expect(refusals).toEqual([{ signal: 'event loop utilization', priority: 'all' }])
    pretend.busy = 0.1
    for (let sample = 0; sample < 4; sample += 1) after()
    expect(guard.health().status).toBe('ok')
  })

  it.each([
    [1, '1 1 1 1'],
    [2, '1 1 1 2'],
    [3, '2 2 2 3'],
    [5, '3 4 4 5'],
    [10, '7 8 9 10'],
    // 0.7 * 90 is a little less than 63.
    [90, '63 72 81 90'],
  ])('keeps a part of %p requests in flight for those that matter more', (maxInFlight, rooms) => {
    const roomOf = (priority: string): number => {
      const guard = shedder({ maxInFlight, priority: prioritised })
      let room = 0
      while (outcomeOf(guard, priority) === 200) room += 1
      return room
    }
    expect(['low', 'normal', 'high', 'critical'].map(roomOf).join(' ')).toBe(rooms)
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
    ['no ceiling', {}, /: one of maxEventLoopUtilization, .*maxHeapMiB must be given/],
    ['a utilization in percent', { maxEventLoopUtilization: 90 }, /0\.1 to 1/],
    ['a delay of NaN', { maxEventLoopDelayMs: NaN }, /maxEventLoopDelayMs must be/],
    ['another library’s word', { maxRssBytes: 1 }, /Did you mean maxRssMiB/],
  ])('throws for %s', (_case, options, message) => {
    expect(() => loadShed(options as LoadShedOptions)).toThrow(message)
  })
})
