import { describe, expect, it } from '@jest/globals'
import { serviceWith } from './support.js'

type Case = readonly [name: string, schema: object, good: unknown, bad: unknown]

const object = (properties: object, more: object = {}): object => ({ type: 'object', properties, ...more })
const text = { type: 'string' }

const CLOSED: readonly Case[] = [
  ['at the top', object({ a: text }), { a: 'x' }, { a: 'x', isAdmin: true }],
  ['where the type is left out', { properties: { a: text } }, { a: 'x' }, { isAdmin: true }],
  [
    'where only "required" is said',
    { required: ['a'], properties: { a: true } },
    { a: 1 },
    { a: 1, isAdmin: true },
  ],
  [
    'where the type is a list',
    { type: ['object', 'null'], properties: { a: text } },
    { a: 'x' },
    { isAdmin: true },
  ],
  ['of an object without properties', { type: 'object' }, {}, { isAdmin: true }],
  ['one level down', object({ a: object({ b: text }) }), { a: { b: 'x' } }, { a: { b: 'x', isAdmin: true } }],
  [
    'four levels down',
    object({ a: object({ b: object({ c: object({ d: text }) }) }) }),
    { a: { b: { c: { d: 'x' } } } },
    { a: { b: { c: { d: 'x', isAdmin: true } } } },
  ],
  [
    'in the items of an array',
    object({ list: { type: 'array', items: object({ b: text }) } }),
    { list: [{ b: 'x' }] },
    { list: [{ b: 'x' }, { isAdmin: true }] },
  ],
  [
    'in a tuple',
    object({
      pair: {
        type: 'array',
        prefixItems: [object({ b: text }), text],
        items: false,
        minItems: 2,
        maxItems: 2,
      },
    }),
    { pair: [{ b: 'x' }, 'y'] },
    { pair: [{ b: 'x', isAdmin: true }, 'y'] },
  ],
  [
    'in an array of arrays',
    { type: 'array', items: { type: 'array', items: object({ b: text }) } },
    [[{ b: 'x' }]],
    [[{ b: 'x', isAdmin: true }]],
  ],
  [
    'in unevaluated items',
    { type: 'array', unevaluatedItems: object({ b: text }) },
    [{ b: 'x' }],
    [{ b: 'x', isAdmin: true }],
  ],
  [
    'beside allOf',
    { allOf: [object({ a: text }), object({ b: text })] },
    { a: 'x', b: 'y' },
    { a: 'x', b: 'y', isAdmin: true },
  ],
  [
    'inside a branch of allOf',
    { allOf: [object({ a: object({ b: text }) }), object({ c: text })] },
    { a: { b: 'x' }, c: 'y' },
    { a: { b: 'x', isAdmin: true }, c: 'y' },
  ],
  [
    'beside allOf within allOf',
    { allOf: [{ allOf: [object({ a: text })] }, object({ b: text })], properties: { c: text } },
    { a: 'x', b: 'y', c: 'z' },
    { a: 'x', isAdmin: true },
  ],
  [
    'beside anyOf',
    { anyOf: [object({ a: text }, { required: ['a'] }), object({ b: text }, { required: ['b'] })] },
    { b: 'x' },
    { b: 'x', isAdmin: true },
  ],
  [
    'of the branch of anyOf that did not match',
    {
      anyOf: [
        object({ kind: { const: 'user' } }, { required: ['kind'] }),
        object({ kind: { const: 'admin' }, isAdmin: { type: 'boolean' } }, { required: ['kind'] }),
      ],
    },
    { kind: 'admin', isAdmin: true },
    { kind: 'user', isAdmin: true },
  ],
  [
    'beside oneOf',
    { oneOf: [object({ a: text }, { required: ['a'] }), object({ b: text }, { required: ['b'] })] },
    { a: 'x' },
    { a: 'x', isAdmin: true },
  ],
  [
    'inside a branch of oneOf',
    {
      oneOf: [
        object({ a: object({ b: text }) }, { required: ['a'] }),
        object({ c: text }, { required: ['c'] }),
      ],
    },
    { a: { b: 'x' } },
    { a: { b: 'x', isAdmin: true } },
  ],
  [
    'of a definition',
    object({ address: { $ref: '#/$defs/address' } }, { $defs: { address: object({ city: text }) } }),
    { address: { city: 'x' } },
    { address: { city: 'x', isAdmin: true } },
  ],
  [
    'of a definition that the whole schema is',
    {
      $ref: '#/$defs/order',
      $defs: { order: object({ sku: text, by: { $ref: '#/$defs/user' } }), user: object({ n: text }) },
    },
    { sku: 'x', by: { n: 'y' } },
    { sku: 'x', by: { n: 'y', isAdmin: true } },
  ],
  [
    'of a definition under "definitions"',
    { $ref: '#/definitions/order', definitions: { order: object({ sku: text }) } },
    { sku: 'x' },
    { sku: 'x', isAdmin: true },
  ],
  [
    'of a definition with fields beside the reference',
    { $ref: '#/$defs/base', properties: { more: text }, $defs: { base: object({ sku: text }) } },
    { sku: 'x', more: 'y' },
    { sku: 'x', more: 'y', isAdmin: true },
  ],
  [
    'of a definition named by $anchor',
    object({ a: { $ref: '#thing' } }, { $defs: { thing: { $anchor: 'thing', ...object({ b: text }) } } }),
    { a: { b: 'x' } },
    { a: { b: 'x', isAdmin: true } },
  ],
  [
    'of a definition named by $id',
    {
      $id: 'https://api.test/order',
      ...object({ a: { $ref: 'thing' } }, { $defs: { thing: { $id: 'thing', ...object({ b: text }) } } }),
    },
    { a: { b: 'x' } },
    { a: { b: 'x', isAdmin: true } },
  ],
  [
    'beside if, then and else',
    {
      ...object({ kind: text }),
      if: { properties: { kind: { const: 'card' } }, required: ['kind'] },
      then: object({ card: text }),
      else: object({ iban: text }),
    },
    { kind: 'card', card: 'x' },
    { kind: 'card', card: 'x', isAdmin: true },
  ],
  [
    'of the branch of if that was not taken',
    {
      ...object({ kind: text }),
      if: { properties: { kind: { const: 'card' } }, required: ['kind'] },
      then: object({ card: text }),
      else: object({ iban: text }),
    },
    { kind: 'giro', iban: 'x' },
    { kind: 'giro', card: 'x' },
  ],
  [
    'inside then',
    { ...object({ kind: text }), if: { required: ['kind'] }, then: object({ card: object({ no: text }) }) },
    { kind: 'x', card: { no: '1' } },
    { kind: 'x', card: { no: '1', isAdmin: true } },
  ],
  [
    'beside dependentSchemas',
    { ...object({ card: text }), dependentSchemas: { card: object({ owner: object({ n: text }) }) } },
    { card: 'x', owner: { n: 'y' } },
    { card: 'x', owner: { n: 'y' }, isAdmin: true },
  ],
  [
    'inside dependentSchemas',
    { ...object({ card: text }), dependentSchemas: { card: object({ owner: object({ n: text }) }) } },
    { card: 'x', owner: { n: 'y' } },
    { card: 'x', owner: { n: 'y', isAdmin: true } },
  ],
  [
    'inside the older dependencies',
    { ...object({ card: text }), dependencies: { card: object({ owner: object({ n: text }) }) } },
    { card: 'x', owner: { n: 'y' } },
    { card: 'x', owner: { n: 'y', isAdmin: true } },
  ],
  [
    'beside patternProperties',
    { type: 'object', patternProperties: { '^x-': text } },
    { 'x-a': 'y' },
    { 'x-a': 'y', isAdmin: true },
  ],
  [
    'inside patternProperties',
    { type: 'object', patternProperties: { '^x-': object({ a: text }) } },
    { 'x-a': { a: 'y' } },
    { 'x-a': { a: 'y', isAdmin: true } },
  ],
  [
    'inside the values of a map',
    { type: 'object', additionalProperties: object({ a: text }) },
    { any: { a: 'y' } },
    { any: { a: 'y', isAdmin: true } },
  ],
  [
    'inside the values of an unevaluated map',
    { allOf: [object({ a: text })], unevaluatedProperties: object({ b: text }) },
    { a: 'x', other: { b: 'y' } },
    { a: 'x', other: { b: 'y', isAdmin: true } },
  ],
  [
    'of a schema that refers to itself',
    object({ name: text, children: { type: 'array', items: { $ref: '#' } } }),
    { name: 'a', children: [{ name: 'b', children: [] }] },
    { name: 'a', children: [{ name: 'b', children: [{ name: 'c', isAdmin: true }] }] },
  ],
  [
    'of a definition that refers to itself',
    {
      $ref: '#/$defs/node',
      $defs: { node: object({ name: text, next: { $ref: '#/$defs/node' } }) },
    },
    { name: 'a', next: { name: 'b', next: { name: 'c' } } },
    { name: 'a', next: { name: 'b', next: { name: 'c', isAdmin: true } } },
  ],
  [
    'of a definition that refers to itself dynamically',
    {
      $id: 'https://api.test/tree',
      $dynamicAnchor: 'node',
      ...object({ name: text, children: { type: 'array', items: { $dynamicRef: '#node' } } }),
    },
    { name: 'a', children: [{ name: 'b' }] },
    { name: 'a', children: [{ name: 'b', isAdmin: true }] },
  ],
  [
    'called __proto__',
    { type: 'object', additionalProperties: true },
    { a: 1 },
    JSON.parse('{"a":1,"__proto__":{"isAdmin":true}}'),
  ],
  [
    'called __proto__ at depth',
    { type: 'object', additionalProperties: true },
    { a: [{ b: 1 }] },
    JSON.parse('{"a":[{"__proto__":{"isAdmin":true}}]}'),
  ],
  [
    'that reaches a prototype through constructor',
    { type: 'object', additionalProperties: true },
    { constructor: 'Brunel' },
    { a: { constructor: { prototype: { isAdmin: true } } } },
  ],
]

