import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { describe, expect, it, jest } from '@jest/globals'
import cors from 'cors'
import express, { type Express, type RequestHandler } from 'express'
import request from 'supertest'
import { auditLog } from '../../src/audit/audit-log.js'
import { authenticate } from '../../src/authentication/authenticate.js'
import { principalFrom } from '../../src/authentication/principal-from.js'
import { publicRoute } from '../../src/authentication/public-route.js'
import { denyByDefault, type DenyByDefaultOptions } from '../../src/authorization/deny-by-default.js'
import { requireScopes } from '../../src/authorization/require-scopes.js'
import { PASSED, defineGuard } from '../../src/core/guard.js'
import { notFound } from '../../src/errors/not-found.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { secureHeaders } from '../../src/transport/secure-headers.js'
import { rawRequest, sendRaw, serve } from '../support/server.js'
import { keepingLogger } from '../support/records.js'

const SECRET = 'the secret'

/** Answers, and remembers that it ran. */
function handler(): jest.Mock<RequestHandler> {
  return jest.fn<RequestHandler>((_req, res) => {
    res.set('x-secret', SECRET).json({ secret: SECRET })
  })
}

const passOn: RequestHandler = (_req, _res, next) => {
  next()
}

/** Stands for any authentication: a header names the caller. */
const signedIn = (): RequestHandler =>
  principalFrom(
    (req) => {
      const subject = req.headers['x-user']
      return typeof subject === 'string' ? { subject } : null
    },
    { name: 'session' },
  )

const optionally = (): RequestHandler =>
  principalFrom(
    (req) => (typeof req.headers['x-user'] === 'string' ? { subject: req.headers['x-user'] } : null),
    {
      name: 'session',
      required: false,
    },
  )

function guarded(build: (app: Express) => void, options?: DenyByDefaultOptions): Express {
  const app = express()
  denyByDefault(app, options)
  build(app)
  app.use(secureErrors())
  return app
}

/** Asks as nobody, and sees to it that nothing came back. */
async function expectRefused(app: Express, path = '/', method: 'get' | 'post' | 'head' | 'options' = 'get') {
  const answer = await request(app)[method](path)
  expect([401, 403]).toContain(answer.status)
  expect(answer.headers['x-secret']).toBeUndefined()
  expect(JSON.stringify([answer.text, answer.body, answer.headers])).not.toContain(SECRET)
  return answer
}

describe('a route that nobody decided about', () => {
  const shapes: Readonly<Record<string, (app: Express, handle: RequestHandler) => void>> = {
    'app.get': (app, handle) => app.get('/', handle),
    'app.all': (app, handle) => app.all('/', handle),
    'app.route': (app, handle) => app.route('/').get(handle),
    'an array of paths': (app, handle) => app.get(['/', '/other'], handle),
    'an array of handlers': (app, handle) => app.get('/', [passOn, handle]),
    'a regular expression': (app, handle) => app.get(/^\/$/, handle),
    'a parameter': (app, handle) => app.get('/:id', handle),
    'behind foreign middleware': (app, handle) => {
      app.use(passOn)
      app.get('/', handle)
    },
    'behind a guard that authenticates nobody': (app, handle) => {
      app.get('/', rateLimit({ name: 'deny-a', limit: 1000, windowSeconds: 60, by: 'address' }), handle)
    },
    'behind a wrapped authentication': (app, handle) => {
      const inner = signedIn()
      const wrapper: RequestHandler = (_req, _res, next) => {
        next()
      }
      for (const symbol of Object.getOwnPropertySymbols(inner))
        Object.defineProperty(wrapper, symbol, Object.getOwnPropertyDescriptor(inner, symbol)!)
      app.get('/', wrapper, handle)
    },
  }

  for (const [name, mount] of Object.entries(shapes)) {
    it(`is refused before its handler: ${name}`, async () => {
      const handle = handler()
      const app = guarded((inner) => {
        mount(inner, handle)
      })
      await expectRefused(app, name === 'a parameter' ? '/1' : '/')
      expect(handle).not.toHaveBeenCalled()
    })
  }

  it('is refused with 403 and recorded with its template, its reason, and what to do', async () => {
    const logger = keepingLogger()
    const app = guarded((inner) => {
      inner.use(auditLog({ logger }))
      inner.get('/orders/:id', handler())
    })
    const { status, body } = await request(app).get('/orders/7')
    expect([status, body.code]).toEqual([403, 'forbidden'])
    expect(logger.reasons()).toContain('route_undecided')
    const { record } = logger.kept.find((kept) => kept.message === 'route_undecided')!
    expect(record).toMatchObject({ http: { route: '/orders/:id' }, rule: { name: 'denyByDefault' } })
    expect(record.evidence.problem).toContain('nothing authenticates this route')
  })

  it.each(['head', 'options', 'post'] as const)('is refused for %s too', async (method) => {
    const handle = handler()
    const app = guarded((inner) => inner.all('/', handle))
    await expectRefused(app, '/', method)
    expect(handle).not.toHaveBeenCalled()
  })

  it('is refused for OPTIONS that Express would answer itself', async () => {
    const app = guarded((inner) => inner.get('/', signedIn(), handler()))
    const answer = await expectRefused(app, '/', 'options')
    expect(answer.headers['allow']).toBeUndefined()
  })
})

