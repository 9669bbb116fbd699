import { describe, expect, it, jest } from '@jest/globals'
import express, { type Request, type RequestHandler } from 'express'
import request from 'supertest'
import { requireResource, type ResourceGuard } from '../../src/authorization/require-resource.js'
import { contextOf } from '../../src/core/context.js'
import type { Guard } from '../../src/core/guard.js'
import { inputOf } from '../../src/core/input.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { SecurityProblem } from '../../src/core/problem.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import type { Same } from '../types/support.js'
import { anonymous, caller, get, passing, leftMeanwhile } from './guards-support.js'

interface Order {
  readonly id: string
  readonly owner: string
}

const ORDERS: readonly Order[] = [
  { id: '1', owner: 'ada' },
  { id: '2', owner: 'eve' },
]
const find = (id: unknown): Order | undefined => ORDERS.find((order) => order.id === id)
const own = requireResource({
  name: 'own-order',
  load: (req: Request) => find(req.params['id']),
  rule: (order, principal) => order.owner === principal.subject,
})
const ofOne = (load: () => unknown, rule: () => unknown = () => true): ResourceGuard<object> =>
  requireResource({ name: 'order', load: load as () => object, rule: rule as () => boolean })
const isSame = <A, B>(_same: Same<A, B>): void => undefined
const throwing = (): never => {
  throw new Error('hunter2')
}

