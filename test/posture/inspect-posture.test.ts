import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import cors from 'cors'
import helmet from 'helmet'
import multer from 'multer'
import express, { type Express, type RequestHandler } from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { denyByDefault } from '../../src/authorization/deny-by-default.js'
import { requireScopes } from '../../src/authorization/require-scopes.js'
import { publicRoute } from '../../src/authentication/public-route.js'
import { defineGuard, type Guard } from '../../src/core/guard.js'
import { stackOf, type RouterLayer } from '../../src/core/router.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { validateBody } from '../../src/validation/validate-body.js'
import { notFound } from '../../src/errors/not-found.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { endpointsOf, isPublic } from '../../src/posture/evidence.js'
import { inspectPosture } from '../../src/posture/inspect-posture.js'
import type { Posture, PostureRow } from '../../src/posture/model.js'
import { renderJson } from '../../src/posture/render/json.js'
import { keepingLogger } from '../support/records.js'
import { ISSUER, answering, guard, isExpress4 } from './nasty-applications.js'

const as = (middleware: unknown): RequestHandler => middleware as RequestHandler
const folder = fileURLToPath(new URL('.', import.meta.url))

function postureOf(mount: (app: Express) => void): Posture {
  const app = express()
  mount(app)
  return inspectPosture(app, { root: folder })
}

function rowOf(posture: Posture, label: string): PostureRow {
  const row = posture.rows.find(({ method, path }) => `${method} ${path}` === label)
  if (row === undefined)
    throw new Error(`no ${label} among ${posture.rows.map(({ path }) => path).join(', ')}`)
  return row
}

function faultsOf(posture: Posture, label: string): readonly string[] {
  return rowOf(posture, label).faults.map(({ code }) => code)
}

describe('the posture', () => {
  it('says what was looked at', () => {
    const posture = postureOf(() => undefined)
    expect(posture).toEqual({
      schemaVersion: 1,
      application: 'application',
      expressMajor: isExpress4 ? '4' : '5',
      denyByDefault: 'off',
      services: [],
      rows: [],
    })
    expect(inspectPosture(express(), { name: 'orders' }).application).toBe('orders')
  })

  it('names what is mounted for all requests', () => {
    const { services } = postureOf((app) => {
      app.use(as(auditLog({ logger: keepingLogger() })))
      app.use('/part', guard())
      app.use(as(notFound()))
      app.use(as(secureErrors()))
    })
    expect(services.map(({ kind }) => kind)).toEqual(['auditLog', 'notFound', 'secureErrors'])
  })

  it.each([[{}, 'on'] as const, [{ strict: true }, 'strict'] as const])(
    'says whether it refuses by default: %j',
    (options, expected) => {
      const app = express()
      denyByDefault(app, options)
      app.get('/forgotten', answering('forgotten'))
      app.get('/known', guard(), answering('known'))
      const posture = inspectPosture(app)
      expect(posture.denyByDefault).toBe(expected)
      expect(rowOf(posture, 'GET /forgotten')).toMatchObject({ proof: 'open', refusedByDefault: true })
      expect(rowOf(posture, 'GET /known')).toMatchObject({ proof: 'guarded', refusedByDefault: false })
    },
  )

  it('says of routes with optional authentication whether anonymous callers are refused by default', () => {
    const app = express()
    denyByDefault(app)
    app.get('/public', as(publicRoute('a catalogue')), guard({ required: false }), answering('public'))
    app.get('/late', guard({ required: false }), answering('late'), as(publicRoute('misplaced')))
    app.use(guard({ required: false }))
    app.get('/lenient', answering('lenient'))
    const posture = inspectPosture(app)
    const read = (label: string) => {
      const { proof, publicReason, refusedByDefault } = rowOf(posture, label)
      return [proof, publicReason, refusedByDefault, isPublic(rowOf(posture, label))]
    }
    expect(read('GET /public')).toEqual(['optional', 'a catalogue', false, true])
    expect(read('GET /late')).toEqual(['optional', undefined, true, false])
    expect(read('GET /lenient')).toEqual(['optional', undefined, true, false])
  })

  it('reads whether it refuses by default off each application on the way', () => {
    const inner = express()
    denyByDefault(inner)
    inner.get('/a', answering('a'))
    const posture = postureOf((app) => {
      const router = express.Router()
      router.use('/in', inner)
      app.use(router)
      app.get('/b', answering('b'))
    })
    expect(posture.denyByDefault).toBe('off')
    expect(posture.rows.map(({ refusedByDefault }) => refusedByDefault)).toEqual([true, false])
  })

  it('changes with what it cuts off a long list', () => {
    const factOf = (last: string): unknown => {
      const clients = [...Array.from({ length: 119 }, (_, at) => `client-${at}`), last]
      const posture = postureOf((app) => {
        app.get('/a', as(listing(clients)), answering('a'))
      })
      return rowOf(posture, 'GET /a').guards[0]?.facts['clients']
    }
    expect(factOf('client-119')).toEqual(factOf('client-119'))
    expect(factOf('client-119')).toHaveLength(101)
    expect(factOf('somebody else')).not.toEqual(factOf('client-119'))
  })

  it('can be written as JSON and read again', () => {
    const posture = postureOf((app) => {
      app.get('/a', as(oddGuard()), answering('a'))
    })
    const [odd] = rowOf(posture, 'GET /a').guards
    expect(JSON.parse(JSON.stringify(odd?.facts))).toEqual({
      big: '12',
      infinite: 'Infinity',
      date: '1970-01-01T00:00:00.000Z',
      pattern: '/a/g',
      set: ['x'],
      deep: { deep: { deep: { deep: '[more]' } } },
      inner: { thrown: '[unreadable]' },
      controls: 'a\ufffdb',
      long: 'l'.repeat(500),
      many: [
        ...Array.from({ length: 100 }, () => 0),
        expect.stringMatching(/^\[900 more, SHA-256 [0-9a-f]{16}\]$/),
      ],
      nothing: null,
      call: '[function]',
    })
  })

  it('changes nothing about the application', () => {
    const app = express()
    app.use(guard())
    app.get('/a', answering('a'))
    const before = stackOf(app).map(({ handle }) => handle)
    expect(inspectPosture(app)).toEqual(inspectPosture(app))
    expect(stackOf(app).map(({ handle }) => handle)).toEqual(before)
  })
})

