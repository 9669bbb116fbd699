// The library under test: the package, or, to try a build of your own, the entry file that BENCH_LIBRARY names.
import { pathToFileURL } from 'node:url'

const { BENCH_LIBRARY } = process.env

export const library = await import(
  BENCH_LIBRARY === undefined ? 'express-bulwark' : pathToFileURL(BENCH_LIBRARY).href
)
