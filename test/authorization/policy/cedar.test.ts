import { describe, expect, it } from '@jest/globals'
import { cedarPolicy, type CedarPolicyOptions } from '../../../src/authorization/policy/cedar.js'
import type { PolicyDecision, PolicyRequest } from '../../../src/core/policy.js'
import { fixture, mandated } from './fixtures/scenario.js'

const PERMIT = 'permit (principal, action, resource)'
const question: PolicyRequest = {
  subject: { type: 'user', id: 'ada' },
  action: { name: 'read' },
  resource: { type: 'order', id: '7' },
}
const ask = (options: CedarPolicyOptions, changes: Partial<PolicyRequest> = {}): PolicyDecision =>
  cedarPolicy(options)({ ...question, ...changes }) as PolicyDecision
const ada = (properties: Record<string, unknown>) => ({ subject: { type: 'user', id: 'ada', properties } })

describe('cedarPolicy', () => {
  it('answers at once, with the policies that decided and a version', () => {
    const policies = `@id("b") ${PERMIT}; ${PERMIT}; @id("no") forbid (principal, action, resource) when { principal has blocked };`
    expect(ask({ policies, version: '7' })).toEqual({ decision: true, rule: 'b,policy1', version: '7' })
    expect(ask({ policies, version: '7' }, ada({ blocked: true }))).toEqual({
      decision: false,
      rule: 'no',
      reason: 'forbidden',
      version: '7',
    })
    expect(ask({ policies: `${PERMIT} when { false };` })).toMatchObject({
      decision: false,
      reason: 'no policy permits',
      version: expect.stringMatching(/^sha256:[0-9a-f]{12}$/),
    })
  })

  it('names policies without @id by their place, more than ten of them too', () => {
    const policies = Array.from({ length: 13 }, (_, n) => `${PERMIT} when { context.n == ${n} };`).join('\n')
    for (const n of [0, 2, 9, 10, 12])
      expect(ask({ policies }, { context: { n } })).toMatchObject({ decision: true, rule: `policy${n}` })
  })

  it.each<[string, Partial<CedarPolicyOptions>, RegExp]>([
    ['a policy that does not parse', { policies: 'permit (principal' }, /policies: unexpected end/],
    ['no policy', { policies: '// nothing' }, /at least one policy/],
    ['a template', { policies: 'permit (principal == ?principal, action, resource);' }, /template/],
    ['two policies of one id', { policies: `@id("a") ${PERMIT}; @id("a") ${PERMIT};` }, /two policies/],
    ['a schema that does not parse', { policies: `${PERMIT};`, schema: 'entity' }, /schema: /],
    [
      'a policy that the schema refuses',
      {
        policies: `${PERMIT} when { principal.rol == "x" };`,
        schema:
          'entity User { role: String }; entity Order; action read appliesTo { principal: User, resource: Order };',
      },
      /policies: .*`rol`/,
    ],
    [
      'entities that do not parse',
      { policies: `${PERMIT};`, entities: [{ uid: { type: 'a b', id: 'x' } }] },
      /entities: /,
    ],
    [
      'a mapping to no type',
      { policies: `${PERMIT};`, mapping: { types: { user: 'Us er' } } },
      /mapping: types/,
    ],
    [
      'a property with two meanings',
      { policies: `${PERMIT};`, mapping: { parents: { a: 'x' }, references: { a: 'x' } } },
      /both/,
    ],
    ['an unknown option', { policies: `${PERMIT};`, policy: '' } as never, /unknown option/],
  ])('throws at set-up for %s', (_case, options, message) => {
    const make = () => cedarPolicy(options as CedarPolicyOptions)
    expect(make).toThrow(TypeError)
    expect(make).toThrow(message)
  })

  it.each([
    'a"; permit(principal,action,resource); //',
    'a\\',
    '"',
    'a\nb',
    '\u0000',
    '*',
    'Пётр',
    '💥',
    '__proto__',
  ])('takes the id %j as an id, and as nothing else', (id) => {
    const policies = `permit (principal == User::"ada", action, resource);`
    expect(ask({ policies }, { subject: { type: 'user', id } }).decision).toBe(false)
    expect(ask({ policies }, { resource: { type: 'order', id } }).decision).toBe(true)
    expect(
      ask({ policies: `${PERMIT} when { principal.name == ${JSON.stringify('x')} };` }, ada({ name: id }))
        .decision,
    ).toBe(false)
    const own = `@id("own") ${PERMIT} when { resource.owner == principal };`
    const resource = { type: 'order', id: '7', properties: { owner: id } }
    const asked = { subject: { type: 'user', id }, resource }
    expect(ask({ policies: own, mapping: { references: { owner: 'user' } } }, asked)).toMatchObject({
      rule: 'own',
    })
  })

  it.each<[string, unknown]>([
    ['an entity', { __entity: { type: 'User', id: 'root' } }],
    ['a function call', { __extn: { fn: 'ip', arg: '127.0.0.1' } }],
    ['an entity in a list', [{ __entity: { type: 'User', id: 'root' } }]],
    ['an entity deep inside', { a: { b: [{ __entity: { type: 'User', id: 'root' } }] } }],
    ['a fraction', 0.5],
    ['a number too large', 2 ** 60],
    ['not a number', NaN],
    ['a date', new Date(0)],
    ['a map', new Map([['a', 1]])],
    ['a function', () => true],
    ['a bigint', 1n],
    ['null in a list', [null]],
    [
      'itself',
      (() => {
        const cycle: Record<string, unknown> = {}
        cycle['a'] = cycle
        return cycle
      })(),
    ],
  ])('gives no answer for a property that is %s', (_case, value) => {
    const policies = `${PERMIT} when { true };`
    expect(() => ask({ policies }, ada({ value }))).toThrow(/no way to say/)
    expect(() => ask({ policies }, { context: { value: value } })).toThrow(/no way to say/)
    expect(() => ask({ policies }, { action: { name: 'read', properties: { value } } })).toThrow(
      /no way to say/,
    )
  })

  it('takes null and undefined as absent', () => {
    const policies = `${PERMIT} when { !(principal has a) && !(principal has b) };`
    expect(ask({ policies }, ada({ a: null, b: undefined })).decision).toBe(true)
  })

  it('gives no answer where a policy failed and others allow, and denies where none does', () => {
    const failing = `@id("f") forbid (principal, action, resource) when { principal.level > 3 };`
    expect(() => ask({ policies: `${PERMIT}; ${failing}` })).toThrow(/f failed/)
    expect(ask({ policies: failing })).toMatchObject({ decision: false, reason: 'failed: f' })
    expect(ask({ policies: `${PERMIT}; ${failing}` }, ada({ level: 1 })).decision).toBe(true)
  })

  it('says nothing of the request in its error', () => {
    const policies = `${PERMIT}; forbid (principal, action, resource) when { principal.secret > 3 };`
    expect(() => ask({ policies }, { subject: { type: 'user', id: 'SECRET' } })).toThrow(/^(?!.*SECRET)/)
    expect(() => ask({ policies }, { subject: { type: 'SECRET type', id: 'x' } })).toThrow(/^(?!.*SECRET)/)
  })

  it('puts subjects into parents, and knows entities beforehand', () => {
    const policies = `@id("team") permit (principal in Team::"ops", action, resource) when { principal.clearance == 2 };`
    const options: CedarPolicyOptions = {
      policies,
      mapping: { parents: { roles: 'role' } },
      entities: [
        { uid: { type: 'Role', id: 'admin' }, parents: [{ type: 'Team', id: 'ops' }] },
        { uid: { type: 'User', id: 'ada' }, attrs: { clearance: 2 } },
      ],
    }
    expect(ask(options, ada({ roles: ['clerk'] })).decision).toBe(false)
    expect(ask(options, ada({ roles: ['clerk', 'admin'] })).decision).toBe(true)
    expect(ask(options, ada({ roles: 'admin' })).decision).toBe(true)
    expect(() => ask(options, ada({ roles: [7] }))).toThrow(/must be a text/)
  })

  it('lets no request change what is known of an entity', () => {
    const options: CedarPolicyOptions = {
      policies: `${PERMIT} when { principal.clearance == 2 };`,
      entities: [{ uid: { type: 'User', id: 'ada' }, attrs: { clearance: 1 } }],
    }
    expect(ask(options, ada({ clearance: 2 })).decision).toBe(false)
  })

  it('validates every request against the schema', () => {
    const options: CedarPolicyOptions = {
      policies: `${PERMIT} when { resource.owner == principal };`,
      schema: `namespace Shop { entity User; entity Order { owner: User };
        action read appliesTo { principal: User, resource: Order, context: { action: {} } }; }`,
      mapping: { namespace: 'Shop', references: { owner: 'user' } },
    }
    const of = (owner: unknown) => ({ resource: { type: 'order', id: '7', properties: { owner } } })
    expect(ask(options, of('ada')).decision).toBe(true)
    expect(ask(options, of('bob')).decision).toBe(false)
    expect(() => ask(options)).toThrow(/could not evaluate/)
    expect(() => ask(options, { ...of('ada'), action: { name: 'destroy' } })).toThrow(/could not evaluate/)
    expect(() => ask(options, { ...of('ada'), subject: { type: 'robot', id: 'ada' } })).toThrow(
      /could not evaluate/,
    )
  })

  it('keeps the action’s properties apart from the context', () => {
    expect(() => ask({ policies: `${PERMIT};` }, { context: { action: { soft: true } } })).toThrow(/taken/)
  })

  it('keeps nothing of ten thousand evaluations', () => {
    const policy = cedarPolicy({ policies: fixture('records.cedar') })
    const run = (times: number): void => {
      for (let n = 0; n < times; n += 1) void policy(mandated[n % mandated.length]!.request)
    }
    run(1000)
    const before = process.memoryUsage.rss()
    run(9000)
    expect(process.memoryUsage.rss() - before).toBeLessThan(48 * 1024 * 1024)
  }, 30_000)
})
