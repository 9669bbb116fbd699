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
import {
  MAX_FILE_BYTES,
  keyFileText,
  parseKeyFile,
  type KeyFile,
} from '../authentication/api-keys/key-file.js'
import type { ApiKeyRecord } from '../authentication/api-keys/record.js'
import { neutralise } from '../core/text.js'
import { misused } from './failure.js'

const PATIENCE_MS = 5000
const PAUSE_MS = 20

type Records = readonly ApiKeyRecord[]

/**
 * Adds a record to a key file as one step, whoever else is changing it: under a lock file beside it, by writing another
 * file and putting it in place. A new file is its owner's alone (0600); one that is there keeps its mode. A file with
 * anything in it that is not understood is left as it is.
 */
export function addToKeyFile(
  cwd: string,
  file: string,
  record: ApiKeyRecord,
  patienceMs = PATIENCE_MS,
): void {
  rewrite(placeOf(cwd, file), (records) => [...records, record], patienceMs)
}

/**
 * Puts another record in the place of the one with this id, as `addToKeyFile` does. `change` sees it under the lock, so
 * that nothing which somebody else wrote meanwhile is lost; what it throws leaves the file as it is.
 */
export function changeInKeyFile(
  cwd: string,
  file: string,
  id: string,
  change: (record: ApiKeyRecord) => ApiKeyRecord,
  patienceMs = PATIENCE_MS,
): void {
  const place = placeOf(cwd, file)
  requireThere(place)
  rewrite(
    place,
    (records) => {
      if (!records.some((record) => record.id === id))
        throw misused(
          `"${place.shown}" holds no key ${id}: nothing was written.`,
          'Try: express-bulwark key list',
        )
      return records.map((record) => (record.id === id ? change(record) : record))
    },
    patienceMs,
  )
}

/** What a key file says, for whoever only looks: no lock, because it is replaced as a whole. */
export function readKeyFile(cwd: string, file: string): KeyFile {
  const place = placeOf(cwd, file)
  requireThere(place)
  try {
    return parsedIn(place)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw typeof code === 'string' ? misused(`"${place.shown}" could not be read: ${code}.`) : cause
  }
}

interface Place {
  readonly path: string
  /** As it was given, for messages. */
  readonly shown: string
  readonly isThere: boolean
}

function placeOf(cwd: string, file: string): Place {
  const shown = neutralise(file, 200)
  const given = resolve(cwd, file)
  const existing = statsOf(given)
  if (existing !== undefined && !existing.isFile())
    throw misused(`"${shown}" is no regular file: nothing was written.`)
  // A link stays a link.
  return {
    path: existing === undefined ? given : realpathSync(given),
    shown,
    isThere: existing !== undefined,
  }
}

function requireThere({ isThere, shown }: Place): void {
  if (!isThere) throw misused(`"${shown}" is not there.`)
}

function rewrite(place: Place, change: (records: Records) => Records, patienceMs: number): void {
  const { path, shown } = place
  const lock = `${path}.lock`
  try {
    takeLock(lock, patienceMs)
    try {
      writeAnew(path, keyFileText(change(recordsIn(place))))
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

function recordsIn(place: Place): Records {
  if (statsOf(place.path) === undefined) return []
  const { records, malformed } = parsedIn(place)
  if (malformed > 0)
    throw misused(
      `"${place.shown}" holds ${malformed} entries that are no records, or share an id: nothing was written.`,
      'Mend the file first.',
    )
  return [...records.values()].filter((record) => record !== undefined)
}

function parsedIn({ path, shown }: Place): KeyFile {
  if (statSync(path).size > MAX_FILE_BYTES)
    throw misused(`"${shown}" is larger than ${MAX_FILE_BYTES} bytes.`)
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
