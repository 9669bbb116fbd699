import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { auditLog } from '../../src/audit/audit-log.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { memoryStore } from '../../src/stores/memory.js'
import { redisStore } from '../../src/stores/redis.js'
import { loadShed } from '../../src/traffic/load-shed.js'
import {
  penalise,
  type PenaliseOptions,
  type PenalisePolicies,
  type Penaliser,
} from '../../src/traffic/penalise.js'
import { requestTimeout } from '../../src/traffic/request-timeout.js'
import { keepingLogger } from '../support/records.js'
import { appWith, closeServers, serve, until, type Handler } from './overload-support.js'

const one = (overrides: Partial<PenaliseOptions> = {}): PenaliseOptions => ({
  name: 'login',
  limit: 2,
  windowSeconds: 60,
  by: () => 'ada',
  block: {},
  store: memoryStore(),
  ...overrides,
})

let logger = keepingLogger()
let entered = 0
beforeEach(() => {
  logger = keepingLogger()
  entered = 0
})
afterEach(closeServers)

/** Answers what it is asked to. */
const obedient: Handler = (req, res) => {
  entered += 1
  res.status(Number(req.headers['x-answer'])).end()
}
const serving = async (guards: readonly unknown[], handler = obedient): Promise<string> => {
  const { url } = await serve(appWith([auditLog({ logger, coalesceSeconds: 0 }), ...guards], handler))
  return url
}
const ask = async (url: string, answer: number): Promise<number> => {
  const { status, body } = await fetch(url, { headers: { 'x-answer': String(answer) } })
  await body?.cancel()
  return status
}
const statuses = async (url: string, answers: readonly number[]): Promise<number[]> => {
  const seen: number[] = []
  for (const answer of answers) seen.push(await ask(url, answer))
  return seen
}
const passing = (): ((ms: number) => void) => {
  let offset = 0
  const real = performance.now.bind(performance)
  jest.spyOn(performance, 'now').mockImplementation(() => real() + offset)
  return (ms) => (offset += ms)
}

describe('how an attempt ended', () => {
  it.each([400, 401, 403, 404, 422, 499])('%d is a failure: charged, and blocked for', async (status) => {
    const url = await serving([penalise(one())])
    expect(await statuses(url, [status, status, 204])).toEqual([status, status, 429])
    expect(logger.reasons()).toContain('caller_blocked')
  })

  it.each([200, 204, 302, 399])('%d is a success: given back', async (status) => {
    const url = await serving([penalise(one())])
    expect(await statuses(url, Array<number>(5).fill(status))).toEqual(Array<number>(5).fill(status))
  })

  it.each([500, 502, 503, 599])('%d says nothing: charged, and nobody is blocked for it', async (status) => {
    const pass = passing()
    const url = await serving([penalise(one({ block: { seconds: 600 } }))])
    expect(await statuses(url, [status, status, 204])).toEqual([status, status, 429])
    expect(logger.reasons()).toContain('limit_exceeded')
    pass(62_000)
    expect(await statuses(url, [status, status, 204])).toEqual([status, status, 429])
    expect(logger.reasons()).not.toContain('caller_blocked')
  })

  it('leaves records that say under which policy, and about which account, whoever tried it', async () => {
    const policies = [
      { name: 'address', limit: 50, windowSeconds: 60, by: () => 'some address', block: {} },
      { name: 'account', limit: 1, windowSeconds: 60, by: () => 'ada', block: { seconds: 60 } },
    ]
    const url = await serving([penalise({ name: 'login', policies, store: memoryStore() })])
    expect(await statuses(url, [401, 401])).toEqual([401, 429])
    const told = logger.kept.find(({ record }) => record.event?.reason === 'caller_blocked')?.record.evidence
    const digest = createHash('sha256').update('ada').digest('base64url')
    expect(told).toEqual({ policies: ['account'], keys: [digest.slice(0, 16)] })
  })

  it('counts the failures before and after an answer that says nothing', async () => {
    const pass = passing()
    const url = await serving([penalise(one({ limit: 3, block: { seconds: 600 } }))])
    expect(await ask(url, 503)).toBe(503)
    pass(30_000)
    expect(await statuses(url, [401, 401, 204])).toEqual([401, 401, 429])
    expect(logger.reasons()).toEqual(['limit_exceeded'])
    // What said nothing has left the window; the failures have not, and this is the third.
    pass(32_000)
    expect(await statuses(url, [401, 204])).toEqual([401, 429])
    expect(logger.reasons()).toEqual(['limit_exceeded', 'caller_blocked'])
  })

  it('takes a time-out of this library for an answer that says nothing', async () => {
    const never: Handler = () => {
      entered += 1
    }
    const url = await serving([requestTimeout({ timeoutMs: 20 }), penalise(one())], never)
    expect(await statuses(url, [0, 0, 0])).toEqual([503, 503, 429])
    expect([entered, logger.reasons().at(-1)]).toEqual([2, 'limit_exceeded'])
  })

  it('takes what is shed behind it for an answer that says nothing', async () => {
    const held: (() => void)[] = []
    const holding: Handler = (req, res, next) => {
      if (req.headers['x-answer'] === '299') held.push(() => res.status(204).end())
      else obedient(req, res, next)
    }
    const url = await serving([penalise(one({ limit: 3 })), loadShed({ maxInFlight: 1 })], holding)
    const first = ask(url, 299)
    await until(() => held.length === 1)
    expect(await statuses(url, [204, 204, 204])).toEqual([503, 503, 429])
    held[0]!()
    expect(await first).toBe(204)
    expect(await statuses(url, [401, 204])).toEqual([401, 429])
    expect(logger.reasons()).not.toContain('caller_blocked')
  })

  it('takes who left before the answer for a failure, whatever it would have been', async () => {
    const url = await serving([penalise(one({ limit: 1 }))], (_req, res) => {
      entered += 1
      res.on('close', () => res.status(503).end())
    })
    const leaving = new AbortController()
    const gone = fetch(url, { signal: leaving.signal }).catch(() => 'gone')
    await until(() => entered === 1)
    leaving.abort()
    expect(await gone).toBe('gone')
    await until(() => logger.kept.length > 0)
    expect(await ask(url, 204)).toBe(429)
    expect(logger.reasons()).toContain('caller_blocked')
  })

  it('leaves every status to isFailure where it is given', async () => {
    const isFailure: PenaliseOptions['isFailure'] = ({ statusCode }) => statusCode === 503
    const url = await serving([penalise(one({ isFailure }))])
    expect(await statuses(url, [500, 401, 500, 503, 503, 204])).toEqual([500, 401, 500, 503, 503, 429])
    expect(logger.reasons()).toContain('caller_blocked')
  })

  it('is said in the posture', () => {
    const fact = (options: PenaliseOptions): unknown => guardMetadataOf(penalise(options))?.facts['isFailure']
    expect([fact(one()), fact(one({ isFailure: () => true }))]).toEqual(['status 400 to 499', 'function'])
  })
})

