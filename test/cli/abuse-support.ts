import { mkdtempSync, rmSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { run as runCommand } from '../../src/cli/run.js'
import { serve, type RunningServer } from '../support/server.js'

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface AbuseWorld {
  readonly folder: string
  readonly abuse: (...args: string[]) => Promise<Outcome>
  readonly served: (listener: RequestListener) => Promise<string>
  /** A server that says what it likes, in bytes. */
  readonly spoken: (talk: (socket: Socket) => void) => Promise<string>
  readonly close: () => Promise<void>
}

/** A folder to stand in, the command, and services that end with it. */
export function abuseWorld(): AbuseWorld {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-abuse-'))
  const running: RunningServer[] = []
  const talking: { readonly server: Server; readonly sockets: Set<Socket> }[] = []
  return {
    folder,
    async abuse(...args) {
      const outputs = { stdout: new PassThrough(), stderr: new PassThrough() }
      const code = await runCommand(['abuse', ...args], { ...outputs, cwd: folder, environment: {}, folder })
      const textOf = (output: PassThrough): string => String(output.read() ?? '')
      return { code, stdout: textOf(outputs.stdout), stderr: textOf(outputs.stderr) }
    },
    async served(listener) {
      const server = await serve(listener)
      running.push(server)
      return server.url
    },
    async spoken(talk) {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on('error', () => undefined)
        socket.on('close', () => sockets.delete(socket))
        talk(socket)
      })
      talking.push({ server, sockets })
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve)
      })
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    },
    async close() {
      for (const { server, sockets } of talking) {
        server.close()
        for (const socket of sockets) socket.destroy()
      }
      await Promise.all(running.map((server) => server.close()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
