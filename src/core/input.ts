import type { IncomingMessage, ServerResponse } from 'node:http'
import { writableContextOf } from './context.js'
import type { Guard, Next } from './guard.js'

/** A guard that leaves a validated value behind. */
export interface Input<K extends string, V> {
  readonly input: { readonly in: K; readonly '~type'?: V }
}

/** A guard after which `req.body` has the type of its schema. */
export interface BodyGuard<B> extends Input<'body', B> {
  (req: IncomingMessage & { body: B }, res: ServerResponse, next: Next): void
}

/**
 * The value that `guard` accepted on this request, typed from the guard's schema, from any file.
 *
 * Throws a `SecurityProblem` (500, `guard_order`) where that guard did not run, or did not accept.
 */
export function inputOf<V>(req: object, guard: Input<string, V>): V {
  return writableContextOf(req).inputOf(guard) as V
}

/** Gives a guard the type of what it leaves behind. */
export function withInput<K extends string, G extends Guard>(guard: G, location: K): G & Input<K, unknown> {
  return Object.defineProperty(guard, 'input', {
    value: Object.freeze({ in: location }),
    enumerable: true,
  }) as G & Input<K, unknown>
}
