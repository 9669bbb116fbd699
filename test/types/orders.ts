import { Type } from '@sinclair/typebox'
import { Type as Type1 } from 'typebox'
import { object, optional, string, number, array } from 'valibot'
import { z } from 'zod'

// One body, described in each language that validateBody reads.

export interface Order {
  sku: string
  quantity?: number
  tags?: string[]
}

/** The same, as libraries with `exactOptionalPropertyTypes` in mind write it. */
export interface LooseOrder {
  sku: string
  quantity?: number | undefined
  tags?: string[] | undefined
}

export const orderSchema = {
  type: 'object',
  required: ['sku'],
  properties: {
    sku: { type: 'string' },
    quantity: { type: 'integer', minimum: 1 },
    tags: { type: 'array', items: { type: 'string' } },
  },
} as const

export const zodOrder = z.object({
  sku: z.string(),
  quantity: z.int().optional(),
  tags: z.array(z.string()).optional(),
})

export const valibotOrder = object({
  sku: string(),
  quantity: optional(number()),
  tags: optional(array(string())),
})

export const typebox034Order = Type.Object({
  sku: Type.String(),
  quantity: Type.Optional(Type.Integer()),
  tags: Type.Optional(Type.Array(Type.String())),
})

export const typebox1Order = Type1.Object({
  sku: Type1.String(),
  quantity: Type1.Optional(Type1.Integer()),
  tags: Type1.Optional(Type1.Array(Type1.String())),
})
