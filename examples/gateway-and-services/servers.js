import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { connect, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { authorityOf, credentialOf, edgeSecretOf } from './pki.js'

const STARTING_MS = 5000
const TRY_AGAIN_MS = 50
const SHUTDOWN_MS = 5000

/** A service on a loopback port of its own, by TLS with its certificate. It asks every caller for one. */
export async function serve({ app, lifecycle }, { tls, name }) {
  const server = createServer(
    {
      ...credentialOf(tls, name),
      // Only what the internal authority issued counts as verified.
      ca: authorityOf(tls, 'internal'),
      minVersion: 'TLSv1.2',
      requestCert: true,
      // A connection without a good certificate is taken, so that the refusal is an answer, and in the record.
      rejectUnauthorized: false,
    },
    app,
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: server.address().port,
    // No new connections; what is under way may end; then nothing is left that holds the process.
    stop: async () => {
      const deadline = setTimeout(() => server.closeAllConnections(), SHUTDOWN_MS)
      server.close()
      server.closeIdleConnections()
      await once(server, 'close')
      clearTimeout(deadline)
      await lifecycle.close()
    },
  }
}

/** What each gateway needs: its configuration as it stands in this folder, with what is of this machine in its places. */
const KINDS = {
  nginx: {
    write: ({ folder, tls, port, ports }) => {
      const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
        (kind) => `${kind}_temp_path ${join(folder, kind)};`,
      )
      write(
        folder,
        'edge-headers.conf',
        replaced(read('edge-headers.conf'), { 'CHANGE-ME': edgeSecretOf(tls) }),
      )
      return write(
        folder,
        'nginx.conf',
        replaced(read('nginx.conf'), {
          'worker_processes auto;': 'worker_processes 1; daemon off; master_process off;',
          '/run/nginx.pid': join(folder, 'nginx.pid'),
          '/var/log/nginx/': `${folder}/`,
          'http {': `http { ${scratch.join(' ')}`,
          'listen 443': `listen 127.0.0.1:${port}`,
          '/etc/nginx/tls/': `${tls}/`,
          '/etc/nginx/': `${folder}/`,
          'orders.internal:8443': `127.0.0.1:${ports.orders}`,
          'billing.internal:9443': `127.0.0.1:${ports.billing}`,
        }),
      )
    },
    command: (file, folder) => ['-e', 'stderr', '-p', folder, '-c', file],
  },
  haproxy: {
    write: ({ folder, tls, port, ports }) =>
      write(
        folder,
        'haproxy.cfg',
        replaced(read('haproxy.cfg'), {
          'bind :443': `bind 127.0.0.1:${port}`,
          'CHANGE-ME': edgeSecretOf(tls),
          '/etc/haproxy/tls/': `${tls}/`,
          'orders.internal:8443': `127.0.0.1:${ports.orders}`,
          'billing.internal:9443': `127.0.0.1:${ports.billing}`,
        }),
      ),
    command: (file) => ['-db', '-q', '-f', file],
  },
}

export function isInstalled(kind) {
  return spawnSync(kind, ['-v'], { stdio: 'ignore' }).error === undefined
}

/** A real gateway in front of the services. */
export async function startGateway({ kind, tls, ports }) {
  const folder = join(tls, kind)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const port = await freePort()
  const file = KINDS[kind].write({ folder, tls, port, ports })
  const gateway = spawn(kind, KINDS[kind].command(file, folder), { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(gateway, 'exit')
  let said = ''
  gateway.stderr.on('data', (chunk) => (said += chunk))
  const stop = async () => {
    gateway.kill('SIGTERM')
    await ended
  }

  const deadline = Date.now() + STARTING_MS
  while (gateway.exitCode === null && Date.now() < deadline) {
    if (await answers(port)) return { port, stop }
    await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS))
  }
  await stop()
  throw new Error(`${kind} does not start: ${said}`)
}

async function freePort() {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

function replaced(text, places) {
  return Object.entries(places).reduce((done, [from, to]) => {
    if (!done.includes(from)) throw new Error(`the configuration has no ${from}`)
    return done.replaceAll(from, to)
  }, text)
}

function read(file) {
  return readFileSync(fileURLToPath(new URL(file, import.meta.url)), 'utf8')
}

function write(folder, file, text) {
  const path = join(folder, file)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
