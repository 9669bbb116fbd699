import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import express, { type Express } from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { authenticate } from '../../src/authentication/authenticate.js'
import { principalFrom } from '../../src/authentication/principal-from.js'
import { publicRoute } from '../../src/authentication/public-route.js'
import { internalOnly } from '../../src/authorization/internal-only.js'
import { requireScopes } from '../../src/authorization/require-scopes.js'
import { denyByDefault } from '../../src/authorization/deny-by-default.js'
import * as library from '../../src/index.js'
import { certificateVerifier } from '../../src/authentication/certificate-verifier.js'
import { defineGuard, type Guard } from '../../src/core/guard.js'
import { markDenyByDefault } from '../../src/core/deny-by-default.js'
import { noteApplication, stackOf } from '../../src/core/router.js'
import { notFound } from '../../src/errors/not-found.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import type { FindingCode } from '../../src/posture/catalogue.js'
import { ROUTES } from '../../src/posture/catalogue/routes.js'
import { SET_UP } from '../../src/posture/catalogue/set-up.js'
import { diagnosesOf } from '../../src/posture/doctor/diagnoses.js'
import { FACTORIES } from '../../src/posture/doctor/factories.js'
import { toldOnce } from '../../src/posture/doctor/together.js'
import type { Finding } from '../../src/posture/model.js'
import { diagnose, doctor, type DiagnoseOptions } from '../../src/posture/doctor.js'
import { memoryStore } from '../../src/stores/memory.js'
import { concurrencyLimit } from '../../src/traffic/concurrency-limit.js'
import { penalise } from '../../src/traffic/penalise.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { slowDown } from '../../src/traffic/slow-down.js'
import { gateway, type ProvenBy } from '../../src/transport/gateway.js'
import { nginx } from '../../src/transport/gateway/profiles/nginx.js'
import { secureHeaders } from '../../src/transport/secure-headers.js'

const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

// Nothing of the machine that runs the tests.
const PLAIN: DiagnoseOptions = { environment: {}, loadedFiles: [] }
const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }
const authenticated = () => principalFrom(() => undefined, { name: 'session' })
const handler = (_req: unknown, res: { end: () => void }) => {
  res.end()
}

/** A server that listens where nobody has an address. */
const onSocket = () => Object.assign(createServer(), { address: () => '/run/service.sock' })

/** An application that nothing can be said against, but for what a test does to it. */
function sound(
  mount: (app: Express) => void = routes,
  last: (app: Express) => void = () => undefined,
): Express {
  const app = express()
  markDenyByDefault(app, { strict: true })
  app.use(auditLog({ logger }))
  app.use(secureHeaders({ hsts: false }))
  app.get('/health', publicRoute('liveness probe'), handler)
  mount(app)
  app.use(notFound())
  app.use(secureErrors())
  last(app)
  return app
}

function routes(app: Express): void {
  app.use(authenticated())
  app.post('/orders', requireScopes('orders:write'), express.json(), handler)
}

const codesOf = (app: Express, options: DiagnoseOptions = {}) =>
  diagnose(app, { ...PLAIN, ...options }).map(({ code }) => code)

const trusting = (setting: unknown) =>
  sound((app) => {
    app.set('trust proxy', setting)
    routes(app)
  })

const SECRET = { secret: { header: 'x-edge-secret', values: '0123456789abcdef'.repeat(3) } }
const NETWORK = { network: ['10.1.0.0/24'], reason: 'a test' }
const behind = (provenBy: ProvenBy, trust?: number) =>
  sound((app) => {
    if (trust !== undefined) app.set('trust proxy', trust)
    app.use(gateway(nginx({ provenBy })))
    routes(app)
  })

/** As a gateway describes itself. */
const told = (facts: Readonly<Record<string, unknown>>): Guard =>
  defineGuard({
    kind: 'gateway',
    layer: 'transport',
    name: 'gateway',
    facts: { hops: ['edge (nginx) proven by shared secret in x-edge'], unproven: 'refuse', ...facts },
    check: () => ({ reason: 'proven' }),
  })
const byCertificate = (...before: readonly Guard[]) =>
  sound((app) => {
    app.set('trust proxy', 1)
    for (const guard of before) app.use(guard)
    app.use(
      authenticate({ verifiers: [certificateVerifier({ names: ['DNS:a.internal'], issuer: 'internal' })] }),
    )
    app.get('/orders', handler)
  })

