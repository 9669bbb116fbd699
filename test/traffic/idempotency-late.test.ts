import { connect } from 'node:net'
import { PassThrough, pipeline } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { memoryStore } from '../../src/stores/memory.js'
import { idempotency, type IdempotencyOptions } from '../../src/traffic/idempotency.js'
import { requestTimeout, signalOf } from '../../src/traffic/request-timeout.js'
import { keepingLogger } from '../support/records.js'
import { sendRaw, serve, type RunningServer } from '../support/server.js'
import { caller } from './idempotency-support.js'
import { until } from './overload-support.js'

type Late = (
  res: express.Response,
  late: Promise<void>,
  req: express.Request,
  next: express.NextFunction,
) => unknown

interface Mount {
  readonly options?: IdempotencyOptions
  readonly mode?: 'enforce' | 'report'
  /** Whether the time-out stands behind `idempotency`. */
  readonly isBehind?: boolean
  readonly before?: readonly unknown[]
  readonly between?: readonly unknown[]
  readonly errors?: express.ErrorRequestHandler
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}

let server: RunningServer
let open: () => void
let late: Promise<void>
let runs: number
let logger: ReturnType<typeof keepingLogger>
/** What listeners of the response saw when it was over. */
let seen: unknown[]

beforeEach(() => {
  runs = 0
  seen = []
  late = new Promise((resolve) => {
    open = resolve
  })
})
afterEach(() => server.close())

/** A handler whose first run is told by `late` when its time is up; later runs answer 200 at once. */
async function serving(first: Late, mount: Mount = {}): Promise<void> {
  const { options, mode = 'enforce', isBehind = false, before = [], between = [], errors } = mount
  logger = keepingLogger()
  const timeout = requestTimeout({ timeoutMs: 30, mode })
  const once = idempotency({ store: memoryStore(), ...options })
  const app = express()
  app.use(auditLog({ logger }), express.json(), caller as express.RequestHandler)
  app.use((_req, res, next) => {
    for (const event of ['finish', 'close'])
      res.on(event, () => seen.push([event, res.statusCode, res.getHeader('content-type')]))
    next()
  })
  const pair = isBehind ? [...before, once, timeout] : [timeout, ...before, once]
  for (const one of pair) app.use(one as express.RequestHandler)
  for (const one of between) app.use(one as express.RequestHandler)
  app.post('/orders', (req, res, next) => {
    if (req.headers['x-run'] === 'slow') {
      res.write('slow')
      setTimeout(() => res.end(), 100)
      return
    }
    runs += 1
    if (runs === 1) first(res, late, req, next)
    else res.json({ run: runs })
  })
  // Only for the time-out: what `idempotency` says itself must be told from it.
  app.use(((error, req, res, next) => {
    if (errors !== undefined && (error as { reason?: unknown }).reason === 'time_exceeded')
      errors(error, req, res, next)
    else next(error)
  }) as express.ErrorRequestHandler)
  app.use(secureErrors() as express.ErrorRequestHandler)
  server = await serve(app)
}

async function post(more: Record<string, string> = {}): Promise<Answer> {
  const answer = await fetch(`${server.url}/orders`, {
    method: 'POST',
    headers: { 'x-user': 'ada', 'idempotency-key': '"k"', 'content-type': 'application/json', ...more },
    body: '{"sku":1}',
  })
  const { status, headers } = answer
  return { status, headers, text: await answer.text() }
}