describe('requireResource', () => {
  it.each<[string, () => unknown, () => unknown, number]>([
    // No object
    ['no object', () => undefined, () => true, 404],
    ['null', () => null, () => true, 404],
    ['no object, later', async () => undefined, () => true, 404],
    ['null, later', async () => null, () => true, 404],
    ['true for an object', () => true, () => true, 500],
    ['a text for an object', () => 'order', () => true, 500],
    ['false, later', async () => false, () => true, 500],
    ['a load that throws', throwing, () => true, 500],
    ['a load that rejects', () => Promise.reject(new Error('hunter2')), () => true, 500],
    ['a load that rejects with nothing', () => Promise.reject(), () => true, 500],
    [
      'a load that throws a refusal of ours',
      () => Promise.reject(new SecurityProblem('store_unavailable')),
      () => true,
      503,
    ],
    // No yes
    ['a rule that says false', () => ({}), () => false, 404],
    ['a rule that says 1', () => ({}), () => 1, 404],
    ['a rule that says "true"', () => ({}), () => 'true', 404],
    ['a rule that answers the object', () => ({}), () => ({}), 404],
    ['a rule that answers nothing', () => ({}), () => undefined, 404],
    ['a rule that answers a promise of true', () => ({}), async () => true, 500],
    ['a rule whose promise rejects', async () => ({}), () => Promise.reject(new Error('hunter2')), 500],
    ['a rule that throws', () => ({}), throwing, 500],
    ['a rule that throws, later', async () => ({}), throwing, 500],
    // Yes
    ['an object and a yes', () => ({}), () => true, 200],
    ['an object and a yes, later', async () => ({}), () => true, 200],
    ['an array', () => [], () => true, 200],
  ])('with %s', async (_case, load, rule, status) => {
    const { text, handled, ...answer } = await get([caller(), ofOne(load, rule)])
    expect(answer.status).toBe(status)
    expect(handled).toBe(status === 200 ? 1 : 0)
    expect(text).not.toContain('hunter2')
  })

  it('does not load for nobody, or where no authentication ran', async () => {
    const load = jest.fn(() => ({}))
    expect((await get([anonymous, ofOne(load)])).status).toBe(401)
    expect((await get([passing, ofOne(load)])).record.event.reason).toBe('guard_order')
    expect(load).not.toHaveBeenCalled()
  })

  it('gives the rule the object, the principal and the request', async () => {
    const rule = jest.fn((_order: Order, _principal: unknown, _req: Request) => true)
    const load = (req: Request): Order | undefined => find(req.params['id'])
    await get([caller(), requireResource({ name: 'order', load, rule })], '/orders/2', '/orders/:id')
    const [order, principal, req] = rule.mock.calls[0] ?? []
    expect(order).toBe(ORDERS[1])
    expect(principal).toMatchObject({ subject: 'ada' })
    expect(req?.params).toEqual({ id: '2' })
  })

  it('does not ask the rule about an object that is missing', async () => {
    const rule = jest.fn(() => true)
    await get([caller(), ofOne(() => null, rule)])
    expect(rule).not.toHaveBeenCalled()
  })

  it('answers the same, byte for byte, for what is missing and for what is refused; the record tells them apart', async () => {
    const refused = await get([caller(), own], '/orders/2', '/orders/:id')
    const missing = await get([caller(), own], '/orders/9', '/orders/:id')
    const seen = ({ status, text, headers }: typeof refused): unknown => ({
      status,
      text,
      headers: { ...headers, date: '' },
    })
    expect(seen(refused)).toEqual(seen(missing))
    expect(refused.status).toBe(404)
    expect(refused.record).toMatchObject({
      event: { action: 'authz_fail', reason: 'resource_hidden' },
      evidence: { problem: 'refused' },
      rule: { name: 'own-order', ruleset: 'requireResource' },
      http: { route: '/orders/:id' },
      user: { id: 'ada' },
    })
    expect(missing.record.evidence).toEqual({ problem: 'missing' })
  })

  it('answers 403 to a refused caller where the object is no secret', async () => {
    const open = requireResource({ name: 'order', load: () => ({}), rule: () => false, hidden: false })
    const { status, record } = await get([caller(), open])
    expect([status, record.event.reason]).toEqual([403, 'resource_refused'])
    const gone = requireResource({ name: 'order', load: () => null, rule: () => true, hidden: false })
    expect((await get([caller(), gone])).record.event.reason).toBe('resource_hidden')
  })

  it.each<[string, unknown, RequestHandler[], number]>([
    ['at once', {}, [], 1],
    ['later', Promise.resolve({}), [], 1],
  ])('loads once, mounted twice, where load answers %s', async (_case, answer) => {
    const load = jest.fn(() => answer)
    const guard = ofOne(load)
    expect((await get([caller(), guard, guard, guard])).status).toBe(200)
    expect(load).toHaveBeenCalledTimes(1)
  })

  it('loads once where loading fails, and fails again', async () => {
    const load = jest.fn(throwing)
    const guard = requireResource({ name: 'order', load, rule: () => true, mode: 'report' })
    const { status, kept } = await get([caller(), guard, guard])
    expect(status).toBe(200)
    expect(kept.filter(({ record }) => record.event.reason === 'guard_fault')).toHaveLength(2)
    expect(load).toHaveBeenCalledTimes(1)
  })

  it('waits once for a query that runs each time somebody waits for it', async () => {
    const run = jest.fn((found: (value: unknown) => void) => {
      found({})
      found({})
    })
    const guard = ofOne(() => ({ then: run }))
    const { status, handled } = await get([caller(), guard, guard])
    expect([status, handled]).toEqual([200, 1])
    expect(run).toHaveBeenCalledTimes(1)
  })

  it('loads for each request anew', async () => {
    const load = jest.fn(() => ({}))
    const guard = ofOne(load)
    await get([caller(), guard])
    await get([caller(), guard])
    expect(load).toHaveBeenCalledTimes(2)
  })

  it('does not take the object of an outer route for that of an inner one', async () => {
    const app = express()
    const inner = express.Router()
    inner.get('/:id', own, (req, res) => {
      res.json(inputOf(req, own))
    })
    app.use(caller())
    app.use('/orders/:id', own, inner)
    app.use(secureErrors())
    expect((await request(app).get('/orders/1/2')).status).toBe(404)
    expect((await request(app).get('/orders/1/1')).body).toEqual(ORDERS[0])
  })

  it('is passed on synchronously where load answers at once', () => {
    const next = jest.fn()
    const req = { headers: {}, socket: {}, method: 'GET', url: '/' } as never
    caller()(req, {} as never, () => undefined)
    ofOne(() => ({}))(req, {} as never, next)
    expect(next).toHaveBeenCalledWith()
    expect(next).toHaveBeenCalledTimes(1)
  })

  it('does nothing more when the caller has gone while it loads', async () => {
    const { answered, handler } = await leftMeanwhile((wait) => ofOne(wait), {})
    expect(answered).toBe('aborted')
    expect(handler).not.toHaveBeenCalled()
  })
})

