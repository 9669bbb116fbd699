import { SecurityProblem, isSecurityProblem } from '../../core/problem.js'
import { isThenable } from '../../core/thenable.js'
import { readRecord, type ApiKeyRecord } from './record.js'
import type { ApiKeyStore } from './store.js'

/**
 * Asks a store for a record, at once where it answers at once. Whatever else than a good record of this id, or nothing,
 * comes back, or does not come in time, is 503: a store that cannot be understood allows nobody.
 */
export function findRecord(
  store: ApiKeyStore,
  id: string,
  timeoutMs: number,
): ApiKeyRecord | undefined | Promise<ApiKeyRecord | undefined> {
  let found: unknown
  try {
    found = store.find(id)
  } catch (cause) {
    throw unavailable('it failed', cause)
  }
  if (!isThenable(found)) return recordIn(found, id)
  return inTime(found, timeoutMs).then((value) => recordIn(value, id))
}

function recordIn(found: unknown, id: string): ApiKeyRecord | undefined {
  if (found === undefined || found === null) return undefined
  const record = readRecord(found)
  if (record?.id === id) return record
  throw unavailable(record === undefined ? 'a malformed record' : 'the record of another key')
}

function inTime(found: PromiseLike<unknown>, timeoutMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(unavailable('too slow'))
    }, timeoutMs)
    timer.unref()
    Promise.resolve(found)
      .finally(() => {
        clearTimeout(timer)
      })
      .then(resolve, (cause: unknown) => {
        reject(unavailable('it failed', cause))
      })
  })
}

/** A store of this library says it better itself. */
function unavailable(problem: string, cause?: unknown): SecurityProblem {
  if (isSecurityProblem(cause) && cause.status === 503) return cause
  return new SecurityProblem('store_unavailable', {
    headers: { 'retry-after': '1' },
    evidence: { store: 'api-keys', problem },
    cause,
  })
}
