import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface ClusterNode {
  readonly port: number
  freeze(): void
  thaw(): void
}

export interface RunningCluster {
  readonly nodes: readonly ClusterNode[]
  stop(): Promise<void>
}

/** Starts a real Redis Cluster of three nodes on free loopback ports, without replicas and without persistence. */
export async function startCluster(): Promise<RunningCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-cluster-'))
  const ports = await freePorts(6)
  const servers = [0, 1, 2].map((index) => startNode(folder, ports[index]!, ports[index + 3]!))
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map(ended))
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const nodes = ports.slice(0, 3)
    for (const port of nodes) await until(async () => (await cli(port, 'PING')).includes('PONG'))
    const addresses = nodes.map((port) => `127.0.0.1:${port}`)
    await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes'])
    for (const port of nodes)
      await until(async () => (await cli(port, 'CLUSTER', 'INFO')).includes('cluster_state:ok'))
    return {
      stop,
      nodes: servers.map((server, index) => ({
        port: ports[index]!,
        freeze: () => server.kill('SIGSTOP'),
        thaw: () => server.kill('SIGCONT'),
      })),
    }
  } catch (cause) {
    await stop()
    throw cause
  }
}

function startNode(folder: string, port: number, busPort: number): ChildProcess {
  const settings = {
    port,
    'cluster-port': busPort,
    bind: '127.0.0.1',
    'cluster-enabled': 'yes',
    'cluster-config-file': `${port}.conf`,
    'cluster-require-full-coverage': 'no',
    save: '',
    appendonly: 'no',
    dir: folder,
  }
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  return spawn('redis-server', options, { stdio: 'ignore' })
}

async function cli(port: number, ...words: string[]): Promise<string> {
  const { stdout } = await run('redis-cli', ['-p', String(port), ...words]).catch(() => ({ stdout: '' }))
  return stdout
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (await isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the Cluster does not come up')
}

/** All held at once, so that no two are the same. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  for (const server of servers)
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    server.once('exit', () => {
      resolve()
    })
    server.kill('SIGKILL')
  })
}
