import { checkRotation, rotateKey, sound, type MadeApiKey } from '../../../authentication/api-keys/make.js'
import { isOver, type ApiKeyRecord } from '../../../authentication/api-keys/record.js'
import type { CommandOptions } from '../../arguments.js'
import { EXIT, misused } from '../../failure.js'
import { changeInKeyFile } from '../../key-file.js'
import type { Report } from '../report.js'
import { digestsOf, endOf, prefixOf, type KeyWorld } from './inputs.js'
import { impossibleTime, secondsIn, shownTime } from './time.js'

const LONGEST_OVERLAP_SECONDS = 7_776_000

/** Switches a key of a file off, or on again. */
export function switchReport(action: 'disable' | 'enable', id: string, file: string, cwd: string): Report {
  const disabled = action === 'disable' ? true : undefined
  let before: ApiKeyRecord | undefined
  changeInKeyFile(cwd, file, id, (record) => {
    before = record
    return sound({ ...record, disabled })
  })
  const already = (before?.disabled === true) === (disabled === true) ? ' already' : ''
  const ended =
    disabled !== true && isOver(before?.expiresAt)
      ? ['It is over all the same: rotate it with --expires.']
      : []
  return {
    text: '',
    remarks: [
      `Key ${id} is ${action}d${already}; a service that reads the file knows within a second.`,
      ...ended,
    ],
    exitCode: EXIT.fine,
  }
}

/** Gives a key of a file another secret. The key stands on standard output, this once. */
export function rotateReport(
  id: string,
  file: string,
  options: CommandOptions,
  { cwd, environment }: KeyWorld,
): Report {
  const prefix = prefixOf(options)
  const digests = digestsOf(options, environment)
  const overlapSeconds = overlapOf(options)
  const expiresAt = endOf(options)
  const rotation = { overlapSeconds, ...(expiresAt === undefined ? {} : { expiresAt }) }
  checkRotation(rotation)
  const outcome: { made?: MadeApiKey } = {}
  changeInKeyFile(cwd, file, id, (record) => {
    if (digests.cannotRead(record)) throw otherPepper(id, digests.keyed)
    if (expiresAt === undefined && isOver(record.expiresAt))
      throw misused(`Key ${id} is over: nothing was written.`, 'Say when it ends from now on: --expires 90d')
    const made = rotateKey(prefix, record, rotation, digests)
    outcome.made = made
    return made.record
  })
  return {
    text: `${outcome.made?.key ?? ''}\n`,
    remarks: remarksOn(id, outcome.made, overlapSeconds),
    exitCode: EXIT.fine,
  }
}

/** Where the service reads it with another kind of digest, nobody would get in with the new key. */
function otherPepper(id: string, keyed: boolean): Error {
  return keyed
    ? misused(
        `Key ${id} was made without a pepper, and a service that has one cannot read it: nothing was written.`,
        'Leave --pepper-variable out, or make another key.',
      )
    : misused(
        `Key ${id} was made with a pepper: nothing was written.`,
        'Name the environment variable that holds it: --pepper-variable <name>',
      )
}

function overlapOf({ overlap = '' }: CommandOptions): number {
  const seconds = overlap === '0' ? 0 : secondsIn(overlap)
  if (seconds !== undefined && seconds <= LONGEST_OVERLAP_SECONDS) return seconds
  throw impossibleTime(
    'overlap',
    'days or hours, at most 90d, as 7d or 12h, or 0 for a key that leaked',
    overlap,
  )
}

function remarksOn(id: string, made: MadeApiKey | undefined, overlapSeconds: number): readonly string[] {
  const { disabled, secrets = [] } = made?.record ?? {}
  const latest = Math.max(...secrets.slice(0, -1).map(({ expiresAt }) => expiresAt ?? 0))
  const old =
    overlapSeconds === 0
      ? 'The old one is refused from now on'
      : `The old one works until ${shownTime(latest)}`
  return [
    `This is the only time that the new key ${id} is shown.`,
    `${old}.`,
    ...(disabled === true ? ['It is disabled still: express-bulwark key enable.'] : []),
  ]
}
