import type { IncomingMessage } from 'node:http'
import type { WritableContext } from '../core/context.js'
import type { Mode } from '../core/decision.js'
import { PASSED, defineGuard, type Pass, type Verdict } from '../core/guard.js'
import { withInput, type BodyGuard } from '../core/input.js'
import {
  checkOptions,
  enforceOrReport,
  flag,
  integer,
  listOf,
  ruleName,
  type OptionRule,
} from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'
import { isThenable } from '../core/thenable.js'
import { boundsFault, type Bounds } from './validate-body/bounds.js'
import { bodyCheck, type BodyCheck } from './validate-body/body-check.js'
import { MAX_FIELD_ERRORS, at, type Checked, type FieldError } from './validate-body/field-errors.js'
import type { Infer } from './validate-body/infer.js'
import { hasBody, isMediaType, mediaTypeOf } from './validate-body/media-type.js'

export type { Infer } from './validate-body/infer.js'

export interface ValidateBodyOptions {
  /** Media types that are accepted, without parameters, compared exactly. @default ['application/json'] */
  readonly contentTypes?: readonly string[]
  /** Whether a request without a body is refused. Where it is not, `req.body` may be `undefined`. @default true */
  readonly required?: boolean
  /**
   * Whether Ajv may turn one scalar into another where the schema asks for it (`"5"` into `5`, `null` into `""`). The
   * body is then replaced by a changed copy. Not for Standard Schemas, which have their own ways. @default false
   */
  readonly coerce?: boolean
  /** How deep arrays and objects may be nested, 1 to 200. @default 32 */
  readonly maxDepth?: number
  /** How many values a body may hold in all, 1 to 1000000. @default 10000 */
  readonly maxNodes?: number
  /** The rule's id in audit and metrics. @default the schema's `title` or `$id`, else 'body' */
  readonly name?: string
  /** @default 'enforce' */
  readonly mode?: Mode
}

const NO_BODY: Pass = Object.freeze({ reason: 'no_body' })

const mediaType: OptionRule = {
  says: 'a media type without parameters, in lower case',
  holds: (value) => typeof value === 'string' && value === value.toLowerCase() && isMediaType(value),
}

/**
 * Refuses a body that its schema does not describe; after it, `req.body` has the schema's type.
 *
 * `schema` is a JSON Schema (draft 2020-12; TypeBox makes these) or a Standard Schema (zod, valibot and others),
 * compiled once. Fields that the schema does not name are refused, unless it opens itself with
 * `additionalProperties`. Whether there is a body, and of what type, is decided from the headers: a body that no
 * parser has read is 415, none is 400, a wrong type is 415, a faulty one is 400 with at most 20 JSON Pointers (RFC
 * 6901) and never a submitted value. The parsed body is not changed; with `coerce`, and with a Standard Schema,
 * `req.body` is replaced by a new value.
 *
 * A body parser must come first: `express.json()`.
 *
 * **Not checked:** how large the body was before it was parsed (that is the parser's `limit`), names that stand twice
 * in one object (the last one wins, as in every JSON parser of the platform), and what the values mean.
 *
 * Throws a `TypeError` for a schema that cannot be compiled and for impossible options.
 */
