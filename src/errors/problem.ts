import { STATUS_CODES } from 'node:http'
import { checkOptions, integer, record, required, ruleName, text, type OptionRule } from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'

export interface ProblemOptions {
  /** 400 to 599. */
  readonly status: number
  /** A stable word for programs: `order_closed`. */
  readonly code: string
  /** What happened, for a person. **It is sent**: no cause, no query, no path, nothing of another caller. */
  readonly detail: string
  /** @default the status's own phrase: `Conflict` */
  readonly title?: string
  /** Problem type URI (RFC 9457 section 3.1.1). @default 'about:blank' */
  readonly type?: string
  /** Sent with the answer. */
  readonly headers?: Readonly<Record<string, string>>
  /** Extension members (RFC 9457 section 3.2); they are sent too. */
  readonly members?: Readonly<Record<string, unknown>>
  /** For the log only. */
  readonly cause?: unknown
}

const headers: OptionRule = {
  says: 'an object of header names and values without line breaks',
  holds: (value) =>
    record.holds(value) &&
    Object.entries(value as object).every(
      ([name, content]) =>
        /^[\w!#$%&'*+.^`|~-]+$/.test(name) && typeof content === 'string' && /^[\t\x20-\x7e]*$/.test(content),
    ),
}

/**
 * An error of the application's own that is meant for the caller: `throw problem({ status: 409, code: 'order_closed',
 * detail: 'This order is closed.' })`. Everything else that is thrown is a 500 without a word.
 *
 * Throws a `TypeError`, and so a 500, for anything that could not be sent.
 */
export function problem(options: ProblemOptions): SecurityProblem {
  checkOptions(
    'problem',
    options,
    {
      status: required(integer(400, 599)),
      code: required(ruleName),
      detail: required(text()),
      title: text(),
      type: text(),
      headers,
      members: record,
      cause: { says: 'anything', holds: () => true },
    },
    { message: 'detail', statusCode: 'status' },
  )
  const { title = STATUS_CODES[options.status] ?? 'Error' } = options
  return new SecurityProblem('application_problem', {
    ...options,
    title,
    type: options.type ?? 'about:blank',
    evidence: { code: options.code },
  })
}
