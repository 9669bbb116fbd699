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
  const [first, ...causes] = chain(thrown).map((error) => describe(error, messages))
  return { ...first, ...(causes.length === 0 ? {} : { causes }) }
}

function describe(error: unknown, messages: boolean): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { type: error === null ? 'null' : typeof error }
  const { code } = error as { code?: unknown }
  return {
    type: typeof error.name === 'string' ? neutralise(error.name, 64) : 'Error',
    ...(typeof code === 'string' ? { code: neutralise(code, 64) } : {}),
    ...(messages ? { message: neutralise(error.message, 512) } : {}),
    stack_trace: frames(error.stack),
  }
}

/** The lines that say where; the first lines repeat the message, which may itself look like a frame. */
function frames(stack: unknown): string {
  if (typeof stack !== 'string') return ''
  const lines = stack.split('\n').filter((line) => /^ {4}at .*(?:[:(]\d+|<anonymous>|native)\)?$/.test(line))
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
    error = error instanceof Error ? error.cause : undefined
  }
  return errors
}