function source(text: string): DiagnoseOptions {
  const file = join(folder, 'app.js')
  writeFileSync(file, text)
  return { root: folder, source: 'app.js' }
}

const limited = (options: { store?: ReturnType<typeof memoryStore> } = {}) =>
  sound((app) => {
    app.use(rateLimit({ name: 'doctor', limit: 1, windowSeconds: 1, by: 'address', ...options }))
    routes(app)
  })

describe('a sound application', () => {
  it('has no finding', () => {
    expect(diagnose(sound(), PLAIN)).toEqual([])
  })

  it('has none either with everything that must not be mistaken for a fault', () => {
    const api = express.Router()
    api.use(authenticated(), express.json())
    api.get('/a', handler)
    const app = sound((app) => {
      app.set('trust proxy', 1)
      app.use(secureHeaders())
      app.use('/api', api)
      app.get('/own', authenticated(), express.json(), handler)
      app.use('/admin', authenticated())
      app.use(authenticated())
      app.use(express.json())
      app.get('/late', handler)
    })
    expect(codesOf(app, { environment: { WEB_CONCURRENCY: '4', NODE_APP_INSTANCE: '0' } })).toEqual([])
  })
})

describe('each diagnosis', () => {
  const unused = new Set<string>([...Object.keys(SET_UP), 'body-parser-before-authentication'])
  afterAll(() => {
    expect([...unused]).toEqual([])
  })

  const cases: readonly (readonly [FindingCode, string, () => Express, DiagnoseOptions?])[] = [
    ['trust-proxy-true', 'true', () => trusting(true)],
    ['trust-proxy-loopback', 'the word', () => trusting('loopback')],
    ['trust-proxy-loopback', 'the range', () => trusting(['127.0.0.0/8'])],
    ['trust-proxy-loopback', 'the address', () => trusting('::1')],
    ['trust-proxy-wide', 'the word', () => trusting('uniquelocal')],
    ['trust-proxy-wide', 'a range of callers', () => trusting('10.0.0.0/8')],
    ['trust-proxy-everyone', 'two halves', () => trusting('0.0.0.0/1, 128.0.0.0/1')],
    ['trust-proxy-everyone', 'IPv6', () => trusting('::/1')],
    ['trust-proxy-everyone', 'a function', () => trusting(() => true)],
    ['trust-proxy-hops', 'a count', () => trusting(20)],
    ['trust-proxy-with-gateway', 'no setting', () => behind(SECRET)],
    ['hop-proof-weak', 'a network', () => behind(NETWORK, 1)],
    [
      'internal-hop-unproven',
      'no gateway',
      () =>
        sound((app) => {
          app.use('/internal', internalOnly({ hops: ['edge'] }))
          routes(app)
        }),
    ],
    [
      'secure-errors-missing',
      'none',
      () => {
        const app = express()
        markDenyByDefault(app, { strict: true })
        app.use(auditLog({ logger }), secureHeaders({ hsts: false }))
        routes(app)
        app.use(notFound())
        return app
      },
    ],
    ['secure-errors-not-last', 'a handler behind', () => sound(routes, (app) => app.use('/late', handler))],
    [
      'secure-errors-not-last',
      'an error handler behind',
      () =>
        sound(routes, (app) =>
          app.use((_error: unknown, _req: unknown, _res: unknown, next: () => void) => {
            next()
          }),
        ),
    ],
    [
      'guard-behind-route',
      'on a path, with scopes',
      () =>
        sound((app) => {
          app.use(authenticated())
          app.get('/admin/users', handler)
          app.use('/admin', requireScopes('admin'))
        }),
    ],
    [
      'body-parser-before-authentication',
      'for all',
      () =>
        sound((app) => {
          app.use(express.urlencoded({ extended: false }))
          routes(app)
        }),
    ],
    [
      'body-parser-before-authentication',
      'in one route',
      () =>
        sound((app) => {
          app.post('/orders', express.raw(), authenticated(), handler)
        }),
    ],
    [
      'hsts-without-proven-tls',
      'no proxy',
      () =>
        sound((app) => {
          app.use(secureHeaders())
          routes(app)
        }),
    ],
    ['memory-store-with-workers', 'by default', () => limited(), { environment: { WEB_CONCURRENCY: '2' } }],
    [
      'memory-store-with-workers',
      'in PM2',
      () => limited({ store: memoryStore() }),
      { environment: { NODE_APP_INSTANCE: '3' } },
    ],
    [
      'limit-by-route-outside-routes',
      'one of several limits',
      () =>
        sound((app) => {
          const [name, limit, windowSeconds] = ['doctor-by-route', 5, 60]
          const policies = [
            { name, limit, windowSeconds, by: 'address' as const },
            { name: `${name}-2`, limit, windowSeconds, by: ['address', 'route'] as const },
          ]
          app.use(rateLimit({ policies }))
          routes(app)
        }),
    ],
    [
      'limit-by-address-on-socket',
      'a limit',
      () =>
        sound((app) => {
          app.use(rateLimit({ name: 'doctor-socket', limit: 5, windowSeconds: 60, by: 'address' }))
          routes(app)
        }),
      { server: onSocket() },
    ],
    [
      'limit-by-address-on-socket',
      'a login',
      () =>
        sound((app) => {
          const login = { name: 'doctor-socket', limit: 5, windowSeconds: 60, by: 'address' } as const
          app.post('/login', publicRoute('login'), penalise(login), handler)
        }),
      { server: onSocket() },
    ],
    [
      'report-mode-left-on',
      'scopes',
      () =>
        sound((app) => {
          app.use(authenticated())
          app.get('/orders', requireScopes({ all: ['orders:read'], mode: 'report' }), handler)
        }),
      { environment: { NODE_ENV: 'production' } },
    ],
    [
      'memory-store-with-workers',
      'penalties',
      () =>
        sound((app) => {
          app.use(penalise({ name: 'doctor-login', limit: 5, windowSeconds: 60, by: 'address' }))
          routes(app)
        }),
      { environment: { WEB_CONCURRENCY: '2' } },
    ],
    [
      'memory-store-with-workers',
      'slowing down',
      () =>
        sound((app) => {
          app.use(slowDown({ name: 'doctor-slow', after: 5, windowSeconds: 60, by: 'address', delayMs: 100 }))
          routes(app)
        }),
      { environment: { WEB_CONCURRENCY: '2' } },
    ],
    [
      'forwarded-certificate-believed',
      'a hop',
      () =>
        sound((app) => {
          app.set('trust proxy', 1)
          app.use(told({ certificates: ['edge'], believed: ['edge'] }))
          routes(app)
        }),
    ],
    ['certificates-never-come', 'a server that is not seen', () => byCertificate()],
    [
      'memory-store-with-workers',
      'failures of authentication',
      () => {
        const authentication = authenticate({
          issuer: 'https://id.example',
          audience: 'orders',
          failureLimit: { limit: 5, windowSeconds: 60 },
        })
        return sound((app) => {
          app.use(authentication)
          app.get('/orders', handler)
        })
      },
      { environment: { WEB_CONCURRENCY: '2' } },
    ],
    [
      'not-found-not-last',
      'before a route',
      () =>
        sound((app) => {
          app.use(authenticated(), notFound())
          app.get('/orders', handler)
        }),
    ],
    [
      'not-found-not-last',
      'in a router, before another one on the same path',
      () =>
        sound((app) => {
          const [one, two] = [express.Router(), express.Router()]
          one.get('/a', handler)
          one.use(notFound())
          two.get('/b', handler)
          app.use(authenticated())
          app.use('/api', one, two)
        }),
    ],
    [
      'factory-not-called',
      'in a route',
      () =>
        sound((app) => {
          app.use(authenticated())
          app.get('/orders', requireScopes as never, handler)
        }),
    ],
    ['secret-literal', 'a name', () => sound(), source("const a = { sessionSecret: 'keyboard cat' }")],
    [
      'secret-in-settings',
      'a setting',
      () =>
        sound((app) => {
          app.set('jwt secret', 'hunter2-hunter2')
          routes(app)
        }),
    ],
    [
      'upgrade-unguarded',
      'a listener',
      () => sound(),
      { server: createServer().on('upgrade', () => undefined) },
    ],
    ['no-deny-by-default', 'none', () => without('mark')],
    ['audit-missing', 'none', () => without('audit')],
    ['not-found-missing', 'none', () => without('notFound')],
    ['x-powered-by', 'none', () => without('headers')],
    [
      'express-copies',
      'a router of another copy',
      () =>
        sound((app) => {
          const api = otherExpress().Router()
          api.get('/a', authenticated() as never, handler as never)
          app.use('/api', api)
          routes(app)
        }),
    ],
  ]

  it.each(cases)('%s: %s', (code, _how, make, ...options) => {
    unused.delete(code)
    expect(codesOf(make(), ...options)).toEqual([code])
  })

  /** The version of Express that this run does not test. */
  function otherExpress(): typeof express {
    const isExpress4 = 'lazyrouter' in express.application
    return createRequire(join(process.cwd(), 'any.js'))(isExpress4 ? 'express/lib/express.js' : 'express4')
  }

  function without(part: 'mark' | 'audit' | 'notFound' | 'headers'): Express {
    const app = express()
    if (part !== 'mark') markDenyByDefault(app, { strict: true })
    if (part !== 'audit') app.use(auditLog({ logger }))
    if (part !== 'headers') app.use(secureHeaders({ hsts: false }))
    routes(app)
    if (part !== 'notFound') app.use(notFound())
    app.use(secureErrors())
    return app
  }
})