describe('routers, wherever they are', () => {
  it.each([1, 2, 3, 4])('%i deep, filled before or after they are mounted', async (depth) => {
    const handle = handler()
    const app = guarded((inner) => {
      let router = express.Router()
      inner.use('/a', router)
      for (let level = 1; level < depth; level += 1) {
        const next = express.Router()
        router.use('/a', next)
        router = next
      }
      router.get('/x', handle)
    })
    await expectRefused(app, `${'/a'.repeat(depth)}/x`)
    expect(handle).not.toHaveBeenCalled()
  })

  it('mounted before denyByDefault was called', async () => {
    const handle = handler()
    const router = express.Router()
    router.get('/x', handle)
    const app = express()
    app.use('/a', router)
    app.get('/y', handle)
    denyByDefault(app)
    await expectRefused(app, '/a/x')
    await expectRefused(app, '/y')
    expect(handle).not.toHaveBeenCalled()
  })

  it('filled after requests have been served', async () => {
    const router = express.Router()
    const app = guarded((inner) => inner.use('/a', router))
    expect((await request(app).get('/a/x')).status).toBe(404)
    const handle = handler()
    router.get('/x', handle)
    await expectRefused(app, '/a/x')
    expect(handle).not.toHaveBeenCalled()
  })

  it('whose layers were moved, replaced and put in front by hand', async () => {
    const handle = handler()
    const router = express.Router() as express.Router & { stack: unknown[] }
    const app = guarded((inner) => inner.use('/a', router))
    await request(app).get('/a/x')
    const other = express.Router() as express.Router & { stack: unknown[] }
    other.get('/x', handle)
    router.stack = [...other.stack]
    await expectRefused(app, '/a/x')
    router.stack.unshift(...other.stack)
    await expectRefused(app, '/a/x')
    expect(handle).not.toHaveBeenCalled()
  })

  it('shared with another application stay as they are there', async () => {
    const router = express.Router()
    router.param('id', (_req, _res, next) => {
      next()
    })
    router.get('/x/:id', handler())
    const app = guarded((inner) => inner.use('/a', router))
    const other = express().use('/a', router)
    const third = guarded((inner) => inner.use('/a', router))
    for (let round = 0; round < 3; round += 1) {
      await expectRefused(app, '/a/x/1')
      await expectRefused(third, '/a/x/1')
      expect((await request(other).get('/a/x/1')).body.secret).toBe(SECRET)
    }
  })

  it('that are mounted as a handler of a route', async () => {
    const handle = handler()
    const router = express.Router()
    router.use(handle)
    const app = guarded((inner) => inner.all('/a', router))
    await expectRefused(app, '/a')
    expect(handle).not.toHaveBeenCalled()
  })

  it('that stand in a public route speak for themselves', async () => {
    const handle = handler()
    const router = express.Router()
    router.get('/', handle)
    const app = guarded((inner) => inner.all('/a', publicRoute('entrance'), router))
    await request(app).get('/a')
    expect(handle).not.toHaveBeenCalled()
  })
})

