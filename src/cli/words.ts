import { neutralise } from '../core/text.js'

export function quoted(text: string): string {
  return `"${neutralise(text, 200)}"`
}

/** What was thrown, on one line. */
export function described(cause: unknown): string {
  if (cause instanceof Error) {
    const [first = ''] = cause.message.split('\n', 1)
    return `${neutralise(cause.name, 60)}: ${neutralise(first, 500)}`
  }
  return typeof cause === 'string' ? quoted(cause) : 'something that is no Error'
}
