import type { ServerResponse } from 'node:http'

/** Silences an answer as soon as it is complete: an error handler may take its time. */
export function silenceOnceEnded(res: ServerResponse): void {
  if (res.writableEnded) silence(res)
  else
    res.once('finish', () => {
      silence(res)
    })
}

/**
 * Takes the effect out of what a handler does to an answer that was given in its place. It did not hear in time: its
 * `res.json()` would throw, which on Express 4 ends the process where the handler is an async function.
 */
function silence(res: ServerResponse): void {
  const same = (): ServerResponse => res
  const end = (...args: readonly unknown[]): ServerResponse => {
    const heard = args.find((argument) => typeof argument === 'function')
    if (heard !== undefined) process.nextTick(heard)
    return res
  }
  const ways: Readonly<Record<string, unknown>> = {
    setHeader: same,
    setHeaders: same,
    appendHeader: same,
    removeHeader: () => undefined,
    writeHead: same,
    flushHeaders: () => undefined,
    write: () => true,
    end,
  }
  for (const [name, value] of Object.entries(ways))
    Object.defineProperty(res, name, { value, configurable: true, writable: true })
}