describe('applications in applications', () => {
  it('are watched: mounted empty and filled later', async () => {
    const handle = handler()
    const inner = express()
    const app = guarded((outer) => outer.use('/in', inner))
    expect((await request(app).get('/in/x')).status).toBe(404)
    inner.get('/x', handle)
    await expectRefused(app, '/in/x')
    expect(handle).not.toHaveBeenCalled()
  })

  it('are watched three deep, on routers, and through arrays', async () => {
    const handle = handler()
    const [one, two, three] = [express(), express(), express()]
    const router = express.Router()
    const app = guarded((outer) => outer.use('/1', [passOn, one]))
    one.use('/2', router)
    router.use('/3', two)
    two.use('/4', three)
    three.get('/x', handle)
    await expectRefused(app, '/1/2/3/4/x')
    expect(handle).not.toHaveBeenCalled()
  })

  it('mounted before cannot be seen, and are not run', async () => {
    const handle = handler()
    const inner = express()
    inner.get('/x', handle)
    const app = express()
    app.use('/in', inner)
    denyByDefault(app)
    await expectRefused(app, '/in/x')
    expect(handle).not.toHaveBeenCalled()
  })

  it('assembled from the inside out cannot be seen, and are not run before a decision', async () => {
    const handle = handler()
    const [outer, inner] = [express(), express()]
    inner.post('/pay', handle)
    outer.use('/v1', inner)
    const app = guarded((whole) => {
      whole.use('/api', outer)
      whole.use(signedIn())
      whole.use('/later', outer)
    })
    await expectRefused(app, '/api/v1/pay', 'post')
    expect(handle).not.toHaveBeenCalled()
    expect((await request(app).post('/later/v1/pay').set('x-user', 'ada')).status).toBe(200)
  })

  it('may be guarded themselves, one inside the other and one after the other', async () => {
    const inner = guarded((own) => {
      own.get('/open', publicRoute('inner'), handler())
      own.get('/x', handler())
    })
    const app = guarded((outer) => {
      outer.use('/in', inner)
      outer.get('/open', publicRoute('outer'), handler())
      outer.use(signedIn())
      outer.get('/after', handler())
    })
    await expectRefused(app, '/in/x')
    for (const path of ['/in/open', '/open']) expect((await request(app).get(path)).body.secret).toBe(SECRET)
    expect((await request(app).get('/after').set('x-user', 'ada')).status).toBe(200)

    const [first, second] = [express(), express()]
    denyByDefault(first)
    first.use((_req, res, next) => {
      const end = res.end.bind(res)
      res.end = ((...given: Parameters<typeof end>) => end(...given)) as typeof res.end
      next()
    })
    denyByDefault(second)
    second.get('/open', publicRoute('second'), handler())
    second.use(handler())
    const both = express().use(first, second)
    expect((await request(both).get('/open')).body.secret).toBe(SECRET)
    await expectRefused(both, '/closed')
  })

  it('entered once more are not left with the inner run', async () => {
    const app = guarded((whole) => {
      whole.use('/v1', (req, res, next) => {
        ;(whole as unknown as { handle: RequestHandler }).handle(req, res, next)
      })
      whole.use('/v1', handler())
      whole.get('/again', publicRoute('goes round'), (req, res, next) => {
        req.url = '/v1'
        ;(whole as unknown as { handle: RequestHandler }).handle(req, res, next)
      })
    })
    await expectRefused(app, '/v1')
    await expectRefused(app, '/again')
  })

  it('serve as ever when they are asked themselves', async () => {
    const inner = express()
    inner.get('/x', handler())
    guarded((outer) => outer.use('/in', inner))
    expect((await request(inner).get('/x')).body.secret).toBe(SECRET)
  })

  it('hand back to an outer application what they do not take', async () => {
    const outer = express()
    outer.use(guarded((inner) => inner.get('/own', handler())))
    outer.get('/outer', handler())
    await expectRefused(outer, '/own')
    expect((await request(outer).get('/outer')).body.secret).toBe(SECRET)
  })
})

