import { routerOf } from '../../core/router.js'

/** Names of the parameters for which a router has callbacks (`router.param`). */
export function paramsOf(holder: object): readonly string[] {
  return parametersOf(holder).map(([name]) => name)
}

/** All of these callbacks. */
export function callbacksOf(holder: object): readonly unknown[] {
  return parametersOf(holder).flatMap(([, callbacks]) => callbacks)
}

/** The names of parameters that have callbacks, with these. */
function parametersOf(holder: object): readonly (readonly [string, readonly unknown[]])[] {
  const { params } = (routerOf(holder) ?? holder) as { readonly params?: unknown }
  if (typeof params !== 'object' || params === null) return []
  return Object.entries(params).flatMap(([name, callbacks]): [string, unknown[]][] =>
    Array.isArray(callbacks) && callbacks.length > 0 ? [[name, callbacks]] : [],
  )
}
