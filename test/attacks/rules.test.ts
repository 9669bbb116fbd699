// The rules of docs/rules.md, each by its number. Rules whose attacks need many cases have a file of their own, which
// the rule's entry there names; here each has at least its sharpest one.
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import cors from 'cors'
import express from 'express'
import request from 'supertest'
import {
  apiKeyVerifier,
  apiKeys,
  auditLog,
  authenticate,
  contextOf,
  defineGuard,
  denyByDefault,
  gateway,
  guardMetadataOf,
  idempotency,
  jwtVerifier,
  memoryStore,
  nginx,
  notFound,
  penalise,
  principalFrom,
  principalOf,
  publicRoute,
  rateLimit,
  requireScopes,
  revocation,
  secureErrors,
  validateBody,
  type Guard,
} from '../../src/index.js'
import { PASSED } from '../../src/core/guard.js'
import type { SharedStore } from '../../src/core/ports.js'
import { processRegistry } from '../../src/core/process-registry.js'
import { redisStore } from '../../src/stores/redis.js'
import { localIssuer, type LocalIssuer } from '../../src/testing/local-issuer.js'
import { ORIGIN, holder, issuer } from '../authentication/dpop-client.js'
import { ISSUER } from '../authentication/harness.js'
import { keepingLogger } from '../support/records.js'
import { rawRequest, sendRaw, serve } from '../support/server.js'

const AUDIENCE = 'https://api.test'

let local: LocalIssuer
beforeAll(async () => {
  local = await localIssuer()
})
afterAll(async () => {
  await local.stop()
})

const door = (): ReturnType<typeof authenticate> => authenticate({ issuer: local.issuer, audience: AUDIENCE })
const adopt = (subject: string | undefined, name = 'test'): Guard =>
  principalFrom(() => (subject === undefined ? undefined : { subject, scopes: ['a'] }), {
    name,
    required: false,
  })

const appWith = (...handlers: unknown[]): express.Express => {
  const app = express()
  app.use(auditLog({ logger: keepingLogger() }))
  app.all('/', ...(handlers as express.RequestHandler[]))
  app.use(notFound())
  app.use(secureErrors())
  return app
}
const ok: express.RequestHandler = (_req, res) => {
  res.json({})
}

describe('rule 1: the context does not show and cannot be replaced', () => {
  it('is not enumerable, not writable, not configurable, and prints an id and no claims', async () => {
    const look: express.RequestHandler = (req, res) => {
      const context = contextOf(req)
      const symbol = Object.getOwnPropertySymbols(req).find(
        (key) => (req as never)[key] === context,
      ) as symbol
      const descriptor = Object.getOwnPropertyDescriptor(req, symbol)
      const printed = [
        inspect(req, { depth: 9, showHidden: true }),
        inspect(context),
        JSON.stringify(context),
        inspect({ ...req }),
      ]
      res.json({
        flags: [descriptor?.enumerable, descriptor?.writable, descriptor?.configurable],
        spread: Object.getOwnPropertySymbols({ ...req }).includes(symbol),
        leaks: printed.filter((text) => text.includes('c4nary')).length,
        json: JSON.stringify(context),
        id: context.id,
        symbol: String(symbol),
      })
    }
    const caller = principalFrom(() => ({ subject: 's', claims: { secret: 'c4nary' } }), { name: 'test' })
    const { body } = await request(appWith(caller, look)).get('/')
    expect(body).toMatchObject({ flags: [false, false, false], spread: false, leaks: 0 })
    expect(body.json).toBe(JSON.stringify({ id: body.id }))
    expect(body.symbol).toBe('Symbol(express-bulwark.context.v1)')
  })

  it.each([
    ['another version under this name', 'express-bulwark.context.v1'],
    ['a later version under its own name', 'express-bulwark.context.v2'],
  ])('answers 500 to %s, never with a new empty context', async (_case, name) => {
    // As a copy of that version does when it is loaded.
    const versions = processRegistry<true>('context-versions')
    versions.set('2', true)
    const app = express()
    app.use((req, _res, next) => {
      Object.defineProperty(req, Symbol.for(name), { value: { version: 2 } })
      next()
    })
    app.get('/', adopt('s'), ok)
    app.use(secureErrors())
    const { status } = await request(app).get('/')
    versions.delete('2')
    expect(status).toBe(500)
  })
})