describe('trust proxy', () => {
  it.each([[false], [0], [1], [5], ['203.0.113.9'], [() => false], [(_a: string, hop: number) => hop < 2]])(
    'says nothing against %p',
    (setting) => {
      expect(codesOf(trusting(setting))).toEqual([])
    },
  )

  it('survives a function that throws', () => {
    const setting = () => {
      throw new Error('no')
    }
    expect(codesOf(trusting(setting))).toEqual([])
  })

  it('looks at a mounted application that can be seen', () => {
    const admin = express()
    const app = sound((app) => {
      routes(app)
      app.use('/admin', admin)
      const layer = stackOf(app).at(-1)
      noteApplication(layer!.handle!, admin)
    })
    admin.set('trust proxy', true)
    expect(diagnose(app, PLAIN)).toMatchObject([
      { code: 'trust-proxy-true', where: expect.stringContaining('application at') },
    ])
  })
})

describe('certificates', () => {
  const findings = (app: Express, options: DiagnoseOptions = {}) =>
    diagnose(app, { ...PLAIN, ...options }).map(({ severity, code, message }) => [severity, code, message])
  const never = (severity: string, why: string) => [
    [severity, 'certificates-never-come', `authenticate "authenticate" verifies certificates, ${why}.`],
  ]
  const FORWARDS_NONE = 'and the gateway() before it forwards none'

  it('that cannot come are told of, as far as it can be seen', () => {
    const app = byCertificate()
    const unseen = 'no gateway() forwards them, and the server cannot be seen from here'
    expect(findings(app)).toEqual(never('note', unseen))
    expect(findings(app, { server: createServer() })).toEqual(
      never('warning', 'no gateway() forwards them, and the server ends no TLS'),
    )
    expect(findings(app, { server: createTlsServer() })).toEqual(
      never('warning', 'no gateway() forwards them, and the server asks for none'),
    )
    expect(findings(app, { server: createTlsServer({ requestCert: true }) })).toEqual([])
  })

  it.each<[string, Readonly<Record<string, unknown>>, readonly unknown[]]>([
    ['forwards them', { certificates: ['edge'] }, []],
    ['does not say', {}, []],
    ['forwards none', { certificates: 'none' }, never('warning', FORWARDS_NONE)],
    [
      'is known by its address alone',
      { certificates: ['edge'], weak: ['edge'] },
      [expect.arrayContaining(['hop-proof-weak']), ...never('warning', FORWARDS_NONE)],
    ],
  ])('behind a gateway that %s', (_what, facts, expected) => {
    expect(findings(byCertificate(told(facts)), { server: createTlsServer({ requestCert: true }) })).toEqual(
      expected,
    )
  })

  it('may come past a gateway that lets others in, and by what the application does itself', () => {
    const strip = byCertificate(told({ certificates: 'none', unproven: 'strip' }))
    expect(findings(strip, { server: createTlsServer({ requestCert: true }) })).toEqual([])
    expect(findings(strip, { server: createServer() })).toHaveLength(1)
    const own = defineGuard({
      kind: 'meshOnly',
      layer: 'transport',
      name: 'mesh',
      check: () => ({ reason: 'proven' }),
    })
    expect(findings(byCertificate(own), { server: createServer() })).toEqual([])
  })

  it('are verified again where authorities are named', () => {
    const app = sound((app) => {
      app.set('trust proxy', 1)
      app.use(told({ certificates: ['edge'] }))
      routes(app)
    })
    expect(findings(app)).toEqual([])
  })
})

