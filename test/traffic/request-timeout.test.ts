import { format } from 'node:util'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { notFound } from '../../src/errors/not-found.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { requestTimeout, signalOf, type RequestTimeoutOptions } from '../../src/traffic/request-timeout.js'
import { keepingLogger } from '../support/records.js'
import { sendRaw, serve, type RunningServer } from '../support/server.js'
import { GET, opened, statusOf, until, type Handler } from './overload-support.js'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

let server: RunningServer
let logger: ReturnType<typeof keepingLogger>
const serving = async (handler: Handler, options: Partial<RequestTimeoutOptions> = {}): Promise<string> => {
  logger = keepingLogger()
  const app = express()
  app.use(auditLog({ logger, completions: 'none' }), requestTimeout({ timeoutMs: 30, ...options }))
  const router = express.Router()
  router.all('/', handler)
  app.use(router)
  app.use(notFound(), secureErrors())
  server = await serve(app)
  return server.url
}
afterEach(() => server.close())

describe('requestTimeout', () => {
  it('answers 503 with Retry-After where nobody answers, once, and records it once', async () => {
    const answer = await fetch(await serving(() => undefined))
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toMatch(/^[1-5]$/)
    expect(answer.headers.get('connection')).toBe('close')
    expect(await answer.json()).toMatchObject({ code: 'timed_out', status: 503 })
    expect(logger.reasons()).toEqual(['time_exceeded'])
    expect(logger.kept[0]?.record).toMatchObject({
      rule: { name: 'request-timeout', ruleset: 'requestTimeout' },
    })
  })

  it('leaves an answer in time alone', async () => {
    let signal: AbortSignal | undefined
    const url = await serving((req, res) => {
      signal = signalOf(req)
      res.json({})
    })
    expect(await statusOf(url)).toBe(200)
    await pause(60)
    expect([signal?.aborted, logger.reasons()]).toEqual([false, []])
  })

  it('never cuts an answer that has begun', async () => {
    let signal: AbortSignal | undefined
    const url = await serving((req, res) => {
      signal = signalOf(req)
      res.write('a')
      setTimeout(() => res.end('b'), 80)
    })
    expect(await (await fetch(url)).text()).toBe('ab')
    expect([signal?.aborted, logger.reasons()]).toEqual([false, []])
  })

  // What a handler may do when its time is up already. None may disturb the answer, the process or another request.
  it.each<[string, (res: express.Response, next: express.NextFunction) => void]>([
    ['answers', (res) => res.set('X-Late', '1').status(201).json({ late: true })],
    [
      'writes',
      (res) => {
        res.writeHead(200, { 'x-late': '1' })
        res.write('late')
        res.end('late')
      },
    ],
    [
      'waits for its answer',
      (res) => {
        res.end('late', () => undefined)
      },
    ],
    [
      'throws',
      () => {
        throw new Error('late')
      },
    ],
    [
      'passes an error on',
      (_res, next) => {
        next(new Error('late'))
      },
    ],
    [
      'passes the request on',
      (_res, next) => {
        next()
      },
    ],
    [
      'redirects',
      (res) => {
        res.redirect('/elsewhere')
      },
    ],
  ])('is not disturbed by a handler that %s later', async (_case, late) => {
    let done = false
    const thrown: string[] = []
    const url = await serving(async (_req, res, next) => {
      await pause(60)
      try {
        late(res, next)
      } catch (error) {
        // On Express 4 this would end the process.
        thrown.push((error as Error).message)
        next(error)
      } finally {
        done = true
      }
    })
    const answer = await fetch(url)
    expect([answer.status, answer.headers.get('x-late')]).toEqual([503, null])
    expect(await answer.text()).not.toContain('late')
    await until(() => done)
    await pause(5)
    expect(thrown).toEqual(late.length === 0 ? ['late'] : [])
  })

  it('lets a handler that waits for its words go on', async () => {
    const heard: string[] = []
    const url = await serving(async (_req, res) => {
      await pause(60)
      await new Promise<void>((resolve) =>
        res.write('late', () => {
          resolve()
        }),
      )
      heard.push('written')
      await new Promise<void>((resolve) => res.end(resolve))
      heard.push('ended')
    })
    expect(await statusOf(url)).toBe(503)
    await until(() => heard.length === 2)
  })

  it('sends nothing more while its answer waits for the one before it', async () => {
    let run = 0
    await serving((_req, res) => {
      run += 1
      if (run === 1) {
        res.write('first')
        setTimeout(() => res.end(), 90)
        return
      }
      setTimeout(() => {
        res.writeContinue()
        res.writeProcessing()
        res.writeEarlyHints({ link: '</a>; rel=preload' })
        ;(res as unknown as { writeHeader(status: number): void }).writeHeader(200)
        res.end('late')
      }, 60)
    })
    const text = await sendRaw(server.port, GET.repeat(2))
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 503'])
    expect(text).not.toContain('late')
  })

  it('aborts its signal after the answer: a handler that fails by it is not who answers', async () => {
    let reason: unknown
    const url = await serving(async (req, _res, next) => {
      const signal = signalOf(req)
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason
          reject(signal.reason as Error)
        })
      }).catch(next)
    })
    const answer = await fetch(url)
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([503, 'timed_out'])
    await until(() => reason !== undefined)
    expect(reason).toMatchObject({ reason: 'time_exceeded' })
    expect(logger.reasons()).toEqual(['time_exceeded'])
  })

  it('aborts its signal when the caller leaves, pipelined requests too, and answers nobody', async () => {
    const signals: AbortSignal[] = []
    await serving(
      (req) => {
        signals.push(signalOf(req))
      },
      { timeoutMs: 60_000 },
    )
    const socket = await opened(server.port, GET.repeat(3))
    await until(() => signals.length === 3)
    socket.destroy()
    await until(() => signals.every(({ aborted }) => aborted))
    expect(signals[2]?.reason).toMatchObject({ reason: 'client_gone' })
    expect(logger.reasons()).toEqual([])
  })

  // As `fetch` does it, which gives what it rejects with a trace of its own.
  const fetching = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        const reason = signal.reason as Error
        Error.captureStackTrace(reason)
        reject(reason)
      })
    })

  it.each([true, false])(
    'costs at most one line on the terminal where a handler ends by its signal, the caller there: %s',
    async (isThere) => {
      const printed: string[] = []
      const error = jest.spyOn(console, 'error').mockImplementation((...given) => {
        printed.push(format(...(given as unknown[])))
      })
      logger = keepingLogger()
      let isOver = false
      let isInside = false
      const app = express()
      app.set('env', 'production')
      app.use(auditLog({ logger }), requestTimeout({ timeoutMs: isThere ? 30 : 60_000 }))
      app.get('/', async (req, _res, next) => {
        isInside = true
        try {
          await fetching(signalOf(req))
        } catch (reason) {
          next(reason)
          isOver = true
        }
      })
      if (isThere) app.use(secureErrors())
      server = await serve(app)
      const socket = await opened(server.port, GET)
      await until(() => isInside)
      if (!isThere) socket.destroy()
      await until(() => isOver)
      await pause(20)
      error.mockRestore()
      expect(printed).toEqual([
        `SecurityProblem: ${isThere ? 'time_exceeded' : 'client_gone'} (the reason of a signalOf)`,
      ])
    },
  )

  it('in mode report records, and answers and aborts nothing', async () => {
    let signal: AbortSignal | undefined
    const url = await serving(
      (req, res) => {
        signal = signalOf(req)
        setTimeout(() => res.json({}), 60)
      },
      { mode: 'report' },
    )
    expect(await statusOf(url)).toBe(200)
    expect([logger.reasons(), signal?.aborted]).toEqual([['time_exceeded'], false])
  })

  it('leaves no timer behind', async () => {
    const cleared = jest.spyOn(globalThis, 'clearTimeout')
    const set = jest.spyOn(globalThis, 'setTimeout')
    const url = await serving((_req, res) => res.json({}), { timeoutMs: 45_678 })
    await statusOf(url)
    const made = set.mock.calls.findIndex(([, ms]) => ms === 45_678)
    const timer = set.mock.results[made]?.value as NodeJS.Timeout
    await until(() => cleared.mock.calls.some(([one]) => one === timer))
    expect(timer.hasRef()).toBe(false)
  })

  it('has a signal only behind it', async () => {
    await serving(() => undefined)
    expect(() => signalOf({})).toThrow(expect.objectContaining({ reason: 'guard_order' }))
  })

  it.each<[string, unknown, RegExp]>([
    ['no time', {}, /timeoutMs must be/],
    ['a time of 0', { timeoutMs: 0 }, /timeoutMs must be/],
    ['a time that overflows a timer', { timeoutMs: 2 ** 31 }, /timeoutMs must be/],
    ['another word', { timeout: 5 }, /Did you mean timeoutMs/],
  ])('throws for %s', async (_case, options, message) => {
    await serving(() => undefined)
    expect(() => requestTimeout(options as RequestTimeoutOptions)).toThrow(message)
  })
})
