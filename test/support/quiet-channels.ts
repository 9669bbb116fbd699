import { channel } from 'node:diagnostics_channel'
import { afterAll } from '@jest/globals'

// Channels belong to the process, and a worker runs many test files: the logs of a finished one would hear all others.
afterAll(() => {
  for (const name of ['express-bulwark.event', 'express-bulwark.decision']) {
    const heard = channel(name) as unknown as {
      readonly _subscribers?: readonly (() => void)[]
      unsubscribe(subscriber: () => void): void
    }
    for (const subscriber of [...(heard._subscribers ?? [])]) heard.unsubscribe(subscriber)
  }
})