export function validateBody<const S extends object | boolean, const O extends ValidateBodyOptions = object>(
  schema: S,
  options?: O,
): BodyGuard<O extends { readonly required: false } ? Infer<S> | undefined : Infer<S>> {
  const given: ValidateBodyOptions = options ?? {}
  checkOptions(
    'validateBody',
    given,
    {
      contentTypes: listOf(mediaType),
      required: flag,
      coerce: flag,
      maxDepth: integer(1, 200),
      maxNodes: integer(1, 1_000_000),
      name: ruleName,
      mode: enforceOrReport,
    },
    { coerceTypes: 'coerce', contentType: 'contentTypes', types: 'contentTypes' },
  )
  const {
    contentTypes = ['application/json'],
    required = true,
    coerce = false,
    maxDepth = 32,
    maxNodes = 10_000,
    mode = 'enforce',
  } = given
  const accepted = [...contentTypes]
  const { check, unknownFields } = compiled(schema, coerce)
  const bounds: Bounds = { maxDepth, maxNodes }

  const guard = defineGuard({
    kind: 'validateBody',
    layer: 'validation',
    name: given.name ?? nameOf(schema),
    mode,
    facts: { contentTypes: accepted, required, unknownFields },
    check: checkRequest,
  })

  function checkRequest(
    req: IncomingMessage & { body?: unknown },
    context: WritableContext,
  ): Verdict | Promise<Verdict> {
    if (!hasBody(req)) return withoutBody(req, context)
    if (!isAccepted(req)) return unsupported(req, 'media_type_unsupported')
    if (!isParsed(req)) return unsupported(req, 'body_unparsed')
    const fault = boundsFault(req.body, bounds)
    if (fault === 'forbidden_name') return mismatch([at('', fault)])
    if (fault !== undefined)
      return new SecurityProblem('body_too_deep', { evidence: { fault, maxDepth, maxNodes } })
    const checked = check(req.body)
    if (!isThenable(checked)) return settle(req, context, checked)
    return Promise.resolve(checked).then((value) => settle(req, context, value))
  }

  /** As it stands in most requests; else with its parameters and its spelling taken off. */
  function isAccepted(req: IncomingMessage): boolean {
    return accepted.includes(req.headers['content-type'] ?? '') || accepted.includes(mediaTypeOf(req) ?? '')
  }

  function withoutBody(req: { body?: unknown }, context: WritableContext): Verdict {
    if (required) return new SecurityProblem('body_missing', { members: { errors: [at('', 'required')] } })
    // Express 4 leaves `{}` where there was nothing.
    replaceBody(req, undefined)
    context.setInput(guard, undefined)
    return NO_BODY
  }

  function settle(req: { body?: unknown }, context: WritableContext, checked: Checked): Verdict {
    if (checked.errors !== undefined) return mismatch(checked.errors)
    if (checked.value !== req.body) replaceBody(req, checked.value)
    context.setInput(guard, checked.value)
    return PASSED
  }

  /** A rule that is only being tried out leaves the body as it is, for callers that live by it. */
  function replaceBody(req: { body?: unknown }, value: unknown): void {
    if (mode === 'enforce') req.body = value
  }

  function unsupported(
    req: IncomingMessage,
    reason: 'media_type_unsupported' | 'body_unparsed',
  ): SecurityProblem {
    const field = req.method === 'PATCH' ? 'accept-patch' : 'accept-post'
    const remedy =
      'no parser read this body: mount express.json(), with its "type" if need be, before validateBody()'
    return new SecurityProblem(reason, {
      headers: { [field]: accepted.join(', ') },
      evidence: reason === 'body_unparsed' ? { remedy } : { accepted },
    })
  }

  return withInput(guard, 'body') as unknown as ReturnType<typeof validateBody<S, O>>
}

function mismatch(errors: readonly FieldError[]): SecurityProblem {
  const shown = errors.slice(0, MAX_FIELD_ERRORS)
  const truncated = errors.length > shown.length ? { truncated: true } : {}
  return new SecurityProblem('schema_mismatch', {
    members: { errors: shown, ...truncated },
    evidence: {
      faults: shown.map(({ pointer, code }) => `${pointer === '' ? 'the body' : pointer} ${code}`),
    },
  })
}

function compiled(schema: object | boolean, coerce: boolean): BodyCheck {
  try {
    return bodyCheck(schema, coerce)
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new TypeError(
      `validateBody: schema must be a JSON Schema (draft 2020-12) or a Standard Schema: ${detail}`,
      { cause },
    )
  }
}

function nameOf(schema: object | boolean): string {
  const { title, $id } = schema as { title?: unknown; $id?: unknown }
  const named = [title, $id].find((text) => ruleName.holds(text))
  return typeof named === 'string' ? named : 'body'
}

/**
 * Express 4's `express.json()` leaves an empty object behind where it did not read the body. Where it did, it sets
 * `_body`; Express 5's sets nothing, but has read the request to its end.
 */
function isParsed(req: IncomingMessage & { readonly body?: unknown; readonly _body?: unknown }): boolean {
  const { body } = req
  if (body === undefined) return false
  if (req._body === true || req.readableEnded || typeof body !== 'object' || body === null) return true
  return Object.getPrototypeOf(body) !== Object.prototype || Object.keys(body).length > 0
}
