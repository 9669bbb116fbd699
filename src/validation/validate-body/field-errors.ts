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

/** More faults than these help nobody but an attacker. */
export const MAX_FIELD_ERRORS = 20

const UNKNOWN_FIELD = 'additionalProperties'

export function fieldErrors(errors: readonly ErrorObject[]): readonly FieldError[] {
  return errors.map((error) => at(pointerOf(error), codeOf(error)))
}

export function issueErrors({ issues }: StandardFailure): readonly FieldError[] {
  return issues.map(({ path = [] }) => {
    const names = path.map((step) => String(typeof step === 'object' ? step.key : step))
    return at(names.map((name) => `/${escaped(name)}`).join(''), 'invalid')
  })
}

export function at(pointer: string, code: string): FieldError {
  return { in: 'body', pointer: shown(pointer), code }
}

function pointerOf({ keyword, instancePath, params }: ErrorObject): string {
  const { missingProperty } = params as { missingProperty?: unknown }
  return keyword === 'required' && typeof missingProperty === 'string'
    ? `${instancePath}/${escaped(missingProperty)}`
    : instancePath
}

/** An unknown field is told by its parent: its name is something the caller submitted. */
function codeOf({ keyword }: ErrorObject): string {
  return keyword === 'unevaluatedProperties' ? UNKNOWN_FIELD : keyword
}

function escaped(name: string): string {
  return name.replace(/~/g, '~0').replace(/\//g, '~1')
}

/** Names of fields in maps come from the caller too: only harmless ones are shown. */
function shown(pointer: string): string {
  return pointer
    .split('/')
    .map((name) => (/^[\w.~$@-]{0,64}$/.test(name) ? name : '*'))
    .join('/')
}
