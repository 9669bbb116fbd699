import { describe, expect, it, jest } from '@jest/globals'
import express, { type RequestHandler, type Router } from 'express'
import { pino } from 'pino'
import supertest from 'supertest'
import { auditLog, type AuditLogOptions, type AuditLogger } from '../../src/audit/audit-log.js'
import { principalFrom } from '../../src/authentication/principal-from.js'
import { publicRoute } from '../../src/authentication/public-route.js'
import { PASSED, SecurityProblem, contextOf, defineGuard } from '../../src/core.js'
import { notFound } from '../../src/errors/not-found.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { keepingLogger } from '../support/records.js'
import { rawRequest, sendRaw, serve } from '../support/server.js'
import { UNSAFE, breakOff, completionsIn, until } from './support.js'

const ok: RequestHandler = (_req, res) => {
  res.json({})
}
const refuse = defineGuard({
  kind: 'refuse',
  layer: 'authorization',
  name: 'never',
  check: () => new SecurityProblem('scope_missing', { evidence: { missing: ['orders:write'] } }),
})
const reporting = defineGuard({
  kind: 'refuse',
  layer: 'authorization',
  name: 'trial',
  mode: 'report',
  check: () => new SecurityProblem('scope_missing'),
})
const pass = defineGuard({ kind: 'pass', layer: 'authorization', name: 'always', check: () => PASSED })

type Kept = ReturnType<typeof keepingLogger>

function service(
  mount: (app: express.Express) => void,
  options: Omit<AuditLogOptions, 'logger'> = {},
): { app: express.Express; log: Kept; kept: Kept['kept'] } {
  const log = keepingLogger()
  const app = express()
  app.use(auditLog({ ...options, logger: log }))
  mount(app)
  app.use(secureErrors())
  return { app, log, kept: log.kept }
}