describe('rule 2: the principal is written once and cannot be changed', () => {
  it('is frozen all the way down, its sets have no mutators and its claims no prototype', async () => {
    const caller = principalFrom(() => ({ subject: 's', scopes: ['a'], claims: { deep: { list: [1] } } }), {
      name: 'test',
    })
    const attack: express.RequestHandler = (req, res) => {
      const principal = principalOf(req) as unknown as Record<string, never>
      const attempts = [
        () => ((principal as unknown as { subject: string }).subject = 'root'),
        () => (principal['scopes'] as unknown as Set<string>).add('admin'),
        () => Set.prototype.add.call(principal['scopes'], 'admin'),
        () => ((principal['claims'] as unknown as { deep: { list: number[] } }).deep.list[0] = 2),
        () => ((contextOf(req) as { principal: unknown }).principal = { subject: 'root' }),
      ]
      const threw = attempts.map((attempt) => {
        try {
          attempt()
          return false
        } catch {
          return true
        }
      })
      const { claims, scopes, subject } = principalOf(req)
      res.json({
        threw,
        subject,
        scopes: [...scopes],
        prototype: Object.getPrototypeOf(claims) as unknown,
        list: (claims['deep'] as { list: number[] }).list,
      })
    }
    const { body } = await request(appWith(caller, attack)).get('/')
    expect(body).toEqual({
      threw: [true, true, true, true, true],
      subject: 's',
      scopes: ['a'],
      prototype: null,
      list: [1],
    })
  })
})

describe('rule 3: authentication has run, or it has not, or it found nobody', () => {
  it.each<[string, Guard[], number]>([
    ['500 where it did not run', [], 500],
    ['401 where it found nobody', [adopt(undefined)], 401],
    ['200 where it found somebody', [adopt('s')], 200],
  ])('a guard that needs a principal answers %s', async (_case, before, status) => {
    expect((await request(appWith(...before, requireScopes('a'), ok)).get('/')).status).toBe(status)
  })

  it.each<[string, () => Guard[], number]>([
    [
      'the same middleware again does nothing',
      () => {
        const twice = adopt('s')
        return [twice, twice]
      },
      200,
    ],
    ['another that finds the same caller confirms', () => [adopt('s'), adopt('s')], 200],
    ['another that finds somebody else is a fault', () => [adopt('s'), adopt('t')], 500],
    ['another that finds nobody changes nothing', () => [adopt('s'), adopt(undefined)], 200],
    [
      'another issuer with the same subject is somebody else',
      () => [adopt('s', 'one'), adopt('s', 'two')],
      500,
    ],
  ])('%s', async (_case, guards, status) => {
    expect((await request(appWith(...guards(), requireScopes('a'), ok)).get('/')).status).toBe(status)
  })
})

describe('rule 4: a principal has one key', () => {
  it('is never the same for two pairs of issuer and subject', async () => {
    const keyOf = async (issuer: string, subject: string): Promise<string> => {
      const show: express.RequestHandler = (req, res) => {
        res.json(principalOf(req).key)
      }
      const caller = principalFrom(() => ({ issuer, subject }), { name: 'test' })
      return (await request(appWith(caller, show)).get('/')).body as string
    }
    const pairs = [
      ['a', 'b,c'],
      ['a,b', 'c'],
      ['a"', 'b'],
      ['a', '"b'],
      ['a\\', 'b'],
      ['ab', 'c'],
      ['a', 'bc'],
    ] as const
    const keys = await Promise.all(pairs.map(([issuer, subject]) => keyOf(issuer, subject)))
    expect(new Set(keys).size).toBe(pairs.length)
  })
})

