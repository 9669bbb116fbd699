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
export function boundsFault(body: unknown, bounds: Bounds): BoundsFault | undefined {
  return visit(body, 1, bounds, { nodes: 0 })
}

function visit(
  value: unknown,
  depth: number,
  bounds: Bounds,
  count: { nodes: number },
): BoundsFault | undefined {
  count.nodes += 1
  if (count.nodes > bounds.maxNodes) return 'too_many'
  if (typeof value !== 'object' || value === null) return undefined
  if (depth > bounds.maxDepth) return 'too_deep'
  const isList = Array.isArray(value)
  for (const name of Object.keys(value)) {
    const inner = (value as Record<string, unknown>)[name]
    if (!isList && isForbidden(name, inner)) return 'forbidden_name'
    const fault = visit(inner, depth + 1, bounds, count)
    if (fault !== undefined) return fault
  }
  return undefined
}

function isForbidden(name: string, inner: unknown): boolean {
  return name === '__proto__' || (name === 'constructor' && hasPrototype(inner))
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
