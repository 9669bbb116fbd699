import { publishEvent } from './events.js'
import { processRegistry } from './process-registry.js'

/** Says a thing once per process: as an operational event and as a Node.js warning. */
export function warnOnce(code: string, message: string): void {
  const said = processRegistry<true>('warnings')
  if (said.has(code)) return
  said.set(code, true)
  publishEvent('warn', code, { message })
  process.emitWarning(`express-bulwark: ${message}`, { code: `BULWARK_${code.toUpperCase()}` })
}
