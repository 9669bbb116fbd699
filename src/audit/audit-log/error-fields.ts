import { types } from 'node:util'
import { neutralise } from '../../core/text.js'

const MAX_CAUSES = 5
const MAX_FRAMES = 20

/**
 * What may be said of something that was thrown: its type, its code, where it was thrown, and the same of its causes.
 *
 * Not its message, unless asked for: messages quote bodies, queries and passwords. Not its own properties at all: the
 * body parser keeps the whole body in one.
 */
export function errorFields(thrown: unknown, messages: boolean): Readonly<Record<string, unknown>> {
  const [first, ...causes] = chain(thrown).map((error) => described(error, messages))
  return { ...first, ...(causes.length === 0 ? {} : { causes }) }
}

/** What throws when it is looked at is still evidence that something was thrown. */
function described(error: unknown, messages: boolean): Readonly<Record<string, unknown>> {
  try {
    return describe(error, messages)
  } catch {
    return { type: 'unreadable' }
  }
}

function describe(error: unknown, messages: boolean): Readonly<Record<string, unknown>> {
  if (!isError(error)) return { type: error === null ? 'null' : typeof error }
  const { code } = error as { code?: unknown }
  return {
    type: typeof error.name === 'string' ? neutralise(error.name, 64) : 'Error',
    ...(typeof code === 'string' ? { code: neutralise(code, 64) } : {}),
    ...(messages ? { message: neutralise(error.message, 512) } : {}),
    stack_trace: frames(error.stack, error.message),
  }
}

/** The lines that say where, without the message before them, which may itself have lines that look like these. */
function frames(stack: unknown, message: unknown): string {
  if (typeof stack !== 'string') return ''
  const header = typeof message === 'string' ? message : ''
  const start = stack.indexOf(header)
  // A stack that does not begin as V8 makes it was put there by somebody.
  if (start === -1) return ''
  const trace = stack.slice(start + header.length)
  const lines = trace.split('\n').filter((line) => /^ {4}at .*(?:[:(]\d+|<anonymous>|native)\)?$/.test(line))
  return lines
    .slice(0, MAX_FRAMES)
    .map((line) => neutralise(line.trim(), 300))
    .join('\n')
}

function chain(thrown: unknown): readonly unknown[] {
  const errors: unknown[] = []
  let error = thrown
  while (error !== undefined && errors.length < MAX_CAUSES && !errors.includes(error)) {
    errors.push(error)
    error = causeOf(error)
  }
  return errors
}

function causeOf(error: unknown): unknown {
  try {
    return isError(error) ? error.cause : undefined
  } catch {
    return undefined
  }
}

// Node's own errors are not of this class where code runs in another context.
function isError(value: unknown): value is Error {
  return types.isNativeError(value) || value instanceof Error
}
