import type { ErrorObject } from 'ajv/dist/2020.js'
import type { StandardFailure } from '../../core/standard-schema.js'

/** One fault of the input, without the input. */
export interface FieldError {
  readonly in: 'body'
  /** JSON Pointer (RFC 6901) to the place. */
  readonly pointer: string
  /** The JSON Schema keyword that was not met, or `invalid`. */
  readonly code: string
}

/** What a check says of a value: the value, changed perhaps, or what is wrong with it. */
export type Checked =
  { readonly value: unknown; readonly errors?: undefined } | { readonly errors: readonly FieldError[] }

/** More faults than these help nobody but an attacker. */
export const MAX_FIELD_ERRORS = 20

const UNKNOWN_FIELD = 'additionalProperties'

/** The faults in `errors`: those that are shown, and one more where there are more. */
export function fieldErrors(
  errors: readonly ErrorObject[],
  body: unknown,
  names: Names,
): readonly FieldError[] {
  return shownOf(errors).map((error) => at(pointerTo(placeOf(error), body, names), codeOf(error)))
}

export function issueErrors(
  { issues }: StandardFailure,
  body: unknown,
  names: Names | undefined,
): readonly FieldError[] {
  return shownOf(issues).map(({ path = [] }) => {
    const place = path.map((step) => String(typeof step === 'object' ? step.key : step))
    return at(pointerTo(place, body, names), 'invalid')
  })
}

export function at(pointer: string, code: string): FieldError {
  return { in: 'body', pointer, code }
}

/** Names that a schema itself uses. A name that is not among them was chosen by the caller. */
export type Names = ReadonlySet<string>

export function namesIn(schema: unknown): Names {
  const names = new Set<string>()

  function visit(part: unknown): void {
    if (typeof part !== 'object' || part === null) return
    for (const [name, inner] of Object.entries(part)) {
      if (!Array.isArray(part)) names.add(name)
      if (name === 'required' && Array.isArray(inner)) inner.forEach((field) => names.add(String(field)))
      visit(inner)
    }
  }

  visit(schema)
  return names
}

function shownOf<T>(errors: readonly T[]): readonly T[] {
  return errors.slice(0, MAX_FIELD_ERRORS + 1)
}

function placeOf({ keyword, instancePath, params }: ErrorObject): readonly string[] {
  const place = instancePath.split('/').slice(1).map(unescaped)
  const { missingProperty } = params as { missingProperty?: unknown }
  return keyword === 'required' && typeof missingProperty === 'string' ? [...place, missingProperty] : place
}

/** An unknown field is told by its parent: its name is something the caller submitted. */
function codeOf({ keyword }: ErrorObject): string {
  return keyword === 'unevaluatedProperties' ? UNKNOWN_FIELD : keyword
}

/** Names of fields in maps come from the caller too: they stand as `*`. */
function pointerTo(place: readonly string[], body: unknown, names: Names | undefined): string {
  let value = body
  return place
    .map((name) => {
      const isIndex = Array.isArray(value) && /^\d+$/.test(name)
      value = (value as Record<string, unknown> | null | undefined)?.[name]
      return `/${isIndex || isShown(name, names) ? escaped(name) : '*'}`
    })
    .join('')
}

/** Where a schema does not tell its names, short and harmless ones are shown. */
function isShown(name: string, names: Names | undefined): boolean {
  return names === undefined ? /^[\w.~/$@-]{0,64}$/.test(name) : names.has(name)
}

function escaped(name: string): string {
  return name.replace(/~/g, '~0').replace(/\//g, '~1')
}

function unescaped(name: string): string {
  return name.replace(/~1/g, '/').replace(/~0/g, '~')
}