describe('rule 5: what would be an open door cannot only report', () => {
  it.each<[string, () => unknown]>([
    [
      'authenticate',
      () => authenticate({ issuer: 'https://id.test', audience: 'a', mode: 'report' } as never),
    ],
    ['principalFrom', () => principalFrom(() => undefined, { name: 'x', mode: 'report' } as never)],
  ])('%s refuses mode "report" at set-up', (name, make) => {
    expect(make).toThrow(`${name}: mode must be "enforce"`)
  })

  it('a rule inside authenticate may report, and only that rule', async () => {
    const logger = keepingLogger()
    const app = express()
    app.use(auditLog({ logger }))
    app.use(
      authenticate({
        issuer: local.issuer,
        audience: AUDIENCE,
        maxTokenLifetime: { seconds: 60, mode: 'report' },
      }),
    )
    app.get('/', ok)
    app.use(secureErrors())
    const ask = async (claims: object): Promise<number> =>
      (
        await request(app)
          .get('/')
          .auth(await local.token({ ...claims }), { type: 'bearer' })
      ).status
    expect(await ask({})).toBe(200)
    expect(logger.kept[0]?.record.event).toMatchObject({ mode: 'report', reason: 'token_lifetime_too_long' })
    expect(await ask({ aud: 'other' })).toBe(401)
  })
})

describe('rule 6: a reported refusal leaves nothing behind', () => {
  it('writes no input and replaces no body', async () => {
    const guard = validateBody(
      { type: 'object', properties: { n: { type: 'integer' } } },
      { mode: 'report', coerce: true },
    )
    const show: express.RequestHandler = (req, res) => {
      let input: unknown = 'none'
      try {
        input = (contextOf(req) as unknown as { inputOf(guard: unknown): unknown }).inputOf(guard)
      } catch {
        // As it should be.
      }
      res.json({ body: req.body as unknown, input, mode: contextOf(req).decisions[0]?.mode })
    }
    const { body } = await request(appWith(express.json(), guard, show))
      .post('/')
      .send({ n: '5', extra: 1 })
    expect(body).toEqual({ body: { n: '5', extra: 1 }, input: 'none', mode: 'report' })
  })
})

describe('rule 6 with deny-by-default', () => {
  it('a guard in report mode decides nothing', async () => {
    const reporting = defineGuard({
      kind: 'ownAuthentication',
      layer: 'authentication',
      name: 'own',
      mode: 'report',
      check: () => PASSED,
    })
    const app = express()
    denyByDefault(app)
    app.use(reporting as express.RequestHandler)
    app.get('/', ok)
    expect((await request(app).get('/')).status).toBe(403)
  })
})

describe('rule 7: a fault in a guard refuses, once, and harms nobody else', () => {
  it('an observer that throws is counted and changes no decision', async () => {
    const show: express.RequestHandler = (req, res) => {
      res.json(contextOf(req).observerFaults)
    }
    const spoil: express.RequestHandler = (req, _res, next) => {
      ;(contextOf(req) as unknown as { observe(observer: () => void): void }).observe(() => {
        throw new Error('x')
      })
      next()
    }
    const answer = await request(appWith(adopt('s'), spoil, requireScopes('a'), show)).get('/')
    expect([answer.status, answer.body]).toEqual([200, 1])
  })

  it('a rejected check ends no process and never calls the handler', async () => {
    const handler = jest.fn()
    const broken = defineGuard({
      kind: 'x',
      layer: 'traffic',
      name: 'x',
      check: () => Promise.reject('text'),
    })
    expect((await request(appWith(broken, handler)).get('/')).status).toBe(500)
    expect(handler).not.toHaveBeenCalled()
  })
})

describe('rule 8: metadata belongs to the function that was made with it', () => {
  it('is not enumerable and not that of a wrapper', () => {
    const guard = requireScopes('a')
    const wrapper = Object.assign((...args: Parameters<Guard>) => {
      guard(...args)
    }, guard)
    expect(Object.keys(guard)).toEqual([])
    expect(guardMetadataOf(guard)).toMatchObject({ kind: 'requireScopes', facts: { all: ['a'] } })
    expect(guardMetadataOf(wrapper)).toBeUndefined()
  })
})

describe('rule 8 with deny-by-default', () => {
  it('metadata alone lets nobody in: only what the guard has decided does', async () => {
    // Says that it is an authentication, and passes everybody as if nobody had come.
    const hollow = principalFrom(() => undefined, { name: 'hollow', required: false })
    const handle = jest.fn<express.RequestHandler>(ok)
    const app = express()
    denyByDefault(app)
    app.get('/', hollow as express.RequestHandler, handle)
    expect((await request(app).get('/')).status).toBe(401)
    expect(handle).not.toHaveBeenCalled()
  })
})

