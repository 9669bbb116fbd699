import { isStandardSchema, type StandardResult, type StandardSchema } from '../../core/standard-schema.js'
import { compileJsonSchema, type JsonCheck } from './compile.js'
import { issueErrors, type FieldError } from './field-errors.js'

export type Checked =
  { readonly value: unknown; readonly errors?: undefined } | { readonly errors: readonly FieldError[] }

/** A schema turned into one function, whatever kind of schema it was. */
export interface BodyCheck {
  readonly check: (body: unknown) => Checked | Promise<Checked>
  /** What becomes of fields that the schema does not name. For the posture report. */
  readonly unknownFields: 'refused' | 'strips-unknown'
}

/** Compiles a schema once. Throws where it is none. */
export function bodyCheck(schema: object | boolean, coerce: boolean): BodyCheck {
  if (isStandardSchema(schema)) {
    if (coerce) throw new Error('coerce is for JSON Schemas; this schema has its own')
    return standardCheck(schema)
  }
  const find = compileJsonSchema(schema, coerce)
  return {
    unknownFields: 'refused',
    check: (body) => {
      const value = coerce ? structuredClone(body) : body
      const errors = find(value)
      return errors === undefined ? { value } : { errors }
    },
  }
}

/**
 * A Standard Schema on its own cannot refuse unknown fields: `z.object({ sku })` accepts more and drops it in its
 * output. Where it can say itself as JSON Schema, that is checked first, closed; in any case its output, a new value,
 * becomes the body.
 */
function standardCheck(schema: StandardSchema): BodyCheck {
  const find = closedCheckOf(schema)
  return {
    unknownFields: find === undefined ? 'strips-unknown' : 'refused',
    check: (body) => {
      const errors = find?.(body)
      if (errors !== undefined) return { errors }
      const result = schema['~standard'].validate(body)
      return result instanceof Promise ? result.then(checkedOf) : checkedOf(result)
    },
  }
}

function checkedOf(result: StandardResult<unknown>): Checked {
  return result.issues === undefined ? { value: result.value } : { errors: issueErrors(result) }
}

interface JsonSchemaSource {
  readonly input: (options: { readonly target: string }) => unknown
}

/** The Standard JSON Schema extension (StandardJSONSchemaV1). Some types have no JSON Schema: then there is no check. */
function closedCheckOf(schema: StandardSchema): JsonCheck | undefined {
  const { jsonSchema } = schema['~standard'] as { readonly jsonSchema?: JsonSchemaSource }
  if (jsonSchema === undefined) return undefined
  let described: unknown
  try {
    described = jsonSchema.input({ target: 'draft-2020-12' })
  } catch {
    return undefined
  }
  return compileJsonSchema(described, false)
}
