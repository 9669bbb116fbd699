import { afterEach, describe, expect, it, jest } from '@jest/globals'
import type { Request, RequestHandler } from 'express'
import { authorize, type AuthorizeOptions } from '../../src/authorization/authorize.js'
import { requireResource } from '../../src/authorization/require-resource.js'
import { contextOf } from '../../src/core/context.js'
import type { Guard } from '../../src/core/guard.js'
import { inputOf } from '../../src/core/input.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import type { Policy, PolicyDecision, PolicyRequest } from '../../src/core/policy.js'
import { SecurityProblem } from '../../src/core/problem.js'
import { anonymous, caller, get, passing, leftMeanwhile } from './guards-support.js'

const ORDER = { type: 'order', id: '7' }
const asking = (policy: () => unknown, options: Partial<AuthorizeOptions> = {}): Guard =>
  authorize(policy as Policy, { action: 'read', resource: ORDER, ...options })
const throwing = (): never => {
  throw new Error('hunter2')
}
interface Later {
  readonly resolve: (value: unknown) => void
  readonly reject: (cause: unknown) => void
}
const never = (): Promise<never> => new Promise(() => undefined)

// Jest fails a test during which a rejection is nobody's.
afterEach(() => new Promise(setImmediate))

describe('authorize', () => {
  it.each<[string, () => unknown, number]>([
    // No decision
    ['nothing', () => undefined, 503],
    ['null', () => null, 503],
    ['true', () => true, 503],
    ['the word allow', () => 'allow', 503],
    ['an empty object', () => ({}), 503],
    ['an array', () => [true], 503],
    ['a function', () => () => ({ decision: true }), 503],
    ['a decision of 1', () => ({ decision: 1 }), 503],
    ['a decision of "true"', () => ({ decision: 'true' }), 503],
    ['a decision of "Allow"', () => ({ decision: 'Allow' }), 503],
    ['a decision that is an object', () => ({ decision: {} }), 503],
    ['a decision that is a Boolean object', () => ({ decision: Object(true) }), 503],
    ['a decision that is a promise', () => ({ decision: Promise.resolve(true) }), 503],
    ['a decision that it inherits', () => Object.create({ decision: true }), 503],
    ['a decision inside a decision', () => ({ decision: { decision: true } }), 503],
    ['another word for it', () => ({ allow: true, allowed: true, result: true }), 503],
    ['an error', () => new Error('hunter2'), 503],
    ['our own pass', () => ({ reason: 'passed' }), 503],
    [
      'a decision that throws when it is read',
      () => ({
        get decision(): boolean {
          return throwing()
        },
      }),
      503,
    ],
    [
      'something that throws when it is waited for',
      () => ({
        get then(): unknown {
          return throwing()
        },
      }),
      503,
    ],
    ['a throw', throwing, 503],
    [
      'a thrown refusal of ours',
      () => {
        throw new SecurityProblem('scope_missing')
      },
      503,
    ],
    [
      'a thrown decision',
      () => {
        throw { decision: true }
      },
      503,
    ],
    ['a rejection', () => Promise.reject(new Error('hunter2')), 503],
    ['a rejection with nothing', () => Promise.reject(), 503],
    ['a rejection with a decision', () => Promise.reject({ decision: true }), 503],
    ['nothing, later', async () => undefined, 503],
    ['true, later', async () => true, 503],
    ['a decision of 1, later', async () => ({ decision: 1 }), 503],
    ['no answer at all', never, 503],
    // Decisions
    ['no', () => ({ decision: false }), 403],
    ['no, later', async () => ({ decision: false }), 403],
    ['yes', () => ({ decision: true }), 200],
    ['yes, later', async () => ({ decision: true }), 200],
    [
      'yes, twice',
      () => ({
        then: (tell: (answer: unknown) => void) => {
          tell({ decision: true })
          tell({ decision: true })
        },
      }),
      200,
    ],
  ])('with a policy that answers %s', async (_case, policy, status) => {
    const answer = await get([caller(), asking(policy, { timeoutMs: 50 })])
    expect(answer.status).toBe(status)
    expect(answer.handled).toBe(status === 200 ? 1 : 0)
    expect(answer.text).not.toContain('hunter2')
    expect(answer.headers['retry-after']).toBe(status === 503 ? '5' : undefined)
  })

  it('is not moved by a prototype that somebody polluted', async () => {
    Object.assign(Object.prototype, { decision: true })
    try {
      expect((await get([caller(), asking(() => ({}))])).status).toBe(503)
    } finally {
      delete (Object.prototype as { decision?: unknown }).decision
    }
  })

  it('does not ask for nobody, or where no authentication ran', async () => {
    const policy = jest.fn(() => ({ decision: true }))
    expect((await get([anonymous, asking(policy)])).status).toBe(401)
    expect((await get([passing, asking(policy)])).record.event.reason).toBe('guard_order')
    expect(policy).not.toHaveBeenCalled()
  })

  it('records who was refused, by which rule of which version and why; it sends none of it', async () => {
    const { text, record } = await get([
      caller({ clientId: 'web' }),
      asking(() => ({ decision: false, rule: 'owner-only', version: '2026-11', reason: 'not the owner' })),
    ])
    expect(record).toMatchObject({
      event: { action: 'authz_fail', reason: 'policy_denied', outcome: 'failure' },
      evidence: { rule: 'owner-only', version: '2026-11', reason: 'not the owner' },
      rule: { name: 'read', ruleset: 'authorize' },
      user: { id: 'ada', client_id: 'web' },
    })
    expect(text).not.toMatch(/owner|2026-11/)
  })

  it('records the rule and version of a pass', async () => {
    const seen: unknown[] = []
    await get([
      caller(),
      asking(() => ({ decision: true, rule: 'staff', version: '3' })),
      ((req, _res, next) => {
        seen.push(...contextOf(req).decisions.map(({ evidence }) => evidence))
        next()
      }) as RequestHandler,
    ])
    expect(seen).toContainEqual({ rule: 'staff', version: '3' })
  })

  it('keeps texts only, short and without controls', async () => {
    const { record } = await get([
      caller(),
      asking(() => ({
        decision: false,
        rule: ['a'],
        version: 7,
        reason: `\u001b[2J${'a'.repeat(999)}`,
        token: 'x',
      })),
    ])
    expect(Object.keys(record.evidence)).toEqual(['reason'])
    expect(record.evidence.reason).toHaveLength(256)
    expect(record.evidence.reason).not.toContain('\u001b')
  })

  it.each<[string, () => unknown]>([
    ['threw', throwing],
    ['timeout', never],
    ['no decision', () => ({})],
  ])('records that there was no decision: %s', async (problem, policy) => {
    const { record } = await get([caller(), asking(policy, { timeoutMs: 20 })])
    expect(record).toMatchObject({
      event: { action: 'sys_error', reason: 'policy_unavailable' },
      evidence: { problem },
      user: { id: 'ada' },
    })
  })

  it.each<[string, () => unknown, string]>([
    ['denies', () => ({ decision: false }), 'policy_denied'],
    ['throws', throwing, 'policy_unavailable'],
    ['does not answer', never, 'policy_unavailable'],
  ])('in report mode lets a request pass that a policy %s, and records it', async (_case, policy, reason) => {
    const { status, record } = await get([caller(), asking(policy, { mode: 'report', timeoutMs: 20 })])
    expect([status, record.event.mode, record.event.reason]).toEqual([200, 'report', reason])
  })
})

