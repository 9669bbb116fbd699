import { stat } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { storeGuard, type StoreGuard } from '../../src/stores/redis/store-guard.js'

const guardOf = (timeoutMs: number, breakerFailures = 1): StoreGuard =>
  storeGuard('test', 'test', { timeoutMs, breakerFailures, breakerCoolDownMs: 1000 })
const never = (): Promise<never> => new Promise(() => undefined)

/** Is answered where a socket is read: after the timers of a turn. */
const reply = (): Promise<string> =>
  new Promise((resolve) => {
    stat('.', () => {
      resolve('reply')
    })
  })
/** Keeps the event loop busy, as a large body that is parsed does. */
const busy = (ms: number): void => {
  const until = performance.now() + ms
  while (performance.now() < until);
}
const outcome = (operation: Promise<unknown>): Promise<unknown> => operation.catch((cause: unknown) => cause)
const TOO_SLOW = { reason: 'store_unavailable', evidence: { problem: 'too slow' } }

describe('the time-out of a store', () => {
  it.each([70, 300])('reads the reply that is there after %d ms of a busy process', async (ms) => {
    const guard = guardOf(50)
    const asked = outcome(guard.run(reply))
    busy(ms)
    expect(await asked).toBe('reply')
    expect(guard.health().detail).toBe('circuit closed')
  })

  it('waits once more for who was too busy to ask', async () => {
    const guard = guardOf(50)
    // A client that writes in the next turn: nothing was sent before the process was busy.
    const asked = outcome(guard.run(() => new Promise(setImmediate).then(reply).then(reply)))
    busy(70)
    expect(await asked).toBe('reply')
    expect(guard.health().detail).toBe('circuit closed')
  })

  it('ends for a store that does not answer, also where the process was busy', async () => {
    const guard = guardOf(20)
    const startedMs = performance.now()
    const asked = outcome(guard.run(never))
    busy(60)
    expect(await asked).toMatchObject(TOO_SLOW)
    expect(performance.now() - startedMs).toBeLessThan(1000)
    expect(guard.health().detail).toBe('circuit open')
  })

  it('counts what fails in one turn once, and what fails one after the other each time', async () => {
    const guard = guardOf(10, 2)
    const together = await Promise.all(Array.from({ length: 9 }, () => outcome(guard.run(never))))
    expect(together).toEqual(together.map(() => expect.objectContaining({ reason: 'store_unavailable' })))
    expect(guard.health().detail).toBe('circuit closed')
    expect(await outcome(guard.run(never))).toMatchObject(TOO_SLOW)
    expect(guard.health().detail).toBe('circuit open')
  })
})
