import { afterEach, describe, expect, it } from '@jest/globals'
import type { Response } from 'express'
import { concurrencyLimit } from '../../src/traffic/concurrency-limit.js'
import { loadShed } from '../../src/traffic/load-shed.js'
import { requestTimeout } from '../../src/traffic/request-timeout.js'
import { slowDown } from '../../src/traffic/slow-down.js'
import { memoryStore } from '../../src/stores/memory.js'
import { GET, appWith, closeServers, holding, opened, serve, statusOf, until } from './overload-support.js'

afterEach(closeServers)

describe('the end of a request', () => {
  it.each([
    ['loadShed', () => loadShed({ maxInFlight: 50 })],
    ['concurrencyLimit', () => concurrencyLimit({ name: 'pipelined', limit: 50 })],
  ])('%s: an answer that is complete and waits its turn on its connection is over', async (_name, make) => {
    const guard = make()
    const server = await holding(guard)
    const socket = await opened(server.port, GET.repeat(20))
    await until(() => server.inside.length === 20)
    expect(guard.health().detail).toMatch(/^20 /)
    // All but the first, for which the others wait.
    for (const { res } of server.inside.slice(1)) res.json({})
    expect(guard.health().detail).toMatch(/^1 /)
    server.answer()
    await until(() => guard.health().detail?.startsWith('0 ') === true)
    socket.destroy()
  })

  it('is not there before an answer has been read whose turn it is', async () => {
    const guard = concurrencyLimit({ name: 'unread', limit: 50 })
    const server = await serve(
      appWith([guard], (_req, res) => {
        res.end(Buffer.alloc(30_000_000))
      }),
    )
    const socket = await opened(server.port, GET)
    socket.pause()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(guard.health().detail).toMatch(/^1 under way/)
    socket.destroy()
    await until(() => guard.health().detail?.startsWith('0 ') === true)
  })

  it('is heard by one listener, however many ask', async () => {
    const warned: Error[] = []
    const note = (warning: Error): void => void warned.push(warning)
    process.on('warning', note)
    let asked: Response | undefined
    const guards = Array.from({ length: 6 }, (_, at) => [
      requestTimeout({ timeoutMs: 5000, name: `time-${at}` }),
      loadShed({ maxInFlight: 50 }),
      concurrencyLimit({ name: `places-${at}`, limit: 50 }),
      slowDown({
        name: `slow-${at}`,
        after: 0,
        windowSeconds: 60,
        delayMs: 1,
        by: () => 'x',
        store: memoryStore(),
      }),
    ]).flat()
    const server = await serve(
      appWith(guards, (_req, res) => {
        asked = res
        res.json({})
      }),
    )
    expect(await statusOf(server.url)).toBe(200)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', note)
    expect(warned).toEqual([])
    expect(asked!.listenerCount('finish')).toBeLessThan(6)
  })
})
