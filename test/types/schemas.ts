// The type that each language and each form of schema gives to `req.body`. It must allow whatever the check lets
// through: where the two part, `unknown` is the answer, never `any` and never too narrow a type.
import { Type } from '@sinclair/typebox'
import { Type as Type1, type Static as Static1 } from 'typebox'
import type { z } from 'zod'
import { validateBody, type BodyGuard, type Infer, type StandardSchema } from '../../src/index.js'
import {
  orderSchema,
  typebox034Order,
  typebox1Order,
  valibotOrder,
  zodOrder,
  type LooseOrder,
  type Order,
} from './orders.js'
import { proves, typeOf, type Same } from './support.js'

// Every language in which a schema may be written.
proves<Same<Infer<typeof orderSchema>, Order>>()
proves<Same<Infer<typeof zodOrder>, LooseOrder>>()
proves<Same<Infer<typeof valibotOrder>, LooseOrder>>()
proves<Same<Infer<typeof typebox034Order>, Order>>()
proves<Same<Infer<typeof typebox1Order>, Order>>()
proves<Same<Infer<typeof typebox1Order>, Static1<typeof typebox1Order>>>()
proves<Same<Infer<StandardSchema<unknown, Order>>, Order>>()
proves<Same<Infer<StandardSchema>, unknown>>()

// A guard says the same as the type.
const guards = {
  json: validateBody(orderSchema),
  zod: validateBody(zodOrder),
  valibot: validateBody(valibotOrder),
  typebox034: validateBody(typebox034Order),
  typebox1: validateBody(typebox1Order),
}
typeOf(guards.json).is<BodyGuard<Order>>()
typeOf(guards.zod).is<BodyGuard<LooseOrder>>()
typeOf(guards.valibot).is<BodyGuard<LooseOrder>>()
typeOf(guards.typebox034).is<BodyGuard<Order>>()
typeOf(guards.typebox1).is<BodyGuard<Order>>()

// What a Standard Schema makes of the input is what the handler gets.
proves<Same<Infer<z.ZodPipe<z.ZodString, z.ZodTransform<Date, string>>>, Date>>()

// A schema whose literal types were lost says nothing, and says so.
const widened = { type: 'object', properties: { sku: { type: 'string' } }, required: ['sku'] }
proves<Same<Infer<typeof widened>, unknown>>()
proves<Same<Infer<object>, unknown>>()
proves<Same<Infer<Record<string, unknown>>, unknown>>()
proves<Same<Infer<boolean>, unknown>>()
proves<Same<Infer<any>, unknown>>() // eslint-disable-line @typescript-eslint/no-explicit-any -- what is tested
proves<Same<Infer<never>, never>>()
const ofWidened = validateBody(widened)
typeOf(ofWidened).is<BodyGuard<unknown>>()

// Half widened: which names are required is not known, so none is taken for granted.
interface HalfWidened {
  type: 'object'
  properties: { sku: { type: 'string' } }
  required: string[]
}
proves<Same<Infer<HalfWidened>, { sku?: string }>>()

// Closed, as at run time, without saying so.
type Closed = Infer<typeof orderSchema>
// @ts-expect-error -- no such field
type _IsAdmin = Closed['isAdmin']
proves<Same<string extends keyof Closed ? true : false, false>>()
proves<Same<Infer<{ type: 'object' }>, Record<string, never>>>()
proves<Same<Infer<{ type: 'object'; additionalProperties: false }>, Record<string, never>>>()

// Opened, where the schema opens itself.
type Open = Infer<{
  type: 'object'
  required: ['sku']
  properties: { sku: { type: 'string' } }
  additionalProperties: true
}>
proves<Same<Open['sku'], string>>()
proves<Same<Open[string], unknown>>()
proves<Same<Infer<{ type: 'object'; additionalProperties: true }>, Record<string, unknown>>>()
proves<Same<Infer<{ type: 'object'; unevaluatedProperties: true }>, Record<string, unknown>>>()
proves<Same<Infer<{ type: 'object'; additionalProperties: { type: 'number' } }>, Record<string, number>>>()
proves<
  Same<
    Infer<{ type: 'object'; patternProperties: { '^x-': { type: 'string' } }; additionalProperties: false }>,
    Record<string, string>
  >
>()
// A name that is not listed may still be looked up, and then any of the types may come out.
type Prices = Infer<{
  type: 'object'
  required: ['currency']
  properties: { currency: { type: 'string' } }
  additionalProperties: { type: 'number' }
}>
proves<Same<Prices['currency'], string>>()
proves<Same<Prices[string], string | number>>()
export const prices: Prices = { currency: 'EUR', tea: 3 }

