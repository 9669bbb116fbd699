import { execFile, spawn, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface RunningPostgres {
  /** The folder of its UNIX socket: what a client takes for a host. */
  readonly host: string
  readonly user: string
  readonly database: string
  stop(): Promise<void>
}

const binaries = binariesFolder()

/** Debian keeps these programs off the PATH. */
export const postgres = {
  met: binaries !== undefined,
  remedy: 'postgres is not installed: apt-get install -y postgresql',
}

/** Starts a real Postgres on a UNIX socket of its own, without durability. */
export async function startPostgres(): Promise<RunningPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-postgres-'))
  // It refuses to run as root.
  const owner = process.getuid?.() === 0 ? unprivileged() : undefined
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
  const data = join(folder, 'data')
  const as = { ...owner, env: { ...process.env, LC_ALL: 'C', HOME: folder } }
  await run(
    join(binaries!, 'initdb'),
    ['-D', data, '-U', 'tester', '-A', 'trust', '--no-sync', '--no-locale', '-E', 'UTF8'],
    as,
  )
  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${folder}`,
    'fsync=off',
    'shared_buffers=8MB',
  ]
  const options = settings.flatMap((setting) => ['-c', setting])
  const server = spawn(join(binaries!, 'postgres'), ['-D', data, ...options], { ...as, stdio: 'ignore' })
  for (let attempt = 0; !isReady(folder); attempt += 1) {
    if (attempt > 200) {
      server.kill('SIGQUIT')
      throw new Error('postgres does not come up')
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return {
    host: folder,
    user: 'tester',
    database: 'postgres',
    stop: async () => {
      if (server.exitCode === null && server.signalCode === null)
        await new Promise<void>((resolve) => {
          server.once('exit', () => {
            resolve()
          })
          // At once, connections or not.
          server.kill('SIGQUIT')
        })
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function isReady(folder: string): boolean {
  return spawnSync(join(binaries!, 'pg_isready'), ['-h', folder]).status === 0
}

function binariesFolder(): string | undefined {
  const versions = '/usr/lib/postgresql'
  const found = existsSync(versions)
    ? readdirSync(versions).map((version) => join(versions, version, 'bin'))
    : []
  const onPath = (process.env['PATH'] ?? '').split(':')
  return [...found, ...onPath].find((folder) =>
    ['initdb', 'postgres', 'pg_isready'].every((name) => existsSync(join(folder, name))),
  )
}

function unprivileged(): { readonly uid: number; readonly gid: number } {
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  const user = ['postgres', 'nobody'].flatMap((name) =>
    users.filter((line) => line.startsWith(`${name}:`)),
  )[0]
  const [, , uid, gid] = (user ?? '').split(':').map(Number)
  return { uid: uid ?? 65_534, gid: gid ?? 65_534 }
}
