import type { StandardOutput } from '../../core/standard-schema.js'

/**
 * The type of what a schema accepts here: a Standard Schema's output, TypeBox's static type, or a literal JSON Schema
 * read with its unknown fields closed, as `validateBody` reads it. What it cannot tell is `unknown`, never `any`.
 */
export type Infer<S> = 0 extends 1 & S
  ? unknown
  : S extends { readonly '~standard': unknown }
    ? StandardOutput<S>
    : S extends { readonly static: infer Static; readonly params: unknown[] }
      ? Static
      : Json<S>

type Json<S> = S extends boolean
  ? S extends false
    ? never
    : unknown
  : S extends { readonly const: infer Const }
    ? Const
    : S extends { readonly enum: readonly (infer Item)[] }
      ? Item
      : S extends { readonly $ref: string }
        ? unknown
        : S extends { readonly anyOf: readonly (infer Branch)[] }
          ? Json<Branch> & Typed<S>
          : S extends { readonly oneOf: readonly (infer Branch)[] }
            ? Json<Branch> & Typed<S>
            : S extends { readonly allOf: readonly unknown[] }
              ? All<S['allOf']> & Typed<S>
              : Typed<S>

type All<Branches extends readonly unknown[]> = Branches extends readonly [infer First, ...infer Rest]
  ? Json<First> & All<Rest>
  : unknown

type Typed<S> = S extends { readonly type: infer Type }
  ? Type extends readonly (infer Item)[]
    ? One<S, Item>
    : One<S, Type>
  : unknown

// A widened `type: string` says nothing.
type One<S, Type> = string extends Type
  ? unknown
  : Type extends 'string'
    ? string
    : Type extends 'number' | 'integer'
      ? number
      : Type extends 'boolean'
        ? boolean
        : Type extends 'null'
          ? null
          : Type extends 'array'
            ? List<S>
            : Type extends 'object'
              ? Fields<S>
              : unknown

type List<S> = S extends { readonly prefixItems: infer Items extends readonly unknown[] }
  ? [...{ -readonly [K in keyof Items]: Json<Items[K]> }, ...Rest<S>]
  : S extends { readonly items: infer Item }
    ? Json<Item>[]
    : unknown[]

type Rest<S> = S extends { readonly items: infer Item } ? (Item extends false ? [] : Json<Item>[]) : unknown[]

type Fields<S> = S extends { readonly properties: infer Properties }
  ? Flat<
      { -readonly [K in keyof Properties & Required<S>]: Json<Properties[K]> } & {
        -readonly [K in Exclude<keyof Properties, Required<S>>]?: Json<Properties[K]>
      }
    > &
      Open<S, unknown>
  : Open<S, Record<string, never>>

type Required<S> = S extends { readonly required: readonly (infer Name)[] } ? Name : never

type Open<S, Closed> = S extends { readonly additionalProperties: infer More }
  ? More extends false
    ? Closed
    : Record<string, Json<More>>
  : S extends { readonly patternProperties: unknown }
    ? Record<string, unknown>
    : Closed

type Flat<T> = { [K in keyof T]: T[K] }