function listing(clients: readonly string[]): Guard {
  return defineGuard({
    kind: 'requireService',
    layer: 'authorization',
    name: 'services',
    facts: { clients },
    check: () => ({ reason: 'passed' }),
  })
}

function oddGuard(): Guard {
  const self: Record<string, unknown> = {}
  self['deep'] = self
  return defineGuard({
    kind: 'odd',
    layer: 'traffic',
    name: 'odd',
    facts: {
      big: 12n,
      infinite: Infinity,
      date: new Date(0),
      pattern: /a/g,
      set: new Set(['x']),
      deep: self,
      inner: Object.defineProperty({}, 'thrown', { enumerable: true, get: thrower }),
      controls: 'a\u0000b',
      long: 'l'.repeat(10_000),
      many: Array.from({ length: 1000 }, () => 0),
      nothing: null,
      none: undefined,
      call: () => 1,
    },
    check: () => ({ reason: 'passed' }),
  })
}

function thrower(): never {
  throw new Error('unreadable')
}

describe('a row', () => {
  it('lists the guards in their order, with their facts and where they were made', () => {
    const posture = postureOf((app) => {
      app.use(guard())
      app.post('/orders', as(requireScopes('orders:write')), answering('create'))
    })
    const row = rowOf(posture, 'POST /orders')
    expect(row).toMatchObject({ kind: 'route', proof: 'guarded', handler: 'create', faults: [] })
    expect(row.guards).toMatchObject([
      {
        kind: 'authenticate',
        layer: 'authentication',
        mode: 'enforce',
        mounted: 'before',
        facts: { issuer: ISSUER, audience: ['https://api.test'], required: true },
      },
      { kind: 'requireScopes', mounted: 'route', facts: { all: ['orders:write'] } },
    ])
    expect(row.guards[1]?.file).toBe('inspect-posture.test.ts')
    expect(row.guards[1]?.line).toEqual(expect.any(Number))
  })

  it('shows of a file outside the root its name only', () => {
    const app = express()
    app.get('/a', guard(), answering('a'))
    const [row] = inspectPosture(app, { root: '/somewhere/else' }).rows
    expect(row?.guards[0]?.file).toBe('nasty-applications.ts')
    const [inside] = inspectPosture(app).rows
    expect(inside?.guards[0]?.file).toBe(
      relative(process.cwd(), `${folder}nasty-applications.ts`).replaceAll('\\', '/'),
    )
  })

  it('gives the reason of a public route', () => {
    const posture = postureOf((app) => {
      app.get('/health', as(publicRoute('liveness probe')), answering('health'))
    })
    expect(rowOf(posture, 'GET /health')).toMatchObject({
      proof: 'public',
      why: 'liveness probe',
      publicReason: 'liveness probe',
    })
  })

  it('stands for each method and each path of a list', () => {
    const { rows } = postureOf((app) => {
      app.route('/a').get(answering('get')).put(answering('put'))
      app.get(['/b', '/c'], answering('list'))
      app.all('/d', answering('all'))
    })
    expect(rows.map(({ method, path, handler }) => `${method} ${path} ${handler ?? ''}`)).toEqual([
      'GET /a get',
      'PUT /a put',
      'GET /b list',
      'GET /c list',
      'ALL /d all',
    ])
  })

  it.each<[string, () => RequestHandler, PostureRow['proof']]>([
    ['a body parser', () => express.json(), 'known'],
    ['cors', () => cors(), 'known'],
    ['helmet', () => helmet(), 'known'],
    ['a name alone', () => answering('corsMiddleware'), 'unknown'],
    ['files', () => express.static(folder), 'unknown'],
    [
      'a function without a name',
      () =>
        (
          () => () =>
            undefined
        )(),
      'unknown',
    ],
  ])('of a handler outside any route: %s', (_case, make, proof) => {
    const posture = postureOf((app) => {
      app.use('/h', make())
    })
    expect(rowOf(posture, 'ALL /h/*')).toMatchObject({ kind: 'handler', proof })
  })
})