describe('what decides', () => {
  it('an authentication before the route', async () => {
    const app = guarded((inner) => {
      inner.use(signedIn())
      inner.get('/', handler())
    })
    expect((await request(app).get('/')).status).toBe(401)
    expect((await request(app).get('/').set('x-user', 'ada')).body.secret).toBe(SECRET)
  })

  it('an authentication in the route', async () => {
    const app = guarded((inner) => {
      inner.post('/', express.json(), signedIn(), handler())
    })
    expect((await request(app).post('/').send({})).status).toBe(401)
    expect((await request(app).post('/').set('x-user', 'ada').send({})).body.secret).toBe(SECRET)
  })

  it('a bearer token', async () => {
    const app = guarded((inner) => {
      inner.use(authenticate({ issuer: 'https://id.test', audience: 'a', jwksUri: 'https://id.test/keys' }))
      inner.get('/', handler())
    })
    expect((await request(app).get('/')).headers['www-authenticate']).toBe('Bearer')
  })

  it('not an authentication for another method', async () => {
    const handle = handler()
    const app = guarded((inner) => {
      inner.route('/').post(signedIn(), handle).get(handle)
    })
    await expectRefused(app)
    expect(handle).not.toHaveBeenCalled()
    expect((await request(app).post('/').set('x-user', 'ada')).body.secret).toBe(SECRET)
  })

  it('HEAD as GET does, and as its own where it has one', async () => {
    const app = guarded((inner) => {
      inner.get('/', signedIn(), handler())
      inner.route('/own').get(signedIn(), handler()).head(handler())
      inner.post('/post', signedIn(), handler())
      inner.get('/post', publicRoute('both'), handler())
    })
    expect((await request(app).head('/').set('x-user', 'ada')).status).toBe(200)
    await expectRefused(app, '/own', 'head')
    // Express matches the POST route for HEAD and runs nothing of it.
    expect((await request(app).head('/post')).status).toBe(200)
  })

  it('an optional authentication only where somebody came', async () => {
    const handle = handler()
    const app = guarded((inner) => {
      inner.get('/', optionally(), handle)
      inner.use(optionally())
      inner.get('/after', handle)
    })
    for (const path of ['/', '/after']) {
      const answer = await expectRefused(app, path)
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer'])
    }
    expect(handle).not.toHaveBeenCalled()
    expect((await request(app).get('/').set('x-user', 'ada')).status).toBe(200)
  })

  it('an optional authentication with publicRoute, in either order', async () => {
    const app = guarded((inner) => {
      inner.get('/a', publicRoute('prices'), optionally(), handler())
      inner.get('/b', optionally(), publicRoute('prices'), handler())
    })
    expect((await request(app).get('/a')).status).toBe(200)
    expect((await request(app).get('/b')).status).toBe(200)
  })

  it('a guard of the application that authenticates without naming anybody', async () => {
    const signature = defineGuard({
      kind: 'webhookSignature',
      layer: 'authentication',
      name: 'webhook',
      check: () => PASSED,
    })
    const app = guarded((inner) => inner.post('/', signature, handler()))
    expect((await request(app).post('/')).status).toBe(200)
  })

  it('not such a guard in report mode', async () => {
    const handle = handler()
    const signature = defineGuard({
      kind: 'webhookSignature',
      layer: 'authentication',
      name: 'webhook',
      mode: 'report',
      check: () => PASSED,
    })
    const app = guarded((inner) => inner.post('/', signature, handle))
    await expectRefused(app, '/', 'post')
    expect(handle).not.toHaveBeenCalled()
  })

  it('not a scope alone: nobody was asked who they are', async () => {
    const handle = handler()
    const app = guarded((inner) => inner.get('/', requireScopes('a'), handle))
    const { status } = await request(app).get('/')
    expect(status).toBe(403)
    expect(handle).not.toHaveBeenCalled()
  })

  it('not an authentication that comes after the handler', async () => {
    const app = guarded((inner) => inner.get('/', handler(), signedIn()))
    await expectRefused(app)
  })
})

describe('wrappers of tracing tools', () => {
  const wraps: Readonly<Record<string, (inner: RequestHandler) => RequestHandler>> = {
    'that leave the original behind': (inner) =>
      Object.assign(((req, res, next) => inner(req, res, next)) as RequestHandler, { __original: inner }),
    'that copy what it had': (inner) => {
      const wrapper: RequestHandler = (req, res, next) => inner(req, res, next)
      for (const symbol of Object.getOwnPropertySymbols(inner))
        Object.defineProperty(wrapper, symbol, Object.getOwnPropertyDescriptor(inner, symbol)!)
      return wrapper
    },
  }
  it.each(Object.entries(wraps))('%s keep what a guard decides', async (_name, wrap) => {
    const app = guarded((inner) => {
      inner.get('/public', wrap(publicRoute('probe')), wrap(handler()))
      inner.get('/own', wrap(signedIn()), wrap(handler()))
    })
    expect((await request(app).get('/public')).status).toBe(200)
    expect((await request(app).get('/own')).status).toBe(401)
    expect((await request(app).get('/own').set('x-user', 'ada')).status).toBe(200)
  })

  it('around a router, whose properties they hand on', async () => {
    const handle = handler()
    const router = express.Router()
    const wrapper = (...given: Parameters<typeof router>): void => {
      router(...given)
    }
    for (const name in router) {
      Object.defineProperty(wrapper, name, {
        get: () => (router as unknown as Record<string, unknown>)[name],
        set: (value) => {
          ;(router as unknown as Record<string, unknown>)[name] = value
        },
      })
    }
    const app = guarded((inner) => inner.use('/a', wrapper))
    router.get('/x', handle)
    await expectRefused(app, '/a/x')
    expect(handle).not.toHaveBeenCalled()
  })

  it('that do not call what they wrap open nothing', async () => {
    const handle = handler()
    const silent = Object.assign(
      ((_req, _res, next) => {
        next()
      }) as RequestHandler,
      { __original: signedIn() },
    )
    const quiet = Object.assign(
      ((_req, _res, next) => {
        next()
      }) as RequestHandler,
      { __original: publicRoute('never said') },
    )
    const app = guarded((inner) => {
      inner.get('/', silent, handle)
      inner.get('/public', quiet, handle)
    })
    await expectRefused(app)
    await expectRefused(app, '/public')
    expect(handle).not.toHaveBeenCalled()
  })
})

