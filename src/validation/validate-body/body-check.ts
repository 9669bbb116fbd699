import { isStandardSchema, type StandardResult, type StandardSchema } from '../../core/standard-schema.js'
import { compileJsonSchema, type JsonCheck } from './compile.js'
import { issueErrors, namesIn, type Checked, type Names } from './field-errors.js'
import { outline } from './outline.js'

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
  const check = compileJsonSchema(schema, namesIn(schema), { coerceTypes: coerce })
  return {
    unknownFields: 'refused',
    check: coerce ? (body) => check(structuredClone(body)) : check,
  }
}

/**
 * A Standard Schema on its own cannot refuse unknown fields: `z.object({ sku })` accepts more and drops it in its
 * output. Where it can say itself as JSON Schema, the outline of that is checked first, closed; in any case its output,
 * a new value, becomes the body.
 */
function standardCheck(schema: StandardSchema): BodyCheck {
  const closed = closedCheckOf(schema)
  return {
    unknownFields: closed === undefined ? 'strips-unknown' : 'refused',
    check: (body) => {
      const checked = closed?.check(body)
      if (checked?.errors !== undefined) return checked
      const result = schema['~standard'].validate(body)
      const settle = (settled: StandardResult<unknown>): Checked => checkedOf(settled, body, closed?.names)
      return 'then' in result ? Promise.resolve(result).then(settle) : settle(result)
    },
  }
}

function checkedOf(result: StandardResult<unknown>, body: unknown, names: Names | undefined): Checked {
  if (result.issues !== undefined) return { errors: issueErrors(result, body, names) }
  // Neither a value nor issues: whatever made this, it was no validation.
  if (!('value' in result)) throw new TypeError('the schema returned no result')
  return { value: result.value }
}

interface JsonSchemaSource {
  readonly input: (options: { readonly target: string }) => unknown
}

/** The Standard JSON Schema extension (StandardJSONSchemaV1). Some types have no JSON Schema: then there is no check. */
function closedCheckOf(
  schema: StandardSchema,
): { readonly check: JsonCheck; readonly names: Names } | undefined {
  const { jsonSchema } = schema['~standard'] as { readonly jsonSchema?: JsonSchemaSource }
  if (jsonSchema === undefined) return undefined
  let described: unknown
  try {
    described = jsonSchema.input({ target: 'draft-2020-12' })
  } catch {
    return undefined
  }
  const names = namesIn(described)
  return {
    names,
    check: compileJsonSchema(outline(described), names, { strict: false, unicodeRegExp: false }),
  }
}
