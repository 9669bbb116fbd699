import { describe, expect, it } from '@jest/globals'
import { Type } from '@sinclair/typebox'
import * as v from 'valibot'
import { z } from 'zod'
import { guardMetadataOf } from '../../src/core.js'
import { validateBody } from '../../src/validation/validate-body.js'
import { saidBy, serviceWith } from './support.js'

const unknownFieldsOf = (schema: object): unknown =>
  guardMetadataOf(validateBody(schema))?.facts['unknownFields']

/** A Standard Schema that answers what it is told. */
const schemaThat = (validate: (value: unknown) => unknown): object => ({
  '~standard': { version: 1, vendor: 'test', validate },
})

describe('a zod schema', () => {
  const Category = z.object({
    name: z.string(),
    get children() {
      return z.array(Category).optional()
    },
  })

  it.each<[string, object, unknown, unknown]>([
    ['an object', z.object({ sku: z.string() }), { sku: 'a' }, { sku: 'a', isAdmin: true }],
    ['a strict object', z.strictObject({ sku: z.string() }), { sku: 'a' }, { sku: 'a', isAdmin: true }],
    [
      'an object in an object',
      z.object({ a: z.object({ b: z.string() }) }),
      { a: { b: 'x' } },
      { a: { b: 'x', isAdmin: true } },
    ],
    ['objects in a list', z.array(z.object({ b: z.string() })), [{ b: 'x' }], [{ b: 'x', isAdmin: true }]],
    [
      'objects in a tuple',
      z.tuple([z.object({ b: z.string() })], z.number()),
      [{ b: 'x' }, 1],
      [{ b: 'x', isAdmin: true }],
    ],
    [
      'objects in a record',
      z.record(z.string(), z.object({ b: z.string() })),
      { any: { b: 'x' } },
      { any: { b: 'x', isAdmin: true } },
    ],
    [
      'an intersection',
      z.intersection(z.object({ a: z.string() }), z.object({ b: z.string() })),
      { a: 'x', b: 'y' },
      { a: 'x', b: 'y', isAdmin: true },
    ],
    [
      'a recursive object',
      Category,
      { name: 'a', children: [{ name: 'b' }] },
      { name: 'a', children: [{ name: 'b', isAdmin: true }] },
    ],
    [
      'a union',
      z.object({ a: z.union([z.string(), z.array(z.object({ b: z.string() }))]) }),
      { a: [{ b: 'x' }] },
      { a: [{ b: 'x', isAdmin: true }] },
    ],
    [
      'a discriminated union',
      z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('user'), name: z.string() }),
        z.object({ kind: z.literal('admin'), isAdmin: z.boolean() }),
      ]),
      { kind: 'user', name: 'x' },
      { kind: 'user', name: 'x', isAdmin: true },
    ],
    [
      'an object with metadata',
      z.object({ a: z.string() }).meta({ id: 'Foo', title: 'foo', example: 1 }),
      { a: 'x' },
      { a: 'x', isAdmin: true },
    ],
    [
      'an optional object',
      z.object({ a: z.object({ b: z.string() }).optional() }),
      {},
      { a: { b: 'x', isAdmin: true } },
    ],
    [
      'a nullable object',
      z.object({ a: z.object({ b: z.string() }).nullable() }),
      { a: null },
      { a: { b: 'x', isAdmin: true } },
    ],
  ])('refuses unknown fields of %s', async (_case, schema, good, bad) => {
    expect(unknownFieldsOf(schema)).toBe('refused')
    const service = serviceWith(schema)
    expect((await service.post(JSON.stringify(good))).body.body).toEqual(good)
    const refused = await service.post(JSON.stringify(bad))
    expect([refused.status, refused.body.code]).toEqual([400, 'input_invalid'])
  })

  it.each<[string, object]>([
    ['a loose object', z.looseObject({ a: z.string() })],
    ['a catch-all', z.object({ a: z.string() }).catchall(z.number())],
  ])('that opens itself is open: %s', async (_case, schema) => {
    expect((await serviceWith(schema).post({ a: 'x', more: 1 })).body.body).toEqual({ a: 'x', more: 1 })
  })

  // What its JSON Schema says of scalars is not always what it accepts, nor always something that Ajv knows.
  it.each<[string, z.ZodType, unknown, unknown]>([
    ['a transform', z.string().transform((s) => s.length), 'abc', 3],
    ['trimming', z.string().trim().max(3), '  abc  ', 'abc'],
    ['a pipe', z.string().transform(Number).pipe(z.number()), '5', 5],
    ['a coerced number', z.coerce.number(), '5', 5],
    ['a preprocessed number', z.preprocess(Number, z.number().min(2)), '5', 5],
    ['a default', z.string().default('x'), undefined, 'x'],
    ['a pattern with a flag', z.string().regex(/^abc$/i), 'ABC', 'ABC'],
    ['a pattern that is none in Unicode mode', z.string().regex(/^a[\w-.]$/), 'a.', 'a.'],
    ['an international URL', z.url(), 'https://例え.jp/', 'https://例え.jp/'],
    ['cuid2', z.cuid2(), 'tz4a98xxat96iws9zmbrgj3a', 'tz4a98xxat96iws9zmbrgj3a'],
    ['nanoid', z.nanoid(), 'V1StGXR8_Z5jdHi6B-myT', 'V1StGXR8_Z5jdHi6B-myT'],
    ['ulid', z.ulid(), '01ARZ3NDEKTSV4RRFFQ69G5FAV', '01ARZ3NDEKTSV4RRFFQ69G5FAV'],
    ['base64', z.base64(), 'YWJj', 'YWJj'],
    ['e164', z.e164(), '+4930123456', '+4930123456'],
    ['uuid', z.uuid(), '4b1c1f6e-9d0a-4c6e-8d7e-0c2f1f1b1a11', '4b1c1f6e-9d0a-4c6e-8d7e-0c2f1f1b1a11'],
    ['a date-time', z.iso.datetime(), '2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'],
    ['a union of scalars', z.union([z.string(), z.number()]), 5, 5],
    ['a literal', z.literal(['a', 1, null]), null, null],
  ])('keeps its own ways with scalars: %s', async (_case, scalar, input, output) => {
    const service = serviceWith(z.object({ f: scalar }))
    const answer = await service.post({ f: input })
    expect(answer.body.body).toEqual({ f: output })
    expect((await service.post({ f: input, isAdmin: true })).status).toBe(400)
  })

  it.each<[string, z.ZodType, unknown]>([
    ['a pattern', z.string().regex(/^abc$/), 'x'],
    ['a length', z.string().max(3), 'abcd'],
    ['an e-mail address', z.email(), 'x'],
    ['a type', z.string(), 5],
    ['nothing at all', z.never(), 5],
  ])('refuses for itself: %s', async (_case, scalar, input) => {
    const answer = await serviceWith(z.object({ f: scalar })).post({ f: input })
    expect([answer.status, answer.body.errors]).toEqual([
      400,
      [{ in: 'body', pointer: '/f', code: 'invalid' }],
    ])
  })

  it('that has no JSON Schema strips unknown fields, and says so', async () => {
    const schema = z.object({ when: z.coerce.date() })
    expect(unknownFieldsOf(schema)).toBe('strips-unknown')
    const { body } = await serviceWith(schema).post({ when: '2026-01-02T00:00:00.000Z', isAdmin: true })
    expect(body.body).toEqual({ when: '2026-01-02T00:00:00.000Z' })
  })

  it('shows its own names and no others', async () => {
    const schema = z.object({ 'e/mail': z.number(), map: z.record(z.string(), z.number()) })
    const service = serviceWith(schema)
    const answer = await service.post({ 'e/mail': 'x', map: { 'canary-7f3a': 'x' } })
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual([
      '/e~1mail',
      '/map/*',
    ])
    expect(saidBy(answer, service.log)).not.toContain('canary')
  })

  it('reports at most 20 issues of a body of 100 KB', async () => {
    const service = serviceWith(z.array(z.number()), { maxNodes: 1_000_000 })
    const answer = await service.post(JSON.stringify(Array(25_000).fill('x')))
    expect([answer.status, answer.body.errors.length, answer.body.truncated]).toEqual([400, 20, true])
    expect(answer.text.length).toBeLessThan(2000)
  })

  it('may be asynchronous', async () => {
    const schema = z.object({ sku: z.string().refine(async (sku) => Promise.resolve(sku !== 'gone')) })
    const service = serviceWith(schema)
    expect((await service.post({ sku: 'a' })).status).toBe(200)
    expect((await service.post({ sku: 'gone' })).status).toBe(400)
    expect((await service.post({ sku: 'a', isAdmin: true })).status).toBe(400)
  })

  it('takes no coercion from outside', () => {
    expect(() => validateBody(z.object({}), { coerce: true })).toThrow('coerce is for JSON Schemas')
  })
})

