import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { describeWith, program } from '../support/requirements.js'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const START = 'examples/orders-service/start.js'
const PROMISED = [201, 400, 401, 401, 403, 404, 413, 415, 429]

beforeAll(() => {
  if (existsSync(`${root}dist/esm/index.js`)) return
  const { status } = spawnSync(process.execPath, ['scripts/build.js'], { cwd: root, stdio: 'inherit' })
  expect(status).toBe(0)
}, 120_000)

describe('the orders service, sending its own requests', () => {
  it('ends by itself with every outcome as promised', async () => {
    const { stdout } = await run(process.execPath, [START, '--demo'], { cwd: root, timeout: 30_000 })
    const outcomes = [...stdout.matchAll(/^(\S+) +expected (\d+), got (\d+) /gm)]
    expect(outcomes.map(([, verdict, expected, got]) => [verdict, Number(expected), Number(got)])).toEqual(
      PROMISED.map((status) => ['ok', status, status]),
    )
    expect(stdout.match(/^ +said: +\S/gm)).toHaveLength(PROMISED.length)
    expect(stdout.match(/^ +audit: +\S/gm)).toHaveLength(PROMISED.filter((status) => status >= 400).length)
    expect(stdout).toContain('9 of 9 outcomes as promised')
  }, 40_000)

  it('shares its limits among as many instances as INSTANCES says', async () => {
    const started = (INSTANCES: string): Promise<unknown> =>
      run(process.execPath, [START, '--demo'], {
        cwd: root,
        timeout: 30_000,
        env: { ...process.env, INSTANCES },
      }).catch((cause: unknown) => cause)
    expect(await started('3')).toMatchObject({
      stdout: expect.stringContaining('9 of 9 outcomes as promised') as unknown,
    })
    expect(await started('none')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('instances must be an integer') as unknown,
    })
  }, 80_000)

  it('says so, and ends with an exit code other than 0, where outcomes are not as promised', async () => {
    // Whatever the service is sent carries no good token: only the answers to bad ones are still as promised.
    const withoutTokens = `const send = fetch
      globalThis.fetch = (url, init) => String(url).includes('/orders')
        ? send(url, { ...init, headers: { ...init.headers, authorization: 'Bearer a.b.c' } })
        : send(url, init)`
    const preload = `data:text/javascript,${encodeURIComponent(withoutTokens)}`
    const failure: unknown = await run(process.execPath, ['--import', preload, START, '--demo'], {
      cwd: root,
      timeout: 30_000,
    }).catch((cause: unknown) => cause)
    expect(failure).toMatchObject({ code: 1, killed: false })
    const { stdout } = failure as { stdout: string }
    expect(stdout.match(/^FAILED +expected \d+, got 401 /gm)).toHaveLength(PROMISED.length - 2)
    expect(stdout).toContain('2 of 9 outcomes as promised')
  }, 40_000)
})

describeWith(program('curl', 'curl'), 'the commands that the orders service prints', () => {
  it('give the promised answers when they are pasted into a shell, in any order, and SIGTERM ends the service', async () => {
    const service = spawn(process.execPath, [START], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
    try {
      const commands = printedCommands(await outputUntil(service, 'Audit records'))
      expect(commands.map(({ status }) => status)).toEqual(PROMISED)
      for (const { status, command } of [...commands].reverse()) {
        const { stdout } = await run('bash', ['-c', command], { timeout: 30_000 })
        const statuses = [...stdout.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, got]) => Number(got))
        expect(statuses.at(-1)).toBe(status)
      }
    } finally {
      service.kill('SIGTERM')
    }
    expect(await once(service, 'exit')).toEqual([0, null])
  }, 60_000)
})

/** A status and a title on one line, the command on the next. */
function printedCommands(output: string): { readonly status: number; readonly command: string }[] {
  return [...output.matchAll(/^(\d{3}) {2}\S.*\n {5}(.+)$/gm)].map(([, status, command]) => ({
    status: Number(status),
    command: command ?? '',
  }))
}

/** What a process has written by the time it has written `text`; what it writes later is read, and dropped. */
function outputUntil(child: ChildProcess, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.includes(text)) resolve(output)
    })
    child.once('exit', () => {
      reject(new Error(`it ended before it wrote "${text}":\n${output}`))
    })
  })
}
