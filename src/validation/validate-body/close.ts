type Schema = Readonly<Record<string, unknown>>

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

type Treatment = (schema: unknown) => unknown

// How each keyword's schemas are treated. `not`, `if`, `contains` and `propertyNames` are absent: they ask a question
// about a value, and a closed question would be answered differently.
const KEYWORDS: Readonly<Record<string, Treatment>> = {
  properties: each(closed),
  patternProperties: each(closed),
  additionalProperties: closed,
  unevaluatedProperties: closed,
  items: closed,
  prefixItems: each(closed),
  unevaluatedItems: closed,
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
  return closed(schema)
}

function closed(schema: unknown): unknown {
  if (!isObject(schema)) return schema
  const inner = innerClosed(schema) as Schema
  if ('additionalProperties' in schema || 'unevaluatedProperties' in schema || !mayBeObject(schema))
    return inner
  const composes = COMPOSING.some((keyword) => keyword in schema)
  if (composes) return { ...inner, unevaluatedProperties: false }
  return describesObject(schema) ? { ...inner, additionalProperties: false } : inner
}

/** Closes what lies inside, and leaves the schema itself open: others may speak of the same value. */
function innerClosed(schema: unknown): unknown {
  if (!isObject(schema)) return schema
  const entries = Object.keys(schema).map((keyword): [string, unknown] => {
    const treatment = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined
    return [keyword, treatment === undefined ? schema[keyword] : treatment(schema[keyword])]
  })
  return Object.fromEntries(entries)
}

function each(treatment: Treatment): Treatment {
  return (schemas) => {
    if (Array.isArray(schemas)) return schemas.map(treatment)
    if (!isObject(schemas)) return schemas
    return Object.fromEntries(Object.keys(schemas).map((name) => [name, treatment(schemas[name])]))
  }
}

function mayBeObject({ type }: Schema): boolean {
  return type === undefined || type === 'object' || (Array.isArray(type) && type.includes('object'))
}

function describesObject(schema: Schema): boolean {
  return (
    schema['type'] !== undefined ||
    ['properties', 'patternProperties', 'required'].some((name) => name in schema)
  )
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
