import { readFileSync } from 'node:fs'
import { relative, resolve, sep } from 'node:path'
import { neutralise } from '../../core/text.js'
import { compareLocks, lockOf, type LockChange } from '../../posture/lock.js'
import type { Posture } from '../../posture/model.js'
import type { CommandOptions } from '../arguments.js'
import { misused } from '../failure.js'
import { writeWhole } from '../write-file.js'

const LOCK_FILE = 'posture.lock'

/** What changed since the lock file; `undefined` where there is nothing to compare with. */
export function lockChanges(
  posture: Posture,
  options: CommandOptions,
  cwd: string,
): readonly LockChange[] | undefined {
  const { lock } = options
  const isWriting = options['write-lock'] !== undefined
  if (lock === undefined && !isWriting) return undefined
  const file = lock ?? LOCK_FILE
  const before = lockText(cwd, file)
  if (before === undefined) {
    if (isWriting) return undefined
    throw misused(`There is no lock file "${neutralise(file, 200)}".`, 'Write it with --write-lock.')
  }
  try {
    return compareLocks(before, lockOf(posture))
  } catch (cause) {
    // One that cannot be read is overwritten when that is asked for.
    if (isWriting) return undefined
    const why = (cause as Error).message.replace(/^the earlier posture\.lock: /, '')
    throw misused(`"${neutralise(file, 200)}" is no lock file: ${neutralise(why, 500)}`)
  }
}

function lockText(cwd: string, file: string): string | undefined {
  try {
    return readFileSync(resolve(cwd, file), 'utf8')
  } catch (cause) {
    const { code = 'unknown error' } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw misused(`The lock file "${neutralise(file, 200)}" could not be read: ${code}.`)
  }
}

/** Writes the lock file where that is asked for. */
export function writeLock(posture: Posture, options: CommandOptions, cwd: string): readonly string[] {
  if (options['write-lock'] === undefined) return []
  const file = options['lock'] ?? LOCK_FILE
  writeWhole(cwd, file, lockOf(posture))
  return [`Wrote ${neutralise(file, 200)}.`]
}

/** The lock file as a report names it, below the working directory. */
export function lockPath({ lock = LOCK_FILE }: CommandOptions, cwd: string): string {
  return relative(cwd, resolve(cwd, lock)).split(sep).join('/')
}