describe('publicRoute', () => {
  it('opens its own route', async () => {
    const app = guarded((inner) => inner.get('/', publicRoute('probe'), handler()))
    expect((await request(app).get('/')).body.secret).toBe(SECRET)
  })

  it('is void once its route passes the request on', async () => {
    const handle = handler()
    const app = guarded((inner) => {
      inner.get('/', publicRoute('probe'), passOn)
      inner.get('/', handle)
    })
    await expectRefused(app)
    expect(handle).not.toHaveBeenCalled()
  })

  it('is void for a handler outside any route that comes later', async () => {
    const app = guarded((inner) => {
      inner.get('/', publicRoute('probe'), passOn)
      inner.use(handler())
    })
    await expectRefused(app)
  })

  it("is void with next('route') too", async () => {
    const handle = handler()
    const app = guarded((inner) => {
      inner.get('/', publicRoute('probe'), (_req, _res, next) => {
        next('route')
      })
      inner.get('/', handle)
    })
    await expectRefused(app)
    expect(handle).not.toHaveBeenCalled()
  })

  it('keeps its word for a handler that takes its time', async () => {
    const app = guarded((inner) =>
      inner.get('/', publicRoute('probe'), (_req, res) => {
        setTimeout(() => res.json({ late: true }), 10)
      }),
    )
    expect((await request(app).get('/')).body).toEqual({ late: true })
  })
})

describe('param callbacks', () => {
  it('do not run for a route that is refused', async () => {
    const load = jest.fn()
    const handle = handler()
    const app = guarded((inner) => {
      inner.param('id', (_req, _res, next) => {
        load()
        next()
      })
      inner.get('/orders/:id', handle)
    })
    await expectRefused(app, '/orders/1')
    expect(load).not.toHaveBeenCalled()
    expect(handle).not.toHaveBeenCalled()
  })

  it('of a mount path run as handlers outside any route do: not at all with strict', async () => {
    for (const strict of [false, true]) {
      const load = jest.fn()
      const router = express.Router()
      router.get('/x', handler())
      const app = guarded(
        (inner) => {
          inner.param('tenant', (_req, _res, next) => {
            load()
            next()
          })
          inner.get('/passing', publicRoute('passes on'), passOn)
          inner.use('/:tenant', router)
        },
        { strict },
      )
      await expectRefused(app, '/acme/x')
      await request(app).get('/passing')
      expect(load).toHaveBeenCalledTimes(strict ? 0 : 2)
    }
  })

  it('run where the route decides, and where somebody was authenticated', async () => {
    const load = jest.fn()
    const app = guarded((inner) => {
      inner.param('id', (_req, _res, next) => {
        load()
        next()
      })
      inner.get('/public/:id', publicRoute('catalogue'), handler())
      inner.use(signedIn())
      inner.get('/orders/:id', handler())
    })
    expect((await request(app).get('/public/1')).status).toBe(200)
    expect((await request(app).get('/orders/1').set('x-user', 'ada')).status).toBe(200)
    expect(load).toHaveBeenCalledTimes(2)
  })
})