describe('what can answer a caller', () => {
  it.each<[string, () => RequestHandler, boolean]>([
    ['a body parser', () => express.json(), false],
    ['another', () => express.urlencoded({ extended: false }), false],
    ['cors', () => cors(), false],
    ['multer', () => multer().none(), false],
    ['a handler with the name of a body parser', () => answering('jsonParser'), true],
    ['a handler with the name of cors', () => answering('corsMiddleware'), true],
    ['a handler with the name of multer', () => answering('multerMiddleware'), true],
    ['a handler with a name of Express’s own', () => answering('query'), true],
    ['a body parser whose source cannot be seen', () => express.json().bind(undefined), true],
    ['files', () => express.static(folder), true],
  ])('behind authentication, and where it is held: %s', (_case, make, answers) => {
    const guarded = postureOf((app) => {
      app.use(guard())
      app.use('/h', make())
    })
    expect(rowOf(guarded, 'ALL /h/*').proof).toBe('guarded')
    const held = postureOf((app) => {
      denyByDefault(app)
      app.use('/h', make())
    })
    expect(rowOf(held, 'ALL /h/*').proof).toBe('held')
    for (const posture of [guarded, held, JSON.parse(renderJson(guarded)) as Posture])
      expect(endpointsOf(posture)).toHaveLength(answers ? 1 : 0)
  })
})

const SCHEMA = { type: 'object' }

function limitBy(by: 'address' | 'principal' | 'api-key'): Guard {
  return rateLimit({ name: `by-${by}`, limit: 1, windowSeconds: 1, by })
}

