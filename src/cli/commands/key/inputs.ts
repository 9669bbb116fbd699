import { Digests, pepperRule } from '../../../authentication/api-keys/digests.js'
import { isKeyId } from '../../../authentication/api-keys/key-text.js'
import { prefixRule } from '../../../authentication/api-keys/options.js'
import { nowSeconds } from '../../../authentication/api-keys/record.js'
import { neutralise } from '../../../core/text.js'
import type { CommandOptions } from '../../arguments.js'
import { misused } from '../../failure.js'
import { impossibleTime, secondsIn } from './time.js'

/** The process that the command runs in, as far as keys go. */
export interface KeyWorld {
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

export function prefixOf({ prefix = '' }: CommandOptions): string {
  if (prefixRule.holds(prefix)) return prefix
  throw misused(`--prefix must be ${prefixRule.says}, got "${neutralise(prefix, 40)}".`)
}

/** When a key ends, in **seconds** since the epoch. */
export function endOf({ expires }: CommandOptions): number | undefined {
  if (expires === undefined) return undefined
  const seconds = secondsIn(expires)
  if (seconds === undefined) throw impossibleTime('expires', 'days or hours from now, as 90d or 12h', expires)
  return nowSeconds() + seconds
}

/** The pepper comes by the environment: arguments are seen by everybody on the machine. */
export function digestsOf(
  { 'pepper-variable': variable }: CommandOptions,
  environment: KeyWorld['environment'],
): Digests {
  if (variable === undefined) return new Digests(undefined)
  const pepper = Object.hasOwn(environment, variable) ? environment[variable] : undefined
  if (pepper !== undefined && pepperRule.holds(pepper)) return new Digests(pepper)
  throw misused(`The environment variable "${neutralise(variable, 60)}" must hold 32 to 1000 characters.`)
}

/** Says nothing of what was given: it may be a whole key. */
export function requireKeyId(action: string, id: string | undefined): string {
  const problem =
    id === undefined ? `Which key to ${action} is missing: its id is` : 'That is no id of a key: it is'
  if (isKeyId(id)) return id
  throw misused(
    `${problem} the 12 letters and digits between the underscores of the key.`,
    `Try: express-bulwark key ${action} <id> --file <file>`,
  )
}