describe('a handler outside any route', () => {
  const answers: Readonly<Record<string, RequestHandler>> = {
    json: (_req, res) => res.set('x-secret', SECRET).json({ secret: SECRET }),
    send: (_req, res) => res.send(SECRET),
    'write and end': (_req, res) => {
      res.setHeader('x-secret', SECRET)
      res.write(SECRET)
      res.write(SECRET, () => undefined)
      res.end(SECRET, () => undefined)
    },
    'writeHead with headers': (_req, res) => {
      res.writeHead(200, { 'x-secret': SECRET }).end(SECRET)
    },
    'writeHead with a reason': (_req, res) => {
      res.writeHead(200, SECRET).end(SECRET)
    },
    flushHeaders: (_req, res) => {
      res.setHeader('x-secret', SECRET)
      res.flushHeaders()
      res.end(SECRET)
    },
    'a stream': (_req, res) => {
      Readable.from([SECRET, SECRET]).pipe(res)
    },
    'a large file': (_req, res) => {
      createReadStream(process.execPath, { end: 300_000 }).pipe(res)
    },
    sendFile: (_req, res) => {
      res.sendFile(process.execPath)
    },
    redirect: (_req, res) => {
      res.redirect(`/${encodeURIComponent(SECRET)}`)
    },
    sendStatus: (_req, res) => {
      res.sendStatus(418)
    },
    'status message': (_req, res) => {
      res.statusMessage = SECRET
      res.end()
    },
    cookie: (_req, res) => {
      res.cookie('x-secret', SECRET).end()
    },
    'an answer later': (_req, res) => {
      setTimeout(() => {
        res.set('x-secret', SECRET)
        res.end(SECRET)
      }, 5)
    },
    'early hints': (_req, res) => {
      res.writeEarlyHints({ link: `</${SECRET.replace(' ', '')}>; rel=preload` })
      res.writeProcessing()
      res.writeContinue()
      res.end()
    },
    trailers: (_req, res) => {
      res.setHeader('trailer', 'x-secret')
      res.write('a')
      res.addTrailers({ 'x-secret': SECRET })
      res.end()
    },
  }

  for (const [name, handle] of Object.entries(answers)) {
    it(`tells nothing: ${name}`, async () => {
      const running = await serve(guarded((inner) => inner.use(handle)))
      const received = await sendRaw(running.port, rawRequest('GET', '/'))
      await running.close()
      expect(received.startsWith('HTTP/1.1 403 Forbidden\r\n')).toBe(true)
      expect(received).not.toContain(SECRET)
      expect(received).not.toContain(SECRET.replace(' ', ''))
      expect(received.match(/HTTP\/1\.1/g)).toHaveLength(1)
      expect(JSON.parse(received.split('\r\n\r\n')[1]!)).toMatchObject({ code: 'forbidden', status: 403 })
    })
  }

  it('cannot keep the process busy, or wait for ever', async () => {
    const endings: unknown[] = []
    const app = guarded((inner) => {
      inner.use('/loop', (_req, res) => {
        ;(function pump(): void {
          while (res.write(SECRET));
          res.once('drain', pump)
        })()
      })
      inner.use('/callbacks', (_req, res) => {
        ;(function pump(error?: unknown): void {
          endings.push(error)
          if (error === undefined) res.write(SECRET, pump)
        })()
      })
    })
    await expectRefused(app, '/loop')
    await expectRefused(app, '/callbacks')
    expect(endings).toEqual([undefined, expect.any(Error)])
  })

  it('tells nothing through a listener for headers, or through writeHeader', async () => {
    const app = guarded((inner) => {
      inner.use((_req, res, next) => {
        const writeHead = res.writeHead.bind(res)
        res.writeHead = ((...given: Parameters<typeof writeHead>) => {
          res.setHeader('set-cookie', SECRET)
          res.setHeader('content-encoding', 'gzip')
          return writeHead(...given)
        }) as typeof res.writeHead
        next()
      })
      inner.use('/alias', (_req, res) => {
        ;(res as unknown as { writeHeader: typeof res.writeHead }).writeHeader(200, { 'x-secret': SECRET })
        res.end()
      })
      inner.use(handler())
    })
    for (const path of ['/', '/alias']) {
      const { headers } = await expectRefused(app, path)
      expect([headers['set-cookie'], headers['content-encoding']]).toEqual([undefined, undefined])
    }
  })

  it('is not let through by a hint that a public route gave', async () => {
    const app = guarded((inner) => {
      inner.get('/', publicRoute('hints'), (_req, res, next) => {
        res.writeEarlyHints({ link: '</style.css>; rel=preload' })
        next()
      })
      inner.use(handler())
    })
    await expectRefused(app)
  })

  it('may not mount a route that this very request then runs', async () => {
    const handle = handler()
    const app = guarded((inner) => {
      inner.use((_req, _res, next) => {
        inner.get('/', handle)
        next()
      })
      inner.use(passOn)
    })
    await expectRefused(app)
    expect(handle).not.toHaveBeenCalled()
  })

  it('is express.static', async () => {
    const app = guarded((inner) => inner.use(express.static(`${process.cwd()}/docs`)))
    const { status, text } = await request(app).get('/rules.md')
    expect(status).toBe(403)
    expect(text).not.toContain('#')
  })

  it('answers behind authentication', async () => {
    const app = guarded((inner) => {
      inner.use(signedIn())
      inner.use(handler())
    })
    expect((await request(app).get('/').set('x-user', 'ada')).body.secret).toBe(SECRET)
  })

  it('leaves one record, and the security headers stay', async () => {
    const logger = keepingLogger()
    const app = guarded((inner) => {
      inner.use(auditLog({ logger }))
      inner.use(secureHeaders())
      inner.use(handler())
    })
    const { headers, body } = await request(app).get('/')
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' })
    expect(logger.reasons()).toEqual(['answer_undecided'])
    expect(logger.kept[0]?.record.evidence.handler).toBe('mockConstructor')
    const [refused] = logger.kept
    expect(refused?.record.http.request.id).toBe(body.requestId)
    expect(logger.kept.at(-1)?.record).toMatchObject({ http: { response: { status_code: 403 } } })
  })

  it('throws nothing that ends the process when it goes on writing', async () => {
    const faults: unknown[] = []
    const app = guarded((inner) =>
      inner.use((_req, res) => {
        res.on('error', (error) => faults.push(error))
        for (let index = 0; index < 5; index += 1) res.write(SECRET)
        res.end()
        setTimeout(() => {
          res.write(SECRET)
          res.end(SECRET)
        }, 5)
      }),
    )
    await expectRefused(app)
    await new Promise((resolve) => {
      setTimeout(resolve, 20)
    })
    expect(faults).toEqual([])
  })
})

