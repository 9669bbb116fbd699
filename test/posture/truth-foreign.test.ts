import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { Express, RequestHandler } from 'express'
import { stackOf, innerStackOf, type RouterLayer } from '../../src/core/router.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { inspectPosture } from '../../src/posture/inspect-posture.js'
import { serve, type RunningServer } from '../support/server.js'
import { askAnonymously, rowsBehind, type Answer } from './anonymous-requests.js'
import { FOREIGN } from './foreign-applications.js'
import { guard } from './nasty-applications.js'

let server: RunningServer | undefined
beforeEach(() => {
  for (const way of ['error', 'warn', 'log'] as const)
    jest.spyOn(console, way).mockImplementation(() => undefined)
})
const atInterrupt = process.listeners('SIGINT')
afterEach(async () => {
  await server?.close()
  for (const listener of process.listeners('SIGINT')) {
    if (!atInterrupt.includes(listener)) process.off('SIGINT', listener)
  }
})

describe.each(Object.entries(FOREIGN))('%s', (_name, load) => {
  it('is called guarded nowhere as it stands', () => {
    const { rows } = inspectPosture(load())
    expect(rows.length).toBeGreaterThan(0)
    expect(rows.filter(({ proof }) => proof === 'guarded')).toEqual([])
    expect(rows.some(({ proof }) => proof === 'open')).toBe(true)
  })

  it('is called guarded everywhere behind a guard', () => {
    const app = load()
    insertGuard(app, firstOwn(app))
    expect(inspectPosture(app).rows.filter(({ proof }) => proof !== 'guarded')).toEqual([])
  })

  it('runs nothing for anonymous callers that it calls guarded, wherever the guard stands', async () => {
    const last = stackOf(load()).length
    for (let place = firstOwn(load()); place <= last; place += 1) {
      const app = load()
      insertGuard(app, place)
      const { rows } = inspectPosture(app)
      noteRuns(stackOf(app))
      server = await serve(app)
      const answers = await askAnonymously(server, rows)
      await server.close()
      const ran = answers.flatMap((answer) =>
        runsIn(answer.by).map(({ by, at }): Answer => ({ ...answer, by, at })),
      )
      const wrong = ran.filter((run) => rowsBehind(run, rows).every(({ proof }) => proof === 'guarded'))
      expect(
        wrong.map(({ method, path, by }) => `${place}: ${method} ${path} ran ${by ?? 'a function'}`),
      ).toEqual([])
    }
  }, 60_000)
})

/** Express 4 puts two handlers of its own in front. */
function firstOwn(app: Express): number {
  return stackOf(app)[1]?.handle?.name === 'expressInit' ? 2 : 0
}

function insertGuard(app: Express, place: number): void {
  app.use(guard())
  const stack = stackOf(app) as RouterLayer[]
  stack.splice(place, 0, stack.pop() as RouterLayer)
}

/** Has each handler of the application's own say in the answer that it ran. */
function noteRuns(stack: readonly RouterLayer[], isRoute = false): void {
  for (const layer of stack) {
    const inner = layer.route?.stack ?? innerStackOf(layer)
    if (inner !== undefined) noteRuns(inner, layer.route !== undefined)
    else if (guardMetadataOf(layer.handle) === undefined && (layer.handle?.length ?? 4) < 4)
      noteRunsOf(layer, isRoute)
  }
}

function noteRunsOf(layer: RouterLayer, isRoute: boolean): void {
  const handle = layer.handle as RequestHandler
  const noting: RequestHandler = (req, res, next) => {
    const path = isRoute ? ((req.route as { path?: string } | undefined)?.path ?? '') : '/*'
    const runs = [
      ...runsIn(res.get('x-answered-by')),
      { by: handle.name || undefined, at: `${req.baseUrl}${path}` },
    ]
    if (!res.headersSent) res.set('x-answered-by', encodeURIComponent(JSON.stringify(runs)))
    // Streams would never end.
    setTimeout(() => res.end(), 300).unref()
    return handle(req, res, next)
  }
  ;(layer as { handle: unknown }).handle = noting
}

function runsIn(header: string | undefined): readonly { readonly by?: string; readonly at: string }[] {
  return header === undefined ? [] : JSON.parse(decodeURIComponent(header))
}
