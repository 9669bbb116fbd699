import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import type { Credential } from '../authorization/certificates-support.js'

export interface RunningGateway {
  readonly stop: () => Promise<void>
}

/** A folder for configurations, keys and certificates. */
export interface Workshop {
  readonly folder: string
  readonly write: (file: string, text: string) => string
  close(): void
}

export function workshop(): Workshop {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-gateway-'))
  return {
    folder,
    write(file, text) {
      const path = join(folder, file)
      writeFileSync(path, text, { mode: 0o600 })
      return path
    },
    close() {
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** The configuration that the documentation shows under this mark, with what is of this machine in its places. */
export function documented(mark: string, places: Readonly<Record<string, string>>): string {
  const page = readFileSync(join(process.cwd(), 'docs/middlewares/gateway.md'), 'utf8')
  const found = new RegExp(`<!-- ${mark} -->\\s+\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1]
  if (found === undefined) throw new Error(`no configuration "${mark}" in the documentation`)
  return Object.entries(places).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the configuration "${mark}" has no ${from}`)
    return text.replaceAll(from, to)
  }, found)
}

/** A real nginx with these server blocks. */
export async function startNginx(
  { folder, write }: Workshop,
  port: number,
  servers: string,
): Promise<RunningGateway> {
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => {
    mkdirSync(join(folder, kind), { recursive: true })
    return `${kind}_temp_path ${join(folder, kind)};`
  })
  const file = write(
    'nginx.conf',
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr crit;
    events { worker_connections 64; }
    http { access_log off; ${scratch.join(' ')} ${servers} }`,
  )
  return started(spawn('nginx', ['-e', 'stderr', '-p', folder, '-c', file], { stdio: PIPED }), port)
}

/** A real HAProxy with these frontends and backends. */
export async function startHaproxy(
  { write }: Workshop,
  port: number,
  sections: string,
): Promise<RunningGateway> {
  const file = write(
    'haproxy.cfg',
    `global\n  maxconn 64\ndefaults\n  timeout connect 2s\n  timeout client 5s\n  timeout server 5s\n${sections}`,
  )
  return started(spawn('haproxy', ['-db', '-f', file], { stdio: PIPED }), port)
}

const PIPED = ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe']

async function started(server: ChildProcess, port: number): Promise<RunningGateway> {
  let said = ''
  server.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  for (let attempt = 0; attempt < 100 && server.exitCode === null; attempt += 1) {
    if (await answers(port)) return { stop: () => ended(server) }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await ended(server)
  throw new Error(`${server.spawnfile} does not listen on port ${port}: ${said}`)
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => {
      resolve(false)
    })
  })
}

function ended(server: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (server.exitCode !== null || server.signalCode !== null) {
      resolve()
      return
    }
    server.once('exit', () => {
      resolve()
    })
    server.kill('SIGTERM')
  })
}

/** Sends bytes as they are over TLS, with or without a certificate, and returns all that came back. */
export function sendTls(
  port: number,
  ca: string,
  text: string,
  credential?: Credential,
  servername = 'localhost',
): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTls({ port, host: '127.0.0.1', servername, ca, ...credential }, () => {
      socket.write(text)
    })
    let received = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      received += chunk
    })
    socket.on('error', () => {
      resolve(received)
    })
    socket.on('close', () => {
      resolve(received)
    })
  })
}