describe('keys that several readers answer', () => {
  const late = (): Promise<string> => new Promise((_, reject) => setTimeout(reject, 5, new Error('late')))
  const gone = (): string => {
    throw new Error('gone')
  }
  it.each<[string, PenaliseOptions | PenalisePolicies]>([
    ['in one list', one({ by: [late, gone] })],
    [
      'in several limits',
      {
        name: 'login',
        store: memoryStore(),
        policies: [
          { name: 'account', limit: 1, windowSeconds: 1, by: late },
          { name: 'address', limit: 1, windowSeconds: 1, by: gone },
        ],
      },
    ],
  ])('end no process: one rejects after another has thrown, %s', async (_case, options) => {
    const rejections: unknown[] = []
    const note = (cause: unknown): void => void rejections.push(cause)
    process.on('unhandledRejection', note)
    const url = await serving([penalise(options)])
    expect(await ask(url, 204)).toBe(500)
    await new Promise((resolve) => setTimeout(resolve, 20))
    process.off('unhandledRejection', note)
    expect([rejections, entered]).toEqual([[], 0])
  })

  it('are one key, whoever of them answers later', async () => {
    const soon = async (): Promise<string> => Promise.resolve('ada')
    const url = await serving([penalise(one({ by: ['address', soon, () => 'x'] }))])
    expect(await statuses(url, [401, 401, 204])).toEqual([401, 401, 429])
  })

  it('stand in the posture, each of a list', () => {
    const guard = penalise(one({ by: ['principal', () => 'x'] }))
    expect(guardMetadataOf(guard)?.facts['policies']).toMatchObject([{ by: ['principal', 'function'] }])
  })
})