const OPENED: readonly Case[] = [
  [
    'by additionalProperties',
    object({ a: text }, { additionalProperties: true }),
    { a: 'x', more: 1 },
    { a: 1 },
  ],
  [
    'by an empty schema for them',
    object({ a: text }, { additionalProperties: {} }),
    { a: 'x', more: 1 },
    { a: 1 },
  ],
  [
    'to one type only',
    object({ a: text }, { additionalProperties: { type: 'number' } }),
    { m: 1 },
    { m: 'x' },
  ],
  [
    'by unevaluatedProperties',
    { allOf: [object({ a: text })], unevaluatedProperties: true },
    { a: 'x', m: 1 },
    { a: 1 },
  ],
  [
    'only where it says so',
    object({ labels: { type: 'object', additionalProperties: true } }),
    { labels: { more: 1 } },
    { labels: {}, more: 1 },
  ],
]

describe('unknown fields', () => {
  it.each(CLOSED)('are refused %s', async (_where, schema, good, bad) => {
    const service = serviceWith(schema)
    const accepted = await service.post(JSON.stringify(good))
    expect(accepted.body).toMatchObject({ body: good })
    const refused = await service.post(JSON.stringify(bad))
    expect([refused.status, refused.body.code]).toEqual([400, 'input_invalid'])
    expect(service.accepted).toHaveLength(1)
  })

  it.each(OPENED)('are let in where a schema opens itself %s', async (_how, schema, good, bad) => {
    const service = serviceWith(schema)
    expect((await service.post(JSON.stringify(good))).body.body).toEqual(good)
    expect((await service.post(JSON.stringify(bad))).status).toBe(400)
  })

  it('are told by the place they stand in, never by their name', async () => {
    const service = serviceWith(object({ a: object({ b: text }), list: { allOf: [object({ c: text })] } }))
    const { body } = await service.post({ a: { b: 'x', secretName: 1 }, list: { otherSecret: 1 } })
    expect(body.errors).toEqual([
      { in: 'body', pointer: '/a', code: 'additionalProperties' },
      { in: 'body', pointer: '/list', code: 'additionalProperties' },
    ])
  })

  it.each(['toString', 'constructor', 'hasOwnProperty', 'valueOf', '__proto__'])(
    'and inherited names: "%s" is missing unless the caller sent it',
    async (name) => {
      const service = serviceWith({ type: 'object', required: [name], properties: { [name]: true } })
      expect((await service.post('{}')).status).toBe(400)
    },
  )

  it('leaves the schema it was given as it was', () => {
    const schema = object(
      { a: object({ b: text }), c: { $ref: '#/$defs/d' } },
      { allOf: [object({ e: text })], $defs: { d: object({ f: text }) } },
    )
    const before = JSON.stringify(schema)
    const frozen = deepFreeze(schema)
    serviceWith(frozen)
    expect(JSON.stringify(frozen)).toBe(before)
  })
})

describe('closing a schema', () => {
  // Questions about a value must be answered as the author asked them, also where a definition is used for both.
  const nested = object({ inner: object({ x: true }) }, { required: ['inner'] })

  it.each([
    ['not', { properties: { inner: true }, not: { $ref: '#/$defs/banned' }, $defs: { banned: nested } }],
    ['not, written in place', { properties: { inner: true }, not: nested }],
    [
      'if',
      { properties: { inner: true }, if: { $ref: '#/$defs/banned' }, then: false, $defs: { banned: nested } },
    ],
    [
      'oneOf',
      {
        oneOf: [
          { $ref: '#/$defs/banned' },
          { properties: { inner: { type: 'object', properties: { y: true, z: true } } } },
        ],
        $defs: { banned: object({ inner: { type: 'object', properties: { x: true, y: true } } }) },
      },
    ],
  ])('lets nothing in that the schema itself refuses: %s', async (_keyword, schema) => {
    const service = serviceWith(schema)
    for (const body of [{ inner: { x: 1, y: 2 } }, { inner: { x: 1 } }]) {
      expect((await service.post(body)).status).toBe(400)
    }
  })
})

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze)
  return value
}
