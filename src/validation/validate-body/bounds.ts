/** What is wrong with the shape of a parsed body, before any schema sees it. */
export type BoundsFault = 'too_deep' | 'too_many' | 'forbidden_name'

export interface Bounds {
  readonly maxDepth: number
  readonly maxNodes: number
}

/**
 * Walks a parsed body once: depth, number of values, and the fields that would change the prototype of whatever they
 * are merged into: `__proto__`, and `prototype` in `constructor`.
 */
export function boundsFault(body: unknown, { maxDepth, maxNodes }: Bounds): BoundsFault | undefined {
  let nodes = 0

  function visit(value: unknown, depth: number): BoundsFault | undefined {
    nodes += 1
    if (nodes > maxNodes) return 'too_many'
    if (typeof value !== 'object' || value === null) return undefined
    if (depth > maxDepth) return 'too_deep'
    if (Array.isArray(value)) {
      for (const item of value as unknown[]) {
        const fault = visit(item, depth + 1)
        if (fault !== undefined) return fault
      }
      return undefined
    }
    for (const name of Object.keys(value)) {
      const inner = (value as Record<string, unknown>)[name]
      if (name === '__proto__' || (name === 'constructor' && hasPrototype(inner))) return 'forbidden_name'
      const fault = visit(inner, depth + 1)
      if (fault !== undefined) return fault
    }
    return undefined
  }

  return visit(body, 1)
}

function hasPrototype(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')
}

/** How many values a body has, counted no further than `limit`. The body is known to be of bounded depth. */
export function countNodes(value: unknown, limit: number): number {
  if (typeof value !== 'object' || value === null) return 1
  let nodes = 1
  for (const item of Object.values(value)) {
    nodes += countNodes(item, limit - nodes)
    if (nodes > limit) return nodes
  }
  return nodes
}