describe('limits', () => {
  it('may count by address on a UNIX socket behind a gateway, and by route in a route', () => {
    const app = sound((inner) => {
      inner.set('trust proxy', 1)
      inner.use(gateway(nginx({ provenBy: { unixSocket: true } })))
      const byBoth = { name: 'doctor-both', limit: 5, windowSeconds: 60, by: ['address', 'route'] } as const
      inner.get('/orders', authenticated(), rateLimit(byBoth), handler)
    })
    expect(codesOf(app, { server: onSocket() })).toEqual([])
  })
})

describe('what counts in one process', () => {
  it('is a note for what is under way', () => {
    const app = sound((app) => {
      app.use(concurrencyLimit({ name: 'doctor-busy', limit: 10 }))
      routes(app)
    })
    expect(codesOf(app)).toEqual([])
    expect(diagnose(app, { ...PLAIN, environment: { WEB_CONCURRENCY: '2' } })).toMatchObject([
      {
        severity: 'note',
        code: 'memory-store-with-workers',
        message:
          'concurrencyLimit "doctor-busy" counts what is under way in this process, and WEB_CONCURRENCY asks for several processes.',
      },
    ])
  })
})

describe('the order', () => {
  it('names the first routes that a guard does not reach, and how many more', () => {
    const app = sound((app) => {
      for (const name of ['a', 'b', 'c', 'd', 'e']) app.get(`/${name}`, handler)
      app.use(authenticated())
    })
    const [finding] = diagnosesOf(app, { ...PLAIN, root: process.cwd() })
    expect(finding?.message).toBe('principalFrom "session" stands behind GET /a, GET /b, GET /c and 2 more.')
    expect(finding).toMatchObject({
      where: 'GET /a',
      file: 'test/posture/doctor.test.ts',
      line: expect.any(Number),
    })
  })

  it('tells of authentication behind a route as the posture sees it, and once', () => {
    const app = sound((app) => {
      app.get('/orders', handler)
      app.use(authenticated())
    })
    expect(codesOf(app)).toEqual(['guard-after-route', 'route-refused'])
  })

  it('says that secureErrors on a path is none for the others', () => {
    const app = express()
    markDenyByDefault(app, { strict: true })
    app.use(auditLog({ logger }), secureHeaders({ hsts: false }))
    routes(app)
    app.use('/api', secureErrors())
    app.use(notFound())
    expect(codesOf(app)).toEqual(['secure-errors-missing'])
  })

  it('takes a mere error handler behind secureErrors for less than a route there', () => {
    const late = sound(routes, (app) => app.get('/late', handler))
    expect(diagnose(late, PLAIN)[0]?.severity).toBe('error')
    const extra = (_error: unknown, _req: unknown, _res: unknown, _next: unknown): void => undefined
    expect(
      diagnose(
        sound(routes, (app) => app.use(extra)),
        PLAIN,
      )[0]?.severity,
    ).toBe('warning')
  })

  it('takes an error handler of the application for one that answers, and says that it cannot look into it', () => {
    const app = express()
    markDenyByDefault(app, { strict: true })
    app.use(auditLog({ logger }), secureHeaders({ hsts: false }))
    routes(app)
    app.use(notFound())
    app.use(function ownErrors(_error: unknown, _req: unknown, res: { end: () => void }, _next: unknown) {
      res.end()
    })
    const [finding, ...others] = diagnose(app, PLAIN)
    expect(others).toEqual([])
    expect(finding).toMatchObject({ code: 'secure-errors-missing', severity: 'note' })
    expect(finding?.message).toContain('ownErrors')
    expect(JSON.stringify(finding)).not.toContain('HTML')
    app.get('/late', handler)
    expect(diagnose(app, PLAIN)).toContainEqual(
      expect.objectContaining({ code: 'secure-errors-missing', severity: 'error' }),
    )
  })

  it('says nothing against notFound on a path of its own, or where only error handlers stand behind it', () => {
    const app = sound((app) => {
      app.use(authenticated())
      app.use('/old', notFound())
      app.get('/older', handler)
    })
    expect(codesOf(app)).toEqual([])
  })

  it('ends with a router that is mounted on itself', () => {
    const router = express.Router()
    router.use(router)
    router.use('/again', router)
    expect(codesOf(sound((app) => app.use(router)))).toEqual(['handler-unknown'])
  })

  it('looks through 5,000 routes in less than two seconds', () => {
    const app = sound((app) => {
      for (let index = 0; index < 5000; index += 1)
        app.post(`/r${index}`, authenticated(), express.json(), handler)
      app.use(authenticated())
    })
    const started = performance.now()
    expect(codesOf(app)).toEqual([])
    expect(performance.now() - started).toBeLessThan(2000)
  }, 20_000)
})

