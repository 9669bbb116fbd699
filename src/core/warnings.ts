import { publishEvent } from './events.js'
import { processRegistry } from './process-registry.js'

// A table of thousands of routes must not become thousands of lines, nor a list that grows for ever.
const MAX_WARNINGS = 200

/** Says a thing, or one thing `about` each of several, once per process: as an operational event and as a Node.js warning. */
export function warnOnce(code: string, message: string, about = ''): void {
  const said = processRegistry<true>('warnings')
  const key = `${code} ${about}`
  if (said.has(key) || said.size >= MAX_WARNINGS) return
  said.set(key, true)
  publishEvent('warn', code, { message })
  process.emitWarning(`express-bulwark: ${message}`, { code: `BULWARK_${code.toUpperCase()}` })
}
