import diagnostics, { channel } from 'node:diagnostics_channel'
import { afterAll } from '@jest/globals'

const NAMES = ['express-bulwark.event', 'express-bulwark.decision']

// When a channel that nobody holds is collected, Node.js forgets whichever has its name by then: one that the next test
// file holds would hear nobody any more. So the worker holds them, on the one thing that all of its files share.
const KEPT = Symbol.for('express-bulwark.test.channels')
const holder = diagnostics as unknown as Record<symbol, readonly unknown[] | undefined>
holder[KEPT] ??= NAMES.map((name) => channel(name))

// Channels belong to the process, and a worker runs many test files: the logs of a finished one would hear all others.
afterAll(() => {
  for (const name of NAMES) {
    const heard = channel(name) as unknown as {
      readonly _subscribers?: readonly (() => void)[]
      unsubscribe(subscriber: () => void): void
    }
    for (const subscriber of [...(heard._subscribers ?? [])]) heard.unsubscribe(subscriber)
  }
})