// Scalars, lists of types, constants.
proves<Same<Infer<{ type: 'string' }>, string>>()
proves<Same<Infer<{ type: 'integer' }>, number>>()
proves<Same<Infer<{ type: 'number' }>, number>>()
proves<Same<Infer<{ type: 'boolean' }>, boolean>>()
proves<Same<Infer<{ type: 'null' }>, null>>()
proves<Same<Infer<{ type: readonly ['string', 'null'] }>, string | null>>()
proves<Same<Infer<{ type: 'string'; nullable: true }>, string | null>>()
proves<Same<Infer<{ const: 'sent' }>, 'sent'>>()
proves<Same<Infer<{ type: 'string'; enum: readonly ['sent', 'open'] }>, 'sent' | 'open'>>()
proves<Same<Infer<{ minimum: 3 }>, unknown>>()
proves<Same<Infer<{ $ref: '#/$defs/a' }>, unknown>>()
proves<Same<Infer<true>, unknown>>()
proves<Same<Infer<false>, never>>()

// Arrays and tuples.
proves<Same<Infer<{ type: 'array' }>, unknown[]>>()
proves<Same<Infer<{ type: 'array'; items: { type: 'string' } }>, string[]>>()
proves<
  Same<
    Infer<{
      type: 'array'
      prefixItems: readonly [{ type: 'string' }, { type: 'number' }]
      items: false
      minItems: 2
    }>,
    [string, number]
  >
>()
proves<
  Same<
    Infer<{ type: 'array'; prefixItems: readonly [{ type: 'string' }]; minItems: 1; maxItems: 1 }>,
    [string]
  >
>()

// Composition.
type Payment = Infer<{
  oneOf: readonly [
    {
      type: 'object'
      required: ['kind', 'iban']
      properties: { kind: { const: 'sepa' }; iban: { type: 'string' } }
    },
    { type: 'object'; required: ['kind']; properties: { kind: { const: 'cash' } } },
  ]
}>
export function ibanOf(payment: Payment): string {
  return payment.kind === 'sepa' ? payment.iban : ''
}
export const cash: Payment = { kind: 'cash' }

type Both = Infer<{
  type: 'object'
  allOf: readonly [
    { type: 'object'; required: ['a']; properties: { a: { type: 'string' } } },
    { type: 'object'; required: ['b']; properties: { b: { type: 'number' } } },
    { type: 'object'; minProperties: 2 },
  ]
}>
export const both: Both = { a: 'x', b: 1 }
// @ts-expect-error -- `b` is required
export const onlyOne: Both = { a: 'x' }

type AtLeastOne = Infer<{
  type: 'object'
  properties: { mail: { type: 'string' }; phone: { type: 'string' } }
  anyOf: readonly [{ required: ['mail'] }, { required: ['phone'] }]
}>
proves<Same<AtLeastOne['mail'], string | undefined>>()
export const atLeastOne: AtLeastOne = { mail: 'a@example.test' }

// Parts of a composition do not close one another.
export const partly: Infer<{
  type: 'object'
  if: { required: ['a'] }
  then: { properties: { a: { type: 'string' } } }
}> = {
  a: 'x',
}

declare function inferred<const S>(schema: S): Infer<S>

// TypeBox, where its own types and ours could part.
const shapes = Type1.Object({
  kind: Type1.Literal('a'),
  either: Type1.Union([Type1.String(), Type1.Null()]),
  all: Type1.Array(Type1.Object({ n: Type1.Number() })),
  map: Type1.Record(Type1.String(), Type1.Number()),
})
typeOf(inferred(shapes)).is<Static1<typeof shapes>>()
typeOf(inferred(shapes).map).is<Record<string, number>>()
const nested034 = {
  type: 'object',
  required: ['inner'],
  properties: { inner: Type.Object({ a: Type.String() }) },
} as const
typeOf(inferred(nested034).inner).is<{ a: string }>()

// Deep schemas stay within the compiler's means.
const deep = {
  type: 'object',
  required: ['a'],
  properties: {
    a: {
      type: 'array',
      items: {
        type: 'object',
        required: ['b'],
        properties: {
          b: {
            type: 'object',
            required: ['c'],
            properties: {
              c: { type: 'array', items: { type: 'object', properties: { d: { type: 'boolean' } } } },
            },
          },
        },
      },
    },
  },
} as const
typeOf(inferred(deep)).is<{ a: { b: { c: { d?: boolean }[] } }[] }>()