describe('error handlers', () => {
  const forgiving: express.ErrorRequestHandler = (_error, _req, _res, next) => {
    next()
  }

  it('that pass the request on open nothing to what comes later', async () => {
    const after = handler()
    const app = guarded((inner) => {
      inner.use(express.json())
      inner.get('/a', handler())
      const router = express.Router()
      router.get('/b', handler())
      router.use(forgiving)
      inner.use('/in', router)
      inner.use(forgiving)
      inner.use(after)
      inner.get('/{*rest}'.slice(0, 1), after)
    })
    await expectRefused(app, '/a')
    await expectRefused(app, '/in/b')
    const { status, text } = await request(app).post('/').set('content-type', 'application/json').send('{')
    expect(status).toBe(403)
    expect(text).not.toContain(SECRET)
  })

  it('answer late, and twice over, as they ever did', async () => {
    const app = express()
    denyByDefault(app)
    app.get('/', handler())
    app.use(((error, _req, _res, next) => {
      next(error)
    }) as express.ErrorRequestHandler)
    app.use(((error, _req, res, _next) => {
      setTimeout(() => res.status(error.status).json({ late: true }), 5)
    }) as express.ErrorRequestHandler)
    const { status, body } = await request(app).get('/')
    expect([status, body]).toEqual([403, { late: true }])
  })
})

describe('a handler outside any route that passes the request on and answers all the same', () => {
  const answers: [string, RequestHandler][] = [
    [
      'after an error',
      (_req, res, next) => {
        next(new Error('no key'))
        res.json({ secret: SECRET })
      },
    ],
    [
      'after the next one',
      (_req, res, next) => {
        next()
        if (!res.headersSent) res.json({ secret: SECRET })
      },
    ],
  ]

  it.each(answers)('%s: is not heard while Express’s own answer is still to come', async (_case, answer) => {
    const app = express()
    denyByDefault(app)
    app.use('/me', answer)
    app.get('/health', publicRoute('probe'), (_req, res) => {
      res.json({})
    })
    const server = await serve(app)
    const said = await sendRaw(server.port, rawRequest('GET', '/me'))
    await server.close()
    expect(said).not.toContain(SECRET)
    expect(said).not.toContain('HTTP/1.1 200')
  })
})

describe('without an audit log', () => {
  it('says once for each route what was refused, and why', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const app = guarded((inner) => {
      inner.get('/warned/:id', handler())
      inner.use('/outside', handler())
    })
    for (const path of ['/warned/1', '/warned/2']) await expectRefused(app, path)
    // Of the other methods something has been said before.
    await request(app).patch('/outside')
    expect(warn.mock.calls.map(([text]) => text)).toEqual([
      expect.stringContaining('GET /warned/:id: nothing authenticates this route'),
      expect.stringContaining('a handler outside any route answered'),
    ])
  })
})

describe('strict', () => {
  it('fails the start where a handler comes before authentication', () => {
    const app = express()
    denyByDefault(app, { strict: true })
    expect(() => app.use(express.json())).toThrow('handler "jsonParser" is mounted before authentication')
    expect(() => app.use('/x', passOn, handler())).toThrow(TypeError)
    const connect = Object.assign(passOn.bind(undefined), { stack: [], use: passOn, handle: passOn })
    expect(() => app.use(connect)).toThrow(TypeError)
  })

  it('lets those pass that are named, and all behind authentication', async () => {
    const allowed = cors()
    const app = express()
    denyByDefault(app, { strict: true, passing: [allowed] })
    app.use(allowed)
    app.use(secureHeaders())
    app.use(express.Router())
    app.use(signedIn())
    app.use(express.json())
    app.get('/', handler())
    app.use(notFound())
    app.use(secureErrors())
    expect((await request(app).get('/').set('x-user', 'ada')).status).toBe(200)
    expect((await request(app).get('/nowhere').set('x-user', 'ada')).status).toBe(404)
  })

  it('does not run what comes to light later', async () => {
    const handle = handler()
    const router = express.Router()
    const app = guarded((inner) => inner.use('/a', router), { strict: true })
    router.use(handle)
    await expectRefused(app, '/a')
    expect(handle).not.toHaveBeenCalled()
  })
})