describe('a factory that was not called', () => {
  it.each<[string, unknown]>(
    Object.entries({ auditLog, notFound, secureErrors, secureHeaders, denyByDefault }),
  )('is told of %s', (name, factory) => {
    const app = sound((app) => {
      app.use(factory as never)
      routes(app)
    })
    expect(diagnose(app, PLAIN)[0]).toMatchObject({
      code: 'factory-not-called',
      severity: 'error',
      message: `${name} is mounted without being called: for all requests.`,
    })
  })

  it('is told from a middleware of the application with the same name', () => {
    function auditLog(_req: unknown, _res: unknown, next: () => void) {
      next()
    }
    const secureHeaders = (...args: [unknown, unknown, () => void]) => {
      args[2]()
    }
    const app = sound((app) => {
      app.use(authenticated())
      app.use(auditLog, secureHeaders)
      app.get('/orders', handler)
      app.use(function notFound(_req, res) {
        res.end()
      })
    })
    expect(codesOf(app)).toEqual([])
  })

  it('is known by the name and the parameters that it really has', () => {
    const real = Object.entries(library as Readonly<Record<string, unknown>>).filter(([name]) =>
      Object.hasOwn(FACTORIES, name),
    )
    const exported = Object.entries(FACTORIES).filter(([name]) => Object.hasOwn(library, name))
    expect(Object.fromEntries(real.map(([name, value]) => [name, (value as () => void).length]))).toEqual(
      Object.fromEntries(exported),
    )
    for (const [name, value] of real) expect((value as () => void).name).toBe(name)
  })
})

