import { randomBytes, scryptSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import { auditLog, memoryStore, notFound, principalFrom, secureErrors } from '../../src/index.js'
import { keepingLogger } from '../support/records.js'
import { serve, type RunningServer } from '../support/server.js'
import { concurrencyLimit } from '../../src/traffic/concurrency-limit.js'
import { loadShed } from '../../src/traffic/load-shed.js'
import { penalise } from '../../src/traffic/penalise.js'
import { requestTimeout } from '../../src/traffic/request-timeout.js'
import { slowDown } from '../../src/traffic/slow-down.js'
import { Jobs, reportRouter } from './recipes/async-work.js'
import { searchRouter } from './recipes/limit-functions.js'
import { loginRouter, type Account } from './recipes/login.js'

const read = (file: string): string => readFileSync(join(process.cwd(), file), 'utf8')

describe('the pages', () => {
  it.each([
    ['login', 'login'],
    ['async-work', 'async-work'],
    ['rate-limits', 'limit-functions'],
  ])('docs/%s.md shows what is tested here', (page, name) => {
    const recipe = read(`test/traffic/recipes/${name}.ts`).replace('./express-bulwark.js', 'express-bulwark')
    const blocks = [...read(`docs/${page}.md`).matchAll(/```ts\n([^]*?)```/g)]
    expect(blocks.map(([, block]) => block)).toContain(recipe)
  })

  it.each<[string, (options: never) => unknown, string[]]>([
    ['concurrency-limit', concurrencyLimit, []],
    ['load-shed', loadShed, []],
    ['slow-down', slowDown, []],
    ['request-timeout', requestTimeout, []],
    ['penalise', penalise, []],
  ])('docs/middlewares/%s.md has a row for every option, and for no other', (page, make) => {
    let message = ''
    try {
      make({ noSuchOption: 1 } as never)
    } catch (error) {
      message = (error as Error).message
    }
    const known = /Known options: (.*)\.$/.exec(message)?.[1]?.split(', ')
    const text = read(`docs/middlewares/${page}.md`)
    expect(new Set([...text.matchAll(/^\| `(\w+)`\s+\|/gm)].map(([, name]) => name))).toEqual(new Set(known))
    expect(text).toMatch(/^## Not checked$/m)
  })
})

let server: RunningServer
const served = (mount: (app: express.Express) => void): Promise<void> => {
  const app = express()
  app.use(auditLog({ logger: keepingLogger() }))
  mount(app)
  app.use(notFound(), secureErrors())
  return serve(app).then((running) => {
    server = running
  })
}
const post = (path: string, body: unknown, headers = {}): Promise<Response> =>
  fetch(server.url + path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  })

describe('the login', () => {
  const sessions: string[] = []
  const logIn = async (account: string, password: string): Promise<number> =>
    (await post('/login', { account, password })).status
  beforeAll(async () => {
    const salt = randomBytes(16)
    const ada: Account = { salt, key: scryptSync('right', salt, 32) }
    await served((app) => {
      app.use(
        loginRouter(
          async (account) => (account === 'ada' ? ada : undefined),
          (account) => sessions.push(account),
          memoryStore(),
        ),
      )
    })
  })
  afterAll(() => server.close())

  it('lets in who knows the password, however the name is spelled, and as often as they like', async () => {
    for (const spelling of ['ada', 'Ada', ' ADA ', '\uff21\uff24\uff21', 'ada', 'ada', 'ada'])
      expect(await logIn(spelling, 'right')).toBe(204)
    expect(sessions).toEqual(Array(7).fill('ada'))
  })

  it('checks five guesses at an account, whatever its spelling, and blocks those after it', async () => {
    const guesses = ['ada', 'Ada', 'ADA', ' ada', 'aDa', 'ada ', 'adA'].map((name) => logIn(name, 'wrong'))
    expect((await Promise.all(guesses)).sort()).toEqual([401, 401, 401, 401, 401, 429, 429])
    expect(await logIn('ada', 'right')).toBe(429)
  })

  it('answers an account that does not exist alike', async () => {
    const answers = await Promise.all(Array.from({ length: 7 }, () => logIn('nobody', 'wrong')))
    expect(answers.sort()).toEqual([401, 401, 401, 401, 401, 429, 429])
  })

  it.each([7, '', ' ', '\u3000\t'])(
    'refuses %j, which is no account, before it counts anything',
    async (account) => {
      expect((await post('/login', { account, password: 'wrong' })).status).toBe(400)
    },
  )
})

describe('the login, while nobody can look accounts up', () => {
  const logger = keepingLogger()
  afterAll(() => server.close())

  it('holds who tries again to the limit, and blocks nobody', async () => {
    const down = (): Promise<never> => Promise.reject(new Error('the accounts are down'))
    await served((app) => {
      app.use(
        auditLog({ logger }),
        loginRouter(down, () => undefined, memoryStore()),
      )
    })
    const answers: number[] = []
    for (let i = 0; i < 7; i += 1)
      answers.push((await post('/login', { account: 'ada', password: 'right' })).status)
    expect(answers).toEqual([500, 500, 500, 500, 500, 429, 429])
    expect(logger.reasons()).toContain('limit_exceeded')
    expect(logger.reasons()).not.toContain('caller_blocked')
  })
})

describe('work that outlives its request', () => {
  let finish: (result: unknown) => void
  let fail: () => void
  const as = (user: string) => ({ 'x-user': user })
  const ask = (path: string, user: string): Promise<Response> =>
    fetch(server.url + path, { headers: as(user) })
  beforeAll(async () => {
    const jobs = new Jobs({ total: 3, each: 2, kept: 2, keptMs: 60_000, timeoutMs: 60_000 })
    const work = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        finish = resolve
        fail = () => {
          reject(new Error('secret'))
        }
      })
    await served((app) => {
      app.use(principalFrom((req) => ({ subject: String(req.headers['x-user']) }), { name: 'test' }))
      app.use('/v1', reportRouter(jobs, work))
    })
  })
  afterAll(() => server.close())

  it('is accepted, found by its owner alone, and bounded, for each and in all', async () => {
    const start = (user: string): Promise<Response> => post('/v1/reports', {}, as(user))
    const first = await start('ada')
    expect(first.status).toBe(202)
    const location = first.headers.get('location')!
    expect(location).toMatch(/^\/v1\/reports\/[-0-9a-f]{36}$/)
    const running = await ask(location, 'ada')
    expect([running.status, running.headers.get('retry-after')]).toEqual([200, '2'])
    expect(await running.json()).toMatchObject({ status: 'running' })
    expect((await ask(location, 'bob')).status).toBe(404)
    finish({ rows: 7 })
    expect(await (await ask(location, 'ada')).json()).toMatchObject({ status: 'done', result: { rows: 7 } })

    const failing = (await start('ada')).headers.get('location')!
    fail()
    const failed = await (await ask(failing, 'ada')).text()
    expect(failed).toContain('"failed"')
    expect(failed).not.toContain('secret')

    expect([(await start('ada')).status, (await start('ada')).status]).toEqual([202, 202])
    const refused = await start('ada')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5'])
    expect([(await start('bob')).status, (await start('carol')).status]).toEqual([202, 503])
  })
})

