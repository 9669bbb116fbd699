import { describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { contextOf, defineGuard, secureErrors } from '../../src/index.js'
import { PASSED } from '../../src/core/guard.js'

const guard = (): ReturnType<typeof defineGuard> =>
  defineGuard({ kind: 'look', layer: 'authorization', name: 'look', check: () => PASSED })

const show: express.RequestHandler = (req, res) => {
  res.json(contextOf(req).decisions.map(({ route }) => route))
}

const routesAt = async (app: express.Express, path: string): Promise<unknown> =>
  (await request(app).get(path)).body

describe('the route in a decision', () => {
  it('is the template, never the path that was asked for', async () => {
    const app = express()
    app.get('/orders/:id', guard(), show)
    expect(await routesAt(app, '/orders/7')).toEqual(['/orders/:id'])
  })

  it('is unmatched before a route is found', async () => {
    const app = express()
    app.use(guard())
    app.get('/orders/:id', show)
    expect(await routesAt(app, '/orders/7')).toEqual(['unmatched'])
  })

  it('includes the path of each router above it, with its parameters as parameters', async () => {
    const app = express()
    const orders = express.Router({ mergeParams: true })
    const tenants = express.Router({ mergeParams: true })
    orders.get('/:order', guard(), show)
    tenants.use('/orders', orders)
    app.use('/v1/tenants/:tenant', tenants)
    expect(await routesAt(app, '/v1/tenants/acme/orders/7')).toEqual(['/v1/tenants/:tenant/orders/:order'])
    // From the memory of templates the second time.
    expect(await routesAt(app, '/v1/tenants/other/orders/8')).toEqual(['/v1/tenants/:tenant/orders/:order'])
  })

  it('says {mount} where Express does not show the path of a mounted application', async () => {
    const app = express()
    const inner = express()
    inner.get('/:order', guard(), show)
    app.use('/secret-name', inner)
    const [route] = (await routesAt(app, '/secret-name/7')) as string[]
    expect(route).not.toContain('7')
    expect(route).toMatch(/^(\{mount\}|\/secret-name)?\/:order$/)
  })

  it('includes where applications are mounted, so that no two of their routes are one', async () => {
    const app = express()
    const [outer, inner] = [express(), express()]
    inner.get('/:order', guard(), show)
    outer.get('/:order', guard(), show)
    app.get('/:order', guard(), show)
    outer.use('/tenants/:tenant', inner)
    app.use('/v1', outer)
    expect(await routesAt(app, '/7')).toEqual(['/:order'])
    expect(await routesAt(app, '/v1/7')).toEqual(['/v1/:order'])
    expect(await routesAt(app, '/V1/tenants/acme/7')).toEqual(['/v1/tenants/:tenant/:order'])
  })

  it('says {mount} where one application is mounted twice, rather than the wrong one of its paths', async () => {
    const app = express()
    const inner = express()
    inner.get('/items', guard(), show)
    app.use('/public', inner)
    app.use('/admin', inner)
    expect(await routesAt(app, '/admin/items')).toEqual(['/admin/items'])
    expect(await routesAt(app, '/public/items')).toEqual(['{mount}/items'])
  })

  it.each<[string, string | RegExp | (string | RegExp)[], string, string]>([
    ['several paths', ['/a/:x', '/b/:x'], '/b/1', '/a/:x,/b/:x'],
    ['a regular expression', /^\/x(\d+)$/, '/x12', '{^\\/x(\\d+)$}'],
  ])('shows %s as registered', async (_case, path, asked, expected) => {
    const app = express()
    app.get(path, guard(), show)
    expect(await routesAt(app, asked)).toEqual([expected])
  })

  it('says {mount} where one router is mounted twice, rather than the wrong one of its paths', async () => {
    const app = express()
    const router = express.Router()
    router.get('/items', guard(), show)
    app.use('/v1/public', router)
    app.use('/v2/admin', router)
    expect(await routesAt(app, '/v2/admin/items')).toEqual(['{mount}/items'])
  })

  it('survives a refusal inside a router, where Express has taken the mount off the request again', async () => {
    const app = express()
    const router = express.Router()
    const routes: string[] = []
    app.use((req, res, next) => {
      res.once('close', () => routes.push(contextOf(req).route))
      next()
    })
    router.get('/:id', guard(), () => {
      throw new Error('x')
    })
    app.use('/mounted', router)
    app.use(secureErrors({ map: () => undefined }))
    const { error } = console
    console.error = () => undefined
    await request(app).get('/mounted/7')
    console.error = error
    expect(routes).toEqual(['/mounted/:id'])
  })
})