describe('faults', () => {
  it.each<[string, string, readonly string[], (app: Express) => void]>([
    [
      'a guard mounted behind the route',
      'GET /a',
      ['guard_after_route'],
      (app) => {
        app.get('/a', answering('a'))
        app.use(guard())
      },
    ],
    [
      'a handler before authentication',
      'GET /a',
      ['handler_before_authentication'],
      (app) => {
        app.get('/a', answering('first'), guard(), answering('a'))
      },
    ],
    [
      'a guard that only reports',
      'GET /a',
      ['report_mode'],
      (app) => {
        app.use(guard())
        app.get('/a', as(requireScopes({ all: ['a'], mode: 'report' })), answering('a'))
      },
    ],
    [
      'scopes before authentication',
      'GET /a',
      ['guard_order'],
      (app) => {
        app.get('/a', as(requireScopes('a')), guard(), answering('a'))
      },
    ],
    [
      'scopes and no authentication',
      'GET /a',
      ['guard_order'],
      (app) => {
        app.get('/a', as(requireScopes('a')), answering('a'))
      },
    ],
    [
      'a limit by principal before authentication',
      'GET /a',
      ['guard_order'],
      (app) => {
        app.use(as(limitBy('principal')))
        app.get('/a', guard(), answering('a'))
      },
    ],
    [
      'a limit by API key before authentication',
      'GET /a',
      ['guard_order'],
      (app) => {
        app.get('/a', as(limitBy('api-key')), guard(), answering('a'))
      },
    ],
    [
      'a limit by address before authentication, by principal behind it: none',
      'GET /a',
      [],
      (app) => {
        app.get('/a', as(limitBy('address')), guard(), as(limitBy('principal')), answering('a'))
      },
    ],
    [
      'validation before the parser',
      'POST /a',
      ['validate_before_parser'],
      (app) => {
        app.post('/a', guard(), as(validateBody(SCHEMA)), express.json(), answering('a'))
      },
    ],
    [
      'validation behind one parser and before another: none',
      'POST /a',
      [],
      (app) => {
        app.use(guard())
        app.use(express.json())
        app.post('/a', as(validateBody(SCHEMA)), express.text(), answering('a'))
      },
    ],
    [
      'a wrapped guard',
      'GET /a',
      ['wrapped_guard'],
      (app) => {
        app.get('/a', new Proxy(guard(), {}), answering('a'))
      },
    ],
    [
      'a body parser before authentication, in the route',
      'POST /a',
      ['body_parser_before_authentication'],
      (app) => {
        app.post('/a', express.json(), guard(), answering('a'))
      },
    ],
    [
      'a body parser before authentication, outside',
      'ALL /*',
      ['body_parser_before_authentication'],
      (app) => {
        app.use(express.json())
        app.use(guard())
      },
    ],
    [
      'a param callback before authentication',
      'GET /a/:id',
      ['param_before_authentication'],
      (app) => {
        app.param('id', (_req, _res, next) => {
          next()
        })
        app.get('/a/:id', guard(), answering('a'))
      },
    ],
    [
      'an error handler on the way',
      'GET /a',
      ['error_handler_before_handler'],
      (app) => {
        app.use(guard())
        app.use(((_error, _req, _res, next) => {
          next()
        }) as express.ErrorRequestHandler)
        app.get('/a', answering('a'))
      },
    ],
    [
      'publicRoute mounted by use',
      'GET /a',
      ['public_route_misplaced'],
      (app) => {
        app.use(as(publicRoute('everything')))
        app.get('/a', answering('a'))
      },
    ],
    [
      'publicRoute behind authentication',
      'GET /a',
      ['public_behind_authentication'],
      (app) => {
        app.use(guard())
        app.get('/a', as(publicRoute('a probe')), answering('a'))
      },
    ],
    [
      'a middleware that writes the path over',
      'GET /a/x',
      ['url_rewritten'],
      (app) => {
        app.use('/a', guard())
        app.use((req, _res, next) => {
          req.url = '/a/x'
          next()
        })
        app.get('/a/x', answering('a'))
      },
    ],
  ])('%s', (_case, label, expected, mount) => {
    expect(faultsOf(postureOf(mount), label)).toEqual(expected)
  })

  it('are none where everything is in order', () => {
    const posture = postureOf((app) => {
      app.use(guard())
      app.use(express.json())
      app.param('id', (_req, _res, next) => {
        next()
      })
      app.get('/a/:id', as(requireScopes('a')), answering('a'))
      app.use(as(secureErrors()))
    })
    expect(posture.rows.flatMap(({ faults }) => faults)).toEqual([])
  })

  it('a guard of the application’s own that calls itself authentication proves nothing', () => {
    const own = defineGuard({
      kind: 'apiKey',
      layer: 'authentication',
      name: 'own',
      check: () => ({ reason: 'passed' }),
    })
    const posture = postureOf((app) => {
      app.get('/a', as(own), answering('a'))
    })
    expect(rowOf(posture, 'GET /a').proof).toBe('unknown')
  })
})

describe('where Express hides mount paths, as 5.0 to 5.2 do', () => {
  /** What those versions keep: whether it is mounted at `/`, and the path of a route. */
  function hidePaths(stack: readonly RouterLayer[]): void {
    for (const layer of stack as (RouterLayer & { regexp?: unknown; rawPath?: unknown; slash?: unknown })[]) {
      const isSlash = layer.slash === true || layer.regexp?.fast_slash === true
      Object.assign(layer, { regexp: undefined, rawPath: undefined, keys: undefined, slash: isSlash })
      if (Array.isArray(layer.handle?.stack)) hidePaths(layer.handle.stack as RouterLayer[])
    }
  }

  function hidden(mount: (app: Express) => void): readonly string[] {
    const app = express()
    mount(app)
    hidePaths(stackOf(app))
    return inspectPosture(app).rows.map(({ proof, method, path }) => `${proof} ${method} ${path}`)
  }

  it('believes guards at / only', () => {
    expect(
      hidden((app) => {
        const router = express.Router()
        router.get('/x', answering('x'))
        router.use(guard())
        router.get('/y', answering('y'))
        app.get('/open', answering('open'))
        app.use('/api', guard())
        app.use('/api', router)
        app.get('/api/z', answering('z'))
        app.use('/files', answering('files'))
        app.use(guard())
        app.get('/shut', answering('shut'))
        app.use('/api', router)
      }),
    ).toEqual([
      'open GET /open',
      'unknown GET {hidden}/x',
      'guarded GET {hidden}/y',
      'unknown GET /api/z',
      'unknown ALL {hidden}/*',
      'guarded GET /shut',
      'guarded GET {hidden}/x',
      'guarded GET {hidden}/y',
    ])
  })
})