describe('rule 9: methods', () => {
  it.each(['head', 'options', 'get', 'post'] as const)(
    '%s is not let through without a credential',
    async (method) => {
      const answer = await request(appWith(door(), ok))[method]('/')
      expect(answer.status).toBe(401)
      if (method === 'head') expect(answer.text).toBeUndefined()
    },
  )

  it('a preflight passes only to a CORS handler that was mounted before authentication', async () => {
    const preflight = (app: express.Express): request.Test =>
      request(app)
        .options('/')
        .set('Origin', 'https://shop.test')
        .set('Access-Control-Request-Method', 'POST')
    expect((await preflight(appWith(door(), cors(), ok))).status).toBe(401)
    expect((await preflight(appWith(cors(), door(), ok))).status).toBe(204)
  })
})

describe('rule 10: a malformed request is 400, a malformed token 401', () => {
  it.each<[string, string[], number]>([
    ['two Authorization lines', ['Authorization: Bearer a.b.c', 'authorization: Bearer a.b.c'], 400],
    ['two spaces', ['Authorization: Bearer  a.b.c'], 400],
    ['a folded line', ['Authorization: Bearer', ' a.b.c'], 400],
    ['no token', ['Authorization: Bearer'], 400],
    ['two tokens', ['Authorization: Bearer a.b.c d.e.f'], 400],
    ['no JWT', ['Authorization: Bearer abc'], 401],
    ['a JWE', ['Authorization: Bearer a.b.c.d.e'], 401],
    ['another scheme', ['Authorization: Basic dTpw'], 401],
    ['none', [], 401],
  ])('%s', async (_case, lines, status) => {
    const server = await serve(appWith(door(), ok))
    const answer = await sendRaw(server.port, rawRequest('GET', '/', lines))
    await server.close()
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  })
})

describe('rule 5 at the gateway and for bound tokens', () => {
  it.each<[string, () => unknown]>([
    ['gateway', () => gateway(nginx({ provenBy: { unixSocket: true } }), { mode: 'report' } as never)],
    ['authenticate', () => authenticate({ issuer: 'https://i', audience: 'a', mode: 'report' } as never)],
    ['revocation', () => revocation({ mode: 'report' } as never)],
    [
      'dpop',
      () =>
        authenticate({
          issuer: 'https://i.test',
          audience: 'a',
          dpop: { publicOrigin: 'https://a.test', mode: 'report' } as never,
        }),
    ],
  ])('%s cannot be put in report mode', (_name, make) => {
    expect(make).toThrow(TypeError)
  })
})

describe('rule 11: one credential, and evidence beside it', () => {
  it('an API key beside a token is 400 unless combine says that both must pass', async () => {
    const keys = apiKeys({ prefix: 'acme' })
    const { key } = await keys.create({ scopes: ['a'] })
    const verifiers = [jwtVerifier({ issuer: local.issuer, audience: AUDIENCE }), apiKeyVerifier({ keys })]
    const both = { authorization: `Bearer ${await local.token()}`, 'x-api-key': key }
    const ask = (combine: 'refused' | 'accepted', headers: Record<string, string>) =>
      request(appWith(authenticate({ verifiers, combine }), ok))
        .get('/')
        .set(headers)
    await ask('refused', both).expect(400)
    await ask('accepted', both).expect(200)
    await ask('accepted', {
      ...both,
      'x-api-key': `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`,
    }).expect(401)
  })
})

describe('rules 17 and 18: bound tokens', () => {
  const client = holder()
  const app = (): express.Express =>
    appWith(
      authenticate({
        issuer: ISSUER,
        audience: AUDIENCE,
        jwks: { keys: [issuer.jwk] },
        dpop: { publicOrigin: ORIGIN, store: memoryStore() },
      }),
      ok,
    )

  it('a proof works once', async () => {
    const service = app()
    const token = client.token()
    const headers = { authorization: `DPoP ${token}`, dpop: client.proof(token) }
    await request(service).get('/').set(headers).expect(200)
    const again = await request(service).get('/').set(headers)
    expect([again.status, again.body.code]).toEqual([401, 'invalid_dpop_proof'])
  })

  it('a bound token sent as Bearer is 401 with the scheme it needs', async () => {
    const answer = await request(app()).get('/').set('authorization', `Bearer ${client.token()}`)
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toMatch(/^DPoP algs="[^"]+", error="invalid_token"$/)
  })
})