describe('what the posture finds', () => {
  const open = (app: Express) => {
    app.get('/a', handler)
    app.post('/b', handler)
    app.get('/c', requireScopes('c'), handler)
  }

  it('is told by the doctor too, routes of which the same is so together', () => {
    const app = express()
    app.use(auditLog({ logger }), secureHeaders({ hsts: false }))
    open(app)
    app.use(notFound(), secureErrors())
    const findings = diagnose(app, { ...PLAIN, root: process.cwd() })
    expect(findings.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['route-open', 'guard-order', 'no-deny-by-default']),
    )
    const first = findings.find(({ code }) => code === 'route-open')
    expect(first).toMatchObject({ severity: 'error', where: 'GET /a' })
    expect(first?.message).toMatch(/^GET \/a is open: .* So it is with POST \/b\.$/)
  })

  it('is told but for its notes', () => {
    const app = sound((app) => {
      app.use(principalFrom(() => undefined, { name: 'session', required: false }))
      app.get('/maybe', handler)
    })
    expect(codesOf(app)).not.toContain('route-optional')
  })
})

describe('what two have found', () => {
  const finding = (code: string, more: Partial<Finding>): Finding => ({
    code,
    severity: 'warning',
    message: code,
    consequence: '',
    remedy: '',
    page: '',
    where: undefined,
    file: undefined,
    line: undefined,
    ...more,
  })
  const told = (...args: Parameters<typeof toldOnce>) =>
    toldOnce(...args).map(({ code, severity, line, where }) => [code, severity, line ?? where])
  const at = (line: number) => ({ file: 'app.js', line })

  it('is told once where it is about the same guard, as the graver of the two', () => {
    expect(
      told(
        [finding('report-mode', at(1))],
        [finding('report-mode-left-on', { ...at(1), severity: 'error' })],
      ),
    ).toEqual([['report-mode-left-on', 'error', 1]])
    expect(told([finding('report-mode', at(1))], [finding('report-mode-left-on', at(1))])).toEqual([
      ['report-mode', 'warning', 1],
    ])
  })

  it('is told twice where it is about two guards, or two rows', () => {
    expect(
      told(
        [finding('report-mode', at(1))],
        [finding('report-mode-left-on', at(1)), finding('report-mode-left-on', at(2))],
      ),
    ).toEqual([
      ['report-mode', 'warning', 1],
      ['report-mode-left-on', 'warning', 2],
    ])
    expect(
      told(
        [finding('guard-after-route', { where: 'GET /a' })],
        [finding('guard-behind-route', { where: 'GET /b', severity: 'error' })],
      ),
    ).toEqual([
      ['guard-after-route', 'warning', 'GET /a'],
      ['guard-behind-route', 'error', 'GET /b'],
    ])
  })
})

