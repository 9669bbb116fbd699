import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import { pathsOf, stackOf } from '../../src/core/router.js'
import { inspectPosture } from '../../src/posture/inspect-posture.js'
import { serve, type RunningServer } from '../support/server.js'
import { askAnonymously, rowsBehind, rowsTaking, type Answer } from './anonymous-requests.js'
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
    const { rows } = inspectPosture(app)
    server = await serve(app)
    const answers = await askAnonymously(server, rows, nasty.paths)
    const given = answers.filter(({ by }) => by !== undefined)
    // What is not the test's own, as files, says nothing of itself.
    const silent = answers.filter(
      (answer) => answer.by === undefined && answer.status < 400 && !isMethodList(answer),
    )
    expect(silent.filter((answer) => isShut(answer, rows)).map(shown)).toEqual([])
    expect(given.filter((answer) => !isAdmitted(answer, rows)).map(shown)).toEqual([])
    if (!showsPaths) return
    const reached = new Set(given.flatMap((answer) => rowsBehind(answer, rows)))
    const free = rows.filter(
      ({ proof, refusedByDefault }) => /open|public|optional/.test(proof) && !refusedByDefault,
    )
    expect(free.filter((row) => !reached.has(row)).map(({ method, path }) => `${method} ${path}`)).toEqual(
      nasty.unreached ?? [],
    )
    const refused = rows.filter(({ refusedByDefault }) => refusedByDefault).map(({ handler }) => handler)
    expect(given.filter(({ by }) => refused.includes(by)).map(shown)).toEqual([])
  })
})

function isAdmitted(answer: Answer, rows: Parameters<typeof rowsBehind>[1]): boolean {
  return rowsBehind(answer, rows).some(({ proof }) => proof !== 'guarded')
}

/** Express's own answer to OPTIONS, which names the methods of a path and runs nothing. */
function isMethodList({ method, body }: Answer): boolean {
  return method === 'OPTIONS' && /^[A-Z]+(?:, ?[A-Z]+)*$/.test(body)
}

/** Whether every row that may take the request says that nobody gets an answer whom nobody knows. */
function isShut(answer: Answer, rows: Parameters<typeof rowsTaking>[1]): boolean {
  const taking = rowsTaking(answer, rows)
  return taking.length > 0 && taking.every(({ proof }) => proof === 'guarded' || proof === 'held')
}

function shown({ method, path, status, by, at }: Answer): string {
  return `${method} ${path}: ${status} by ${by ?? ''} at ${at}`
}