describe('the records of a request', () => {
  it('are one for a refusal, the moment it is made, and one for the response', async () => {
    const { app, kept } = service((of) => of.get('/orders/:id', pass, refuse, ok))
    let keptBeforeAnswer = -1
    const server = await serve((req, res) => {
      const writeHead = res.writeHead.bind(res)
      res.writeHead = ((...args: Parameters<typeof writeHead>) => {
        keptBeforeAnswer = kept.length
        return writeHead(...args)
      }) as typeof writeHead
      app(req, res)
    })
    await sendRaw(server.port, rawRequest('GET', '/orders/7?secret=1', ['User-Agent: test/1']))
    await until(() => kept.length === 2)
    await server.close()
    expect(keptBeforeAnswer).toBe(1)
    const [refusal, completion] = kept
    expect(refusal).toEqual({
      level: 'warn',
      message: 'scope_missing',
      record: {
        client: { address: '127.0.0.1' },
        event: {
          action: 'authz_fail',
          category: ['api'],
          dataset: 'express-bulwark.audit',
          duration: expect.any(Number),
          kind: 'event',
          mode: 'enforce',
          outcome: 'failure',
          reason: 'scope_missing',
        },
        evidence: { missing: ['orders:write'] },
        http: {
          request: { id: expect.stringMatching(/^[0-9a-f-]{36}$/), inbound_id: undefined, method: 'GET' },
          response: { status_code: 403 },
          route: '/orders/:id',
        },
        rule: { name: 'never', ruleset: 'refuse' },
        trace: undefined,
        user: undefined,
        user_agent: { original: 'test/1' },
      },
    })
    expect(completion).toMatchObject({
      level: 'info',
      message: 'request completed',
      record: {
        event: { action: 'http_request', outcome: 'failure' },
        http: {
          request: { id: refusal?.record.http.request.id },
          response: { status_code: 403 },
          route: '/orders/:id',
        },
      },
    })
    expect(completion?.record.event.duration).toBeGreaterThan(0)
  })

  it('tell a reported refusal from an enforced one, and a fault of ours from both', async () => {
    const broken = defineGuard({
      kind: 'broken',
      layer: 'authorization',
      name: 'broken',
      check: () => {
        throw new Error('canary')
      },
    })
    const { app, kept } = service((of) => of.get('/', reporting, broken, ok))
    await supertest(app).get('/')
    await until(() => kept.length === 3)
    expect(
      kept.map(({ level, record }) => [level, record.event.mode, record.event.reason, record.event.action]),
    ).toEqual([
      ['warn', 'report', 'scope_missing', 'authz_fail'],
      ['error', 'enforce', 'guard_fault', 'sys_error'],
      ['info', undefined, undefined, 'http_request'],
    ])
    expect(kept[1]?.record.error).toMatchObject({
      type: 'Error',
      stack_trace: expect.stringContaining('at '),
    })
    expect(JSON.stringify(kept)).not.toContain('canary')
  })

  it('hold the message of an unexpected error only where that is asked for', async () => {
    const fail: RequestHandler = () => {
      throw new TypeError('canary', { cause: new RangeError('deeper') })
    }
    const quiet = service((of) => of.get('/', fail))
    await supertest(quiet.app).get('/')
    expect(quiet.kept[0]?.record.error).toMatchObject({ type: 'TypeError', causes: [{ type: 'RangeError' }] })
    expect(JSON.stringify(quiet.kept)).not.toMatch(/canary|deeper/)
    const telling = service((of) => of.get('/', fail), { errorMessages: true })
    await supertest(telling.app).get('/')
    expect(telling.kept[0]?.record.error).toMatchObject({
      message: 'canary',
      causes: [{ message: 'deeper' }],
    })
  })

  it('do not take lines of a message for lines of a stack', async () => {
    const fail: RequestHandler = () => {
      throw new Error('bad input\n    at canary (/etc/passwd:1:1)\n    at other (x:2:2)')
    }
    const { app, kept } = service((of) => of.get('/', fail))
    await supertest(app).get('/')
    expect(kept[0]?.record.error.stack_trace).toMatch(/^at /)
    expect(JSON.stringify(kept)).not.toContain('canary')
  })

  it('are written once where auditLog is mounted twice', async () => {
    const log = keepingLogger()
    const audit = auditLog({ logger: log })
    const app = express()
    app.use(audit, audit)
    app.get('/', audit, refuse)
    app.use(secureErrors())
    await supertest(app).get('/')
    await until(() => log.kept.length >= 2)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(log.kept).toHaveLength(2)
  })

  it('include what was decided before auditLog', async () => {
    const log = keepingLogger()
    const app = express()
    app.use(reporting)
    app.use(auditLog({ logger: log }))
    app.get('/', ok)
    await supertest(app).get('/')
    expect(log.reasons()).toEqual(['scope_missing'])
  })
})

describe('an aborted request', () => {
  it('has outcome aborted and no status where no answer had begun', async () => {
    let entered = false
    const { app, kept } = service((of) =>
      of.get('/slow/:id', () => {
        entered = true
      }),
    )
    const server = await serve(app)
    await breakOff(server.port, rawRequest('GET', '/slow/7'), () => until(() => entered))
    await until(() => kept.length === 1)
    await server.close()
    expect(kept[0]?.record).toMatchObject({
      client: { address: '127.0.0.1' },
      event: { outcome: 'aborted' },
      http: { route: '/slow/:id', response: { status_code: undefined } },
    })
  })

  it('has the status that went out where an answer had begun', async () => {
    let begun = false
    const { app, kept } = service((of) =>
      of.get('/stream', (_req, res) => {
        res.status(206)
        res.write('half')
        begun = true
      }),
    )
    const server = await serve(app)
    await breakOff(server.port, rawRequest('GET', '/stream'), () => until(() => begun))
    await until(() => kept.length === 1)
    await server.close()
    expect(kept[0]?.record).toMatchObject({
      event: { outcome: 'aborted' },
      http: { response: { status_code: 206 } },
    })
  })

  it('is recorded once, also where it was refused before', async () => {
    let entered = false
    const { app, kept } = service((of) =>
      of.get('/', reporting, () => {
        entered = true
      }),
    )
    const server = await serve(app)
    await breakOff(server.port, rawRequest('GET', '/'), () => until(() => entered))
    await until(() => kept.length === 2)
    await server.close()
    expect(completionsIn(kept)).toHaveLength(1)
  })
})

