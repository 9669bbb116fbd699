import { connect, type Socket } from 'node:net'
import express from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { keepingLogger } from '../support/records.js'
import { serve as serveAlways, type RunningServer } from '../support/server.js'

export type Handler = express.RequestHandler

const running: RunningServer[] = []

/** Serves an application until `closeServers`, also where a test fails before its end. */
export async function serve(app: express.Express): Promise<RunningServer> {
  const server = await serveAlways(app)
  running.push(server)
  return server
}

export async function closeServers(): Promise<void> {
  await Promise.all(running.splice(0).map((server) => server.close()))
}

/** Serves `/` behind guards, with a handler that ends when the test says so. */
export async function holding(...guards: unknown[]): Promise<
  RunningServer & {
    /** Requests that are in the handler. */
    readonly inside: { readonly req: express.Request; readonly res: express.Response }[]
    /** Answers one. */
    answer(): void
  }
> {
  const inside: { req: express.Request; res: express.Response }[] = []
  const app = appWith(guards, (req, res) => {
    inside.push({ req, res })
  })
  const server = await serve(app)
  return Object.assign(server, {
    inside,
    answer: () => {
      inside.shift()!.res.json({})
    },
  })
}

export function appWith(guards: readonly unknown[], handler: Handler): express.Express {
  const app = express()
  // Whoever listens, listens here: without a log, secureErrors writes to standard error.
  app.use(auditLog({ logger: keepingLogger() }) as Handler)
  for (const guard of guards) app.use(guard as Handler)
  app.all('/', handler)
  app.use(secureErrors())
  return app
}

export const GET = 'GET / HTTP/1.1\r\nHost: api.test\r\n\r\n'

/** A connection that has sent something and stays open. */
export function opened(port: number, text: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(text, () => {
        resolve(socket)
      })
    })
    socket.on('error', reject)
  })
}

/** Waits until something holds: a few turns of the event loop, never a fixed time. */
export async function until(holds: () => boolean, what = 'the condition'): Promise<void> {
  for (let turn = 0; turn < 400; turn += 1) {
    if (holds()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`${what} did not come to hold`)
}

export async function statusOf(url: string, init: RequestInit = {}): Promise<number> {
  const answer = await fetch(url, init)
  await answer.arrayBuffer()
  return answer.status
}