/** The first answer to a repetition that is not "still under way". */
async function settled(): Promise<Answer> {
  for (let turn = 0; turn < 200; turn += 1) {
    const answer = await post()
    if (answer.status !== 409 || !answer.headers.has('retry-after')) return answer
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('the first request is still under way')
}

function posted(...lines: string[]): string {
  const body = '{"sku":1}'
  const head = ['POST /orders HTTP/1.1', 'Host: api.test', 'X-User: ada', 'Content-Type: application/json']
  return [...head, `Content-Length: ${body.length}`, ...lines, '', body].join('\r\n')
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const created: Late = (res, late) =>
  late.then(() => res.status(201).location('/orders/1').json({ run: runs }))

const HANDLERS: Readonly<Record<string, Late>> = {
  'answers late': created,
  'began its head in time': (res, late) => {
    res.status(201).location('/orders/1').set('X-Receipt', '17')
    return late.then(() => res.json({ run: 1 }))
  },
  'streams late': (res, late) =>
    late.then(() => {
      res.status(201).location('/orders/1').type('json')
      res.write('{"run"')
      res.write(':')
      res.end('1}')
    }),
  'makes its head itself': (res, late) =>
    late.then(() =>
      res
        .writeHead(201, { Location: '/orders/1', 'Content-Type': 'application/json; charset=utf-8' })
        .end('{"run":1}'),
    ),
  'wrote a part in time': (res, late) => {
    res.writeHead(201, { Location: '/orders/1', 'Content-Type': 'application/json; charset=utf-8' })
    res.write('{"run"')
    return late.then(() => {
      expect(() => res.setHeader('X-Late', '1')).toThrow(/after they are sent/)
      res.end(':1}')
    })
  },
  'sent its head in time': (res, late) => {
    res.status(201).location('/orders/1').type('json').flushHeaders()
    return late.then(() => res.end('{"run":1}'))
  },
  'pipes late': (res, late) =>
    late.then(() => {
      res.status(201).location('/orders/1').type('json')
      new PassThrough().end('{"run":1}').pipe(res)
    }),
  'began to pipe in time': (res, late) => {
    res.status(201).location('/orders/1').type('json')
    const source = new PassThrough()
    source.pipe(res)
    source.write('{"run"')
    return late.then(() => {
      source.write(':')
      source.end('1}')
    })
  },
  'began to pipe in time what is not the end': (res, late) => {
    res.status(201).location('/orders/1').type('json')
    const source = new PassThrough()
    source.pipe(res, { end: false })
    source.on('end', () => setTimeout(() => res.end('1}'), 10))
    return late.then(() => source.end('{"run":'))
  },
  'waits for each word': (res, late) =>
    late.then(async () => {
      res.status(201).location('/orders/1').type('json')
      await new Promise((resolve) => res.write('{"run":', resolve))
      await new Promise<void>((resolve) => res.end('1}', resolve))
    }),
  'says more after its end': (res, late) =>
    late.then(() => {
      res.status(201).location('/orders/1').json({ run: 1 })
      res.write('more')
      res.end('and more')
    }),
  'looks first whether it was answered': (res, late) =>
    late.then(() => {
      expect(res.getHeader('retry-after')).toBeUndefined()
      if (!res.headersSent) res.status(201).location('/orders/1').json({ run: 1 })
    }),
}

describe('idempotency and requestTimeout', () => {
  it.each([
    ...Object.keys(HANDLERS).map((name) => [name, 'before it', {}] as const),
    ['answers late', 'after it', { isBehind: true }] as const,
    ['wrote a part in time', 'after it', { isBehind: true }] as const,
  ])('gives again what a handler said that %s, with the time-out %s', async (name, _where, mount) => {
    await serving(HANDLERS[name] as Late, mount)
    const first = await post()
    expect(first.status).toBe(503)
    expect(first.headers.get('content-type')).toBe('application/problem+json')
    expect(first.headers.has('location')).toBe(false)
    expect((JSON.parse(first.text) as { code: string }).code).toBe('timed_out')
    expect((await post()).status).toBe(409)
    open()
    const again = await settled()
    expect(again).toMatchObject({ status: 201, text: '{"run":1}' })
    expect(again.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(again.headers.get('location')).toBe('/orders/1')
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.headers.get('cache-control')).toBeNull()
    expect(again.headers.get('retry-after')).toBeNull()
    expect((await post()).text).toBe('{"run":1}')
    expect([runs, logger.reasons().filter((reason) => reason === 'time_exceeded')]).toEqual([
      1,
      ['time_exceeded'],
    ])
  })

  it.each<[string, Late]>([
    ['a part of a body', (res) => res.status(201).set('X-Own', '1').write('part')],
    [
      'a head',
      (res) => {
        res.writeHead(204, 'Own', { 'X-Own': '1', 'Content-Length': '4' })
      },
    ],
    [
      'a head by its other name',
      (res) => {
        ;(res as unknown as { writeHeader: typeof res.writeHead }).writeHeader(201, { 'X-Own': '1' })
      },
    ],
    [
      'a head that should go out at once',
      (res) => {
        res.status(201).set({ 'X-Own': '1', 'Content-Length': '4' }).flushHeaders()
      },
    ],
  ])(
    'a handler that said %s and stalls is answered for, and nothing of it goes out',
    async (_what, stalls) => {
      await serving(stalls)
      const { status, headers, text } = await post()
      expect(status).toBe(503)
      expect([headers.get('x-own'), headers.get('transfer-encoding'), headers.get('connection')]).toEqual([
        null,
        null,
        'close',
      ])
      expect(headers.get('content-length')).toBe(String(text.length))
      expect(JSON.parse(text)).toMatchObject({ code: 'timed_out', status: 503 })
      // Never-ending: its lease stays.
      await pause(20)
      expect((await post()).status).toBe(409)
      expect(runs).toBe(1)
    },
  )

  it.each([500, 401, 403, 429])('does again what ended late with %d', async (status) => {
    await serving((res, late) => late.then(() => res.status(status).json({})))
    expect((await post()).status).toBe(503)
    expect((await post()).status).toBe(409)
    open()
    expect(await settled()).toMatchObject({ status: 200, text: '{"run":2}' })
  })

  it('does again what failed because its signal was aborted', async () => {
    await serving((_res, _late, req, next) => {
      const signal = signalOf(req)
      signal.addEventListener('abort', () => {
        next(signal.reason)
      })
    })
    expect((await post()).status).toBe(503)
    expect((await settled()).text).toBe('{"run":2}')
  })

  it.each<[string, (next: express.NextFunction) => void]>([
    [
      'passed the request on',
      (next) => {
        next()
      },
    ],
    [
      'threw something of a status',
      (next) => {
        next(Object.assign(new Error('no'), { status: 422 }))
      },
    ],
  ])('does again what nobody answered after the error handler: a middleware %s', async (_case, late) => {
    let isFirst = true
    const slow: express.RequestHandler = (_req, _res, next) => {
      if (!isFirst) {
        next()
        return
      }
      isFirst = false
      setTimeout(late, 60, next)
    }
    await serving((res) => res.json({ run: 1 }), { between: [slow] })
    expect((await post()).status).toBe(503)
    expect((await post()).status).toBe(409)
    expect((await settled()).text).toBe('{"run":1}')
  })

  it('does not do again what is answered never', async () => {
    await serving(() => undefined)
    expect((await post()).status).toBe(503)
    await pause(60)
    expect((await post()).status).toBe(409)
    expect(runs).toBe(1)
  })

  it.each<[string, { json?: string; location?: string }]>([
    ['body', { json: 'x'.repeat(1000) }],
    ['head', { location: 'x'.repeat(20_000) }],
  ])('keeps no late answer with too large a %s', async (_what, { json, location = '' }) => {
    await serving((res, late) => late.then(() => res.status(201).location(`/${location}`).json({ json })), {
      options: { maxBodyBytes: 500 },
    })
    expect((await post()).status).toBe(503)
    open()
    const again = await settled()
    expect([again.status, JSON.parse(again.text)]).toMatchObject([409, { title: 'Answer Not Kept' }])
    expect(runs).toBe(1)
  })

  it('reads on where a late answer is too large, and keeps none of it', async () => {
    let written = 0
    let isOver = false
    await serving((res, late) =>
      late.then(() => {
        const source = new PassThrough()
        source.pipe(res)
        const more = (): void => {
          written += 1
          if (written > 300) source.end(() => (isOver = true))
          else source.write(Buffer.alloc(10_000), more)
        }
        more()
      }),
    )
    expect((await post()).status).toBe(503)
    open()
    await until(() => isOver)
    expect((await settled()).status).toBe(409)
  })

  it.each(['before', 'after'])('keeps what was done for a caller who left %s the time-out', async (when) => {
    await serving(created)
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(posted('Idempotency-Key: "k"'))
    await until(() => runs === 1)
    if (when === 'after') await until(() => logger.reasons().includes('time_exceeded'))
    socket.destroy()
    await until(() => seen.some((one) => (one as unknown[])[0] === 'close'))
    open()
    expect(await settled()).toMatchObject({ status: 201, text: '{"run":1}' })
    expect(runs).toBe(1)
  })

  it('keeps a late answer though the one in its place still waits for another, and sends that alone', async () => {
    let isDone = false
    await serving(
      (res) => {
        setTimeout(() => {
          res.status(201).json({ run: 1 })
          isDone = true
        }, 60)
      },
      { options: { required: false } },
    )
    const text = await sendRaw(
      server.port,
      posted('X-Run: slow') + posted('Idempotency-Key: "k"', 'Connection: close'),
    )
    expect(isDone).toBe(true)
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 503'])
    expect(text).not.toContain('"run"')
    expect(seen).toContainEqual(['finish', 503, 'application/problem+json'])
    expect((await post()).text).toBe('{"run":1}')
  })

  it('silences nothing while a time-out is only tried out', async () => {
    await serving(created, { mode: 'report' })
    const first = post()
    await until(() => logger.reasons().includes('time_exceeded'))
    open()
    expect(await first).toMatchObject({ status: 201, text: '{"run":1}' })
    const again = await post()
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true'])
  })

  it('tells who listens what was sent, not what the handler says at that moment', async () => {
    await serving((res) => {
      res.on('finish', () => res.status(201).json({ run: 1 }))
    })
    expect((await post()).status).toBe(503)
    expect((await settled()).text).toBe('{"run":1}')
    expect(seen.slice(0, 2)).toEqual([
      ['finish', 503, 'application/problem+json'],
      ['close', 503, 'application/problem+json'],
    ])
    const completed = logger.kept.filter(({ message }) => message === 'request completed')
    expect(completed[0]?.record).toMatchObject({ http: { response: { status_code: 503 } } })
  })

  it('keeps no half of an answer that a pipeline was broken off in, as when its caller leaves', async () => {
    await serving((res, late) => {
      const source = new PassThrough()
      pipeline(source, res, () => undefined)
      source.write('half')
      return late.then(() => source.end(' and half'))
    })
    expect((await post()).status).toBe(503)
    open()
    await pause(20)
    expect((await post()).status).toBe(409)
    expect(runs).toBe(1)
  })

  it.each<[string, express.ErrorRequestHandler]>([
    [
      'at once, with a status of its own',
      (_error, _req, res, _next) => {
        res.status(408).send('late')
      },
    ],
    [
      'at once, with 200',
      (_error, _req, res, _next) => {
        res.json({ error: 'late' })
      },
    ],
    [
      'after a while',
      (_error, _req, res, _next) => {
        setTimeout(() => res.status(503).send('late'), 20)
      },
    ],
    [
      'after a while, with its head before',
      (_error, _req, res, _next) => {
        res.statusCode = 503
        setTimeout(() => res.end('late'), 20)
      },
    ],
  ])('keeps no answer of an error handler that answers %s', async (_how, errors) => {
    for (const name of ['answers late', 'wrote a part in time']) {
      runs = 0
      late = new Promise((resolve) => {
        open = resolve
      })
      await serving(HANDLERS[name] as Late, { errors })
      expect((await post()).text).toContain('late')
      expect((await post()).status).toBe(409)
      open()
      expect(await settled()).toMatchObject({ status: 201, text: '{"run":1}' })
      await server.close()
    }
  })

  it('sends the whole answer of a handler that is faster than the error handler, and does nothing again', async () => {
    let isOver = false
    await serving(
      (res) => {
        setTimeout(() => res.status(201).json({ run: 1 }), 60)
      },
      {
        errors: (_error, _req, res, _next) => {
          setTimeout(() => {
            res.status(503).send('late')
            isOver = true
          }, 100)
        },
      },
    )
    expect(await post()).toMatchObject({ status: 201, text: '{"run":1}' })
    await until(() => isOver)
    expect((await post()).status).toBe(409)
    expect(runs).toBe(1)
  })

  it('sends no half of an answer for the whole, while the error handler takes its time', async () => {
    await serving(
      (res) => {
        res.status(201).type('json').write('{"run"')
        setTimeout(() => res.end(':1}'), 60)
      },
      {
        errors: (_error, _req, res, _next) => {
          setTimeout(() => res.status(503).send('late'), 80)
        },
      },
    )
    expect(await post()).toMatchObject({ status: 503, text: 'late' })
    expect(await settled()).toMatchObject({ status: 201, text: '{"run":1}' })
  })

  it.each([true, false])(
    'runs nothing that begins after the time-out, whether the error handler took its time: %s',
    async (takesTime) => {
      const slow: express.RequestHandler = (req, _res, next) => {
        setTimeout(next, req.headers['x-slow'] === undefined ? 0 : 60)
      }
      const nested = express.Router()
      nested.use(slow, idempotency({ store: memoryStore(), name: 'nested' }) as express.RequestHandler)
      nested.use((_req, res) => res.json({ run: (runs += 1) }))
      await serving(() => undefined, {
        options: { required: false },
        before: [nested],
        errors: (_error, _req, res) => {
          setTimeout(() => res.status(503).send('late'), takesTime ? 120 : 0)
        },
      })
      expect((await post({ 'x-slow': '1' })).status).toBe(503)
      await pause(80)
      expect(runs).toBe(0)
      expect((await post()).text).toBe('{"run":1}')
    },
  )

  it('answers once where two times are up, while the error handler takes its time', async () => {
    await serving(() => undefined, {
      before: [requestTimeout({ timeoutMs: 20, name: 'first' })],
      errors: (_error, _req, res, _next) => {
        setTimeout(() => res.status(503).send('late'), 40)
      },
    })
    expect((await post()).text).toBe('late')
    expect(logger.reasons()).toEqual(['time_exceeded'])
  })

  it('keeps it where what is beneath sends the answer in its place later', async () => {
    const later = (_req: unknown, res: express.Response, next: () => void): void => {
      const end = res.end.bind(res) as (...given: unknown[]) => unknown
      res.end = ((...given: unknown[]) => {
        setTimeout(() => end(...given), 20)
        return res
      }) as typeof res.end
      next()
    }
    await serving(HANDLERS['wrote a part in time'] as Late, { before: [later] })
    expect(await post()).toMatchObject({ status: 503, text: expect.stringContaining('timed_out') })
    open()
    expect((await settled()).text).toBe('{"run":1}')
    expect(runs).toBe(1)
  })

  it('keeps it under each of two names', async () => {
    const store = memoryStore()
    await serving(HANDLERS['wrote a part in time'] as Late, {
      options: { store },
      between: [idempotency({ store, name: 'inner' })],
    })
    expect((await post()).status).toBe(503)
    open()
    expect((await settled()).text).toBe('{"run":1}')
    expect(runs).toBe(1)
  })

  it('takes what goes through something that stands over the answer', async () => {
    const shouting = (_req: unknown, res: express.Response, next: () => void): void => {
      const { write, end } = res as unknown as Record<string, (...given: unknown[]) => unknown>
      const loud = (text: unknown): unknown => (typeof text === 'string' ? text.toUpperCase() : text)
      Object.assign(res, {
        write: (text: unknown) => write?.call(res, loud(text)),
        end: (text: unknown) => end?.call(res, loud(text)),
      })
      next()
    }
    await serving(
      (res, late) => {
        res.status(201).write('a')
        return late.then(() => res.end('b'))
      },
      { between: [shouting] },
    )
    expect(JSON.parse((await post()).text)).toMatchObject({ code: 'timed_out' })
    open()
    expect((await settled()).text).toBe('AB')
  })
})