describe('a valibot schema', () => {
  it('offers no JSON Schema, so unknown fields are stripped: its output becomes the body', async () => {
    const schema = v.object({ sku: v.string(), by: v.object({ name: v.pipe(v.string(), v.trim()) }) })
    expect(unknownFieldsOf(schema)).toBe('strips-unknown')
    const { body } = await serviceWith(schema).post({
      sku: 'a',
      by: { name: ' x ', isAdmin: true },
      isAdmin: true,
    })
    expect(body.body).toEqual({ sku: 'a', by: { name: 'x' } })
  })

  it('that is strict refuses them itself', async () => {
    expect(
      (await serviceWith(v.strictObject({ sku: v.string() })).post({ sku: 'a', isAdmin: true })).status,
    ).toBe(400)
  })

  it('is pointed into', async () => {
    const schema = v.object({ list: v.array(v.object({ 'a/b': v.number() })) })
    const { body } = await serviceWith(schema).post({ list: [{ 'a/b': 1 }, { 'a/b': 'x' }] })
    expect(body.errors).toEqual([{ in: 'body', pointer: '/list/1/a~1b', code: 'invalid' }])
  })

  it('may be asynchronous', async () => {
    const schema = v.pipeAsync(
      v.string(),
      v.checkAsync(async (sku) => Promise.resolve(sku !== 'gone')),
    )
    const service = serviceWith(v.objectAsync({ sku: schema }))
    expect([(await service.post({ sku: 'a' })).status, (await service.post({ sku: 'gone' })).status]).toEqual(
      [200, 400],
    )
  })
})

