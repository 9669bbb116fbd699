import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { findingsOf } from '../../src/posture/findings.js'
import type { Posture } from '../../src/posture/model.js'
import { COMMAND, built } from '../support/built.js'
import { describeWith, program } from '../support/requirements.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = join(root, 'examples/gateway-and-services')
const PAST_THE_GATEWAY = 9
const ALL = 23

const temporary = mkdtempSync(join(tmpdir(), 'bulwark-example-'))

beforeAll(built, 120_000)
afterAll(() => {
  rmSync(temporary, { recursive: true, force: true })
})

interface Ended {
  readonly code: number
  readonly stdout: string
}

function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const options = { cwd: folder, timeout: 30_000, env: { ...process.env, TMPDIR: temporary, ...env } }
  return new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], options, (error, stdout) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout })
    })
  })
}

function expectAllRight({ stdout }: Ended, count: number): void {
  const outcomes = [...stdout.matchAll(/^(\S+) +expected (.+?), got (.+?) {2}\S/gm)]
  expect(outcomes.map(([line, verdict]) => [verdict, line]).filter(([verdict]) => verdict !== 'ok')).toEqual(
    [],
  )
  expect(outcomes).toHaveLength(count)
  expect(stdout).toContain(`${count} of ${count} outcomes as they should be`)
  // Keys and certificates are gone with the demo.
  expect(readdirSync(temporary).filter((name) => name.startsWith('gateway-and-services'))).toEqual([])
}

describe.each(['nginx', 'haproxy'])('a gateway and two services', (kind) => {
  const needed = [program('openssl', 'openssl'), program(kind, kind)]
  describeWith(needed.find(({ met }) => !met) ?? needed[0]!, `behind a real ${kind}`, () => {
    it('every way in ends as it should', async () => {
      const ended = await run('start.js', ['--demo', '--gateway', kind])
      expectAllRight(ended, ALL)
      expect(ended.code).toBe(0)
    }, 40_000)
  })
})

describeWith(program('openssl', 'openssl'), 'a gateway and two services', () => {
  it('without a gateway shows what goes past it, says how to get one, and ends with 2', async () => {
    const path = join(temporary, 'bin')
    mkdirSync(path)
    symlinkSync(whereIs('openssl'), join(path, 'openssl'))
    const ended = await run('start.js', ['--demo'], { PATH: path })
    expectAllRight(ended, PAST_THE_GATEWAY)
    expect(ended.stdout).toContain('apt-get install -y nginx')
    expect(ended.code).toBe(2)
  }, 40_000)

  it('have no open route, and no finding', async () => {
    const tls = join(temporary, 'tls')
    await run('pki.js', [tls])
    for (const app of ['orders-app.js', 'billing-app.js']) {
      const { stdout, code } = await run(COMMAND, ['posture', app, '--format', 'json'], { TLS: tls })
      expect(code).toBe(0)
      const posture = JSON.parse(stdout) as Posture
      const { rows } = posture
      expect(rows.length).toBeGreaterThanOrEqual(3)
      for (const { proof, path } of rows)
        expect([path, proof]).toEqual([path, path === '/health' ? 'public' : 'guarded'])
      expect(findingsOf(posture)).toEqual([])
    }
  }, 40_000)
})

function whereIs(name: string): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((each) => join(each, name)).find((file) => existsSync(file)) ?? name
}
