import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { memoryStore } from '../../src/stores/memory.js'
import { idempotency } from '../../src/traffic/idempotency.js'
import { requestTimeout, signalOf } from '../../src/traffic/request-timeout.js'
import { keepingLogger } from '../support/records.js'
import { serve, type RunningServer } from '../support/server.js'
import { caller } from './idempotency-support.js'
import { until } from './overload-support.js'

type Run = (req: express.Request, res: express.Response, next: express.NextFunction) => unknown

interface Mount {
  readonly timeoutMs?: number
  readonly between?: readonly express.RequestHandler[]
  /** In the handler's own router. */
  readonly nearer?: express.ErrorRequestHandler
  readonly errors?: readonly express.ErrorRequestHandler[]
  readonly parsers?: readonly express.RequestHandler[]
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly isReplayed: boolean
  readonly isUnderWay: boolean
}

let server: RunningServer
let logger: ReturnType<typeof keepingLogger>
let runs: number
/** Connections that the server saw close, of this test only. */
let closed: Set<unknown>
const hasLeft = (): boolean => closed.size > 0

beforeEach(() => {
  runs = 0
})
afterEach(() => server.close())

/** A handler whose first run is `first`; later ones answer 201 at once. */
async function serving(first: Run, mount: Mount = {}): Promise<void> {
  const { timeoutMs = 60_000, between = [], nearer, errors = [secureErrors()] } = mount
  logger = keepingLogger()
  const mine = (closed = new Set())
  const app = express()
  app.set('env', 'production')
  app.use(auditLog({ logger }), requestTimeout({ timeoutMs }), caller as express.RequestHandler)
  app.use((req, _res, next) => {
    req.socket.once('close', () => mine.add(req.socket))
    next()
  })
  app.get('/slow', (_req, res) => {
    res.write('slow')
  })
  for (const parser of mount.parsers ?? [express.json()]) app.use(parser)
  app.use(idempotency({ store: memoryStore(), maxBodyBytes: 500 }) as express.RequestHandler)
  for (const one of between) app.use(one)
  const router = express.Router()
  router.post('/orders', (req, res, next) => {
    runs += 1
    if (runs === 1) first(req, res, next)
    else res.status(201).json({ run: runs })
  })
  if (nearer !== undefined) router.use(nearer)
  app.use(router)
  for (const one of errors) app.use(one)
  server = await serve(app)
}

async function post(type = 'application/json', body = '{"sku":1}'): Promise<Answer> {
  const answer = await fetch(`${server.url}/orders`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'x-user': 'ada', 'idempotency-key': '"k"', 'content-type': type },
    body,
  })
  return {
    status: answer.status,
    text: await answer.text(),
    isReplayed: answer.headers.has('idempotency-replayed'),
    isUnderWay: answer.status === 409 && answer.headers.has('retry-after'),
  }
}

const POSTED = [
  'POST /orders HTTP/1.1',
  'Host: api.test',
  'X-User: ada',
  'Content-Type: application/json',
  'Idempotency-Key: "k"',
  'Content-Length: 9',
  '',
  '{"sku":1}',
].join('\r\n')

/** Asks, and leaves as soon as the handler runs. */
async function leaving(before = ''): Promise<void> {
  const socket = await asking(before)
  socket.destroy()
  await until(hasLeft)
}

async function asking(before = ''): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.on('data', () => undefined)
  socket.write(before + POSTED)
  await until(() => runs === 1)
  return socket
}

const SLOW = 'GET /slow HTTP/1.1\r\nHost: api.test\r\nX-User: ada\r\n\r\n'

/** As `fetch` with the signal. */
const untilAborted = (req: express.Request): Promise<never> =>
  new Promise((_resolve, reject) => {
    const signal = signalOf(req)
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error)
    })
  })

const waits: Run = (req, _res, next) => untilAborted(req).catch(next)

const own: express.ErrorRequestHandler = (error: { status?: number }, _req, res, _next) => {
  res.status(error.status ?? 500).json({ error: 'own' })
}

/** Runs `act` when the caller has left. */
async function afterLeaving(act: () => unknown): Promise<void> {
  await until(hasLeft)
  await pause(5)
  act()
}

