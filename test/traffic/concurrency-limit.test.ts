import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import express, { type Response as ExpressResponse } from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { concurrencyLimit, type ConcurrencyLimitOptions } from '../../src/traffic/concurrency-limit.js'
import { requestTimeout } from '../../src/traffic/request-timeout.js'
import { keepingLogger } from '../support/records.js'
import { GET, appWith, closeServers, holding, opened, serve, statusOf, until } from './overload-support.js'

const limiter = (overrides: Partial<ConcurrencyLimitOptions> = {}): ReturnType<typeof concurrencyLimit> =>
  concurrencyLimit({ name: 'test', limit: 1, ...overrides })
const byUser: ConcurrencyLimitOptions['by'] = (req) => String(req.headers['x-user'])
const nobody = { status: 'ok', detail: '0 under way, 0 waiting, 0 counted' }

afterEach(closeServers)

describe('concurrencyLimit', () => {
  it('answers 503 where all are counted together, with Retry-After, and again 200 when one has ended', async () => {
    const server = await holding(limiter())
    const first = fetch(server.url)
    await until(() => server.inside.length === 1)
    const refused = await fetch(server.url)
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toMatch(/^[1-3]$/)
    expect(await refused.json()).toMatchObject({
      code: 'overloaded',
      type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
    })
    server.answer()
    expect((await first).status).toBe(200)
    const second = fetch(server.url)
    await until(() => server.inside.length === 1)
    server.answer()
    expect((await second).status).toBe(200)
  })

  it('answers 429 where each caller is counted, and keeps nothing of a caller without requests', async () => {
    const guard = limiter({ by: byUser })
    const server = await holding(guard)
    const as = (user: string): Promise<Response> => fetch(server.url, { headers: { 'x-user': user } })
    const [ada, bob] = [as('ada'), as('bob')]
    await until(() => server.inside.length === 2)
    expect(guard.health().detail).toBe('2 under way, 0 waiting, 2 counted')
    const refused = await as('ada')
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({ code: 'limit_exceeded', 'violated-policies': ['test'] })
    server.answer()
    server.answer()
    await Promise.all([ada, bob])
    await until(() => guard.health().detail === nobody.detail)
  })

  it('has a place again, behind requestTimeout, that a body which never comes held', async () => {
    const guard = limiter()
    const server = await holding(requestTimeout({ timeoutMs: 300 }), guard, express.json())
    const slow =
      'POST / HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{'
    const socket = await opened(server.port, slow)
    await until(() => guard.health().detail?.startsWith('1 under way') === true)
    expect(await statusOf(server.url)).toBe(503)
    await until(() => guard.health().detail === nobody.detail)
    socket.destroy()
  })

  // How a request may end. Each must give its place back, and none twice.
  it.each<[string, (res: ExpressResponse) => void]>([
    ['an answer', (res) => res.json({})],
    ['an answer that is broken off', (res) => res.write('x') && res.destroy()],
    ['an error after the answer began', (res) => res.write('x') && res.destroy(new Error('late'))],
    ['a destroyed connection and no answer', (res) => res.req.socket.destroy()],
    [
      'an answer after the connection is gone',
      (res) => {
        res.req.socket.destroy()
        setImmediate(() => res.json({}))
      },
    ],
    ['two answers', (res) => res.end('x').end()],
  ])('gives a place back once after %s', async (_case, end) => {
    const guard = limiter({ limit: 2 })
    const server = await holding(guard)
    const other = fetch(server.url)
    await until(() => server.inside.length === 1)
    const ending = fetch(server.url).then(
      (answer) => answer.arrayBuffer().catch(() => undefined),
      () => undefined,
    )
    await until(() => server.inside.length === 2)
    end(server.inside.pop()!.res)
    await ending
    await until(() => guard.health().detail === '1 under way, 0 waiting, 1 counted')
    server.answer()
    await other
    await until(() => guard.health().detail === nobody.detail)
  })

  it('gives back the places of pipelined requests whose connection is dropped before their turn', async () => {
    const guard = limiter({ limit: 50 })
    const server = await holding(guard)
    const socket = await opened(server.port, GET.repeat(20))
    await until(() => server.inside.length === 20)
    expect(guard.health().detail).toContain('20 under way')
    socket.destroy()
    await until(() => guard.health().detail === nobody.detail)
  })

  it('gives a place back when a handler throws', async () => {
    const guard = limiter()
    const server = await serve(
      appWith([auditLog({ logger: keepingLogger() }), guard], () => {
        throw new Error('fault')
      }),
    )
    expect([await statusOf(server.url), await statusOf(server.url)]).toEqual([500, 500])
    expect(guard.health()).toMatchObject(nobody)
  })

  it('counts an upgrade until its connection closes', async () => {
    const guard = limiter()
    const outcomes: unknown[] = []
    const server = createServer()
    server.on('upgrade', (req, socket) => {
      // As whoever speaks the new protocol does: it reads, and so hears that the other side has gone.
      socket.on('error', () => undefined)
      socket.on('end', () => socket.end()).resume()
      guard(req, { writableEnded: false, destroyed: false } as never, (problem) => {
        outcomes.push(problem)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const upgrade = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
    const sockets = [connect(port, '127.0.0.1')]
    sockets[0]!.write(upgrade)
    await until(() => outcomes.length === 1)
    sockets.push(connect(port, '127.0.0.1'))
    sockets[1]!.write(upgrade)
    await until(() => outcomes.length === 2)
    expect(outcomes).toMatchObject([undefined, { reason: 'capacity_exceeded' }])
    for (const socket of sockets) socket.destroy()
    await until(() => guard.health().detail === nobody.detail)
    server.close()
  })

  it('counts a request once, however often it passes', async () => {
    const guard = limiter()
    const server = await serve(appWith([guard, guard], (_req, res) => res.json({})))
    expect(await statusOf(server.url)).toBe(200)
  })

  it('never lets in who left while its key was looked for', async () => {
    let answer = (_key: string): void => undefined
    const guard = limiter({ by: () => new Promise((resolve) => (answer = resolve)) })
    const asked = (): boolean => answer.length === 1 && answer.name === ''
    const server = await holding(guard)
    const socket = await opened(server.port, GET)
    await until(asked)
    socket.destroy()
    await until(() => server.server.listenerCount('request') === 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    answer('ada')
    await new Promise((resolve) => setImmediate(resolve))
    expect([guard.health().detail, server.inside.length]).toEqual([nobody.detail, 0])
  })

  it('in mode report refuses nobody, makes nobody wait, counts all and says whom it would have refused', async () => {
    const logger = keepingLogger()
    const guard = limiter({ mode: 'report', queue: { limit: 5, timeoutMs: 60_000 } })
    const server = await holding(auditLog({ logger }), guard)
    const answers = [fetch(server.url), fetch(server.url), fetch(server.url)]
    await until(() => server.inside.length === 3)
    expect(guard.health().detail).toBe('3 under way, 0 waiting, 1 counted')
    for (let i = 0; i < 3; i += 1) server.answer()
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200])
    await until(() => guard.health().detail === nobody.detail)
    expect(logger.reasons()[0]).toBe('capacity_exceeded')
  })

  describe('with a queue', () => {
    it('lets requests wait their turn, first come first served, and refuses those beyond', async () => {
      const guard = limiter({ queue: { limit: 2, timeoutMs: 60_000 } })
      const server = await holding(guard)
      const order: string[] = []
      const ask = async (user: string): Promise<number> => {
        const { status } = await fetch(server.url, { headers: { 'x-user': user } })
        order.push(`${user} ${status}`)
        return status
      }
      const answers = [ask('a')]
      await until(() => server.inside.length === 1)
      for (const [index, user] of ['b', 'c'].entries()) {
        answers.push(ask(user))
        await until(() => guard.health().detail === `1 under way, ${index + 1} waiting, 1 counted`)
      }
      expect(await ask('d')).toBe(503)
      for (const user of ['a', 'b', 'c']) {
        await until(() => server.inside.length === 1)
        expect(server.inside[0]?.req.headers['x-user'] ?? '').toBe(user)
        server.answer()
      }
      await Promise.all(answers)
      expect(order).toEqual(['d 503', 'a 200', 'b 200', 'c 200'])
      await until(() => guard.health().detail === nobody.detail)
    })

    it('refuses who waited in vain', async () => {
      const guard = limiter({ queue: { limit: 1, timeoutMs: 20 } })
      const server = await holding(guard)
      const first = fetch(server.url)
      await until(() => server.inside.length === 1)
      expect(await statusOf(server.url)).toBe(503)
      server.answer()
      await first
      await until(() => guard.health().detail === nobody.detail)
    })

    it('forgets who left while waiting: its place goes to the next', async () => {
      const guard = limiter({ queue: { limit: 2, timeoutMs: 60_000 } })
      const server = await holding(guard)
      const first = fetch(server.url)
      await until(() => server.inside.length === 1)
      // Two on one connection: the second hears nothing of its own when that closes.
      const gone = await opened(server.port, GET.repeat(2))
      await until(() => guard.health().detail === '1 under way, 2 waiting, 1 counted')
      gone.destroy()
      await until(() => guard.health().detail === '1 under way, 0 waiting, 1 counted')
      const next = fetch(server.url)
      await until(() => guard.health().detail === '1 under way, 1 waiting, 1 counted')
      server.answer()
      await until(() => server.inside.length === 1)
      server.answer()
      expect([(await first).status, (await next).status]).toEqual([200, 200])
    })

    it('refuses all who wait when it is closed', async () => {
      const guard = limiter({ queue: { limit: 2, timeoutMs: 60_000 } })
      const server = await holding(guard)
      const first = fetch(server.url)
      await until(() => server.inside.length === 1)
      const waiting = statusOf(server.url)
      await until(() => guard.health().detail === '1 under way, 1 waiting, 1 counted')
      await guard.close()
      expect(await waiting).toBe(503)
      server.answer()
      await first
    })
  })

  it.each<[string, unknown, RegExp]>([
    ['no limit', { name: 'a' }, /limit must be/],
    ['a limit of 0', { name: 'a', limit: 0 }, /limit must be/],
    ['a limit of NaN', { name: 'a', limit: NaN }, /limit must be/],
    ['no name', { limit: 1 }, /name must be/],
    ['an unknown fact', { name: 'a', limit: 1, by: 'ip' }, /by must be/],
    ['an empty list of facts', { name: 'a', limit: 1, by: [] }, /by must be/],
    ['a queue without a time', { name: 'a', limit: 1, queue: { limit: 1 } }, /timeoutMs must be/],
    ['another word', { name: 'a', max: 1 }, /Did you mean limit/],
  ])('throws for %s', (_case, options, message) => {
    expect(() => concurrencyLimit(options as ConcurrencyLimitOptions)).toThrow(message)
  })
})
