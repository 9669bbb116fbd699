import { Ajv2020, type ErrorObject, type Options, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { countNodes } from './bounds.js'
import { closeSchema } from './close.js'
import { fieldErrors, type FieldError } from './field-errors.js'

/** Answers what is wrong with a value, or `undefined`. With coercion it changes the value it is given. */
export type JsonCheck = (value: unknown) => readonly FieldError[] | undefined

// One name for what the ESM and the CommonJS build see of this CommonJS module.
const { default: addFormats } = formats as unknown as { readonly default: (ajv: Ajv2020) => Ajv2020 }

const OPTIONS: Options = {
  strict: true,
  strictTypes: false,
  strictRequired: false,
  // `required: ['toString']` must not be met by what every object inherits.
  ownProperties: true,
  // Ajv's own warnings would go to the console of the service.
  logger: false,
}

// Finding every fault of a huge body costs as much as the attacker wants; of a small one, nothing.
const MAX_NODES_FOR_ALL_ERRORS = 500

const instances = new Map<string, Ajv2020>()

/** Compiles a JSON Schema (draft 2020-12), closed, once. Throws where Ajv does. */
export function compileJsonSchema(schema: unknown, coerce: boolean): JsonCheck {
  const closed = closeSchema(schema) as object | boolean
  const first = compile(closed, { coerceTypes: coerce })
  const all = compile(closed, { coerceTypes: coerce, allErrors: true })

  return function checkJson(value) {
    if (first(value)) return undefined
    const found = first.errors ?? []
    if (countNodes(value, MAX_NODES_FOR_ALL_ERRORS) > MAX_NODES_FOR_ALL_ERRORS) return fieldErrors(found)
    all(value)
    return fieldErrors(unique([...(all.errors ?? []), ...found]))
  }
}

function compile(schema: object | boolean, options: Options): ValidateFunction {
  return instanceFor(schema, options).compile(schema)
}

/** One instance serves all schemas without an `$id`; making one costs more than most schemas do. */
function instanceFor(schema: object | boolean, options: Options): Ajv2020 {
  const name = JSON.stringify(options)
  const shared = instances.get(name)
  const hasId = typeof schema === 'object' && '$id' in schema
  if (shared !== undefined && !hasId) return shared
  const instance = addFormats(new Ajv2020({ ...OPTIONS, ...options }))
  if (!hasId) instances.set(name, instance)
  return instance
}

function unique(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const seen = new Map(
    errors.map((error) => [
      `${error.instancePath} ${error.schemaPath} ${JSON.stringify(error.params)}`,
      error,
    ]),
  )
  return [...seen.values()]
}