describe('inputOf after requireResource', () => {
  const shown =
    (guard: ResourceGuard<object>): RequestHandler =>
    (req, res) => {
      res.json(inputOf(req, guard))
    }

  it('is the object, with its type', async () => {
    const handler: RequestHandler = (req, res) => {
      const order = inputOf(req, own)
      const isOrder: Same<typeof order, Order> = true
      res.json({ isOrder, same: order === ORDERS[0] })
    }
    const { text } = await get([caller(), own, handler], '/orders/1', '/orders/:id')
    expect(JSON.parse(text)).toEqual({ isOrder: true, same: true })
  })

  it('has the type of what is loaded later, of a query builder too', () => {
    const later = requireResource({
      name: 'later',
      load: async (req: Request) => find(req.params['id']) ?? null,
      rule: (order, principal, req) => order.owner === principal.subject && req.params['id'] === order.id,
    })
    const query = requireResource({
      name: 'query',
      load: () => ({}) as PromiseLike<Order | null>,
      rule: ({ owner }) => owner === 'ada',
    })
    isSame<typeof later, ResourceGuard<Order>>(true)
    isSame<typeof query, ResourceGuard<Order>>(true)
    expect([later, query].map(({ input }) => input)).toEqual([{ in: 'resource' }, { in: 'resource' }])
    // @ts-expect-error -- a promise is no answer to a rule
    requireResource({ name: 'x', load: () => ({}), rule: async () => true })
    // @ts-expect-error -- a text is no object
    requireResource({ name: 'x', load: () => 'order', rule: () => true })
  })

  it('is a fault where another guard of the same rule ran', async () => {
    const make = (): ResourceGuard<object> => ofOne(() => ({}))
    const { status, record } = await get([caller(), make(), shown(make())])
    expect([status, record.event.reason]).toEqual([500, 'guard_order'])
  })

  it.each<[string, () => unknown, () => unknown, number]>([
    ['passed', () => ({ id: '1' }), () => true, 200],
    ['would have been refused', () => ({ id: '1' }), () => false, 500],
    ['would have failed', () => ({ id: '1' }), throwing, 500],
    ['would have missed', () => undefined, () => true, 500],
  ])('in report mode, for a request that %s', async (_case, load, rule, status) => {
    const guard = requireResource({
      name: 'order',
      load: load as () => object,
      rule: rule as () => boolean,
      mode: 'report',
    })
    expect((await get([caller(), guard])).status).toBe(200)
    expect((await get([caller(), guard, shown(guard)])).status).toBe(status)
  })

  it('does not stand in what the context prints', async () => {
    const look: RequestHandler = (req, res) => {
      res.json(JSON.stringify(contextOf(req)))
    }
    const guard: Guard = ofOne(() => ({ secret: 'hunter2' }))
    expect((await get([caller(), guard, look])).text).not.toContain('hunter2')
  })
})

describe('requireResource at set-up', () => {
  const load = (): object => ({})
  const rule = (): boolean => true

  it('says what it is', () => {
    expect(guardMetadataOf(own)).toMatchObject({
      kind: 'requireResource',
      layer: 'authorization',
      name: 'own-order',
      facts: { hidden: true },
    })
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['no load', { rule, name: 'x' }],
    ['no rule', { load, name: 'x' }],
    ['no name', { load, rule }],
    ['an object for load', { load: {}, rule, name: 'x' }],
    ['true for rule', { load, rule: true, name: 'x' }],
    ['a word for hidden', { load, rule, name: 'x', hidden: 'yes' }],
    ['an unknown option', { load, rule, name: 'x', hide: true }],
    ['an impossible mode', { load, rule, name: 'x', mode: 'off' }],
  ])('throws for %s', (_case, given) => {
    expect(() => requireResource(given as never)).toThrow(TypeError)
  })
})