describe('authorize asks', () => {
  const asked = async (options: object, route = '/', path = '/'): Promise<PolicyRequest | undefined> => {
    const policy = jest.fn((_question: PolicyRequest): PolicyDecision => ({ decision: true }))
    await get(
      [
        caller({ roles: ['clerk'], scopes: ['orders:read'], clientId: 'web' }),
        authorize(policy, options as never),
      ],
      path,
      route,
    )
    return policy.mock.calls[0]?.[0]
  }

  it('about the principal, in the shape of AuthZEN', async () => {
    expect(await asked({ action: 'read', resource: ORDER })).toEqual({
      subject: {
        type: 'user',
        id: 'ada',
        properties: {
          issuer: 'https://id.test',
          client_id: 'web',
          roles: ['clerk'],
          scopes: ['orders:read'],
        },
      },
      action: { name: 'read' },
      resource: ORDER,
    })
  })

  it('what functions say, of the request and its context', async () => {
    const options: AuthorizeOptions<Request> = {
      action: (req) => ({ name: req.method, properties: { a: 1 } }),
      resource: (req, { principal }) => ({
        type: 'order',
        id: String(req.params['id']),
        properties: { seenBy: principal?.subject },
      }),
      context: (_req, { client }) => ({ tls: client.tls }),
      subject: ({ key }) => ({ type: 'account', id: key }),
    }
    expect(await asked(options, '/orders/:id', '/orders/9')).toEqual({
      subject: { type: 'account', id: '["https://id.test","ada"]' },
      action: { name: 'GET', properties: { a: 1 } },
      resource: { type: 'order', id: '9', properties: { seenBy: 'ada' } },
      context: { tls: false },
    })
  })

  it('no more of a resource than its three members', async () => {
    const question = await asked({ action: 'read', resource: () => ({ ...ORDER, password: 'hunter2' }) })
    expect(question?.resource).toEqual(ORDER)
  })

  it('about what another guard loaded', async () => {
    const order = requireResource({
      name: 'order',
      load: () => ({ id: '7', owner: 'ada' }),
      rule: () => true,
    })
    const policy: Policy = ({ subject, resource }) => ({
      decision: resource.properties?.['owner'] === subject.id,
    })
    const resource = (req: Request): PolicyRequest['resource'] => {
      const { id, owner } = inputOf(req, order)
      return { type: 'order', id, properties: { owner } }
    }
    const guard = authorize(policy, { action: 'read', resource })
    expect((await get([caller(), order, guard])).status).toBe(200)
    expect((await get([caller({ subject: 'eve' }), order, guard])).status).toBe(403)
    const { status, record } = await get([caller(), guard])
    expect([status, record.event.reason]).toEqual([500, 'guard_order'])
  })

  it('about a fixed resource that no policy can change for later requests', async () => {
    const resource = { type: 'order', id: '7', properties: { open: false, tags: ['a'] } }
    const policy: Policy = ({ resource: { properties } }) => {
      const isOpen = properties?.['open'] === true
      Object.assign(properties as object, { open: true })
      return { decision: isOpen }
    }
    const guard = authorize(policy, { action: 'read', resource })
    resource.properties.open = true
    expect((await get([caller(), guard])).status).toBe(503)
    expect((await get([caller(), guard])).status).toBe(503)
  })

  it.each<[string, object]>([
    ['a resource that is nothing', { resource: () => undefined }],
    ['a resource without id', { resource: () => ({ type: 'order', id: undefined }) }],
    ['a resource with an empty id', { resource: () => ({ type: 'order', id: '' }) }],
    ['a resource with a list of ids', { resource: () => ({ type: 'order', id: ['1', '2'] }) }],
    ['a resource with a number for id', { resource: () => ({ type: 'order', id: 7 }) }],
    ['a resource with a text for properties', { resource: () => ({ ...ORDER, properties: 'a' }) }],
    ['a promise of a resource', { resource: async () => ORDER }],
    ['a promise of a resource that rejects', { resource: () => Promise.reject(new Error('hunter2')) }],
    ['a resource that throws', { resource: throwing }],
    ['an empty action', { action: () => '' }],
    ['no action', { action: () => undefined }],
    ['an action without a name', { action: () => ({}) }],
    ['a promise of an action', { action: async () => 'read' }],
    ['a context that is a text', { context: () => 'a' }],
    ['a context that is nothing', { context: () => undefined }],
    ['a promise of a context', { context: async () => ({}) }],
    ['a subject that is nothing', { subject: () => undefined }],
    ['a promise of a subject', { subject: async () => ORDER }],
  ])('nothing, and answers 500, for %s', async (_case, options) => {
    const policy = jest.fn(() => ({ decision: true }))
    const { status, text, record } = await get([caller(), asking(policy, options)])
    expect([status, record.event.reason]).toEqual([500, 'guard_fault'])
    expect(text).not.toContain('hunter2')
    expect(policy).not.toHaveBeenCalled()
  })

  it('once for each request and guard', async () => {
    const policy = jest.fn(() => ({ decision: true }))
    await get([caller(), asking(policy)])
    expect(policy).toHaveBeenCalledTimes(1)
  })
})