describe('secrets', () => {
  const LONG = `SENTINEL${'a1'.repeat(16)}`
  const found = (text: string) => diagnose(sound(), { ...PLAIN, ...source(text) })

  it.each([
    ['a PEM key', 'const k = `-----BEGIN RSA PRIVATE KEY-----\nSENTINELsentinel\n`'],
    ['a PKCS 8 key', 'const k = `-----BEGIN PRIVATE KEY-----SENTINEL`'],
    ['a JWK', `const k = { kty: 'OKP', d: 'SENTINEL${'a'.repeat(40)}' }`],
    ['a key of AWS', "const k = 'AKIAIOSFODNN7EXAMPLE' // SENTINEL"],
    ['a token', "const t = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.SENTINEL1'"],
    ['a URL with a password', "connect('postgres://app:SENTINEL@db/orders')"],
    ['client_secret', "fetch(url, { body: 'grant_type=x&client_secret=SENTINEL' })"],
    ['a property', "  clientSecret: 'SENTINEL',"],
    ['a quoted property', `  "client-secret": "SENTINEL",`],
    ['a variable', 'const PASSWORD = `SENTINEL`'],
    ['a setting', "app.set('session secret', 'SENTINEL')"],
    ['an API key', "const API_KEY = 'SENTINEL0123456789'"],
    ['a placeholder', "sessionSecret: 'change-me-SENTINEL'"],
    ['a placeholder that is called a secret', "sessionSecret: 'put-32-or-more-secret-SENTINEL'"],
    ['a placeholder of an example', "const JWT_SECRET = 'example-secret-SENTINEL'"],
    ['the secret of a gateway', `secret: { header: 'x-edge', values: '${LONG}' }`],
    ['that in a list', `secret: { header: 'x-edge', values: [now(), '${LONG}'] }`],
    ['that of a function', `secret: { values: () => ['${LONG}'], header: 'x-edge' }`],
    ['that in place of the environment', `secret: { header: 'x', values: process.env['A'] ?? "${LONG}" }`],
    ['one with a comma', `secret: { header: 'x', values: '${LONG},x' }`],
    ['a list of secrets', `gatewayAssertion({ secrets: ['${LONG}'] })`],
  ])('finds %s and does not show it', (_what, text) => {
    const findings = found(`// first line\n${text}`)
    expect(findings).toMatchObject([{ code: 'secret-literal', file: 'app.js', line: 2 }])
    expect(JSON.stringify(findings)).not.toMatch(/SENTINEL|AKIA|eyJ/)
  })

  it.each([
    ['the environment', 'const secret = process.env.SESSION_SECRET'],
    ['a template', 'const url = `postgres://app:${process.env.PASSWORD}@db/orders`'],
    ['the name of a variable', "const secretName = 'SESSION_SECRET'"],
    ['the name of a header', "const apiKeyHeader = 'x-api-key-1234567'"],
    ['the name of a header as key', "apiKey: 'x-api-key'"],
    ['a public key', '-----BEGIN PUBLIC KEY-----'],
    ['a scope', "requireScopes('tokens:write')"],
    ['a URL', "issuer: 'https://id.example:8443/a@b'"],
    ['something short', "secret: 'abc'"],
    ['the name of a secret', "secret: 'edge-client-secret-v2'"],
    ['secrets of the environment', `secret: { header: 'x', values: process.env['${LONG}'] }`],
    [
      'secrets that are read',
      `secret: { header: 'x', values: readFileSync('/run/secrets/${LONG}', 'utf8') }`,
    ],
    ['what stands behind them', `assertion({ secrets: known, issuer: 'https://id.example/${LONG}' })`],
    ['a template of them', `secret: { header: 'x', values: \`\${process.env.A}${LONG}\` }`],
    ['other values', `parse({ values: ['${LONG}'] })`],
  ])('says nothing against %s', (_what, text) => {
    expect(found(text)).toEqual([])
  })

  it('finds each secret of a gateway on its line, and says which one is a placeholder', () => {
    const text = [
      'gateway(nginx({',
      '  provenBy: {',
      '    secret: {',
      "      header: 'x-edge-secret',",
      '      values: [',
      `        '${LONG}',`,
      "        'put-32-or-more-visible-characters-here',",
      '      ],',
      '    },',
      '  },',
      '}))',
    ].join('\n')
    expect(found(text).map(({ line, message }) => [line, message])).toEqual([
      [6, 'The source holds text for the secret of a gateway.'],
      [7, 'The source holds a placeholder for the secret of a gateway.'],
    ])
    expect(found("const clientSecret = 'supersecret'")[0]?.message).toBe(
      'The source holds a placeholder for "clientSecret".',
    )
  })

  it('costs little on a line and a file without end', () => {
    const started = performance.now()
    expect(found(`secret${' '.repeat(2_000_000)}`)).toEqual([])
    expect(found(`${'secret-'.repeat(200)}\n`.repeat(700))).toEqual([])
    expect(found('secret:{'.repeat(125_000))).toEqual([])
    expect(found("secrets:['a".repeat(90_000))).toEqual([])
    expect(performance.now() - started).toBeLessThan(1500)
  })

  it('lists at most twenty, and none where the file is not there', () => {
    expect(found("secret: 'aaaaaaaaaa'\n".repeat(100))).toHaveLength(20)
    expect(diagnose(sound(), { ...PLAIN, root: folder, source: 'missing.js' })).toEqual([])
  })
})

