import { describe, expect, it, jest } from '@jest/globals'
import { requireClaims, type ClaimExpectation } from '../../src/authorization/require-claims.js'
import { claimAt } from '../../src/authorization/shared-claims.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { anonymous, caller, get, passing } from './guards-support.js'

type Expected = Record<string, ClaimExpectation>
const isYes = (value: unknown): boolean => value === 'yes'
const anything = (): boolean => true

describe('requireClaims', () => {
  it.each<[string, object, Expected, number]>([
    // What is no claim
    ['what every object inherits: constructor', {}, { constructor: anything }, 403],
    ['what every object inherits: toString', {}, { toString: anything }, 403],
    ['what every object inherits: __proto__', {}, { ['__proto__']: anything }, 403],
    ['what an array inherits', { groups: ['a'] }, { 'groups.length': 1 }, 403],
    ['an item of an array as a path', { groups: ['a'] }, { 'groups.0': 'a' }, 403],
    ['what a text inherits', { name: 'a' }, { 'name.length': 1 }, 403],
    ['a path through null', { org: null }, { 'org.unit': 'x' }, 403],
    ['a path that inherits', { org: {} }, { 'org.constructor.name': 'Object' }, 403],
    ['a missing claim and a function that says yes', {}, { level: anything }, 403],
    ['an undefined claim and a function that says yes', { level: undefined }, { level: anything }, 403],
    ['a missing claim and false', {}, { suspended: false }, 403],
    // What is no match
    ['a list that holds the value', { department: ['sales'] }, { department: 'sales' }, 403],
    ['another case', { department: 'Sales' }, { department: 'sales' }, 403],
    ['padding', { department: 'sales ' }, { department: 'sales' }, 403],
    ['a number as text', { level: '3' }, { level: 3 }, 403],
    ['a text as number', { level: 3 }, { level: '3' }, 403],
    ['one for true', { staff: 1 }, { staff: true }, 403],
    ['"true" for true', { staff: 'true' }, { staff: true }, 403],
    ['null', { department: null }, { department: 'null' }, 403],
    ['an object', { department: { sales: true } }, { department: 'sales' }, 403],
    ['a list inside a list', { region: [['eu']] }, { region: ['eu', 'us'] }, 403],
    ['an empty list', { region: [] }, { region: ['eu', 'us'] }, 403],
    ['none of the values', { region: 'cn' }, { region: ['eu', 'us'] }, 403],
    ['a text that holds one of them', { region: 'eu us' }, { region: ['eu', 'us'] }, 403],
    ['only one of two claims', { a: 1 }, { a: 1, b: 2 }, 403],
    // What a function answers
    ['a function that answers 1', { a: 1 }, { a: (() => 1) as never }, 403],
    ['a function that answers "true"', { a: 1 }, { a: (() => 'true') as never }, 403],
    ['a function that answers an object', { a: 1 }, { a: (() => ({})) as never }, 403],
    ['a function that answers a Boolean object', { a: 1 }, { a: (() => Object(true)) as never }, 403],
    ['a function that answers nothing', { a: 1 }, { a: (() => undefined) as never }, 403],
    ['a function that answers a promise', { a: 1 }, { a: (async () => true) as never }, 500],
    ['a function whose promise rejects', { a: 1 }, { a: (() => Promise.reject()) as never }, 500],
    [
      'a function that throws',
      { a: 1 },
      {
        a: () => {
          throw new Error('hunter2')
        },
      },
      500,
    ],
    // What passes
    ['the value', { department: 'sales' }, { department: 'sales' }, 200],
    ['false', { suspended: false }, { suspended: false }, 200],
    ['one of the values', { region: 'us' }, { region: ['eu', 'us'] }, 200],
    ['a list with one of the values', { region: ['cn', 'us'] }, { region: ['eu', 'us'] }, 200],
    ['a function that says yes', { a: 'yes' }, { a: isYes }, 200],
    ['null and a function that says yes', { a: null }, { a: (value) => value === null }, 200],
    ['a path', { org: { unit: 'x' } }, { 'org.unit': 'x' }, 200],
    ['a name with dots', { 'org.unit': 'x' }, { 'org.unit': 'x' }, 200],
    ['an own claim that is called constructor', { constructor: 'x' }, { constructor: 'x' }, 200],
    ['all of several', { a: 1, b: 2 }, { a: 1, b: [2, 3] }, 200],
  ])('with %s', async (_case, claims, expected, status) => {
    const { text, ...outcome } = await get([caller({ claims }), requireClaims(expected)])
    expect(outcome.status).toBe(status)
    expect(text).not.toContain('hunter2')
  })

  it('is not moved by a prototype that somebody polluted', async () => {
    Object.assign(Object.prototype, { admin: true })
    try {
      expect((await get([caller(), requireClaims({ admin: true })])).status).toBe(403)
    } finally {
      delete (Object.prototype as { admin?: unknown }).admin
    }
  })

  it.each(['constructor', 'org.constructor', 'org.__proto__', 'org.toString.name', 'list.length'])(
    'finds nothing at %s, in an object with a prototype too',
    (path) => {
      expect(claimAt({ org: {}, list: [] }, path)).toBeUndefined()
    },
  )

  it('does not ask a function about a claim that is missing', async () => {
    const asked = jest.fn(() => true)
    await get([caller(), requireClaims({ level: asked })])
    expect(asked).not.toHaveBeenCalled()
  })

  it('answers 401 to nobody, and 500 where no authentication ran', async () => {
    expect((await get([anonymous, requireClaims({ a: 1 })])).status).toBe(401)
    expect((await get([passing, requireClaims({ a: 1 })])).record.event.reason).toBe('guard_order')
  })

  it('records which claims refused whom, and no value', async () => {
    const { record, text } = await get([
      caller({ claims: { department: 'hunter2', level: 5 } }),
      requireClaims({ department: 'sales', level: 5, region: ['eu'] }, { name: 'sellers' }),
    ])
    expect(record).toMatchObject({
      event: { action: 'authz_fail', reason: 'claim_refused' },
      evidence: { required: ['department', 'level', 'region'], refused: ['department', 'region'] },
      rule: { name: 'sellers', ruleset: 'requireClaims' },
      user: { id: 'ada' },
    })
    expect(JSON.stringify(record) + text).not.toMatch(/hunter2|sales/)
  })

  it('lets a refusal pass in report mode, and records it', async () => {
    const { status, record } = await get([caller(), requireClaims({ a: 1 }, { mode: 'report' })])
    expect([status, record.event.mode, record.event.reason]).toEqual([200, 'report', 'claim_refused'])
  })

  it('says what it asks for, and does not follow what is changed after set-up', async () => {
    const region = ['eu', 'us']
    const expected: Expected = { department: 'sales', region, level: anything }
    const guard = requireClaims(expected)
    region.push('cn')
    delete expected['department']
    expect(guardMetadataOf(guard)).toMatchObject({
      layer: 'authorization',
      name: 'department region level',
      facts: { claims: ['department is "sales"', 'region is one of "eu", "us"', 'level passes a function'] },
    })
    const claims = { department: 'sales', region: 'cn', level: 1 }
    expect((await get([caller({ claims }), guard])).status).toBe(403)
  })

  it.each<[string, unknown[]]>([
    ['nothing', []],
    ['no claim', [{}]],
    ['a list', [['department']]],
    ['an empty name', [{ '': 1 }]],
    ['a path with a gap', [{ 'a..b': 1 }]],
    ['undefined', [{ a: undefined }]],
    ['null', [{ a: null }]],
    ['an empty text', [{ a: '' }]],
    ['no number', [{ a: NaN }]],
    ['an object', [{ a: {} }]],
    ['an empty list', [{ a: [] }]],
    ['a list of lists', [{ a: [['x']] }]],
    ['an unknown option', [{ a: 1 }, { modus: 'report' }]],
    ['an impossible mode', [{ a: 1 }, { mode: 'off' }]],
  ])('throws at set-up for %s', (_case, given) => {
    expect(() => requireClaims(...(given as [Expected]))).toThrow(TypeError)
  })
})
