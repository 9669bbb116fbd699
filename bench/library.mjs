// The library under test: the package, or, to try a build of your own, the entry file that BENCH_LIBRARY names.
import { pathToFileURL } from 'node:url'

const { BENCH_LIBRARY } = process.env

export const library = await import(
  BENCH_LIBRARY === undefined ? 'express-bulwark' : pathToFileURL(BENCH_LIBRARY).href
)

/** A module that the package does not export, of the same build. */
export function internal(path) {
  const entry = BENCH_LIBRARY ?? new URL('../dist/esm/index.js', import.meta.url).pathname
  return import(new URL(path, pathToFileURL(entry)).href)
}