describe('copies of Express', () => {
  it('lists those that were loaded, by version and folder', () => {
    const folderOf = (name: string) => join(process.cwd(), 'node_modules', name, 'lib', 'express.js')
    const loadedFiles = [
      folderOf('express'),
      folderOf('express4'),
      '/no/such/lib/express.js',
      '/lib/express.js',
    ]
    const [finding] = diagnose(sound(), { ...PLAIN, loadedFiles })
    expect(finding?.code).toBe('express-copies')
    expect(finding?.message).toMatch(/^2 copies of Express are loaded: 5\.\S+ \(.*\), 4\.\S+ \(.*\)\.$/)
  })
})

describe('HSTS', () => {
  const app = () =>
    sound((app) => {
      app.use(secureHeaders())
      routes(app)
    })

  it('needs no proxy where the service ends TLS itself', () => {
    expect(codesOf(app(), { server: createTlsServer() })).toEqual([])
    expect(codesOf(app(), { server: createServer() })).toEqual(['hsts-without-proven-tls'])
  })
})

describe('report mode', () => {
  it('is an error in production', () => {
    const app = sound((app) => {
      app.use(authenticated(), requireScopes({ all: ['a'], name: 'try-out', mode: 'report' }))
      app.get('/orders', handler)
    })
    expect(diagnose(app, PLAIN)[0]?.severity).toBe('warning')
    const [finding] = diagnose(app, { ...PLAIN, environment: { NODE_ENV: 'production' } })
    expect(finding).toMatchObject({ severity: 'error', code: 'report-mode-left-on' })
  })
})

describe('doctor', () => {
  it('hands each finding to log, the worst first, and answers them', () => {
    const heard: string[] = []
    const findings = doctor(express(), { ...PLAIN, log: ({ severity }) => heard.push(severity) })
    expect(heard).toEqual(findings.map(({ severity }) => severity))
    expect(heard[0]).toBe('error')
    expect(heard.at(-1)).toBe('note')
  })

  it('throws where an error was found and it is asked to, after it has told', () => {
    const heard: string[] = []
    const log = ({ code }: { code: string }) => heard.push(code)
    expect(() => doctor(express(), { ...PLAIN, fail: true, log })).toThrow(/^doctor: .*secure-errors-missing/)
    expect(heard).toContain('secure-errors-missing')
    expect(doctor(without404(), { ...PLAIN, fail: true, log }).map(({ code }) => code)).toEqual([
      'not-found-missing',
    ])
  })

  function without404(): Express {
    const app = express()
    markDenyByDefault(app, { strict: true })
    app.use(auditLog({ logger }), secureHeaders({ hsts: false }), secureErrors())
    return app
  }

  it('refuses what is no application, and options it does not know', () => {
    expect(() => doctor({})).toThrow(
      new TypeError('diagnose: application must be an Express application, got an object'),
    )
    expect(() => doctor(express(), { fial: true } as never)).toThrow(/Did you mean fail\?/)
    expect(() => diagnose(express(), { fail: true } as never)).toThrow(TypeError)
    expect(() => diagnose(express(), { loadedFiles: 'all' } as never)).toThrow(TypeError)
  })
})

describe('the page of findings', () => {
  it('has a section for each code, and each finding names it', () => {
    const page = readFileSync(join(process.cwd(), 'docs/doctor.md'), 'utf8')
    for (const [code, { severity }] of Object.entries({ ...ROUTES, ...SET_UP }))
      expect(page).toContain(`\n### ${code}\n\nSeverity: ${severity}.\n`)
    const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading)
    expect(headings).toEqual([...new Set(headings)])
    for (const { code, page: link } of diagnose(express(), PLAIN)) expect(link).toBe(`docs/doctor.md#${code}`)
  })
})