describe('rules 12 and 13: type, and how far clocks may differ', () => {
  const ask = async (options: object, claims: object, header: object = {}): Promise<number> => {
    const app = appWith(authenticate({ issuer: local.issuer, audience: AUDIENCE, ...options }), ok)
    return (
      await request(app)
        .get('/')
        .auth(await local.token({ ...claims }, { ...header }), { type: 'bearer' })
    ).status
  }
  const now = (): number => Math.floor(Date.now() / 1000)

  it.each<[string, object, object, object, number]>([
    ['at+jwt', {}, {}, { typ: 'at+jwt' }, 200],
    ['application/AT+JWT', {}, {}, { typ: 'application/AT+JWT' }, 200],
    ['JWT', {}, {}, { typ: 'JWT' }, 401],
    ['none', {}, {}, { typ: undefined }, 401],
    ['JWT where it is allowed', { typ: ['at+jwt', 'JWT'] }, {}, { typ: 'JWT' }, 200],
    ['an ID token where JWT is allowed', { typ: 'JWT' }, { nonce: 'n' }, { typ: 'JWT' }, 401],
    [
      'an ID token by its audience',
      { typ: 'JWT', audience: 'c' },
      { aud: 'c', azp: 'c' },
      { typ: 'JWT' },
      401,
    ],
    ['a logout token where JWT is allowed', { typ: 'JWT' }, { events: {} }, { typ: 'JWT' }, 401],
  ])('typ %s', async (_case, options, claims, header, status) => {
    expect(await ask(options, claims, header)).toBe(status)
  })

  it('tolerates five seconds by default and never more than sixty', async () => {
    expect(await ask({}, { exp: now() - 3 })).toBe(200)
    expect(await ask({}, { exp: now() - 7 })).toBe(401)
    expect(() =>
      authenticate({ issuer: local.issuer, audience: AUDIENCE, clockToleranceSeconds: 61 }),
    ).toThrow('authenticate: clockToleranceSeconds must be an integer from 0 to 60 seconds, got 61')
  })
})

describe('rules 14 to 16: keys', () => {
  it.each([
    'http://id.example',
    'http://127.0.0.1.example',
    'https://u:p@id.example',
    'ftp://id.example',
    'id.example',
  ])('refuses %s as an address to ask for keys', (issuer) => {
    expect(() => authenticate({ issuer, audience: 'a' })).toThrow(TypeError)
    expect(() => authenticate({ issuer: 'x', audience: 'a', jwksUri: issuer })).toThrow(TypeError)
  })

  it('stops trusting a remembered token when its key has left the set', async () => {
    const own = await localIssuer()
    const clock = jest.spyOn(performance, 'now')
    const app = appWith(authenticate({ issuer: own.issuer, audience: AUDIENCE, jwksMaxAgeMs: 1000 }), ok)
    const old = await own.token()
    const ask = async (): Promise<number> =>
      (await request(app).get('/').auth(old, { type: 'bearer' })).status
    expect([await ask(), await ask()]).toEqual([200, 200])
    await own.rotate({ dropOld: true })
    const later = performance.now() + 1500
    clock.mockImplementation(() => later)
    await ask() // starts the refresh
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await ask()).toBe(401)
    clock.mockRestore()
    await own.stop()
  })

  it('answers 503, never 401, while keys cannot be had', async () => {
    const own = await localIssuer()
    const token = await own.token()
    own.outage(true)
    const app = appWith(authenticate({ issuer: own.issuer, audience: AUDIENCE }), ok)
    const answer = await request(app).get('/').auth(token, { type: 'bearer' })
    expect(answer.status).toBe(503)
    expect(answer.headers['retry-after']).toMatch(/^\d+$/)
    expect(answer.headers).not.toHaveProperty('www-authenticate')
    await own.stop()
  })
})

