import { PROBLEMS, REFUSALS, type ProblemFace, type RefusalReason } from './catalogue.js'

// By shape, not by class: an ESM and a CommonJS copy of this library may live in one process.
const BRAND = Symbol.for('express-bulwark.problem.v1')

/** Facts for the audit record only. Never a credential, never a submitted value. */
export type Evidence = Readonly<Record<string, string | number | boolean | readonly string[]>>

/** What a refusal adds to the fixed face of its reason. */
export interface ProblemDetails {
  readonly status?: number
  readonly code?: string
  readonly title?: string
  readonly detail?: string
  readonly type?: string
  /** Sent with the answer. Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>
  /** Extension members of the problem document (RFC 9457 section 3.2). */
  readonly members?: Readonly<Record<string, unknown>>
  /** For the log only. */
  readonly evidence?: Evidence
  /** For the log only. */
  readonly cause?: unknown
}

/**
 * A refusal: what the caller is told (RFC 9457) and, out of reach of any serialiser, why.
 *
 * It also carries http-errors' `status`, `statusCode`, `expose` and `headers`, so that an application's own error
 * handler, or Express's, answers correctly with it. `reason`, `evidence` and `cause` are not enumerable and not part
 * of `toJSON()`.
 *
 * It has no stack trace: a refusal is an answer, not an accident, and capturing one costs more than most checks.
 */
export class SecurityProblem extends Error {
  readonly status: number
  readonly statusCode: number
  readonly expose: boolean
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly type: string
  readonly headers: Readonly<Record<string, string>>
  readonly members: Readonly<Record<string, unknown>>
  readonly #reason: RefusalReason
  readonly #evidence: Evidence | undefined

  constructor(reason: RefusalReason, details: ProblemDetails = {}) {
    const code = REFUSALS[reason]
    const face: ProblemFace = PROBLEMS[code]
    const detail = details.detail ?? face.detail
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(detail)
    Error.stackTraceLimit = stackTraceLimit
    this.status = details.status ?? face.status
    this.statusCode = this.status
    this.expose = this.status < 500
    this.code = details.code ?? code
    this.title = details.title ?? face.title
    this.detail = detail
    this.type = details.type ?? face.type ?? 'about:blank'
    this.headers = details.headers ?? {}
    this.members = details.members ?? {}
    this.#reason = reason
    this.#evidence = details.evidence
    if (details.cause !== undefined) Object.defineProperty(this, 'cause', { value: details.cause })
  }

  get reason(): RefusalReason {
    return this.#reason
  }

  get evidence(): Evidence | undefined {
    return this.#evidence
  }

  /** The problem document (RFC 9457) without the request's id, which only the error handler knows. */
  toJSON(): Record<string, unknown> {
    const { type, title, status, detail, code } = this
    const standard = { type, title, status, detail, code }
    // First because people read from the top; again because no extension member may take the place of one of them.
    return { ...standard, ...this.members, ...standard }
  }
}

Object.defineProperty(SecurityProblem.prototype, 'name', { value: 'SecurityProblem' })
Object.defineProperty(SecurityProblem.prototype, BRAND, { value: true })

/** Whether a value is a problem of this library, whichever copy of it made the value. */
export function isSecurityProblem(value: unknown): value is SecurityProblem {
  try {
    return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true
  } catch {
    // Something that throws when it is looked at.
    return false
  }
}