describe('the name of a penalise', () => {
  const grouped = (store: PenaliseOptions['store']): Penaliser =>
    penalise({
      name: 'login',
      store: store!,
      policies: [{ name: 'address', limit: 2, windowSeconds: 60, by: () => 'ada', block: {} }],
    })

  it('is its own: a limit in a group counts apart from a single one that is called like both', async () => {
    const store = memoryStore()
    const single = await serving([penalise(one({ name: 'login:address', store }))])
    const group = await serving([grouped(store)])
    expect(await statuses(single, [401, 401, 204])).toEqual([401, 401, 429])
    expect(await statuses(group, [401, 401, 204])).toEqual([401, 401, 429])
  })

  it('stands in the record as it was given', async () => {
    const url = await serving([grouped(memoryStore())])
    await statuses(url, [500, 500, 204])
    expect(logger.kept.find(({ message }) => message === 'limit_exceeded')?.record).toMatchObject({
      evidence: { policies: ['address'] },
    })
  })

  it('is free again, and blocks nobody, once the last of that name is closed', async () => {
    const store = memoryStore()
    const [first, second] = [penalise(one({ store })), penalise(one({ store }))]
    const [here, there] = [await serving([first]), await serving([second])]
    expect(await statuses(here, [401, 401, 204])).toEqual([401, 401, 429])
    await first.close()
    await first.close()
    expect(await statuses(there, [204])).toEqual([429])
    expect(logger.reasons()).toEqual(['caller_blocked', 'caller_blocked'])
    await second.close()
    const anew = await serving([penalise(one({ store }))])
    expect(await statuses(anew, [204, 401, 204])).toEqual([204, 401, 204])
  })

  it('keeps the blocks of other names, and no failure of one that is closed', async () => {
    const store = memoryStore()
    const held: (() => void)[] = []
    const closing = penalise(one({ limit: 1, store }))
    const url = await serving([closing], (_req, res) => held.push(() => res.status(401).end()))
    const other = await serving([penalise(one({ name: 'other', store }))])
    expect(await statuses(other, [401, 401, 204])).toEqual([401, 401, 429])
    const slow = ask(url, 0)
    await until(() => held.length === 1)
    await closing.close()
    held[0]!()
    expect(await slow).toBe(401)
    const anew = await serving([penalise(one({ limit: 1, store }))])
    expect(await statuses(anew, [204, 401])).toEqual([204, 401])
    expect(await statuses(other, [204])).toEqual([429])
  })

  it('is one for all copies of this library in a process, and so are its blocks', async () => {
    const { store: _store, ...options } = one({ name: 'copies', limit: 3 })
    let copy: typeof penalise | undefined
    await jest.isolateModulesAsync(async () => {
      copy = (await import('../../src/traffic/penalise.js')).penalise
    })
    expect(copy).not.toBe(penalise)
    const [first, second] = [penalise(options), copy!(options)]
    const [here, there] = [await serving([first]), await serving([second])]
    expect([await statuses(here, [401, 401]), await statuses(there, [401, 204])]).toEqual([
      [401, 401],
      [401, 429],
    ])
    expect(logger.reasons()).toEqual(['caller_blocked'])
    await Promise.all([first.close(), second.close()])
  })
})

/** A server that answers a command, refuses it, or says nothing, as it is told. */
class Server {
  readonly sent: string[] = []
  readonly down = new Set<string>()

  // What an ioredis client has.
  defineCommand(): void {
    // It is not called.
  }

  call(name: string, ...args: string[]): Promise<unknown> {
    this.sent.push(name)
    if (this.down.has(name)) return Promise.reject(new Error('ECONNREFUSED'))
    if (name === 'PTTL') return Promise.resolve(-2)
    // One limit, and room in it; or a failure that leads to no block.
    return Promise.resolve(args.includes('take') ? [1, 1, 1000, 0] : 0)
  }
}

describe('without the store', () => {
  const outage = async (
    overrides: Partial<PenaliseOptions>,
  ): Promise<{ url: string; server: Server; guard: Penaliser }> => {
    const server = new Server()
    for (const name of ['PTTL', 'EVALSHA']) server.down.add(name)
    const store = redisStore(server, { breakerCoolDownMs: 100 })
    const guard = penalise(one({ store, onOutage: 'local', ...overrides }))
    return { url: await serving([guard]), server, guard }
  }

  it.each([
    [6, 3, 2],
    [6, 2, 3],
    [5, 2, 2],
    [2, 9, 1],
  ])('a limit of %d and %d instances block after %d failures here', async (limit, instances, share) => {
    const { url } = await outage({ limit, instances })
    const failures = Array<number>(share).fill(401)
    expect(await statuses(url, [...failures, 204, 204])).toEqual([...failures, 429, 429])
    expect(logger.reasons()).toEqual(['caller_blocked', 'caller_blocked'])
    expect(entered).toBe(share)
  })

  it('who is blocked here is, also where the store goes between its two answers', async () => {
    const pass = passing()
    const { url, server } = await outage({ block: { seconds: 600 } })
    expect(await statuses(url, [401, 401, 204])).toEqual([401, 401, 429])
    pass(62_000)
    server.down.delete('PTTL')
    server.sent.length = 0
    expect(await statuses(url, [204, 204, 204])).toEqual([429, 429, 429])
    expect([entered, server.sent.includes('PTTL')]).toEqual([2, true])
    expect(new Set(logger.reasons())).toEqual(new Set(['caller_blocked']))
    // Nothing of it was charged.
    pass(600_000)
    expect(await statuses(url, [401, 204])).toEqual([401, 204])
  })

  it('goes on, and says so', async () => {
    const { url, guard } = await outage({})
    await statuses(url, [204, 204])
    expect(guard.health()).toMatchObject({ name: 'login', status: 'degraded' })
    expect(guard.health().detail).toContain('2 by share')
  })

  it('asks the store twice for one decision with a block, and once without', async () => {
    const { url, server } = await outage({})
    server.down.clear()
    expect(await statuses(url, [500])).toEqual([500])
    expect(server.sent).toEqual(['PTTL', 'EVALSHA'])
    const plain = new Server()
    const { block: _block, ...options } = one({ store: redisStore(plain) })
    expect(await statuses(await serving([penalise(options)]), [500])).toEqual([500])
    expect(plain.sent).toEqual(['EVALSHA'])
  })
})
