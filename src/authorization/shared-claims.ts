import type { OptionRule } from '../core/options.js'
import type { Claims } from '../core/principal.js'

export const claimName: OptionRule = {
  says: "a claim's name, or a path of names with dots between them",
  holds: (value) => typeof value === 'string' && /^[^.]+(?:\.[^.]+)*$/.test(value) && value.length <= 256,
}

/**
 * A claim by its own name, dots and all, else by a path of own properties of objects; `undefined` where there is none.
 *
 * What every object inherits is no claim, and an array's `length` is none.
 */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
      return undefined
    value = (value as Claims)[name]
  }
  return value
}