describe('absurd applications', () => {
  it('are read in time with 5,000 routes', () => {
    const app = express()
    app.use(guard())
    for (let router = 0; router < 50; router += 1) {
      const inner = express.Router()
      inner.use(as(requireScopes('a')))
      for (let route = 0; route < 100; route += 1) inner.get(`/r${route}/:id`, answering('r'))
      app.use(`/m${router}`, inner)
    }
    const startedAt = performance.now()
    const { rows } = inspectPosture(app)
    expect(performance.now() - startedAt).toBeLessThan(2000)
    expect(rows).toHaveLength(5000)
    expect(rows.every(({ proof }) => proof === 'guarded')).toBe(true)
  })

  it('are read in time where every other route has a guard of its own path', () => {
    const app = express()
    const one = guard()
    for (let route = 0; route < 2500; route += 1) {
      app.use(`/a${route}`, one)
      app.get(`/a${route}/x`, answering('a'))
      app.get(`/b${route}/x`, answering('b'))
      app.get(`/c${route}`, one, answering('c'))
    }
    const startedAt = performance.now()
    const { rows } = inspectPosture(app)
    expect(performance.now() - startedAt).toBeLessThan(2000)
    expect(rows.map(({ proof }) => proof).filter((proof) => proof === 'guarded')).toHaveLength(5000)
  })

  it('are cut where routers multiply without end', () => {
    let router = express.Router()
    router.get('/leaf', answering('leaf'))
    for (let depth = 0; depth < 18; depth += 1) {
      const outer = express.Router()
      for (const path of ['/a', '/b', '/c']) outer.use(path, router)
      router = outer
    }
    const { rows } = postureOf((app) => {
      app.use(router)
    })
    expect(rows.length).toBeLessThanOrEqual(50_001)
    expect(rows.at(-1)).toMatchObject({ proof: 'unknown', path: '/*' })
  })

  it('may nest deeper than anybody reads', () => {
    let router = express.Router()
    router.get('/leaf', answering('leaf'))
    for (let depth = 0; depth < 30; depth += 1) {
      const outer = express.Router()
      outer.use(router)
      router = outer
    }
    const { rows } = postureOf((app) => {
      app.use(router)
    })
    expect(rows).toMatchObject([{ kind: 'handler', proof: 'unknown' }])
  })

  it('may hold what is no layer', () => {
    const { rows } = postureOf((app) => {
      app.get('/a', answering('a'))
      ;(stackOf(app) as unknown[]).push(null, {}, { handle: 7 }, { match: () => true })
    })
    expect(rows[0]).toMatchObject({ path: '/a', proof: 'open' })
    expect(rows.slice(1).every(({ proof }) => proof === 'unknown')).toBe(true)
  })

  it('may mount what only looks like a router', () => {
    const connect = Object.assign(answering('connect'), { stack: [{ route: '', handle: answering('x') }] })
    const { rows } = postureOf((app) => {
      app.use('/c', connect)
    })
    expect(rows).toMatchObject([{ kind: 'handler', path: '/c/*', proof: 'unknown', handler: 'connect' }])
  })
})

describe('throws a TypeError for', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['an object', {}],
    ['a function', () => undefined],
    ['a router', express.Router()],
    ['what looks like an application', Object.assign(() => undefined, { handle() {}, set() {} })],
  ])('%s', (_case, app) => {
    expect(() => inspectPosture(app as object)).toThrow(
      /^inspectPosture: app must be an Express application, as express\(\) makes it, got /,
    )
  })

  it.each([[{ folder: '.' }], [{ root: '' }], [{ name: 7 }], [null]])('options %j', (options) => {
    expect(() => inspectPosture(express(), options as object)).toThrow(TypeError)
  })
})

it('a route whose handler stands before its own authentication is not called refused by default', () => {
  const app = express()
  denyByDefault(app)
  app.get('/late', answering('late'), guard())
  app.get('/never', answering('never'))
  expect(inspectPosture(app).rows.map(({ path, refusedByDefault }) => [path, refusedByDefault])).toEqual([
    ['/late', false],
    ['/never', true],
  ])
})
