import { stat } from 'node:fs'
import { describe, expect, it, jest } from '@jest/globals'
import type { SecurityProblem } from '../../src/core/problem.js'
import { isMistakeOfSetUp, storeGuard, type StoreGuard } from '../../src/stores/store-guard.js'

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

  class ClientClosedError extends Error {}
  it.each<[string, unknown, string]>([
    ['a code', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'failed: ECONNREFUSED'],
    ['the word of a server', new Error('READONLY You cannot write'), 'failed: READONLY'],
    ['its class', new ClientClosedError('The client is closed'), 'failed: ClientClosedError'],
    [
      'its name',
      Object.assign(new Error('x'), { name: 'MaxRetriesPerRequestError' }),
      'failed: MaxRetriesPerRequestError',
    ],
    ['nothing', new Error('redis://user:secret@host'), 'failed'],
    ['text', 'secret', 'failed: String'],
    ['nothing at all', undefined, 'failed'],
  ])('says of a failure no more than %s', async (_case, cause, problem) => {
    const guard = guardOf(50)

    const failed = outcome(guard.run(() => Promise.reject(cause)))
    expect(await failed).toMatchObject({ reason: 'store_unavailable', evidence: { problem } })
    // While nothing is tried, what opened the circuit stays known.
    expect(await outcome(guard.run(reply))).toMatchObject({
      evidence: { problem: 'circuit open', after: problem },
    })
  })

  it.each([
    ['CROSSSLOT', new Error('CROSSSLOT Keys in request'), true],
    ['no such table', Object.assign(new Error('x'), { code: '42P01' }), true],
    ['refused', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), false],
    ['loading', new Error('LOADING Redis is loading'), false],
  ])(
    'tells a mistake of set-up from an outage, also while the circuit is open: %s',
    async (_case, cause, isMistake) => {
      const guard = guardOf(50)
      for (let index = 0; index < 3; index += 1) {
        const failed = await outcome(guard.run(() => Promise.reject(cause)))
        expect(isMistakeOfSetUp(failed as SecurityProblem)).toBe(isMistake)
      }
    },
  )

  it('is not there because a server that takes nothing in is still read', async () => {
    const guard = guardOf(50, 3)
    const readOnly = (): Promise<never> =>
      Promise.reject(new Error('READONLY You cannot write against a replica'))
    for (let index = 0; index < 3; index += 1) {
      expect(await outcome(guard.run(reply, true))).toBe('reply')
      expect(await outcome(guard.run(readOnly))).toMatchObject({ evidence: { problem: 'failed: READONLY' } })
      await new Promise(setImmediate)
    }
    expect(guard.health()).toMatchObject({ status: 'down', detail: 'circuit open' })
    expect(await outcome(guard.run(reply, true))).toMatchObject({ evidence: { problem: 'circuit open' } })
    // After the cool-down what is read passes, and what is written decides.
    const later = performance.now() + 1001
    jest.spyOn(performance, 'now').mockImplementation(() => later)
    expect(await outcome(guard.run(reply, true))).toBe('reply')
    expect(guard.health()).toMatchObject({ status: 'degraded', detail: 'circuit open' })
    expect(await outcome(guard.run(reply))).toBe('reply')
    expect(guard.health().status).toBe('ok')
    jest.restoreAllMocks()
  })

  it('counts what fails in one turn once, and what fails one after the other each time', async () => {
    const guard = guardOf(10, 5)
    const together = await Promise.all(Array.from({ length: 9 }, () => outcome(guard.run(never))))
    expect(together).toEqual(together.map(() => expect.objectContaining({ reason: 'store_unavailable' })))
    // Once; on a machine that was busy some of them waited once more, and were another turn's.
    expect(guard.health().detail).toBe('circuit closed')
    for (let index = 0; index < 4; index += 1) await outcome(guard.run(never))
    expect(guard.health().detail).toBe('circuit open')
  })
})
