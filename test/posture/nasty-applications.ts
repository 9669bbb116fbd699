import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import { authenticate } from '../../src/authentication/authenticate.js'
import { principalFrom } from '../../src/authentication/principal-from.js'
import { publicRoute } from '../../src/authentication/public-route.js'
import { requireScopes } from '../../src/authorization/require-scopes.js'
import { denyByDefault } from '../../src/authorization/deny-by-default.js'
import type { Guard } from '../../src/core/guard.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import type { Proof } from '../../src/posture/model.js'
import { fileURLToPath } from 'node:url'

/** An application that would deceive a careless reader. */
export interface NastyApplication {
  readonly build: () => Express
  /** Proof, method and path of every row, in their order. */
  readonly rows: readonly `${Proof} ${string}`[]
  /** Concrete paths to ask for besides those of the rows. */
  readonly paths?: readonly string[]
  /** Rows that are called open, for nothing that can be seen keeps anybody out; something does. */
  readonly unreached?: readonly string[]
}

/** Whether the tests run with Express 4, whose templates have another grammar. */
export const isExpress4 = 'lazyrouter' in express()

export const ISSUER = 'https://id.test'

/** An authentication whose keys need no network; no token is ever sent to it. */
export function guard(options: { readonly required?: boolean } = {}): RequestHandler {
  return authenticate({
    issuer: ISSUER,
    audience: 'https://api.test',
    algorithms: ['EdDSA'],
    jwks: { keys: [PUBLIC_KEY] },
    ...options,
  })
}

/** A handler that says in its answer who answered, and where. */
export function answering(name: string): RequestHandler {
  const handler: RequestHandler = (req, res) => {
    const route = req.route as { path?: string } | undefined
    res.set('x-answered-by', name)
    res.set('x-answered-at', encodeURIComponent(`${req.baseUrl}${route?.path ?? ''}`))
    res.json({ answered: name })
  }
  return Object.defineProperty(handler, 'name', { value: name })
}

const PUBLIC_KEY = {
  kty: 'OKP',
  crv: 'Ed25519',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  kid: 'key-1',
  use: 'sig',
  alg: 'EdDSA',
}

const as = (guard: Guard): RequestHandler => guard
const optional = (): RequestHandler => guard({ required: false })
const open = (reason = 'a probe'): RequestHandler => as(publicRoute(reason))
const swallowing: ErrorRequestHandler = (_error, _req, _res, next) => {
  next()
}
const passing: RequestHandler = (...[, , next]) => {
  next()
}

function application(mount: (app: Express) => void, settings: readonly string[] = []): () => Express {
  return () => {
    const app = express()
    for (const setting of settings) app.enable(setting)
    mount(app)
    app.use(as(secureErrors() as unknown as Guard))
    return app
  }
}

const folder = fileURLToPath(new URL('.', import.meta.url))

