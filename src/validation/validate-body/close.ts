import { each, isObject, type Schema, type Treatment } from './schema.js'

// Keywords that speak of the same value: a field that one of them knows is known.
const COMPOSING = [
  '$ref',
  '$dynamicRef',
  'allOf',
  'anyOf',
  'oneOf',
  'if',
  'then',
  'else',
  'dependentSchemas',
  'dependencies',
]

// Keywords that only make sense where objects are meant; `type` does where it can be an object at all.
const OF_OBJECTS = [
  'type',
  'properties',
  'patternProperties',
  'required',
  'minProperties',
  'maxProperties',
  'propertyNames',
  'dependentRequired',
]

// How each keyword's schemas are treated. `not`, `if`, `contains` and `propertyNames` are absent: they ask a question
// about a value, and a closed question would be answered differently.
const KEYWORDS: Readonly<Record<string, Treatment>> = {
  properties: each(closeSchema),
  patternProperties: each(closeSchema),
  additionalProperties: closeSchema,
  unevaluatedProperties: closeSchema,
  items: closeSchema,
  prefixItems: each(closeSchema),
  unevaluatedItems: closeSchema,
  allOf: each(innerClosed),
  anyOf: each(innerClosed),
  oneOf: each(innerClosed),
  then: innerClosed,
  else: innerClosed,
  dependentSchemas: each(innerClosed),
  // Of older drafts; Ajv still knows it.
  dependencies: each(innerClosed),
  $defs: each(innerClosed),
  definitions: each(innerClosed),
}

/**
 * Closes a JSON Schema: an object with a field that no part of its schema names is refused.
 *
 * A schema that says itself what becomes of other fields (`additionalProperties`, `unevaluatedProperties`) keeps its
 * word; `additionalProperties: true` opens it. A new schema is returned; the given one is not touched.
 */
export function closeSchema(schema: unknown): unknown {
  if (!isObject(schema)) return schema
  const inner = innerClosed(schema) as Schema
  if (says(schema, 'additionalProperties') || says(schema, 'unevaluatedProperties') || !mayBeObject(schema)) {
    return inner
  }
  const composes = COMPOSING.some((keyword) => says(schema, keyword))
  if (composes) return { ...inner, unevaluatedProperties: false }
  return describesObject(schema) ? { ...inner, additionalProperties: false } : inner
}

/** Closes what lies inside, and leaves the schema itself open: others may speak of the same value. */
function innerClosed(schema: unknown): unknown {
  if (!isObject(schema)) return schema
  const keywords = Object.keys(schema).filter((keyword) => says(schema, keyword))
  const entries = keywords.map((keyword): [string, unknown] => {
    const treatment = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined
    return [keyword, treatment === undefined ? schema[keyword] : treatment(schema[keyword])]
  })
  return Object.fromEntries(entries)
}

function mayBeObject({ type }: Schema): boolean {
  return type === undefined || type === 'object' || (Array.isArray(type) && type.includes('object'))
}

function describesObject(schema: Schema): boolean {
  return OF_OBJECTS.some((keyword) => says(schema, keyword))
}

/** `additionalProperties: undefined`, as an option left out makes it, says nothing, to Ajv as to anybody. */
function says(schema: Schema, keyword: string): boolean {
  return schema[keyword] !== undefined
}
