import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { compileJsonSchema } from '../../src/validation/validate-body/compile.js'
import { describeWith, vectors } from '../support/requirements.js'

interface Group {
  readonly name: string
  readonly description: string
  readonly schema: object | boolean
  readonly tests: readonly { readonly description: string; readonly data: unknown; readonly valid: boolean }[]
}

const plainAjv = (): Ajv2020 =>
  new Ajv2020({ strict: false, validateFormats: false, ownProperties: true, logger: false })
const sharedAjv = plainAjv()

/** What became of one value: `broken` where validation itself gave up, which a guard answers with 500. */
type Answer = 'valid' | 'unknown field' | 'refused' | 'broken'
type Check = (data: unknown) => Answer

// Where Ajv itself answers otherwise than the suite; closing changes nothing about these.
const AJV_ACCEPTS = [
  // $dynamicRef is resolved without the dynamic scope.
  'dynamicRef: multiple dynamic paths to the $dynamicRef keyword / number list with string values',
  'dynamicRef: $dynamicRef points to a boolean schema / follow $dynamicRef to a false schema',
  // Items count as evaluated by `contains` whether they match it or not.
  'unevaluatedItems: unevaluatedItems depends on adjacent contains / contains passes, second item is not evaluated',
  'unevaluatedItems: unevaluatedItems depends on multiple nested contains / 7 not evaluated, fails unevaluatedItems',
  "unevaluatedItems: unevaluatedItems and contains interact to control item dependency relationship / only b's are invalid",
  "unevaluatedItems: unevaluatedItems and contains interact to control item dependency relationship / only c's are invalid",
  "unevaluatedItems: unevaluatedItems and contains interact to control item dependency relationship / only b's and c's are invalid",
  "unevaluatedItems: unevaluatedItems and contains interact to control item dependency relationship / only a's and c's are invalid",
  // `prefixItems` of one branch is taken for `items` of another.
  'unevaluatedItems: unevaluatedItems with nested items / with invalid additional item',
  // Fields that a failed `if` names count as known where there is an `else` and no `then`.
  'unevaluatedProperties: unevaluatedProperties with if/then/else, then not defined / when if is false and has unevaluated properties',
]

const suite = vectors()

describeWith(suite, 'the JSON Schema test suite (draft 2020-12), closed', () => {
  const folder = join(suite.folder, 'json-schema-test-suite')
  const cases = readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .flatMap((file) => {
      const groups = JSON.parse(readFileSync(join(folder, file), 'utf8')) as readonly Group[]
      // Without a bound, `uniqueItems` is refused at set-up on purpose.
      const bounded = groups.filter(({ schema }) => !JSON.stringify(schema).includes('"uniqueItems":true'))
      return bounded.map((group) => ({ ...group, name: `${file.slice(0, -5)}: ${group.description}` }))
    })
    .flatMap(({ name, schema, tests }) => {
      const closed = closedCheck(schema)
      const plain = plainCheck(schema)
      return tests.map(({ description, data, valid }) => ({
        name: `${name} / ${description}`,
        valid,
        compiles: closed !== undefined,
        plainCompiles: plain !== undefined,
        closed: closed?.(data),
        plain: plain?.(data),
      }))
    })

  it('runs more than 1100 of its tests, and refuses a schema at set-up only where Ajv does', () => {
    expect(cases.filter(({ compiles }) => compiles).length).toBeGreaterThan(1100)
    expect(cases.filter(({ compiles, plainCompiles }) => !compiles && plainCompiles)).toEqual([])
  })

  it('accepts nothing that the same schema refuses when it is left open', () => {
    expect(cases.filter(({ closed, plain }) => closed === 'valid' && plain !== 'valid')).toEqual([])
  })

  it('accepts nothing that the suite refuses, except where Ajv does', () => {
    const accepted = cases.filter(({ closed, valid }) => closed === 'valid' && !valid)
    expect(accepted.map(({ name }) => name).toSorted()).toEqual(AJV_ACCEPTS.toSorted())
  })

  it('refuses more than the open schema only because of unknown fields', () => {
    const refused = cases.filter(({ closed, plain }) => plain === 'valid' && closed !== 'valid')
    expect(refused.length).toBeGreaterThan(20)
    expect(refused.filter(({ closed }) => closed !== 'unknown field')).toEqual([])
  })
})

function closedCheck(schema: object | boolean): Check | undefined {
  try {
    const check = compileJsonSchema(schema, new Set(), { strict: false, validateFormats: false })
    return guarded((data) => {
      const { errors } = check(data)
      if (errors === undefined) return 'valid'
      return errors.some(({ code }) => code === 'additionalProperties') ? 'unknown field' : 'refused'
    })
  } catch {
    return undefined
  }
}

function plainCheck(schema: object | boolean): Check | undefined {
  try {
    const ajv = JSON.stringify(schema).includes('"$id"') ? plainAjv() : sharedAjv
    const validate = ajv.compile(schema)
    return guarded((data) => (validate(data) ? 'valid' : 'refused'))
  } catch {
    return undefined
  }
}

function guarded(check: Check): Check {
  return (data) => {
    try {
      return check(data)
    } catch {
      return 'broken'
    }
  }
}