describe('the time that authorize gives', () => {
  it('is none to a policy that answers at once: it is passed on at once', () => {
    const timers = jest.spyOn(globalThis, 'setTimeout')
    const next = jest.fn()
    const req = { headers: {}, socket: {}, method: 'GET', url: '/' } as never
    caller()(req, {} as never, () => undefined)
    asking(() => ({ decision: true }))(req, {} as never, next)
    expect(next).toHaveBeenCalledWith()
    expect(next).toHaveBeenCalledTimes(1)
    expect(timers).not.toHaveBeenCalled()
  })

  it.each<[string, (later: Later) => void]>([
    [
      'a yes',
      ({ resolve }) => {
        resolve({ decision: true })
      },
    ],
    [
      'a rejection',
      ({ reject }) => {
        reject(new Error('too late'))
      },
    ],
  ])('is over for %s that comes after it', async (_case, answerLate) => {
    let later: Later | undefined
    const policy = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        later = { resolve, reject }
      })
    const { status, handled, kept } = await get([caller(), asking(policy, { timeoutMs: 20 })])
    expect([status, handled]).toEqual([503, 0])
    const before = kept.length
    answerLate(later!)
    await new Promise(setImmediate)
    expect(kept).toHaveLength(before)
  })

  it('is not waited for once a policy has answered, and keeps no process alive', async () => {
    const timers = jest.spyOn(globalThis, 'setTimeout')
    const cleared = jest.spyOn(globalThis, 'clearTimeout')
    await get([caller(), asking(async () => ({ decision: true }), { timeoutMs: 54_321 })])
    const index = timers.mock.calls.findIndex(([, milliseconds]) => milliseconds === 54_321)
    const timer = timers.mock.results[index]?.value as NodeJS.Timeout
    expect(timer.hasRef()).toBe(false)
    expect(cleared).toHaveBeenCalledWith(timer)
  })

  it('ends quietly for a caller that has gone meanwhile', async () => {
    const { answered, handler } = await leftMeanwhile((wait) => asking(wait), { decision: true })
    expect(answered).toBe('aborted')
    expect(handler).not.toHaveBeenCalled()
  })
})