describe('idempotency and a caller who leaves', () => {
  const console_ = console.error
  beforeEach(() => {
    console.error = () => undefined
  })
  afterEach(() => {
    console.error = console_
  })

  it.each([
    ['secureErrors', 'alone', ''],
    ['secureErrors', 'behind another', SLOW],
    ['an error handler of its own', 'alone', ''],
    ['an error handler of its own', 'behind another', SLOW],
    ['Express', 'alone', ''],
    ['Express', 'behind another', SLOW],
    ['secureErrors nearer to it', 'alone', ''],
    ['secureErrors nearer to it', 'behind another', SLOW],
  ])('does again what its signal stopped, with %s, for a request %s', async (who, _where, before) => {
    const errors = who === 'secureErrors' ? [secureErrors()] : who.startsWith('an') ? [own] : []
    await serving(waits, { errors, ...(who.endsWith('it') ? { nearer: secureErrors() } : {}) })
    await leaving(before)
    await pause(20)
    expect(await post()).toMatchObject({ status: 201, text: '{"run":2}', isReplayed: false })
    expect(await post()).toMatchObject({ status: 201, text: '{"run":2}', isReplayed: true })
  })

  it.each([201, 303])(
    'keeps what a handler did in spite of the signal, and answered with %d',
    async (status) => {
      await serving((req, res) =>
        untilAborted(req).catch(() =>
          setTimeout(() => res.status(status).location('/orders/1').json({ run: 1 }), 10),
        ),
      )
      await leaving()
      await pause(30)
      expect(await post()).toMatchObject({ status, text: '{"run":1}', isReplayed: true })
      expect(runs).toBe(1)
    },
  )

  it.each([404, 409, 422])(
    'does again what was refused with %d to nobody, without a signal too',
    async (status) => {
      await serving((_req, res) => afterLeaving(() => res.status(status).json({})))
      await leaving()
      await pause(30)
      expect(await post()).toMatchObject({ status: 201, text: '{"run":2}' })
    },
  )

  it('keeps a refusal of somebody who was there', async () => {
    await serving((_req, res) => res.status(404).json({ run: 1 }))
    await post()
    expect(await post()).toMatchObject({ status: 404, text: '{"run":1}', isReplayed: true })
  })

  it('keeps what is answered after all by a handler that had failed', async () => {
    await serving((req, res, next) => {
      setTimeout(() => res.status(201).json({ run: 1 }), 60)
      return untilAborted(req).catch(next)
    })
    await leaving()
    await pause(80)
    expect(await post()).toMatchObject({ status: 201, text: '{"run":1}', isReplayed: true })
  })

  it('frees nothing while a handler works whose caller leaves before the error handler has answered', async () => {
    const slow: express.ErrorRequestHandler = (error, _req, _res, next) => {
      void afterLeaving(() => {
        next(error)
      })
    }
    await serving(() => undefined, { timeoutMs: 20, errors: [slow, secureErrors()] })
    const socket = await asking()
    await until(() => logger.reasons().includes('time_exceeded'))
    socket.destroy()
    await until(hasLeft)
    await pause(20)
    expect((await post()).isUnderWay).toBe(true)
    expect(runs).toBe(1)
  })
})

describe('idempotency and errors that nobody is told of', () => {
  it('does again at once what failed after a part of its answer', async () => {
    await serving((_req, res, next) => {
      res.write('part')
      next(new Error('no'))
    })
    await expect(post()).rejects.toThrow()
    expect(await post()).toMatchObject({ status: 201, text: '{"run":2}' })
  })

  it('keeps what was answered before the error', async () => {
    await serving((_req, res, next) => {
      res.status(201).json({ run: 1 })
      next(new Error('no'))
    })
    await post()
    expect(await post()).toMatchObject({ status: 201, text: '{"run":1}', isReplayed: true })
  })

  it.each([500, 404])(
    'does again what fails after its time with %d, before a nearer secureErrors',
    async (status) => {
      await serving(
        (_req, _res, next) => {
          setTimeout(() => {
            next(Object.assign(new Error('late'), { status, statusCode: status, expose: status < 500 }))
          }, 60)
        },
        { timeoutMs: 20, nearer: secureErrors() },
      )
      expect((await post()).status).toBe(503)
      expect((await post()).isUnderWay).toBe(true)
      await pause(60)
      expect(await post()).toMatchObject({ status: 201, text: '{"run":2}' })
    },
  )

  it('keeps what was answered after its time and before such an error', async () => {
    await serving(
      (_req, res, next) => {
        setTimeout(() => {
          res.status(201).json({ run: 1 })
          next(new Error('later'))
        }, 60)
      },
      { timeoutMs: 20, nearer: secureErrors() },
    )
    expect((await post()).status).toBe(503)
    await pause(60)
    expect(await post()).toMatchObject({ status: 201, text: '{"run":1}', isReplayed: true })
  })
})