describe('work that heeds no signal', () => {
  it('has failed when its time is up, and its place is free', async () => {
    const jobs = new Jobs({ total: 1, each: 1, kept: 2, keptMs: 60_000, timeoutMs: 30 })
    let finish = (_result: unknown): void => undefined
    const endless = (): Promise<unknown> =>
      new Promise((resolve) => {
        finish = resolve
      })
    const { id } = jobs.start('ada', endless)
    const second = (): unknown => jobs.start('bob', () => Promise.resolve('done'))
    expect(second).toThrow()
    await until(() => jobs.find(id, 'ada')?.status !== 'running')
    expect(jobs.find(id, 'ada')?.status).toBe('failed')
    expect(second).not.toThrow()

    // What it answers when nobody waits any more changes nothing.
    finish('late')
    await new Promise(setImmediate)
    expect(jobs.find(id, 'ada')).toMatchObject({ status: 'failed' })
    expect(jobs.find(id, 'ada')?.result).toBeUndefined()
  })

  it('is told by its signal, and may fail because of it', async () => {
    const jobs = new Jobs({ total: 1, each: 1, kept: 2, keptMs: 60_000, timeoutMs: 30 })
    let reason: unknown
    const { id } = jobs.start(
      'ada',
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason
            reject(new Error('given up'))
          })
        }),
    )
    await until(() => jobs.find(id, 'ada')?.status !== 'running')
    expect(jobs.find(id, 'ada')?.status).toBe('failed')
    expect(reason).toMatchObject({ name: 'AbortError' })
  })

  async function until(holds: () => boolean): Promise<void> {
    for (let tries = 0; !holds() && tries < 200; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 5))
  }
})

describe('limits by functions', () => {
  const found: unknown[] = []
  const claims = { company: 'north', plan: 'pro' }
  const search = (terms: unknown, caller: object): Promise<Response> =>
    post('/search', { terms }, { 'x-claims': JSON.stringify(caller) })
  const left = (answer: Response): string[] =>
    [...(answer.headers.get('ratelimit') ?? '').matchAll(/"(\w+)";r=(\d+)/g)].map(
      ([, name, points]) => `${String(name)} ${String(points)}`,
    )
  beforeAll(async () => {
    await served((app) => {
      app.use(
        principalFrom((req) => ({ subject: 'ada', claims: JSON.parse(String(req.headers['x-claims'])) }), {
          name: 'test',
        }),
        searchRouter((terms) => {
          found.push(terms)
          return {}
        }),
      )
    })
  })
  afterAll(() => server.close())

  it('charge what the body costs, by the plan and the company of the token', async () => {
    const answer = await search(['a', 'b', 'c'], claims)
    expect([answer.status, left(answer)]).toEqual([200, ['plan 49999', 'company 97']])
    expect(left(await search([], claims))).toEqual(['plan 49998', 'company 96'])
    expect(left(await search(['a'], { company: 'south' }))).toEqual(['plan 997', 'company 99'])
    expect(found).toHaveLength(3)
  })

  it.each<[object, number]>([
    [{}, 403],
    [{ company: '' }, 403],
    [{ company: ['north'] }, 403],
  ])('refuse a caller whose claims are %j, and count nothing', async (caller, status) => {
    const answer = await search(['a'], caller)
    expect([answer.status, left(answer)]).toEqual([status, []])
  })
})