describe('what goes out without a decision', () => {
  it('404 and 405 for what nothing takes, from this library and from Express', async () => {
    const own = guarded((inner) => {
      inner.get('/a', signedIn(), handler())
      inner.use(notFound())
    })
    expect((await request(own).get('/nowhere')).status).toBe(404)
    const plain = express()
    denyByDefault(plain)
    expect((await request(plain).get('/nowhere')).status).toBe(404)
    plain.get('/a', signedIn(), handler())
    expect((await request(plain).get('/nowhere')).status).toBe(404)
    expect((await request(plain).get('/a')).status).toBe(401)
  })

  it("answers of the application's own error handler", async () => {
    const app = express()
    denyByDefault(app)
    app.get('/', handler())
    app.use(((error, _req, res, _next) => {
      res.status(error.status).json({ own: true })
    }) as express.ErrorRequestHandler)
    const { status, body } = await request(app).get('/')
    expect([status, body]).toEqual([403, { own: true }])
  })

  it('the headers of a CORS handler on a preflight, and nothing of anybody else', async () => {
    const preflight = (app: Express) =>
      request(app)
        .options('/')
        .set('origin', 'https://shop.example')
        .set('access-control-request-method', 'POST')
    const app = guarded((inner) => {
      inner.use(cors({ origin: 'https://shop.example' }))
      inner.post('/', signedIn(), handler())
    })
    const answer = await preflight(app)
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([
      204,
      'https://shop.example',
    ])
    const leaking = guarded((inner) =>
      inner.use((_req, res) => {
        res.set('access-control-allow-methods', 'GET').set('x-secret', SECRET).send(SECRET)
      }),
    )
    const leaked = await preflight(leaking)
    expect([leaked.status, leaked.text, leaked.headers['x-secret']]).toEqual([204, '', undefined])
  })

  it('a request whose context cannot be had is refused, not let in', async () => {
    const handle = handler()
    const app = guarded((inner) => {
      inner.set('trust proxy', true)
      inner.get('/', handle)
      inner.use('/use', handle)
    })
    expect((await request(app).get('/')).status).toBe(500)
    const { text, status } = await request(app).get('/use')
    expect(status).toBeGreaterThanOrEqual(400)
    expect(text).not.toContain(SECRET)
  })
})

describe('how it is set up', () => {
  it.each([undefined, null, {}, () => undefined, createServer()])('refuses %p', (value) => {
    expect(() => {
      denyByDefault(value as object)
    }).toThrow('denyByDefault: app must be an Express application')
  })

  it('refuses to be called twice, and unknown options', () => {
    const app = express()
    expect(() => {
      denyByDefault(app, { strickt: true } as DenyByDefaultOptions)
    }).toThrow('Did you mean strict?')
    denyByDefault(app)
    expect(() => {
      denyByDefault(app)
    }).toThrow('already called')
  })

  it('refuses a router, and passing without strict', () => {
    expect(() => {
      denyByDefault(express.Router())
    }).toThrow('an Express application, no Router')
    expect(() => {
      denyByDefault(express(), { passing: [cors()] })
    }).toThrow('passing is for strict')
  })

  it('touches no prototype', () => {
    const router = express.Router()
    const before = [express.application, express.Router, Object.getPrototypeOf(router) as object].map(
      (object) =>
        Object.entries(Object.getOwnPropertyDescriptors(object)).map(([key, { value }]) => [key, value]),
    )
    guarded((inner) => {
      inner.use(router)
      inner.get('/', handler())
    })
    const after = [express.application, express.Router, Object.getPrototypeOf(router) as object].map(
      (object) =>
        Object.entries(Object.getOwnPropertyDescriptors(object)).map(([key, { value }]) => [key, value]),
    )
    expect(after).toEqual(before)
  })

  it('does not make the router of Express before its settings are known', async () => {
    const app = express()
    denyByDefault(app)
    app.set('case sensitive routing', true)
    app.get('/Case', publicRoute('case'), handler())
    expect((await request(app).get('/case')).status).toBe(404)
    expect((await request(app).get('/Case')).status).toBe(200)
  })

  it('answers an aborted request to nobody', async () => {
    const handle = handler()
    const app = guarded((inner) => {
      inner.use(async (_req, _res, next) => {
        await new Promise((resolve) => {
          setTimeout(resolve, 30)
        })
        next()
      })
      inner.use(handle)
    })
    const running = await serve(app)
    const controller = new AbortController()
    const asked = fetch(running.url, { signal: controller.signal }).catch(() => undefined)
    await once(running.server, 'request')
    controller.abort()
    await asked
    await new Promise((resolve) => {
      setTimeout(resolve, 60)
    })
    await running.close()
    expect(handle).toHaveBeenCalledTimes(1)
  })
})