describe('idempotency and an answer that is larger than is kept', () => {
  const large = 'x'.repeat(501)

  it('is noted as done when it has ended, and not before', async () => {
    await serving((_req, res) => {
      res.write(large)
      setTimeout(() => res.end('end'), 60)
    })
    const first = post()
    await until(() => runs === 1)
    expect((await post()).isUnderWay).toBe(true)
    expect((await first).text).toBe(`${large}end`)
    const again = await post()
    expect([again.isUnderWay, JSON.parse(again.text)]).toMatchObject([false, { title: 'Answer Not Kept' }])
  })

  it('is noted as done when it ends after its caller has left', async () => {
    await serving((_req, res) => {
      res.write(large)
      return afterLeaving(() => res.end())
    })
    await leaving()
    await pause(30)
    expect(JSON.parse((await post()).text)).toMatchObject({ title: 'Answer Not Kept' })
  })

  it.each([
    ['leaves the lease', 200],
    ['frees the key', 500],
  ])('%s where it is broken off with %d', async (_what, status) => {
    await serving((_req, res) => {
      res.status(status).write(large)
      setTimeout(() => res.destroy(), 10)
    })
    await expect(post()).rejects.toThrow()
    await pause(10)
    const again = await post()
    expect([again.isUnderWay, runs]).toEqual(status === 200 ? [true, 1] : [false, 2])
  })

  it('goes out as fast as it is read, and not faster', async () => {
    const told: boolean[] = []
    await serving((_req, res) => {
      told.push(res.write('a'), res.write(Buffer.alloc(4_000_000)))
      res.once('drain', () => {
        told.push(true)
        res.end()
      })
    })
    expect((await post()).text).toHaveLength(4_000_001)
    expect(told).toEqual([true, false, true])
  })
})

describe('idempotency and a body that nobody read', () => {
  it.each([
    ['text/plain', 415, 'media_type_unsupported'],
    ['application/merge-patch+json', 415, 'media_type_unsupported'],
    ['application/json; =', 415, 'media_type_unsupported'],
    ['application/json\u00a0', 415, 'media_type_unsupported'],
    ['multipart/form-data; boundary=b', 415, 'media_type_unsupported'],
    ['application/json', 500, 'guard_order'],
    ['Application/JSON; charset=utf-8', 500, 'guard_order'],
  ])('of the type %s is %d', async (type, status, reason) => {
    await serving(() => undefined, { parsers: [] })
    expect((await post(type)).status).toBe(status)
    expect(logger.reasons()).toEqual([reason])
    expect(logger.kept[0]?.level).toBe(status === 500 ? 'error' : 'warn')
    expect(runs).toBe(0)
  })

  it('is no fault of the service, whatever comes to one that reads JSON', async () => {
    await serving((_req, res) => res.json({}))
    for (const type of ['', 'text/x', 'multipart/x; boundary=b', 'application/x+json'])
      expect([type, (await post(type)).status]).toEqual([type, 415])
    // One that only some parsers take.
    for (const type of ['application/json;', 'application/json; =', 'application/json;;'])
      expect([200, 415]).toContain((await post(type)).status)
  })

  it('is a fault where a multipart body was read into another place', async () => {
    const reader: express.RequestHandler = (req, _res, next) => {
      req.body = { field: '1' }
      req.resume().once('end', next)
    }
    await serving(() => undefined, { parsers: [reader] })
    expect((await post('Multipart/form-data; boundary=b', '--b--')).status).toBe(500)
    expect(logger.reasons()).toEqual(['guard_order'])
  })
})
