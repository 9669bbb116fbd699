import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  type Stats,
} from 'node:fs'
import { resolve } from 'node:path'
import { MAX_FILE_BYTES, keyFileText, parseKeyFile } from '../authentication/api-keys/key-file.js'
import type { ApiKeyRecord } from '../authentication/api-keys/record.js'
import { neutralise } from '../core/text.js'
import { misused } from './failure.js'

const PATIENCE_MS = 5000
const PAUSE_MS = 20

/**
 * Adds a record to a key file as one step, whoever else is adding: under a lock file beside it, by writing another file
 * and putting it in place. A new file is its owner's alone (0600); one that is there keeps its mode. A file with
 * anything in it that is not understood is left as it is.
 */
export function addToKeyFile(
  cwd: string,
  file: string,
  record: ApiKeyRecord,
  patienceMs = PATIENCE_MS,
): void {
  const shown = neutralise(file, 200)
  const given = resolve(cwd, file)
  const existing = statSync(given, { throwIfNoEntry: false })
  if (existing !== undefined && !existing.isFile())
    throw misused(`"${shown}" is no regular file: nothing was written.`)
  // A link stays a link.
  const path = existing === undefined ? given : realpathSync(given)
  const lock = `${path}.lock`
  try {
    takeLock(lock, patienceMs)
    try {
      writeAnew(path, keyFileText([...recordsIn(path, shown), record]))
    } finally {
      rmSync(lock, { force: true })
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (typeof code !== 'string') throw cause
    if (code === 'EEXIST')
      throw misused(
        `"${neutralise(lock, 200)}" is held by another express-bulwark: nothing was written.`,
        'Remove it where none is running.',
      )
    throw misused(`"${shown}" could not be written: ${code}.`)
  }
}

/** Waits for whoever holds it: adding takes milliseconds. */
function takeLock(lock: string, patienceMs: number): void {
  for (let waitedMs = 0; ; waitedMs += PAUSE_MS) {
    try {
      closeSync(openSync(lock, 'wx', 0o600))
      return
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST' || waitedMs >= patienceMs) throw cause
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
    }
  }
}

function recordsIn(path: string, shown: string): readonly ApiKeyRecord[] {
  const stats = statsOf(path)
  if (stats === undefined) return []
  if (stats.size > MAX_FILE_BYTES) throw misused(`"${shown}" is larger than ${MAX_FILE_BYTES} bytes.`)
  const { records, malformed } = read(path, shown)
  if (malformed > 0)
    throw misused(
      `"${shown}" holds ${malformed} entries that are no records, or share an id: nothing was written.`,
      'Mend the file first.',
    )
  return [...records.values()].filter((record) => record !== undefined)
}

function read(path: string, shown: string): ReturnType<typeof parseKeyFile> {
  const text = readFileSync(path, 'utf8')
  try {
    return parseKeyFile(text)
  } catch (cause) {
    throw misused(`"${shown}" is no key file: ${(cause as Error).message}. Nothing was written.`)
  }
}

function writeAnew(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`
  const mode = (statsOf(path)?.mode ?? 0o600) & 0o777
  // Left by a process of this number that died: whoever holds the lock is the only one here.
  rmSync(temporary, { force: true })
  try {
    const descriptor = openSync(temporary, 'wx', 0o600)
    try {
      fchmodSync(descriptor, mode)
      writeFileSync(descriptor, text)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(temporary, path)
  } catch (cause) {
    rmSync(temporary, { force: true })
    throw cause
  }
}

function statsOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false })
}