describe('authorize at set-up', () => {
  const policy: Policy = () => ({ decision: true })

  it('says what it asks', () => {
    expect(guardMetadataOf(authorize(policy, { action: 'orders.read', resource: ORDER }))).toMatchObject({
      kind: 'authorize',
      layer: 'authorization',
      name: 'orders.read',
      facts: { action: 'orders.read', resource: 'order', timeoutMs: 1000 },
    })
    const open = authorize(policy, { action: () => 'read', resource: () => ORDER, timeoutMs: 200 })
    expect(guardMetadataOf(open)).toMatchObject({ name: 'policy', facts: { timeoutMs: 200 } })
    expect(guardMetadataOf(authorize(policy, { action: 'read orders', resource: ORDER }))?.name).toBe(
      'policy',
    )
  })

  it.each<[string, unknown, unknown]>([
    ['no policy', undefined, { action: 'read', resource: ORDER }],
    ['an object for a policy', { decision: true }, { action: 'read', resource: ORDER }],
    ['no options', policy, undefined],
    ['no action', policy, { resource: ORDER }],
    ['an empty action', policy, { action: '', resource: ORDER }],
    ['no resource', policy, { action: 'read' }],
    ['a text for a resource', policy, { action: 'read', resource: 'order' }],
    ['a resource without id', policy, { action: 'read', resource: { type: 'order' } }],
    [
      'a resource that is no data',
      policy,
      { action: 'read', resource: { ...ORDER, properties: { f: policy } } },
    ],
    ['a fixed context', policy, { action: 'read', resource: ORDER, context: {} }],
    ['no time', policy, { action: 'read', resource: ORDER, timeoutMs: 0 }],
    ['endless time', policy, { action: 'read', resource: ORDER, timeoutMs: Infinity }],
    ['an unknown option', policy, { action: 'read', resource: ORDER, timeout: 5 }],
    ['an impossible mode', policy, { action: 'read', resource: ORDER, mode: 'off' }],
  ])('throws for %s', (_case, given, options) => {
    expect(() => authorize(given as Policy, options as AuthorizeOptions)).toThrow(TypeError)
  })
})