describe('completions', () => {
  const mount = (of: express.Express): void => {
    of.get('/health', publicRoute('liveness probe'), ok)
    of.get('/unwell', publicRoute('readiness probe'), (_req, res) => {
      res.status(503).json({})
    })
    of.get('/refused', refuse)
    of.get('/', ok)
  }
  const routesOf = async (options: AuditLogOptions): Promise<unknown[]> => {
    const { app, kept } = service(mount, options)
    for (const path of ['/health', '/unwell', '/refused', '/']) await supertest(app).get(path)
    await new Promise((resolve) => setTimeout(resolve, 20))
    return completionsIn(kept).map(({ record }) => record.http.route)
  }

  it.each<[string, AuditLogOptions, string[]]>([
    ['leave out successful probes', {}, ['/unwell', '/refused', '/']],
    ['may be all', { completions: 'all' }, ['/health', '/unwell', '/refused', '/']],
    ['may be none', { completions: 'none' }, []],
    ['may be chosen', { completions: ({ status }) => status === 503 }, ['/unwell']],
    [
      'are all written where choosing fails',
      {
        completions: () => {
          throw new Error('canary')
        },
      },
      ['/health', '/unwell', '/refused', '/'],
    ],
  ])('%s', async (_case, options, routes) => {
    expect(await routesOf(options)).toEqual(routes)
  })

  it('that are none leave every refusal', async () => {
    const { app, log } = service(mount, { completions: 'none' })
    await supertest(app).get('/refused')
    expect(log.reasons()).toEqual(['scope_missing'])
  })

  it('are chosen by what they say of the request', async () => {
    const seen: unknown[] = []
    const { app } = service(mount, { completions: (completion) => seen.push(completion) > 0 })
    await supertest(app).get('/health?x=1')
    await until(() => seen.length === 1)
    expect(seen).toEqual([
      {
        outcome: 'success',
        status: 200,
        method: 'GET',
        route: '/health',
        durationMs: expect.any(Number),
        public: true,
      },
    ])
  })
})

describe('the id of a request', () => {
  const idsOf = async (
    options: AuditLogOptions,
    before?: RequestHandler,
    inbound?: string,
  ): Promise<object> => {
    const log = keepingLogger()
    const app = express()
    if (before !== undefined) app.use(before)
    app.use(auditLog({ ...options, logger: log }))
    app.get('/', refuse)
    app.use(secureErrors())
    const call = supertest(app).get('/')
    const answer = await (inbound === undefined ? call : call.set('X-Request-Id', inbound))
    const { id, inbound_id } = log.kept[0]?.record.http.request ?? {}
    expect(answer.body.requestId).toBe(id)
    return { id, inbound_id }
  }
  const withId =
    (id: unknown): RequestHandler =>
    (req, _res, next) => {
      Object.assign(req, { id })
      next()
    }
  const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/)

  it.each<[string, AuditLogOptions, RequestHandler | undefined, string | undefined, object]>([
    ['is a UUID', {}, undefined, undefined, { id: uuid }],
    ['is req.id where something set it', {}, withId('own-1'), undefined, { id: 'own-1' }],
    ['is req.id also where that is a number', {}, withId(17), undefined, { id: '17' }],
    ['is a UUID where req.id is empty', {}, withId(''), undefined, { id: uuid }],
    ['is a UUID where req.id is an object', {}, withId({}), undefined, { id: uuid }],
    [
      'is what requestId answers',
      { requestId: () => 'made-1' },
      withId('own-1'),
      undefined,
      { id: 'made-1' },
    ],
    [
      'is a UUID where requestId answers nothing',
      { requestId: () => '' },
      undefined,
      undefined,
      { id: uuid },
    ],
    [
      'is never the caller’s, which is a label',
      {},
      undefined,
      'theirs-1',
      { id: uuid, inbound_id: 'theirs-1' },
    ],
    [
      'is neutralised and short',
      { requestId: () => `a\r\n\u202e${'x'.repeat(300)}` },
      undefined,
      undefined,
      { id: `a\ufffd\ufffd\ufffd${'x'.repeat(124)}` },
    ],
    [
      'and the caller’s is short too',
      {},
      undefined,
      'y'.repeat(2000),
      { id: uuid, inbound_id: 'y'.repeat(256) },
    ],
  ])('%s', async (_case, options, before, inbound, ids) => {
    expect(await idsOf(options, before, inbound)).toEqual({ inbound_id: undefined, ...ids })
  })

  it('is a UUID where requestId throws: no request is lost for it, nor its record', async () => {
    const throwing = (): never => {
      throw new Error('canary')
    }
    expect(await idsOf({ requestId: throwing })).toEqual({ id: uuid, inbound_id: undefined })
  })
})