describe('a TypeBox schema', () => {
  it('is a JSON Schema, closed like any other', async () => {
    const service = serviceWith(Type.Object({ sku: Type.String(), qty: Type.Optional(Type.Integer()) }))
    expect((await service.post({ sku: 'a', qty: 1 })).status).toBe(200)
    expect((await service.post({ sku: 'a', isAdmin: true })).status).toBe(400)
  })
})

describe('a schema that misbehaves', () => {
  it.each<[string, (value: unknown) => unknown]>([
    [
      'throws',
      () => {
        throw new Error('canary')
      },
    ],
    ['rejects', () => Promise.reject(new Error('canary'))],
    ['rejects with nothing', () => Promise.reject(undefined)],
    ['answers nothing', () => undefined],
    ['answers an empty object', () => ({})],
    ['promises an empty object', () => Promise.resolve({})],
    ['answers true', () => true],
    [
      'answers a promise that throws',
      () => ({
        then: () => {
          throw new Error('canary')
        },
      }),
    ],
  ])('that %s lets nobody in: 500', async (_case, validate) => {
    const service = serviceWith(schemaThat(validate))
    const answer = await service.post({ sku: 'a' })
    expect([answer.status, answer.body.code]).toEqual([500, 'internal'])
    expect(answer.text).not.toContain('canary')
    expect(service.accepted).toEqual([])
  })

  it.each<[string, (value: unknown) => unknown]>([
    ['issues without a path', () => ({ issues: [{ message: 'canary' }] })],
    ['no issues in its list of them', () => ({ issues: [] })],
    [
      'a promise of another make',
      () => ({
        then: (settle: (result: object) => void) => {
          settle({ issues: [{ message: 'canary' }] })
        },
      }),
    ],
    ['a symbol in a path', () => ({ issues: [{ message: 'canary', path: [Symbol('a'), { key: 'sku' }] }] })],
  ])('that answers %s refuses', async (_case, validate) => {
    const service = serviceWith(schemaThat(validate))
    const answer = await service.post({ sku: 'a' })
    expect(answer.status).toBe(400)
    expect(saidBy(answer, service.log)).not.toContain('canary')
    expect(service.accepted).toEqual([])
  })

  it('that promises in its own way is awaited', async () => {
    const service = serviceWith(
      schemaThat(() => ({
        then: (settle: (result: object) => void) => {
          settle({ value: { sku: 'b' } })
        },
      })),
    )
    expect((await service.post({ sku: 'a' })).body.body).toEqual({ sku: 'b' })
  })
})
