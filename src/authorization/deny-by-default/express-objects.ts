import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Next } from '../../core/guard.js'
import type { RouterLayer } from '../../core/router.js'

export type Handle = (req: IncomingMessage, res: ServerResponse, next: Next) => unknown
export type HandleError = (error: unknown, req: IncomingMessage, res: ServerResponse, next: Next) => unknown
export type Parameter = (req: IncomingMessage, ...rest: unknown[]) => unknown

/** A layer's ways to its handler: in Express 5, and with underscores in Express 4. */
export type OpenLayer = RouterLayer & {
  handleRequest?: Handle
  handle_request?: Handle
  handleError?: HandleError
  handle_error?: HandleError
}

export interface OpenRouter {
  handle?: Handle
  use?: (...given: unknown[]) => unknown
  params?: Record<string, Parameter[] | undefined>
}

export type OpenApplication = object & { use: (...given: unknown[]) => unknown; handle: Handle }

/** By assignment: where a tracing tool has put a wrapper in its place, the wrapper's setter hands it on to the real one. */
export function own(object: object, name: string, value: unknown): void {
  ;(object as Record<string, unknown>)[name] = value
}

/** What one call of `use` mounts. */
export function functionsIn(given: readonly unknown[]): readonly unknown[] {
  return given.flat(Infinity).filter((item) => typeof item === 'function')
}