describe('the trace', () => {
  const id = '0af7651916cd43dd8448eb211c80319c'
  const parent = 'b7ad6b7169203331'

  it.each([
    ['a traceparent', `00-${id}-${parent}-01`, id],
    ['one without the sampled flag', `00-${id}-${parent}-00`, id],
    ['one of a later version', `cc-${id}-${parent}-01-what-comes-then`, id],
    ['upper case', `00-${id.toUpperCase()}-${parent}-01`, undefined],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${parent}-01`, undefined],
    ['a parent of zeros', `00-${id}-${'0'.repeat(16)}-01`, undefined],
    ['version ff', `ff-${id}-${parent}-01`, undefined],
    ['version 00 with more behind it', `00-${id}-${parent}-01-more`, undefined],
    ['a short trace', `00-${id.slice(1)}-${parent}-01`, undefined],
    ['a long flag', `00-${id}-${parent}-011`, undefined],
    ['two at once', `00-${id}-${parent}-01, 00-${id}-${parent}-01`, undefined],
    ['text', 'canary', undefined],
    ['nothing', '', undefined],
  ])('is read strictly: %s', async (_case, traceparent, expected) => {
    const { app, kept } = service((of) => of.get('/', refuse))
    await supertest(app).get('/').set('traceparent', traceparent)
    expect(kept[0]?.record.trace).toEqual(
      expected === undefined ? undefined : { id: expected, trusted: false },
    )
  })
})

describe('text from outside', () => {
  const nasty: readonly (readonly [string, string])[] = [
    ['CR LF', 'a\r\n{"forged":true}'],
    ['LF', 'a\nb'],
    ['NUL', 'a\0b'],
    ['ESC', 'a\u001b[2Jb'],
    ['DEL', 'a\u007fb'],
    ['C1', 'a\u009b31mb'],
    ['NEL', 'a\u0085b'],
    ['a bidirectional override', 'a\u202eb'],
    ['a bidirectional isolate', 'a\u2066b'],
    ['a line separator', 'a\u2028b'],
    ['a paragraph separator', 'a\u2029b'],
    ['a zero-width space', 'a\u200bb'],
    ['a byte order mark', 'a\ufeffb'],
    ['a lone surrogate', 'a\ud800b'],
    ['quotes and braces', '","level":50,"x":{"'],
    ['a long text', 'x'.repeat(100_000)],
  ]

  const linesOf = async (run: (logger: AuditLogger) => Promise<void>): Promise<string[]> => {
    let written = ''
    const logger = pino({}, { write: (text: string) => (written += text) })
    await run(logger)
    return written.split('\n').slice(0, -1)
  }
  const expectClean = (lines: readonly string[], count: number): void => {
    expect(lines).toHaveLength(count)
    for (const line of lines) {
      expect(line).not.toMatch(UNSAFE)
      expect(() => encodeURIComponent(line)).not.toThrow()
      expect(line.length).toBeLessThan(5000)
      expect(JSON.parse(line)).not.toHaveProperty('forged')
      expect([30, 40, 50]).toContain(JSON.parse(line).level)
    }
  }

  it.each(nasty)('makes one harmless line each, whoever wrote it: %s', async (_case, text) => {
    const lines = await linesOf(async (logger) => {
      const app = express()
      app.set('trust proxy', 1)
      app.use((req, _res, next) => {
        // What a header cannot carry may come from elsewhere: a cookie, a token, a gateway's own parsing.
        Object.assign(req.headers, { 'user-agent': text, 'x-request-id': text, 'x-forwarded-for': text })
        Object.assign(req, { id: text, method: text })
        next()
      })
      app.use(auditLog({ logger }))
      app.use(
        principalFrom(() => ({ subject: `s${text}`, issuer: `i${text}`, clientId: text, scopes: [] }), {
          name: 'test',
        }) as RequestHandler,
      )
      app.use(
        defineGuard({
          kind: 'refuse',
          layer: 'authorization',
          name: text.slice(0, 1000),
          check: () =>
            new SecurityProblem('scope_missing', {
              evidence: { kid: text, missing: [text, text] },
              cause: Object.assign(new Error(text), {
                name: text,
                code: text,
                stack: `Error: x\n    at ${text} (a:1:1)`,
              }),
            }),
        }),
      )
      app.use(secureErrors())
      await supertest(app).get('/')
      await new Promise((resolve) => setTimeout(resolve, 10))
    })
    expectClean(lines, 2)
  })

  it('of headers, as bytes on the wire', async () => {
    const lines = await linesOf(async (logger) => {
      const app = express()
      app.set('trust proxy', 1)
      app.use(auditLog({ logger }))
      app.get('/', refuse)
      app.use(secureErrors())
      const server = await serve(app)
      const evil = 'a\u009b31m\u0085\u00adb'
      const bytes = Buffer.from(
        rawRequest('GET', '/', [`User-Agent: ${evil}`, `X-Request-Id: ${evil}`, `X-Forwarded-For: ${evil}`]),
        'latin1',
      )
      await sendRaw(server.port, bytes as unknown as string)
      await server.close()
    })
    expectClean(lines, 2)
  })
})

describe('a logger that fails', () => {
  const failing = (fail: (call: number) => unknown): { logger: AuditLogger; calls: () => number } => {
    let calls = 0
    const write = (): never => fail((calls += 1)) as never
    return { logger: { info: write, warn: write, error: write }, calls: () => calls }
  }
  const throwing = (): never => {
    throw new Error('canary')
  }

  it.each<[string, (call: number) => unknown]>([
    ['always', throwing],
    [
      'with no error at all',
      () => {
        throw undefined
      },
    ],
    ['by a promise that rejects', () => Promise.reject(new Error('canary'))],
  ])('%s disturbs no request, and is seen in health()', async (_case, fail) => {
    const { logger, calls } = failing(fail)
    const audit = auditLog({ logger })
    const app = express()
    app.use(audit)
    app.get('/', ok)
    app.get('/refused', refuse)
    app.use(secureErrors())
    expect(audit.health()).toEqual({ name: 'auditLog', status: 'ok', detail: '0 records written, 0 failed' })
    expect((await supertest(app).get('/')).status).toBe(200)
    expect((await supertest(app).get('/refused')).status).toBe(403)
    await until(() => calls() === 3)
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(audit.health()).toEqual({
      name: 'auditLog',
      status: 'degraded',
      detail: '0 records written, 3 failed',
    })
  })

  it('only sometimes is well again with the next record that is written', async () => {
    const { logger, calls } = failing((call) => (call === 1 ? throwing() : undefined))
    const audit = auditLog({ logger })
    const app = express()
    app.use(audit)
    app.get('/', ok)
    await supertest(app).get('/')
    await until(() => calls() === 1)
    expect(audit.health().status).toBe('degraded')
    await supertest(app).get('/')
    await until(() => calls() === 2)
    expect(audit.health()).toMatchObject({ status: 'ok', detail: '1 records written, 1 failed' })
  })

  it.each(['info', 'warn', 'error'])('for want of %s is refused at set-up', (level) => {
    const logger = { info: ok, warn: ok, error: ok, [level]: undefined }
    expect(() => auditLog({ logger: logger as never })).toThrow(/^auditLog: logger must be/)
  })

  it.each<[object, string]>([
    [{ genReqId: () => 'x' }, 'Did you mean requestId?'],
    [{ redact: ['a'] }, 'records hold no secrets to redact'],
    [{ completions: 'some' }, 'auditLog: completions must be'],
    [{ errorMessages: 'yes' }, 'auditLog: errorMessages must be'],
  ])('set-up refuses %j', (options, message) => {
    expect(() => auditLog({ logger: keepingLogger(), ...options })).toThrow(message)
  })
})

describe('the route of a record', () => {
  const refusing = (): Router => {
    const router = express.Router({ mergeParams: true })
    router.get('/orders/:order', refuse)
    router.use('/nested/:nested', express.Router().get('/deep/:deep', refuse) as RequestHandler)
    return router
  }
  const mount = (of: express.Express): void => {
    of.get('/plain/:id', refuse)
    of.get(['/a/:x', '/b/:x'], refuse)
    of.get(/^\/files\/(\d+)$/, refuse)
    of.use('/tenants/:tenant', refusing())
    of.use('/guarded/:tenant', refuse, refusing())
    of.get('/throws/:id', () => {
      throw new Error('x')
    })
    of.get('/served/:id', ok)
    of.use('/mounted/:tenant', express.Router().get('/served/:id', ok) as RequestHandler)
    of.use(notFound())
  }
  const unmatched = 'unmatched'

  it.each([
    ['/plain/canary', '/plain/:id'],
    ['/a/canary', '/a/:x,/b/:x'],
    ['/b/canary', '/a/:x,/b/:x'],
    ['/files/47114711471147', '{^\\/files\\/(\\d+)$}'],
    ['/tenants/canary/orders/canary', '/tenants/:tenant/orders/:order'],
    ['/tenants/canary/nested/canary/deep/canary', '/tenants/:tenant/nested/:nested/deep/:deep'],
    ['/guarded/canary/orders/canary', unmatched],
    ['/throws/canary', '/throws/:id'],
    ['/served/canary', '/served/:id'],
    ['/mounted/canary/served/canary', '/mounted/:tenant/served/:id'],
    ['/mounted/canary/nothing', unmatched],
    ['/canary', unmatched],
    ['/canary/47114711471147?canary=1', unmatched],
    ['/', unmatched],
  ])('of %s is %s: a template, never what the caller wrote', async (path, route) => {
    const { app, kept } = service(mount)
    await supertest(app).get(path)
    await until(() => completionsIn(kept).length === 1)
    expect(new Set(kept.map(({ record }) => record.http.route))).toEqual(new Set([route]))
    expect(JSON.stringify(kept)).not.toMatch(/canary|47114711471147/)
  })

  it('adds nothing new for 500 paths that do not exist', async () => {
    const { app, kept } = service(mount)
    const server = await serve(app)
    for (let batch = 0; batch < 10; batch += 1) {
      await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          sendRaw(server.port, rawRequest('GET', `/x${batch}/y${index}.php`)),
        ),
      )
    }
    await server.close()
    expect(new Set(kept.map(({ record }) => record.http.route))).toEqual(new Set([unmatched]))
  })
})

describe('the middleware', () => {
  it('writes events of the process too, until it is closed', async () => {
    const { publishEvent } = await import('../../src/core/events.js')
    const log = keepingLogger()
    const audit = auditLog({ logger: log })
    publishEvent('warn', 'key_skipped', { kid: 'a\u202eb', bits: 1024 })
    await audit.close()
    publishEvent('warn', 'key_skipped', {})
    expect(log.kept).toEqual([
      {
        level: 'warn',
        message: 'key_skipped',
        record: expect.objectContaining({ evidence: { kid: 'a\ufffdb', bits: 1024 } }),
      },
    ])
  })

  it('opens the context for all that come after it', async () => {
    const { app, log } = service((of) =>
      of.get('/', (req, res) => {
        res.json({ id: contextOf(req).id })
      }),
    )
    const { body } = await supertest(app).get('/')
    await until(() => log.kept.length === 1)
    expect(log.kept[0]?.record.http.request.id).toBe(body.id)
  })

  it('refuses what a context cannot be made for', async () => {
    const app = express()
    app.set('trust proxy', true)
    app.use(auditLog({ logger: keepingLogger() }))
    app.get('/', ok)
    app.use(secureErrors())
    jest.spyOn(console, 'error').mockImplementation(() => undefined)
    expect((await supertest(app).get('/')).status).toBe(500)
  })
})
