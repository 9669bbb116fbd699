import { Ajv2020, type ErrorObject, type Options, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { countNodes } from './bounds.js'
import { closeSchema } from './close.js'
import { refuseCostly } from './lint.js'
import { fieldErrors, type Checked, type Names } from './field-errors.js'

/** Checks a value. With coercion it changes the value it is given. */
export type JsonCheck = (value: unknown) => Checked

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

// A closed part may match less than the open one, and these ask for something not to match.
const NEGATING = /"(?:not|if|oneOf|contains)":/

const instances = new Map<string, Ajv2020>()

/**
 * Compiles a JSON Schema (draft 2020-12), closed, once. Throws where Ajv does.
 *
 * Where closing could make the schema accept something that it refused, it is compiled as it was given too, and a value
 * must pass both: closing only ever refuses more. `names` are the field names that may be shown.
 */
export function compileJsonSchema(schema: unknown, names: Names, options: Options): JsonCheck {
  refuseCostly(schema)
  const schemas = [closeSchema(schema), ...(NEGATING.test(JSON.stringify(schema)) ? [schema] : [])]
  const checks = schemas.map((each) => ({
    first: compile(each as object | boolean, options),
    all: compile(each as object | boolean, { ...options, allErrors: true }),
  }))

  return function checkJson(value) {
    // Coercion of the value itself, as of any field, is written to where it stands.
    const holder = { value }
    for (const { first, all } of checks) {
      if (options.coerceTypes === true ? run(first, holder) : first(value)) continue
      const found = first.errors ?? []
      if (countNodes(value, MAX_NODES_FOR_ALL_ERRORS) > MAX_NODES_FOR_ALL_ERRORS)
        return { errors: fieldErrors(found, value, names) }
      run(all, holder)
      return { errors: fieldErrors(unique([...(all.errors ?? []), ...found]), value, names) }
    }
    return holder
  }
}

function run(validate: ValidateFunction, holder: { readonly value: unknown }): boolean {
  return validate(holder.value, {
    instancePath: '',
    parentData: holder,
    parentDataProperty: 'value',
    rootData: holder.value as Record<string, unknown>,
    dynamicAnchors: {},
  })
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
  // Ajv resolves `$anchor`, and yet does not know it in strict mode.
  instance.addVocabulary(['$anchor'])
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