describe('rule 19: limits before trust', () => {
  it('failed authentications of one address are limited before the next credential is looked at', async () => {
    const app = appWith(
      authenticate({
        issuer: local.issuer,
        audience: AUDIENCE,
        failureLimit: { limit: 2, windowSeconds: 60 },
      }),
      ok,
    )
    const good = await local.token()
    const ask = async (token: string): Promise<number> =>
      (await request(app).get('/').auth(token, { type: 'bearer' })).status
    expect([await ask(good), await ask('a.b.c'), await ask(good), await ask('a.b.c')]).toEqual([
      200, 401, 200, 401,
    ])
    expect([await ask(good), await ask('a.b.c')]).toEqual([429, 429])
  })
})

describe('rule 20: no limit without a key', () => {
  it.each<[string, () => string]>([
    ['undefined', () => undefined as never],
    ['an empty text', () => ''],
  ])('%s is a 500, never one bucket for everybody', async (_case, by) => {
    const limiter = rateLimit({ name: 'x', limit: 1, windowSeconds: 60, by, store: memoryStore() })
    expect((await request(appWith(limiter, ok)).get('/')).status).toBe(500)
  })
})

describe('rule 21: what a store that is down means stands in a table', () => {
  const deadStore = (): SharedStore => {
    const gone = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
    return redisStore({ defineCommand: () => undefined, call: () => Promise.reject(gone) })
  }
  const limit = (onOutage?: 'local' | 'deny' | 'allow'): express.RequestHandler => {
    const store = deadStore()
    const outage = onOutage === undefined ? {} : { onOutage }
    return rateLimit({
      name: 'outage',
      limit: 4,
      instances: 2,
      windowSeconds: 60,
      by: 'address',
      store,
      ...outage,
    })
  }

  it.each<[string, () => express.RequestHandler, readonly number[]]>([
    ['rateLimit', () => limit(), [200, 200, 429, 429, 429, 429]],
    ['rateLimit, local', () => limit('local'), [200, 200, 429, 429, 429, 429]],
    ['rateLimit, deny', () => limit('deny'), [503, 503, 503, 503, 503, 503]],
    ['rateLimit, allow', () => limit('allow'), [200, 200, 200, 200, 200, 200]],
    [
      'penalise',
      () => penalise({ name: 'p', limit: 2, windowSeconds: 60, by: 'address', store: deadStore() }),
      [503, 503, 503, 503, 503, 503],
    ],
    [
      'idempotency',
      () => idempotency({ store: deadStore(), methods: ['POST'] }),
      [503, 503, 503, 503, 503, 503],
    ],
  ])('%s', async (_name, guard, statuses) => {
    const handler = jest.fn<express.RequestHandler>((_req, res) => {
      res.end()
    })
    const app = express()
    app.post('/', adopt('s'), guard(), handler)
    app.use(secureErrors())
    const answers: number[] = []
    for (let index = 0; index < 6; index += 1)
      answers.push((await request(app).post('/').set('idempotency-key', '"k"')).status)
    expect(answers).toEqual(statuses)
    expect(handler).toHaveBeenCalledTimes(statuses.filter((status) => status === 200).length)
  })
})

describe('rule 22: a route that nobody decided about is refused before its handlers', () => {
  it.each(['get', 'post', 'head', 'options'] as const)('%s', async (method) => {
    const handle = jest.fn<express.RequestHandler>(ok)
    const load = jest.fn()
    const app = express()
    denyByDefault(app)
    const router = express.Router()
    router.param('id', (_req, _res, next) => {
      load()
      next()
    })
    router.all('/:id', handle)
    app.use('/orders', router)
    expect((await request(app)[method]('/orders/1')).status).toBe(403)
    expect(handle).not.toHaveBeenCalled()
    expect(load).not.toHaveBeenCalled()
  })
})

