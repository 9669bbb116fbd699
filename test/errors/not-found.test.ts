import { describe, expect, it } from '@jest/globals'
import express, { type RequestHandler, type Router } from 'express'
import supertest from 'supertest'
import { auditLog } from '../../src/audit/audit-log.js'
import { notFound } from '../../src/errors/not-found.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { keepingLogger } from '../support/records.js'
import { rawRequest, sendRaw, serve } from '../support/server.js'

const ok: RequestHandler = (_req, res) => {
  res.json({})
}
const passOn: RequestHandler = (_req, _res, next) => {
  next()
}

function orders(): Router {
  const router = express.Router()
  router.get('/', ok)
  router.post('/', ok)
  router.route('/:id').get(ok).delete(ok)
  return router
}

function service(): { app: express.Express; log: ReturnType<typeof keepingLogger> } {
  const log = keepingLogger()
  const app = express()
  app.use(auditLog({ logger: log }))
  app.get('/health', ok)
  app.post('/login', ok)
  app.all('/any', passOn)
  app.get('/passes', passOn)
  app.get(['/one', '/two'], ok)
  app.put(/^\/files\/\d+$/, ok)
  app.use('/tenants/:tenant/orders', orders())
  const inner = express.Router()
  inner.patch('/deep', ok)
  const outer = express.Router()
  outer.use('/inner', inner)
  app.use('/outer', outer)
  const sub = express()
  sub.put('/thing', ok)
  sub.use('/orders', orders())
  const within = express.Router()
  within.get('/only', ok)
  within.use(notFound())
  sub.use('/within', within)
  sub.use(notFound())
  app.use('/sub', sub)
  const closed = express.Router()
  closed.get('/only', ok)
  closed.use(notFound())
  app.use('/closed', closed)
  app.use(notFound())
  app.use(secureErrors())
  return { app, log }
}

describe('what no route took', () => {
  it.each([
    ['GET', '/nowhere'],
    ['GET', '/'],
    ['POST', '/nowhere?a=/health'],
    ['GET', '/health/more'],
    ['GET', '/passes'],
    ['GET', '/any'],
    ['DELETE', '/any'],
    ['GET', '/outer/nowhere'],
    ['GET', '/sub/nowhere'],
    // Inside a router of the same application: /health is another route's path.
    ['POST', '/closed/health'],
    ['GET', '/closed/nowhere'],
    ['GET', '/tenants/acme'],
    ['GET', '//health'],
    ['GET', '/health%00'],
    ['GET', '/health%2f'],
    ['GET', '/%2e%2e/%2e%2e/etc/passwd'],
    ['GET', '/..;/health'],
    ['GET', '/__proto__'],
    ['GET', '/constructor'],
    ['GET', `/${'a/'.repeat(500)}`],
    ['GET', '/files/12x'],
  ])('is 404 for %s %s, which is repeated nowhere', async (method, path) => {
    const { app, log } = service()
    const server = await serve(app)
    const answer = await sendRaw(server.port, rawRequest(method, path))
    await server.close()
    expect(answer).toContain('404 Not Found')
    expect(answer).toContain('"code":"not_found"')
    expect(answer).not.toMatch(/^allow:/im)
    expect(log.reasons()).toEqual(['route_unmatched'])
    expect(log.kept.map(({ record }) => record.http.route)).toEqual(['unmatched', 'unmatched'])
  })

  it.each([
    ['POST', '/health', 'GET, HEAD'],
    ['DELETE', '/health?x=1', 'GET, HEAD'],
    ['GET', '/login', 'POST'],
    ['HEAD', '/login', 'POST'],
    ['OPTIONS', '/login', 'POST'],
    ['DELETE', '/one', 'GET, HEAD'],
    ['GET', '/files/12', 'PUT'],
    ['PUT', '/tenants/acme/orders', 'GET, HEAD, POST'],
    ['PUT', '/tenants/acme/orders/7', 'DELETE, GET, HEAD'],
    ['GET', '/outer/inner/deep', 'PATCH'],
    ['GET', '/sub/thing', 'PUT'],
    ['PUT', '/sub/orders/7', 'DELETE, GET, HEAD'],
    ['POST', '/closed/only', 'GET, HEAD'],
    ['POST', '/sub/within/only', 'GET, HEAD'],
    ['PROPFIND', '/health', 'GET, HEAD'],
  ])('is 405 for %s %s, with Allow: %s', async (method, path, allow) => {
    const { app, log } = service()
    const server = await serve(app)
    const answer = await sendRaw(server.port, rawRequest(method, path))
    await server.close()
    expect(answer).toContain('405 Method Not Allowed')
    expect(answer).toContain(`allow: ${allow}\r\n`)
    expect(log.reasons()).toEqual(['method_unmatched'])
  })

  it('is neither where a route serves it: HEAD is GET', async () => {
    const { app } = service()
    expect((await supertest(app).head('/health')).status).toBe(200)
    expect((await supertest(app).get('/two')).status).toBe(200)
    expect((await supertest(app).get('/tenants/acme/orders/7')).status).toBe(200)
  })

  it('leaves OPTIONS inside a router to the router, which answers with the methods of its routes', async () => {
    const answer = await supertest(service().app).options('/tenants/acme/orders')
    expect([answer.status, answer.headers['allow']]).toEqual([200, expect.stringContaining('GET')])
  })

  it('is answered by the next error handler of the application, where that is not secureErrors()', async () => {
    const app = express()
    app.get('/health', ok)
    app.use(notFound())
    const { NODE_ENV } = process.env
    process.env['NODE_ENV'] = 'production'
    const answers = [await supertest(app).get('/<script>'), await supertest(app).post('/health')]
    process.env['NODE_ENV'] = NODE_ENV
    expect(answers.map(({ status }) => status)).toEqual([404, 405])
    expect(answers[1]?.headers['allow']).toBe('GET, HEAD')
    expect(answers[0]?.text).not.toContain('script')
  })

  it('does not disturb a request that is being routed beside it', async () => {
    const { app } = service()
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        index % 2 === 0
          ? supertest(app).get(`/tenants/t${index}/orders/${index}`)
          : supertest(app).put(`/tenants/t${index}/orders/${index}`),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual(
      answers.map((_, index) => (index % 2 === 0 ? 200 : 405)),
    )
  })

  it('on a request that never met Express is a 404', () => {
    const passed: unknown[] = []
    const req = { method: 'GET', url: '/', headers: {}, socket: {} }
    notFound()(req as never, {} as never, (error) => passed.push(error))
    expect(passed).toEqual([expect.objectContaining({ status: 404 })])
  })
})

it('mounted without being called answers 500, and does not leave the caller waiting', async () => {
  const app = express().use(notFound as unknown as RequestHandler)
  app.use(secureErrors())
  expect((await supertest(app).get('/')).status).toBe(500)
  expect(() => {
    ;(notFound as unknown as (req: unknown) => void)({})
  }).toThrow('app.use(notFound())')
})
