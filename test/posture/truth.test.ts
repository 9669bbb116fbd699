import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import { pathsOf, stackOf } from '../../src/core/router.js'
import { inspectPosture } from '../../src/posture/inspect-posture.js'
import { serve, type RunningServer } from '../support/server.js'
import { askAnonymously, rowsBehind, type Answer } from './anonymous-requests.js'
import { NASTY } from './nasty-applications.js'

let server: RunningServer | undefined
beforeEach(() => {
  // What the applications report of refusals.
  jest.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterEach(() => server?.close())

/** Express 5.0 to 5.2 keep no trace of where a router is mounted. */
const showsPaths = ((): boolean => {
  const app = express().use('/somewhere', express.Router())
  return stackOf(app).every((layer) => pathsOf(layer) !== undefined)
})()

describe.each(Object.entries(NASTY))('%s', (_name, nasty) => {
  it('is read as it is', () => {
    const { rows } = inspectPosture(nasty.build())
    if (showsPaths) {
      expect(rows.map(({ proof, method, path }) => `${proof} ${method} ${path}`)).toEqual(nasty.rows)
      return
    }
    // Less can be seen, so less is guarded.
    const guarded = rows.filter(({ proof }) => proof === 'guarded')
    const expected = nasty.rows.filter((row) => row.startsWith('guarded'))
    expect(guarded.length).toBeLessThanOrEqual(expected.length)
  })

  it('gives anonymous callers nothing that it calls guarded', async () => {
    const app = nasty.build()
    const { rows, denyByDefault } = inspectPosture(app)
    server = await serve(app)
    const answers = await askAnonymously(server, rows, nasty.paths)
    const given = answers.filter(({ by }) => by !== undefined)
    expect(given.filter((answer) => !isAdmitted(answer, rows)).map(shown)).toEqual([])
    if (!showsPaths) return
    const reached = new Set(given.flatMap((answer) => rowsBehind(answer, rows)))
    const free = rows.filter(({ proof, refusedByDefault }) => /open|public/.test(proof) && !refusedByDefault)
    expect(free.filter((row) => !reached.has(row)).map(({ method, path }) => `${method} ${path}`)).toEqual(
      nasty.unreached ?? [],
    )
    if (denyByDefault !== 'off') {
      const refused = rows.filter(({ refusedByDefault }) => refusedByDefault).map(({ handler }) => handler)
      expect(given.filter(({ by }) => refused.includes(by)).map(shown)).toEqual([])
    }
  })
})

function isAdmitted(answer: Answer, rows: Parameters<typeof rowsBehind>[1]): boolean {
  return rowsBehind(answer, rows).some(({ proof }) => proof !== 'guarded')
}

function shown({ method, path, status, by, at }: Answer): string {
  return `${method} ${path}: ${status} by ${by ?? ''} at ${at}`
}
