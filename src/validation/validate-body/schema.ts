/** A JSON Schema that is an object. */
export type Schema = Readonly<Record<string, unknown>>

/** What becomes of one part of a schema. */
export type Treatment = (part: unknown) => unknown

export function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Treats each schema in a list, or under a name. */
export function each(treatment: Treatment): Treatment {
  return (schemas) => {
    if (Array.isArray(schemas)) return schemas.map(treatment)
    if (!isObject(schemas)) return schemas
    return Object.fromEntries(Object.keys(schemas).map((name) => [name, treatment(schemas[name])]))
  }
}
