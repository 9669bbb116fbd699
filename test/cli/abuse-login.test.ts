import { spawn, type ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import { readEvidence } from '../../src/cli/load-evidence.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { memoryStore } from '../../src/stores/memory.js'
import { penalise } from '../../src/traffic/penalise.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { abuseWorld } from './abuse-support.js'
import { PACKAGE, built } from './support.js'

const { folder, abuse, served, close } = abuseWorld()
const processes: ChildProcess[] = []
afterAll(async () => {
  for (const child of processes) child.kill('SIGKILL')
  await close()
})

interface Login {
  readonly url: string
  /** What was verified. */
  readonly bodies: unknown[]
}

async function login(by: 'address' | ((req: { headers: object }) => string) = 'address'): Promise<Login> {
  const bodies: unknown[] = []
  const app = express()
  app.use(express.json(), (req: express.Request, res, next) => {
    if (typeof (req.body as { account?: unknown } | undefined)?.account === 'string') next()
    else res.status(400).end()
  })
  app.post(
    '/',
    penalise({ name: 'login', limit: 5, windowSeconds: 300, by, block: {}, store: memoryStore() }),
    (req, res) => {
      bodies.push(req.body)
      setTimeout(() => res.status(401).end(), 50)
    },
  )
  app.use(secureErrors())
  return { url: await served(app), bodies }
}

const wrong = '{"account":"ada","password":"wrong"}'
const limit = ['--method', 'POST', '--limit', '5', '--window', '300', '--rule', 'login']

describe('abuse of a login', () => {
  it('proves how many attempts are verified, and leaves evidence', async () => {
    const { url, bodies } = await login()
    const { code, stdout, stderr } = await abuse(url, ...limit, '--body', wrong, '--output', 'login.json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^kept +5 pass, and no more +15 sent: 5 let through, 10 refused with 429$/m)
    expect(stdout).toMatch(/^kept +invented callers change nothing /m)
    expect(stdout).not.toContain('ada')
    expect(bodies).toEqual(Array(5).fill({ account: 'ada', password: 'wrong' }))
    expect(readEvidence(folder, 'login.json')).toMatchObject([{ rule: 'login', allowed: 5, refused: 10 }])
  })

  it('takes the body of a file, of another type', async () => {
    const types: unknown[] = []
    const url = await served((req, res) => {
      types.push(req.headers['content-type'], req.headers['content-length'])
      res.end()
    })
    writeFileSync(join(folder, 'body.txt'), 'a=é')
    await abuse(url, ...limit, '--body-file', 'body.txt', '--type', 'application/x-www-form-urlencoded')
    expect(new Set(types)).toEqual(new Set(['application/x-www-form-urlencoded', '4']))
  })

  it('judges nothing of invented callers where nobody was refused, and says what is missing', async () => {
    const { url } = await login()
    const { code, stdout } = await abuse(url, ...limit)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^FAILED +5 pass, .*15 let through, 0 refused.* got 400.*--body and --type$/m)
    expect(stdout).toMatch(/^not judged +invented callers change nothing +nobody was refused$/m)
    expect(stdout).not.toContain('gcra')
  })

  it('tells that an invented caller has further guesses, which the login answers with 401', async () => {
    const { url } = await login(({ headers }) => String((headers as Record<string, unknown>)['x-api-key']))
    const { code, stdout } = await abuse(url, ...limit, '--body', wrong)
    expect(stdout).toMatch(/^FAILED +invented callers change nothing +30 of 30 /m)
    expect(code).toBe(1)
  })

  it('leaves it open whether a Retry-After beyond the window is that of a block', async () => {
    let count = 0
    const url = await served((_req, res) => {
      count += 1
      res.writeHead(count > 5 ? 429 : 401, { 'retry-after': '3600' }).end()
    })
    const { code, stdout } = await abuse(url, ...limit, '--body', wrong)
    expect(stdout).toMatch(
      /^not judged +Retry-After is whole seconds +3600 to 3600 s, although the window is 300 s: right for a block alone$/m,
    )
    expect(code).toBe(0)
  })

  it('names the credential that is missing, where a service answers 401 to all', async () => {
    const url = await served((_req, res) => res.writeHead(401).end())
    const { code, stdout } = await abuse(url)
    expect(code).toBe(1)
    expect(stdout).toMatch(
      /^FAILED +there is a limit +no RateLimit-Policy .* got 401: .*--header, for a credential$/m,
    )
    const byHand = await abuse(url, '--limit', '5', '--window', '60')
    expect(byHand.stdout).toMatch(/^limit: 5 in 60 s$/m)
  })
})

describe('abuse of a login of two processes on one Redis', () => {
  let redis: RunningRedis
  beforeAll(async () => {
    built()
    redis = await startRedis()
  }, 120_000)
  afterAll(() => redis.stop())

  const service = fileURLToPath(new URL('../support/limited-service.js', import.meta.url))
  function started(): Promise<string> {
    const args = [service, PACKAGE, String(redis.port), `abuse-login-${process.pid}`]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    processes.push(child)
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.stdout.on('data', (text: Buffer) => {
        resolve(`http://localhost:${String(text).trim()}/login`)
      })
    })
  }

  it('finds one count, and a block that outlasts the window', async () => {
    const [first, second] = await Promise.all([started(), started()])
    const args = ['--method', 'POST', '--limit', '5', '--window', '4', '--rule', 'login', '--body', wrong]
    const { code, stdout } = await abuse(first, '--targets', second, ...args, '--header', 'X-Account: ada')
    expect(stdout).toMatch(/^kept +5 pass, and no more +25 sent: 5 let through, 20 refused/m)
    expect(stdout).toMatch(/^kept +2 processes, one count +let through: [1-4] \+ [1-4]; /m)
    expect(stdout).toMatch(
      /^not judged +at most 5 in any 4 s +the caller is refused for longer than the window$/m,
    )
    expect(stdout).not.toContain('FAILED')
    expect(code).toBe(0)
  }, 30_000)
})
