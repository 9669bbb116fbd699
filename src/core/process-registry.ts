/**
 * A map that is one per process, also where an ESM and a CommonJS copy of this library are both loaded: key sets
 * (one fetch for one address) and limiters (one count for one name) live in such maps.
 */
export function processRegistry<T>(name: string): Map<string, T> {
  const key = Symbol.for(`express-bulwark.${name}.v1`)
  const holder = globalThis as { [key: symbol]: Map<string, T> | undefined }
  let registry = holder[key]
  if (registry === undefined) {
    registry = new Map<string, T>()
    Object.defineProperty(globalThis, key, { value: registry })
  }
  return registry
}

/** What a registry holds under a key, made where nobody in this process has made it yet. */
export function processValue<T>(registryName: string, key: string, make: () => T): T {
  const registry = processRegistry<T>(registryName)
  const known = registry.get(key)
  if (known !== undefined) return known
  const made = make()
  registry.set(key, made)
  return made
}
