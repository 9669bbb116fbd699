import { fork, type ChildProcess } from 'node:child_process'
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { transformFileSync } from '@swc/core'
import type { Health } from '../../src/core.js'

// A process of its own for each test, because what is tested is whether it survives. It runs the sources, translated
// into a folder from which the packages can be found.
const ROOT = process.cwd()
const SERVICE = `
import express from 'express'
import { auditLog } from './src/audit/audit-log.js'
import { notFound } from './src/errors/not-found.js'
import { secureErrors } from './src/errors/secure-errors.js'

const audit = auditLog()
const app = express()
app.use(audit)
app.get('/', (_req, res) => { res.json({}) })
app.use(notFound())
app.use(secureErrors())
const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
process.on('message', () => process.send({ health: audit.health() }))
`

interface Service {
  readonly child: ChildProcess
  readonly port: number
  status(path: string): Promise<number>
  health(): Promise<Health>
}

describe('the default logger, on standard output', () => {
  let folder = ''
  const running: ChildProcess[] = []

  beforeAll(() => {
    const cache = join(ROOT, 'node_modules', '.cache')
    mkdirSync(cache, { recursive: true })
    folder = mkdtempSync(join(cache, 'standard-output-'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'service.js'), SERVICE)
    cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true })
    for (const file of readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue
      const { code } = transformFileSync(join(folder, 'src', file), {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'es6' },
      })
      writeFileSync(join(folder, 'src', `${file.slice(0, -3)}.js`), code)
    }
  })
  afterEach(async () => {
    for (const child of running.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })

  async function start(stdout: number | 'pipe'): Promise<Service> {
    const child = fork(join(folder, 'service.js'), {
      stdio: ['ignore', stdout, 'inherit', 'ipc'],
      execArgv: [],
      env: { ...process.env, NODE_OPTIONS: '' },
    })
    running.push(child)
    const [{ port }] = (await once(child, 'message')) as [{ port: number }]
    return {
      child,
      port,
      status: async (path) => {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`)
        await answer.arrayBuffer()
        return answer.status
      },
      health: async () => {
        child.send('health')
        const [{ health }] = (await once(child, 'message')) as [{ health: Health }]
        return health
      },
    }
  }

  it('writes one line of JSON for each record, at once: what a killed process had refused is there', async () => {
    const file = join(folder, 'killed.log')
    const output = openSync(file, 'w')
    const service = await start(output)
    for (let index = 0; index < 20; index += 1) expect(await service.status(`/nowhere/${index}`)).toBe(404)
    service.child.kill('SIGKILL')
    await once(service.child, 'exit')
    closeSync(output)
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    const refusals = lines
      .map((line) => JSON.parse(line))
      .filter(({ event }) => event.reason === 'route_unmatched')
    expect(refusals).toHaveLength(20)
  })

  it('loses records where the disk is full, and no request: health() says so', async () => {
    const full = openSync('/dev/full', 'w')
    const service = await start(full)
    closeSync(full)
    expect((await service.health()).status).toBe('ok')
    for (let index = 0; index < 20; index += 1) expect(await service.status('/')).toBe(200)
    expect(await service.status('/nowhere')).toBe(404)
    const { status, detail } = await service.health()
    expect(status).toBe('degraded')
    expect(detail).toMatch(/^0 records written, \d\d failed$/)
    expect(service.child.exitCode).toBeNull()
  })

  it('loses records where the reader is gone, and no request: health() says so, and goes on saying it', async () => {
    const service = await start('pipe')
    expect(await service.status('/')).toBe(200)
    expect((await service.health()).status).toBe('ok')
    const gone = once(service.child.stdout!, 'close')
    service.child.stdout!.destroy()
    await gone
    for (let index = 0; index < 20; index += 1) expect(await service.status('/')).toBe(200)
    expect(await service.health()).toMatchObject({
      status: 'degraded',
      detail: '1 records written, 20 failed',
    })
    expect(await service.status('/nowhere')).toBe(404)
    expect((await service.health()).status).toBe('degraded')
    expect(service.child.exitCode).toBeNull()
  })
})
