import type { ServerResponse } from 'node:http'

// On the response itself: an ESM and a CommonJS copy of this library may both look for it.
const LISTENERS = Symbol.for('express-bulwark.given-up.v1')

type Known = ServerResponse & { [LISTENERS]?: (() => void)[] }

/** Calls `heard` where the handler of this response has failed and no answer will tell of it. */
export function whenGivenUp(res: ServerResponse, heard: () => void): void {
  const known = res as Known
  if (known[LISTENERS] === undefined) Object.defineProperty(res, LISTENERS, { value: [] })
  known[LISTENERS]?.push(heard)
}

/** Says that the handler has failed, and that nothing is sent which would say so. */
export function giveUpAnswer(res: ServerResponse): void {
  for (const heard of (res as Known)[LISTENERS] ?? []) heard()
}
