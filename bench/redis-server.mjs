// A redis-server on a free loopback port, without persistence, for one run.
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { Redis } from 'ioredis'

export async function startRedis() {
  const port = await freePort()
  const words = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    tmpdir(),
  ]
  const server = spawn('redis-server', words, { stdio: 'ignore' })
  server.on('error', () => {
    throw new Error('redis-server is not installed')
  })
  const stop = () => server.kill('SIGKILL')
  process.once('exit', stop)
  const probe = new Redis(port, '127.0.0.1', { retryStrategy: () => 50 })
  probe.on('error', () => undefined)
  await probe.ping()
  probe.disconnect()
  return { port, stop }
}

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}
