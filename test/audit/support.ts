import { connect } from 'node:net'
import type { KeptRecord } from '../support/records.js'

/** Waits until something holds that happens by itself; throws where it has not after four seconds. */
export async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 4000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`never held: ${holds.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** The records of ends of requests. */
export function completionsIn(kept: readonly KeptRecord[]): readonly KeptRecord[] {
  return kept.filter(({ record }) => record.event.action === 'http_request')
}

/** Sends a request as it is and breaks the connection when `when` resolves. */
export async function breakOff(port: number, request: string, when: () => Promise<unknown>): Promise<void> {
  const socket = connect(port, '127.0.0.1', () => {
    socket.write(request)
  })
  socket.on('error', () => undefined)
  await when()
  socket.destroy()
}

// What must never reach a line of a log as it is: controls, separators, bidirectional marks.
// eslint-disable-next-line no-control-regex -- these are what is looked for
export const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/
