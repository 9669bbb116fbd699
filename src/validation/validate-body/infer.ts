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

// `Empty` is an object of which no field is named: nothing, or in a composition whatever the other parts name.
type Json<S, Empty = Record<string, never>> = S extends boolean
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
          ? Json<Branch, object> & Typed<S, object>
          : S extends { readonly oneOf: readonly (infer Branch)[] }
            ? Json<Branch, object> & Typed<S, object>
            : S extends { readonly allOf: readonly unknown[] }
              ? All<S['allOf']> & Typed<S, object>
              : Typed<S, S extends Conditional ? object : Empty>

type All<Branches extends readonly unknown[]> = Branches extends readonly [infer First, ...infer Rest]
  ? Json<First, object> & All<Rest>
  : unknown

type Conditional =
  | { readonly if: unknown }
  | { readonly then: unknown }
  | { readonly else: unknown }
  | { readonly dependentSchemas: unknown }
  | { readonly $dynamicRef: unknown }

type Typed<S, Empty> = S extends { readonly type: infer Type }
  ? | One<S, Type extends readonly (infer Item)[] ? Item : Type, Empty>
    | (S extends { readonly nullable: true } ? null : never)
  : unknown

// A widened `type: string` says nothing.
type One<S, Type, Empty> = string extends Type
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
              ? Fields<S, Empty>
              : unknown

// Ajv's strict mode takes only tuples of which no item may be missing or follow.
type List<S> = S extends { readonly prefixItems: infer Items extends readonly unknown[] }
  ? { -readonly [K in keyof Items]: Json<Items[K]> }
  : S extends { readonly items: infer Item }
    ? Json<Item>[]
    : unknown[]

type Fields<S, Empty> = S extends { readonly properties: infer Properties }
  ? Flat<
      { -readonly [K in keyof Properties & Required<S>]: Json<Properties[K]> } & {
        -readonly [K in Exclude<keyof Properties, Required<S>>]?: Json<Properties[K]>
      }
    > &
      Others<S, Json<Properties[keyof Properties]>, unknown>
  : Others<S, never, Empty>

// A widened `required: string[]` promises no field.
type Required<S> = S extends { readonly required: readonly (infer Name)[] }
  ? string extends Name
    ? never
    : Name
  : never

/** Fields that are not named. A look-up by any name may also find a named one. */
type Others<S, Named, Closed> = [More<S>] extends [never] ? Closed : Record<string, More<S> | Named>

type More<S> =
  | (S extends { readonly patternProperties: infer Patterns } ? Json<Patterns[keyof Patterns]> : never)
  | (S extends { readonly additionalProperties: infer Additional }
      ? Json<Additional>
      : S extends { readonly unevaluatedProperties: infer Unevaluated }
        ? Json<Unevaluated>
        : never)

type Flat<T> = { [K in keyof T]: T[K] }
