import { each, isObject, type Treatment } from './schema.js'

const SCALARS = ['string', 'number', 'boolean', 'null']

const KEPT: Readonly<Record<string, Treatment>> = {
  ...asItIs('$id', '$anchor', '$dynamicAnchor', '$ref', '$dynamicRef', 'const', 'enum', 'required'),
  ...eachOf('properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions'),
  ...eachOf('allOf', 'anyOf', 'prefixItems'),
  additionalProperties: outline,
  unevaluatedProperties: outline,
  items: outline,
  unevaluatedItems: outline,
  type: blurred,
}

/**
 * What a JSON Schema says of the shape of objects and arrays, and nothing of the scalars in them.
 *
 * For the JSON Schema that a Standard Schema makes of itself: it tells which fields are known, but its scalars need not
 * be what is accepted. `z.coerce.number()` says `number` and takes `"5"`, `/a/i` loses its flag, and `nanoid` is no
 * format that others know. The schema's own validation judges those.
 */
export function outline(schema: unknown): unknown {
  if (!isObject(schema)) return schema
  const kept = Object.keys(schema)
    .filter((keyword) => Object.hasOwn(KEPT, keyword))
    .map((keyword): [string, unknown] => [keyword, (KEPT[keyword] as Treatment)(schema[keyword])])
  const outlined = Object.fromEntries(kept)
  if (!Array.isArray(schema['oneOf'])) return outlined
  // Branches that differ in their scalars only look the same here.
  const { allOf = [] } = outlined as { allOf?: readonly unknown[] }
  return { ...outlined, allOf: [...allOf, { anyOf: schema['oneOf'].map(outline) }] }
}

function blurred(type: unknown): unknown {
  const structures = [type].flat().filter((name) => name === 'object' || name === 'array')
  return structures.length === [type].flat().length ? type : [...structures, ...SCALARS]
}

function asItIs(...keywords: readonly string[]): Record<string, Treatment> {
  return Object.fromEntries(keywords.map((keyword) => [keyword, (part: unknown) => part]))
}

function eachOf(...keywords: readonly string[]): Record<string, Treatment> {
  return Object.fromEntries(keywords.map((keyword) => [keyword, each(outline)]))
}