describe('rule 23: what a handler outside any route says does not leave', () => {
  it('no header, no byte, no early hint', async () => {
    const app = express()
    denyByDefault(app)
    app.use((_req, res) => {
      res.writeEarlyHints({ link: '</secret>; rel=preload' })
      res.setHeader('x-secret', '1')
      res.writeHead(200, { 'x-other': 'secret' })
      res.write('secret')
      res.end('secret')
    })
    const running = await serve(app)
    const received = await sendRaw(running.port, rawRequest('GET', '/'))
    await running.close()
    expect(received).toContain('HTTP/1.1 403 Forbidden')
    expect(received).not.toContain('secret')
  })

  it('strict fails the start', () => {
    const app = express()
    denyByDefault(app, { strict: true })
    expect(() => app.use(ok)).toThrow(TypeError)
  })
})

describe('rule 24: a public route speaks for itself only', () => {
  it('is 500 where it is mounted by use', async () => {
    const app = express()
    app.use(publicRoute('everything'))
    app.get('/', ok)
    app.use(secureErrors())
    expect((await request(app).get('/')).status).toBe(500)
  })

  it('is 500 in a router that an earlier route passed the request to', async () => {
    const app = express()
    app.get('/', (_req, _res, next) => {
      next()
    })
    app.use(publicRoute('left over'))
    app.get('/', ok)
    app.use(secureErrors())
    expect((await request(app).get('/')).status).toBe(500)
  })
})

describe('rule 24 with deny-by-default', () => {
  it('a public route is void once it passes the request on', async () => {
    const handle = jest.fn<express.RequestHandler>(ok)
    const app = express()
    denyByDefault(app)
    app.get('/', publicRoute('first') as express.RequestHandler, (_req, _res, next) => {
      next()
    })
    app.get('/', handle)
    expect((await request(app).get('/')).status).toBe(403)
    expect(handle).not.toHaveBeenCalled()
  })

  it('required: false without a caller is no decision', async () => {
    const handle = jest.fn<express.RequestHandler>(ok)
    const app = express()
    denyByDefault(app)
    app.use(adopt(undefined) as express.RequestHandler)
    app.get('/', handle)
    app.get('/open', publicRoute('prices') as express.RequestHandler, ok)
    expect((await request(app).get('/')).status).toBe(401)
    expect((await request(app).get('/open')).status).toBe(200)
    expect(handle).not.toHaveBeenCalled()
  })
})

describe('rule 25: records say what was, not what is left', () => {
  it('names the route of a refusal inside a router, and never a raw path', async () => {
    const logger = keepingLogger()
    const app = express()
    app.use(auditLog({ logger }))
    const router = express.Router({ mergeParams: true })
    router.get('/orders/:id', adopt('s'), requireScopes('b'))
    app.use('/tenants/:tenant', router)
    app.use(notFound())
    app.use(secureErrors())
    await request(app).get('/tenants/acme/orders/7')
    await request(app).get('/wp-login.php')
    expect(logger.kept.map(({ record }) => record.http.route as string)).toEqual([
      '/tenants/:tenant/orders/:id',
      '/tenants/:tenant/orders/:id',
      'unmatched',
      'unmatched',
    ])
    expect(JSON.stringify(logger.kept)).not.toMatch(/acme|wp-login/)
  })

  it('says aborted, and no status, where the caller went away before an answer', async () => {
    const logger = keepingLogger()
    let arrived: () => void = () => undefined
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const app = express()
    app.use(auditLog({ logger }))
    app.get('/', (_req, res) => {
      res.once('close', () => setImmediate(closed))
      arrived()
    })
    let closed: () => void = () => undefined
    const closing = new Promise<void>((resolve) => {
      closed = resolve
    })
    const server = await serve(app)
    const controller = new AbortController()
    const asked = fetch(server.url, { signal: controller.signal }).catch(() => undefined)
    await arrival
    controller.abort()
    await Promise.all([asked, closing])
    await server.close()
    expect(logger.kept).toHaveLength(1)
    expect(logger.kept[0]?.record.event.outcome).toBe('aborted')
    expect(logger.kept[0]?.record.http.response.status_code).toBeUndefined()
    expect(logger.kept[0]?.record.client.address).toContain('127.0.0.1')
  })
})

it('a check that passes is needed for any of this to mean something', async () => {
  const passing = defineGuard({ kind: 'x', layer: 'traffic', name: 'x', check: () => PASSED })
  expect((await request(appWith(passing, ok)).get('/')).status).toBe(200)
})