export const NASTY: Readonly<Record<string, NastyApplication>> = {
  'the plain one': {
    build: application((app) => {
      app.get('/health', open('liveness'), answering('health'))
      app.use(guard())
      app.get('/orders', answering('list'))
      app.post('/orders', as(requireScopes('orders:write')), answering('create'))
      app.get('/orders/:id', answering('one'))
    }),
    rows: ['public GET /health', 'guarded GET /orders', 'guarded POST /orders', 'guarded GET /orders/:id'],
  },

  'guards in the routes': {
    build: application((app) => {
      app.get('/a', guard(), answering('a'))
      app.get('/b', answering('b'))
      app.get('/c', optional(), answering('c'))
      app.get('/d', as(principalFrom(() => undefined, { name: 'session' })), answering('d'))
      app.get('/e', as(principalFrom(() => undefined, { name: 'none', required: false })), answering('e'))
    }),
    rows: ['guarded GET /a', 'open GET /b', 'optional GET /c', 'guarded GET /d', 'optional GET /e'],
  },

  'routes before the guard': {
    build: application((app) => {
      app.get('/early', answering('early'))
      app.use(guard())
      app.get('/early', answering('shadowed'))
      app.get('/late', answering('late'))
    }),
    rows: ['open GET /early', 'guarded GET /early', 'guarded GET /late'],
  },

  'a guard on another path': {
    build: application((app) => {
      app.use('/admin', guard())
      app.get('/admin/users', answering('users'))
      app.get('/admin', answering('admin'))
      app.get('/administrators', answering('administrators'))
      app.get('/users', answering('open_users'))
      app.get('/:page', answering('page'))
    }),
    rows: [
      'guarded GET /admin/users',
      'guarded GET /admin',
      'open GET /administrators',
      'open GET /users',
      'unknown GET /:page',
    ],
  },

  'a prefix that reaches into the router': {
    build: application((app) => {
      const router = express.Router()
      router.get('/b/c', answering('deep'))
      router.get('/x', answering('other'))
      app.use('/a/b', guard())
      app.use('/a', router)
    }),
    rows: ['unknown GET /a/b/c', 'open GET /a/x'],
  },

  'routers three deep, guarded in the middle': {
    build: application((app) => {
      const inner = express.Router()
      inner.get('/leaf', answering('leaf'))
      const middle = express.Router()
      middle.get('/before', answering('before'))
      middle.use(guard())
      middle.use('/three', inner)
      const outer = express.Router()
      outer.use('/two', middle)
      outer.get('/beside', answering('beside'))
      app.use('/one', outer)
    }),
    rows: ['open GET /one/two/before', 'guarded GET /one/two/three/leaf', 'open GET /one/beside'],
  },

  'an expression for one path as a guard': {
    build: application((app) => {
      app.use(/^\/admin\/?$/i, guard())
      app.get('/admin/users', answering('users'))
    }),
    rows: ['unknown GET /admin/users'],
  },

  'an escaped bracket in an expression': {
    build: application((app) => {
      app.use('/a', guard())
      app.get(/^\/a\/\(?!\/|^\/open\)?$/i, answering('open'))
    }),
    rows: ['unknown GET {^\\/a\\/\\(?!\\/|^\\/open\\)?$}'],
    paths: ['/open'],
  },

  'a path that is written over in a route, a router and a callback': {
    build: application((app) => {
      const router = express.Router()
      router.use((req, _res, next) => {
        req.url += 'a/x'
        next()
      })
      app.use('/a', guard())
      app.get('/old', (req, _res, next) => {
        req.url = '/a/x'
        next()
      })
      app.use(router)
      app.get('/a/x', answering('x'))
    }),
    rows: ['open GET /old', 'unknown ALL /*', 'unknown GET /a/x'],
    paths: ['/', '/old'],
    unreached: ['GET /old'],
  },

  'a router mounted twice': {
    build: application((app) => {
      const router = express.Router()
      router.get('/x', answering('x'))
      app.use('/open', router)
      app.use('/shut', guard(), router)
    }),
    rows: ['open GET /open/x', 'guarded GET /shut/x'],
  },

  'a sensitive router in one that is not': {
    build: application((app) => {
      const router = express.Router({ caseSensitive: true, strict: true })
      router.use('/Admin', guard())
      router.get('/Admin/x', answering('same_case'))
      router.get('/admin/x', answering('other_case'))
      router.get('/Admin/', answering('strict'))
      app.use('/api', router)
    }),
    rows: ['guarded GET /api/Admin/x', 'unknown GET /api/admin/x', 'guarded GET /api/Admin/'],
    paths: ['/api/admin/x', '/API/Admin/x', '/api/ADMIN/x'],
  },

  'a router whose setting changes on the way': {
    build: application((app) => {
      const router = express.Router({ caseSensitive: true })
      router.use('/admin', guard())
      ;(router as unknown as { caseSensitive: boolean }).caseSensitive = false
      router.get('/admin/x', answering('loose'))
      app.use(router)
    }),
    rows: ['unknown GET /admin/x'],
    paths: ['/ADMIN/x'],
  },

  'case and slash settings of the application': {
    build: application(
      (app) => {
        app.use('/Admin', guard())
        app.get('/Admin/x', answering('x'))
        app.get('/Admin/', answering('slash'))
        app.get('/admin/x', answering('lower'))
      },
      ['case sensitive routing', 'strict routing'],
    ),
    rows: ['guarded GET /Admin/x', 'guarded GET /Admin/', 'unknown GET /admin/x'],
  },

  'regular expressions': {
    build: application((app) => {
      app.use(/^\/admin/, guard())
      app.get(/^\/admin/, answering('admin'))
      app.use('/api', guard())
      app.get(/^\/api\/(v1|v2)\/x$/, answering('api'))
      app.get(/^\/api\/v1|\/open$/, answering('alternative'))
      app.get(/api/, answering('anywhere'))
    }),
    rows: [
      'unknown GET {^\\/admin}',
      'unknown GET {^\\/api\\/(v1|v2)\\/x$}',
      'unknown GET {^\\/api\\/v1|\\/open$}',
      'unknown GET {api}',
    ],
    paths: ['/administrators', '/admin.json', '/api/v1/x', '/api/v2/x', '/x/open', '/xapi', '/foo/api'],
  },

  'an anchored expression below a guard': {
    build: application((app) => {
      app.use('/api', guard())
      app.get(/^\/api\/v\d\/x$/i, answering('anchored'))
      app.get(/^\/api\/?x$/i, answering('loose'))
    }),
    rows: ['guarded GET {^\\/api\\/v\\d\\/x$}', 'unknown GET {^\\/api\\/?x$}'],
    paths: ['/api/v1/x', '/API/V2/X', '/apix', '/api/x'],
  },

  'the same expression at guard and router': {
    build: application((app) => {
      const router = express.Router()
      router.get('/x', answering('inner'))
      app.use(/\/in/, guard(), router)
      // It remembers where it stopped, and matches only every other time.
      const sometimes = /^\/g/g
      app.use(sometimes, guard())
      app.use(sometimes, answering('sticky'))
    }),
    rows: ['guarded GET {\\/in}/x', 'unknown ALL {^\\/g}/*'],
    paths: ['/in/x', '/foo/in/x', '/inner/x', '/g/x', '/g'],
  },

  'one route object with many methods': {
    build: application((app) => {
      app.route('/r').get(answering('read')).all(guard()).post(answering('write')).all(answering('rest'))
      app.route('/s').all(guard()).get(answering('s_read')).head(answering('s_head'))
    }),
    rows: [
      'unknown GET /r',
      'guarded ALL /r',
      'guarded POST /r',
      'guarded ALL /s',
      'guarded GET /s',
      'guarded HEAD /s',
    ],
  },

  'HEAD of its own, and all methods': {
    build: application((app) => {
      app.head('/x', answering('head'))
      app.get('/x', guard(), answering('get'))
      app.all('/y', answering('all'))
      app.options('/z', answering('options'))
      app.get('/z', guard(), answering('z'))
    }),
    rows: ['open HEAD /x', 'guarded GET /x', 'open ALL /y', 'open OPTIONS /z', 'guarded GET /z'],
  },

  'a route for all methods that is meant as a guard': {
    build: application((app) => {
      app.all(isExpress4 ? '/api/*' : '/api/*rest', guard())
      app.get('/api/x', answering('x'))
      app.get('/api', answering('api'))
      app.get('/other', answering('other'))
    }),
    rows: [
      isExpress4 ? 'guarded ALL /api/*' : 'guarded ALL /api/*rest',
      'unknown GET /api/x',
      'unknown GET /api',
      'open GET /other',
    ],
  },

  'mounted applications': {
    build: application((app) => {
      const hidden = express()
      hidden.get('/x', answering('hidden'))
      const seen = express()
      seen.get('/x', answering('seen'))
      const router = express.Router()
      router.use('/seen', seen)
      const behind = express()
      behind.get('/x', answering('behind'))
      const shut = express()
      shut.use(guard())
      shut.get('/x', answering('shut'))
      app.use('/hidden', hidden)
      app.use(router)
      app.use('/shut', shut)
      app.use('/behind', guard(), behind)
    }),
    rows: ['unknown ALL /hidden/*', 'open GET /seen/x', 'unknown ALL /shut/*', 'guarded ALL /behind/*'],
    paths: ['/hidden/x', '/shut/x', '/behind/x', '/behind//x'],
  },

  "next('router') and next('route')": {
    build: application((app) => {
      const router = express.Router()
      router.use((_req, _res, next) => {
        next('router')
      })
      router.use(guard())
      router.get('/x', answering('inside'))
      app.use(router)
      app.get('/x', answering('outside'))
      app.get(
        '/y',
        (...[, , next]) => {
          next('route')
        },
        guard(),
        answering('skipped'),
      )
      app.get('/y', answering('y'))
    }),
    rows: ['unknown ALL /*', 'guarded GET /x', 'unknown GET /x', 'unknown GET /y', 'unknown GET /y'],
  },

  'an error handler that sends refused requests on': {
    build: application((app) => {
      app.use('/a', guard())
      app.use(swallowing)
      app.get('/a/x', answering('swallowed'))
      app.use(guard())
      app.get('/b', answering('shut'))
      app.get('/c', guard(), swallowing, answering('again'))
    }),
    rows: ['unknown GET /a/x', 'guarded GET /b', 'guarded GET /c'],
  },

  'error handlers inside a route': {
    build: application((app) => {
      app.get('/a', guard(), swallowing, answering('a'))
      app.get('/b', guard(), answering('b'), swallowing)
      app.get('/c', guard(), answering('c1'), swallowing, answering('c2'))
      app.get('/d', swallowing, guard(), answering('d'))
    }),
    rows: ['unknown GET /a', 'guarded GET /b', 'unknown GET /c', 'guarded GET /d'],
  },

  'an error handler at another path': {
    build: application((app) => {
      app.use(guard())
      app.use('/docs', swallowing)
      app.get('/a', answering('a'))
      app.get('/docs/a', answering('docs'))
    }),
    rows: ['guarded GET /a', 'unknown GET /docs/a'],
  },

  'lists of paths': {
    build: application((app) => {
      app.use(['/a', '/b/:id'], guard())
      app.get(['/a/x', '/c/x'], answering('both'))
      app.get('/b/:id', answering('b'))
      app.use(['/'], guard())
      app.get('/d', answering('d'))
    }),
    rows: ['guarded GET /a/x', 'open GET /c/x', 'guarded GET /b/:id', 'unknown GET /d'],
  },

  'a list with an expression in it': {
    build: application((app) => {
      app.use([/x/, '/admin'], guard())
      app.get('/admin/x', answering('admin_x'))
    }),
    rows: ['unknown GET /admin/x'],
  },

  'a list that is changed afterwards': {
    build: application((app) => {
      const paths = ['/open/x']
      app.use('/shut', guard())
      app.get(paths, answering('moved'))
      paths[0] = '/shut/x'
    }),
    rows: ['open GET /open/x'],
    paths: ['/open/x', '/shut/x'],
  },

  'param callbacks': {
    build: application((app) => {
      const answer = answering('callback')
      app.param('id', (req, res, next, value) => {
        if (value === 'x') answer(req, res, next)
        else next()
      })
      app.get('/items/:id', guard(), answering('item'))
      app.get('/items', guard(), answering('items'))
      const router = express.Router()
      router.use(guard())
      router.get('/y', answering('y'))
      app.use('/in/:id', router)
      app.use(guard())
      app.get('/late/:id', answering('late'))
    }),
    rows: [
      'unknown GET /items/:id',
      'guarded GET /items',
      'unknown ALL /in/:id/*',
      'unknown GET /in/:id/y',
      'guarded GET /late/:id',
    ],
  },

  'wrapped guards': {
    unreached: ['GET /c'],
    build: application((app) => {
      const inner = guard()
      const wrapper: RequestHandler = (...[, , next]) => {
        next()
      }
      for (const key of Reflect.ownKeys(inner)) {
        if (typeof key === 'symbol')
          Object.defineProperty(wrapper, key, { value: (inner as unknown as Record<symbol, unknown>)[key] })
      }
      app.get('/a', wrapper, answering('a'))
      app.get('/b', new Proxy(inner, { apply: (_target, _self, given) => given[2]() }), answering('b'))
      app.get('/c', inner.bind(undefined), answering('c'))
      app.use('/d', wrapper)
      app.get('/d', answering('d'))
    }),
    rows: ['unknown GET /a', 'unknown GET /b', 'open GET /c', 'unknown ALL /d/*', 'unknown GET /d'],
  },

  'publicRoute in the wrong place': {
    unreached: ['GET /p/x'],
    build: application((app) => {
      app.use('/p', open())
      app.get('/p/x', answering('under'))
      app.get('/q', answering('first'), open(), answering('second'))
      app.get('/r', open(), guard(), answering('both'))
      app.get('/s', open(), optional(), answering('lenient'))
    }),
    rows: ['open GET /p/x', 'open GET /q', 'guarded GET /r', 'optional GET /s'],
  },

  'handlers before the guard in the route': {
    build: application((app) => {
      app.get('/a', answering('first'), guard(), answering('second'))
      app.post('/b', express.json(), guard(), answering('b'))
      const jsonParser = answering('jsonParser')
      app.post('/c', jsonParser, guard(), answering('c'))
    }),
    rows: ['unknown GET /a', 'guarded POST /b', 'unknown POST /c'],
  },

  'handlers outside any route': {
    build: application((app) => {
      app.use(express.json())
      app.use('/query', answering('query'))
      app.use('/files', express.static(folder))
      app.use('/open', answering('answer'))
      app.use(guard())
      app.use('/shut', express.static(folder))
      app.use(answering('fallback'))
    }),
    rows: [
      'known ALL /*',
      'unknown ALL /query/*',
      'unknown ALL /files/*',
      'unknown ALL /open/*',
      'guarded ALL /shut/*',
      'guarded ALL /*',
    ],
    paths: ['/files/nasty-applications.ts', '/shut/nasty-applications.ts'],
  },

  'handlers that have only the name of one that passes requests on': {
    build: application((app) => {
      for (const name of ['jsonParser', 'corsMiddleware', 'compression', 'cookieParser', 'helmetMiddleware'])
        app.use(`/${name}`, answering(name))
      app.use('/multerMiddleware', answering('multerMiddleware'))
      app.use(answering('expressInit'))
    }),
    rows: [
      'unknown ALL /jsonParser/*',
      'unknown ALL /corsMiddleware/*',
      'unknown ALL /compression/*',
      'unknown ALL /cookieParser/*',
      'unknown ALL /helmetMiddleware/*',
      'unknown ALL /multerMiddleware/*',
      'unknown ALL /*',
    ],
  },

  'an application that refuses by default inside one that does not': {
    build: application((app) => {
      const inner = express()
      denyByDefault(inner)
      inner.get('/forgotten', answering('forgotten'))
      inner.get('/lenient', optional(), answering('lenient'))
      inner.get('/health', open(), optional(), answering('health'))
      inner.use('/handler', answering('handler'))
      const router = express.Router()
      router.use('/in', inner)
      app.get('/beside', answering('beside'))
      app.use(router)
    }),
    rows: [
      'open GET /beside',
      'open GET /in/forgotten',
      'optional GET /in/lenient',
      'optional GET /in/health',
      'held ALL /in/handler/*',
    ],
  },

  'parameters in the path of a guard': {
    build: application((app) => {
      app.use('/t/:id', guard())
      app.get('/t/:id', answering('same'))
      app.get('/t/:id/x', answering('below'))
      app.get('/t/:name', answering('renamed'))
      app.get('/t', answering('above'))
      const router = express.Router({ mergeParams: true })
      router.get('/y', answering('y'))
      app.use('/t/:id', router)
    }),
    rows: [
      'guarded GET /t/:id',
      'unknown GET /t/:id/x',
      'unknown GET /t/:name',
      'unknown GET /t',
      'guarded GET /t/:id/y',
    ],
    paths: ['/t/%zz', '/t/%2f', '/t//x', '/t/a/y'],
  },

  wildcards: {
    build: application((app) => {
      const all = isExpress4 ? '/*' : '/*rest'
      app.use(`/api${all}`, guard())
      app.get(`/api${all}`, answering('below'))
      app.get('/api', answering('api'))
      app.use('/files', guard())
      app.get(`/files${all}`, answering('file'))
      app.get(all, answering('anything'))
    }),
    rows: isExpress4
      ? ['unknown GET /api/*', 'unknown GET /api', 'guarded GET /files/*', 'unknown GET /*']
      : ['unknown GET /api/*rest', 'unknown GET /api', 'guarded GET /files/*rest', 'unknown GET /*rest'],
  },

  'optional parts': {
    build: application((app) => {
      app.use('/a', guard())
      app.get(isExpress4 ? '/a/:id?' : '/a{/:id}', answering('optional'))
      app.get(isExpress4 ? '/a/:id?b' : '/a{/:id}b', answering('glued'))
    }),
    rows: isExpress4
      ? ['guarded GET /a/:id?', 'unknown GET /a/:id?b']
      : ['guarded GET /a{/:id}', 'unknown GET /a{/:id}b'],
    paths: ['/ab', '/a/xb', '/a', '/a/x'],
  },

  'a path that is written over on the way': {
    build: application((app) => {
      app.use('/admin', guard())
      app.use((req, _res, next) => {
        req.url = req.url.replace('/public', '/admin')
        next()
      })
      app.get('/admin/x', answering('x'))
      app.use(guard())
      app.get('/b', answering('b'))
    }),
    rows: ['unknown ALL /*', 'unknown GET /admin/x', 'guarded GET /b'],
    paths: ['/public/x'],
  },

  'a router that is mounted on itself': {
    build: application((app) => {
      const router = express.Router()
      router.get('/x', answering('x'))
      router.use('/again', router)
      app.use('/loop', router)
      app.use('/shut', guard(), router)
    }),
    rows: [
      'open GET /loop/x',
      'unknown ALL /loop/again/*',
      'guarded GET /shut/x',
      'guarded ALL /shut/again/*',
    ],
    paths: ['/loop/again/x', '/loop/again/again/x', '/shut/again/x'],
  },

  'a guard in a router beside': {
    build: application((app) => {
      const router = express.Router()
      router.use(guard())
      app.use('/api', router)
      app.get('/api/x', answering('x'))
      app.get('/y', answering('y'))
    }),
    rows: ['unknown GET /api/x', 'open GET /y'],
  },

  'deny-by-default': {
    build: () => {
      const app = express()
      denyByDefault(app)
      app.use(passing)
      app.use('/static', express.static(folder))
      app.get('/forgotten', answering('forgotten'))
      app.get('/health', open(), answering('health'))
      const inner = express()
      inner.get('/x', answering('inner'))
      app.use('/inner', inner)
      app.get('/late', guard(), answering('late'))
      app.use(as(secureErrors() as unknown as Guard))
      return app
    },
    rows: [
      'held ALL /*',
      'held ALL /static/*',
      'open GET /forgotten',
      'public GET /health',
      'open GET /inner/x',
      'guarded GET /late',
    ],
    paths: ['/static/nasty-applications.ts'],
  },
}
