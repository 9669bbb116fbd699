const SCALARS = ['string', 'number', 'integer', 'boolean', 'null']

// Comparing each item with each other: a thousand small objects take tens of milliseconds, ten thousand take seconds.
const MAX_COMPARED_ITEMS = 500

/**
 * Refuses a schema that would let one small body occupy the process: `uniqueItems` over items that are not all scalars of
 * a declared type, without a bound.
 */
export function refuseCostly(schema: unknown): void {
  if (typeof schema !== 'object' || schema === null) return
  const { uniqueItems, maxItems, items } = schema as Readonly<Record<string, unknown>>
  if (uniqueItems === true && !isScalar(items) && !(Number(maxItems) <= MAX_COMPARED_ITEMS)) {
    throw new Error(
      `uniqueItems needs items of a declared scalar type, or a maxItems of at most ${MAX_COMPARED_ITEMS}`,
    )
  }
  Object.values(schema).forEach(refuseCostly)
}

function isScalar(items: unknown): boolean {
  const types = [(items as { type?: unknown } | null | undefined)?.type].flat()
  return types.every((type) => SCALARS.includes(type as string))
}
