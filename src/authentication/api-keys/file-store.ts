import { readFile, stat } from 'node:fs/promises'
import { monotonicMs } from '../../core/clock.js'
import { publishEvent } from '../../core/events.js'
import type { Health } from '../../core/lifecycle.js'
import { SecurityProblem } from '../../core/problem.js'
import { MAX_FILE_BYTES, parseKeyFile, type KeyFile } from './key-file.js'
import type { ApiKeyStore } from './store.js'

const CHECK_EVERY_MS = 1000
const LONGEST_READ_MS = 5000
/** Found in the file, but not a record: it is told apart from what is not there. */
const MALFORMED = Object.freeze({})

/**
 * Reads keys from a JSON file, and again when it changed: looked for at most once in a second, and only when a key is
 * asked for. A file that broke is told as an event and leaves the keys that it had; one that never was good is 503.
 */
export function keysInFile(path: string): ApiKeyStore {
  let current: KeyFile | undefined
  let stamp = ''
  let checkedMs = -Infinity
  let problem = ''
  let fault: unknown
  let checking: Promise<void> | undefined

  const isDue = (): boolean => monotonicMs() - checkedMs >= CHECK_EVERY_MS

  async function check(): Promise<void> {
    try {
      await load()
      if (problem !== '') publishEvent('info', 'api_key_file_restored', { file: path })
      problem = ''
      fault = undefined
    } catch (cause) {
      fault = cause
      const next = problemOf(cause)
      if (next !== problem) publishEvent('error', 'api_key_file_broken', { file: path, problem: next })
      problem = next
    } finally {
      checkedMs = monotonicMs()
      checking = undefined
    }
  }

  async function load(): Promise<void> {
    const before = await stat(path, { bigint: true })
    const seen = `${before.dev}:${before.ino}:${before.size}:${before.mtimeNs}`
    if (seen === stamp) return
    if (!before.isFile()) throw new Error('it is no regular file')
    if (before.size > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`)
    const text = await readFile(path, { encoding: 'utf8', signal: AbortSignal.timeout(LONGEST_READ_MS) })
    current = parseKeyFile(text)
    // What was written in between is seen next time, for it is not this stamp.
    stamp = seen
    if (current.malformed > 0)
      publishEvent('error', 'api_key_file_records_malformed', { file: path, records: current.malformed })
  }

  function fromMemory(id: string): unknown {
    if (current === undefined) throw unreadable(problem, fault)
    return current.records.has(id) ? (current.records.get(id) ?? MALFORMED) : undefined
  }

  function health(): Health {
    const detail =
      problem === '' ? `${current?.records.size ?? 'not yet any'} keys in a file` : `the file: ${problem}`
    if (current !== undefined && problem === '' && current.malformed === 0)
      return { name: 'apiKeys', status: 'ok', detail }
    const isOut = current === undefined && problem !== '' && !isDue()
    return { name: 'apiKeys', status: isOut ? 'down' : 'degraded', detail }
  }

  return {
    find(id) {
      if (checking === undefined && !isDue()) return fromMemory(id)
      checking ??= check()
      return checking.then(() => fromMemory(id))
    },
    async warmUp() {
      await (checking ??= check())
      if (current === undefined) throw unreadable(problem, fault)
    },
    health,
    close() {
      current = undefined
      stamp = ''
      checkedMs = -Infinity
      return Promise.resolve()
    },
  }
}

function unreadable(problem: string, cause: unknown): SecurityProblem {
  return new SecurityProblem('store_unavailable', {
    headers: { 'retry-after': '1' },
    evidence: { store: 'api-keys', problem: `the key file: ${problem}` },
    cause,
  })
}

/** A code of the file system, or one of our own sentences. */
function problemOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  return typeof code === 'string' ? code : message
}
