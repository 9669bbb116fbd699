import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Redis } from 'ioredis'
import { auditLog } from '../../src/audit/audit-log.js'
import { onEvent } from '../../src/core/events.js'
import type { Store } from '../../src/core/ports.js'
import { memoryStore } from '../../src/stores/memory.js'
import { redisStore } from '../../src/stores/redis.js'
import { penalise, type PenaliseOptions, type PenalisePolicies } from '../../src/traffic/penalise.js'
import { blockMs, type Blocks, type Culprit } from '../../src/traffic/penalise/blocks.js'
import type { Penalty } from '../../src/traffic/penalise/options.js'
import { MemoryBlocks } from '../../src/traffic/penalise/memory-blocks.js'
import { RedisBlocks } from '../../src/traffic/penalise/redis-blocks.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { keepingLogger } from '../support/records.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { describeWith, program } from '../support/requirements.js'
import { serve, type RunningServer } from '../support/server.js'
import { GET, appWith, opened, until, type Handler } from './overload-support.js'

// Real, but at a cost that a test can pay two hundred times.
const derive = (password: string, salt: Buffer, length: number): Promise<Buffer> =>
  (promisify(scrypt) as (...args: unknown[]) => Promise<Buffer>)(password, salt, length, { N: 256 })
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A login as it is: it looks the account up, derives a key, and compares it. Whom it does not know it checks as well. */
class Login {
  checks = 0
  readonly #salt = randomBytes(8)
  #key: Promise<Buffer> | undefined

  readonly handler: Handler = (req, res, next) => {
    this.#key ??= derive('right', this.#salt, 16)
    this.checks += 1
    const { account, password } = credentials(req)
    Promise.all([this.#key, derive(password, this.#salt, 16)])
      .then(([known, given]) => {
        const isRight = timingSafeEqual(known, given) && account === 'ada'
        res.status(isRight ? 204 : 401).end()
      })
      .catch(next)
  }
}
const credentials = (req: { headers: Record<string, unknown> }): { account: string; password: string } => ({
  account: String(req.headers['x-account']),
  password: String(req.headers['x-password']),
})
const account = (req: { headers: object }): string => credentials(req as never).account

let server: RunningServer | undefined
let login: Login
const serving = async (...guards: unknown[]): Promise<RunningServer> => {
  login = new Login()
  server = await serve(appWith(guards, login.handler))
  return server
}
const attempt = async (password: string, name = 'ada', signal?: AbortSignal): Promise<Response> => {
  const answer = await fetch(server!.url, {
    method: 'POST',
    headers: { 'x-account': name, 'x-password': password },
    ...(signal === undefined ? {} : { signal }),
  })
  await answer.clone().arrayBuffer()
  return answer
}
const statuses = async (passwords: readonly string[], name = 'ada'): Promise<number[]> => {
  const seen: number[] = []
  for (const password of passwords) seen.push((await attempt(password, name)).status)
  return seen
}
afterEach(async () => {
  await server?.close()
  server = undefined
})

const one = (overrides: Partial<PenaliseOptions> = {}): PenaliseOptions => ({
  name: 'login',
  limit: 2,
  windowSeconds: 60,
  by: account,
  store: memoryStore(),
  ...overrides,
})
const three = (store: Store): PenalisePolicies => ({
  name: 'login',
  policies: [
    { name: 'address', limit: 50, windowSeconds: 60, by: 'address' },
    { name: 'account', limit: 20, windowSeconds: 60, by: account },
    { name: 'both', limit: 5, windowSeconds: 60, by: ['address', account] },
  ],
  store,
})

/** What holds in memory holds in Redis. */
function contract(title: string, makeStore: () => Store): void {
  describe(title, () => {
    it('lets 200 attempts at once at a limit of 5 be exactly 5 checks of a password', async () => {
      await serving(penalise(three(makeStore())))
      const answers = await Promise.all(Array.from({ length: 200 }, () => attempt('guess')))
      expect(login.checks).toBe(5)
      expect(answers.map(({ status }) => status).sort()).toEqual([
        ...Array<number>(5).fill(401),
        ...Array<number>(195).fill(429),
      ])
    })

    it('charges no limit for an attempt that another one refuses', async () => {
      await serving(penalise(three(makeStore())))
      // 190 of these are refused by "both": were they charged to "address" as well, ada would be refused with them.
      await Promise.all(Array.from({ length: 100 }, () => attempt('guess', 'bob')))
      await Promise.all(Array.from({ length: 100 }, () => attempt('guess', 'carol')))
      expect(await statuses(['right'])).toEqual([204])
      expect(login.checks).toBe(11)
    })

    it('gives back what succeeds, each once, and keeps what failed', async () => {
      await serving(penalise(one({ store: makeStore() })))
      expect(await statuses(['right', 'right', 'right', 'right'])).toEqual([204, 204, 204, 204])
      // Were one success given back twice, it would pay for the failure before it.
      expect(await statuses(['wrong', 'right', 'right', 'right', 'wrong', 'right'])).toEqual([
        401, 204, 204, 204, 401, 429,
      ])
    })

    it('keeps the charge of a caller who leaves before the answer', async () => {
      const guard = penalise(one({ store: makeStore() }))
      let entered = 0
      server = await serve(
        appWith([guard], () => {
          entered += 1
        }),
      )
      for (const expected of [1, 2]) {
        const leaving = new AbortController()
        const gone = attempt('guess', 'ada', leaving.signal).catch(() => 'gone')
        await until(() => entered === expected)
        leaving.abort()
        expect(await gone).toBe('gone')
      }
      expect((await attempt('guess')).status).toBe(429)
      expect(entered).toBe(2)
    })

    it('gives back what succeeded, also where the caller left with the answer on its way', async () => {
      const guard = penalise(one({ limit: 1, store: makeStore() }))
      let ended = 0
      server = await serve(
        appWith([guard], (_req, res) => {
          res.on('close', () => (ended += 1))
          res.status(200).end('x'.repeat(100_000))
          res.destroy()
        }),
      )
      // More than three: fetch may take up a connection that is gone by then, and the request never comes.
      for (let tried = 0; ended < 3 && tried < 9; tried += 1) {
        await attempt('right').catch(() => undefined)
        await pause(5)
      }
      expect(ended).toBe(3)
    })

    it('blocks who failed too often, longer each time, and says neither why nor who', async () => {
      const options = one({ limit: 1, windowSeconds: 0.1, block: { seconds: 60 }, store: makeStore() })
      await serving(penalise(options))
      expect(await statuses(['wrong'])).toEqual([401])
      await until(() => login.checks === 1)
      await pause(130)
      const answers = [
        await attempt('right'),
        await attempt('right', 'nobody'),
        await attempt('wrong', 'nobody'),
      ]
      expect(answers.map(({ status }) => status)).toEqual([429, 401, 429])
      expect(Number(answers[0]?.headers.get('retry-after'))).toBeGreaterThan(58)
      expect(await answers[0]?.json()).toMatchObject({
        code: 'limit_exceeded',
        'violated-policies': ['login'],
      })
    })
  })
}

contract('penalise, in memory', memoryStore)

describe('penalise', () => {
  it('answers alike for an account that exists and for one that does not', async () => {
    await serving(penalise(three(memoryStore())))
    const known: unknown[] = []
    const unknown: unknown[] = []
    for (const [name, seen] of [
      ['ada', known],
      ['nobody', unknown],
    ] as const) {
      for (let i = 0; i < 7; i += 1) {
        const answer = await attempt('guess', name)
        const { requestId: _requestId, ...body } = (await answer.json().catch(() => ({}))) as Record<
          string,
          unknown
        >
        const fields = [...answer.headers.keys()].filter((field) => field !== 'etag').sort()
        seen.push([answer.status, fields, body])
      }
    }
    expect(unknown).toEqual(known)
    expect(known.at(-1)).toMatchObject([
      429,
      expect.arrayContaining(['retry-after']),
      { 'violated-policies': ['login'] },
    ])
    expect(known.at(-1)).not.toMatchObject([429, expect.arrayContaining(['ratelimit'])])
  })

  it('names the limits in the record only, and no account', async () => {
    const logger = keepingLogger()
    await serving(auditLog({ logger }), penalise(three(memoryStore())))
    for (let i = 0; i < 6; i += 1) await attempt('guess', 'secret-account')
    const record = logger.kept.find(({ message }) => message === 'limit_exceeded')?.record
    expect(record).toMatchObject({
      evidence: { policies: ['both'] },
      rule: { name: 'login', ruleset: 'penalise' },
    })
    expect(JSON.stringify(logger.kept)).not.toContain('secret-account')
  })

  it('counts attempts that are pipelined on a connection that is dropped', async () => {
    const guard = penalise(one({ by: 'address', limit: 5 }))
    let entered = 0
    server = await serve(
      appWith([guard], () => {
        entered += 1
      }),
    )
    const socket = await opened(server.port, GET.repeat(9))
    // The sixth is refused, but waits for its turn behind those that are not answered.
    await until(() => entered === 5)
    socket.destroy()
    await pause(10)
    expect((await fetch(server.url)).status).toBe(429)
    expect(entered).toBe(5)
  })

  it('verifies nothing, and charges nothing, for who left while the key was looked for', async () => {
    let answer: ((key: string) => void) | undefined
    const store = memoryStore()
    const guard = penalise(one({ limit: 1, store, by: () => new Promise((resolve) => (answer = resolve)) }))
    await serving(guard)
    const leaving = new AbortController()
    const gone = attempt('guess', 'ada', leaving.signal).catch(() => 'gone')
    await until(() => answer !== undefined)
    leaving.abort()
    await gone
    await pause(20)
    answer?.('ada')
    await pause(5)
    answer = undefined
    const next = attempt('right')
    await until(() => answer !== undefined)
    answer!('ada')
    expect([(await next).status, login.checks]).toEqual([204, 1])
  })

  it('verifies nothing for who left before it, also where all of it answers at once', async () => {
    const guard = penalise(one({ limit: 1, by: () => 'ada' }))
    let arrived = 0
    let left = 0
    let entered = 0
    const slow: Handler = (_req, res, next) => {
      arrived += 1
      if (arrived > 5) next()
      else
        res.on('close', () => {
          left += 1
          next()
        })
    }
    server = await serve(
      appWith([slow, guard], (_req, res) => {
        entered += 1
        res.status(401).end()
      }),
    )
    for (let i = 1; i <= 5; i += 1) {
      const socket = await opened(server.port, GET)
      await until(() => arrived === i)
      socket.destroy()
      await until(() => left === i)
    }
    expect(entered).toBe(0)
    // What was not tried is not charged.
    expect([await statuses(['wrong', 'wrong']), entered]).toEqual([[401, 429], 1])
  })

  it('gives back at the end of the handler, not when the caller reads its answer', async () => {
    const guard = penalise(one({ limit: 1, by: () => 'ada' })) as Handler
    const held: (() => void)[] = []
    let asked = 0
    const counted = penalise(
      one({ name: 'asked', limit: 9, by: () => 'x', isFailure: () => (asked += 1) < 0 }),
    )
    const aside: Handler = (req, res, next) => {
      if (req.query['held'] === undefined) guard(req, res, next)
      else held.push(() => res.end())
    }
    server = await serve(
      appWith([counted, aside], (req, res) => {
        res.status(req.method === 'GET' ? 204 : 401).end()
      }),
    )
    const socket = await opened(server.port, GET.replace('/', '/?held=1') + GET)
    await until(() => held.length === 1 && asked === 1)
    expect(await statuses(['wrong'])).toEqual([401])
    held[0]!()
    await until(() => asked === 3)
    expect(await statuses(['wrong'])).toEqual([429])
    await pause(10)
    // Each answer was asked about once: the pipelined one, the held one, two attempts.
    expect(asked).toBe(4)
    socket.destroy()
  })

  it('gives nothing back whose window has passed: it would pay for a later failure', async () => {
    let offset = 0
    const real = performance.now.bind(performance)
    jest.spyOn(performance, 'now').mockImplementation(() => real() + offset)
    const guard = penalise(one({ limit: 2, windowSeconds: 60, by: () => 'ada' }))
    const held: (() => void)[] = []
    server = await serve(
      appWith([guard], (req, res) => {
        if (req.method === 'POST') res.status(401).end()
        else held.push(() => res.end())
      }),
    )
    const slow = fetch(server.url)
    await until(() => held.length === 1)
    offset = 62_000
    expect(await statuses(['wrong', 'wrong'])).toEqual([401, 401])
    held[0]!()
    expect((await slow).status).toBe(200)
    expect(await statuses(['wrong'])).toEqual([429])
  })

  it.each<[string, PenaliseOptions['isFailure'], number[]]>([
    ['says failure of every answer', () => true, [204, 204, 429]],
    ['says nothing of any', () => undefined as never, [204, 204, 429]],
    [
      'throws',
      () => {
        throw new Error('fault')
      },
      [204, 204, 429],
    ],
    ['answers a promise', () => Promise.resolve(false) as never, [204, 204, 429]],
    ['says failure of none', () => false, [204, 204, 204]],
  ])('takes the word of isFailure where it %s', async (_case, isFailure, expected) => {
    await serving(penalise(one({ isFailure: isFailure! })))
    expect(await statuses(['right', 'right', 'right'])).toEqual(expected)
  })

  it('counts apart from a rateLimit of its name, and a request once, however often it passes', async () => {
    const store = memoryStore()
    const guard = penalise(one({ limit: 1, store, by: 'address' }))
    await serving(
      rateLimit({ name: 'login', limit: 9, windowSeconds: 60, by: 'address', store }),
      guard,
      guard,
    )
    expect(await statuses(['wrong'])).toEqual([401])
  })

  it('tells (a, bc) from (ab, c)', async () => {
    const parts = (index: number) => (req: { headers: object }) => account(req).split(' ')[index]!
    await serving(penalise(one({ limit: 1, by: [parts(0), parts(1)] })))
    expect([await statuses(['wrong'], 'a bc'), await statuses(['wrong'], 'ab c')]).toEqual([[401], [401]])
  })

  it('answers 500 for an empty key: never one count for everybody', async () => {
    await serving(penalise(one({ by: ['address', () => ''] })))
    expect(await statuses(['right'])).toEqual([500])
    expect(login.checks).toBe(0)
  })

  it('in mode report refuses nobody', async () => {
    const logger = keepingLogger()
    await serving(auditLog({ logger }), penalise(one({ limit: 1, mode: 'report' })))
    expect(await statuses(['wrong', 'wrong', 'right'])).toEqual([401, 401, 204])
    expect(logger.reasons()).toContain('limit_exceeded')
  })

  it.each<[string, object, RegExp]>([
    ['a limit of 0', { limit: 0 }, /limit must be/],
    ['no by', { by: undefined }, /by must be/],
    ['an empty list of dimensions', { by: [] }, /by must be/],
    ['an unknown fact in a list', { by: ['address', 'username'] }, /by must be/],
    ['letting everybody guess in an outage', { onOutage: 'allow' }, /may guess/],
    ['another store', { store: { kind: 'limiter' } }, /store must be/],
    ['a block shorter than the window', { block: { seconds: 5 } }, /windowSeconds \(60\)/],
    [
      'a longest block shorter than the first',
      { block: { seconds: 90, maxSeconds: 60 } },
      /seconds \(90\) or more/,
    ],
    ['a block that shrinks', { block: { growth: 0.5 } }, /growth must be/],
    ['a block without end', { block: { maxSeconds: Infinity } }, /maxSeconds must be/],
    ['another word', { blockDuration: 5 }, /Did you mean block/],
  ])('throws for %s', (_case, overrides, message) => {
    expect(() => penalise(one(overrides))).toThrow(message)
  })

  it.each<[string, unknown, RegExp]>([
    ['no policies', [], /policies must be/],
    [
      'two of one name',
      [1, 2].map(() => ({ name: 'a', limit: 1, windowSeconds: 1, by: 'address' })),
      /different names/,
    ],
    ['one that is incomplete', [{ name: 'a', limit: 1, by: 'address' }], /windowSeconds must be/],
  ])('throws for %s', (_case, policies, message) => {
    expect(() => penalise({ name: 'login', policies } as PenalisePolicies)).toThrow(message)
  })

  it('throws for a name that says something else already', () => {
    const store = memoryStore()
    penalise(one({ store }))
    expect(() => penalise(one({ store, limit: 9 }))).toThrow(/unique/)
  })
})

const longestOf = (times: readonly number[]): number => Math.max(0, ...times)
const longest = async (times: readonly number[] | Promise<readonly number[]>): Promise<number> =>
  longestOf(await times)
const culprit = (key: string, overrides: Partial<Culprit> = {}): Culprit => ({
  name: 'x',
  key,
  penalty: {} as Penalty,
  limit: 2,
  windowMs: 1000,
  block: { firstMs: 1000, growth: 2, maxMs: 3000 },
  ...overrides,
})

describe('blocks in memory', () => {
  let now = 5000
  const blocks = (size?: number): MemoryBlocks => {
    now = 5000
    jest.spyOn(performance, 'now').mockImplementation(() => now)
    const of = new MemoryBlocks(size)
    of.hold(['x', 'y'])
    return of
  }

  it('grow, up to the longest, and begin anew after as long without one', () => {
    const of = blocks()
    const lengths: number[] = []
    const fail = (): void => {
      of.noteFailure([culprit('a')])
      of.noteFailure([culprit('a')])
      lengths.push(longestOf(of.remainingMs([culprit('a')])))
      now += lengths.at(-1)!
    }
    for (let i = 0; i < 4; i += 1) fail()
    now += 3001
    fail()
    expect(lengths).toEqual([1000, 2000, 3000, 3000, 1000])
  })

  it('begin anew after as long without one, also where some failures go on', () => {
    const of = blocks()
    of.noteFailure([culprit('a'), culprit('a')])
    now += 3900
    of.noteFailure([culprit('a')])
    now += 200
    of.noteFailure([culprit('a')])
    expect(longestOf(of.remainingMs([culprit('a')]))).toBe(1000)
  })

  it('count failures of a window, each caller’s own', () => {
    const of = blocks()
    of.noteFailure([culprit('a')])
    of.noteFailure([culprit('b')])
    now += 1001
    of.noteFailure([culprit('a')])
    expect(longestOf(of.remainingMs([culprit('a'), culprit('b')]))).toBe(0)
    of.noteFailure([culprit('a')])
    expect(longestOf(of.remainingMs([culprit('b'), culprit('a')]))).toBe(1000)
    expect(longestOf(of.remainingMs([culprit('a', { name: 'y' })]))).toBe(0)
  })

  it('are never forgotten for the sake of new ones, and are bounded', () => {
    const of = blocks(3)
    const events: string[] = []
    const stop = onEvent(({ event }) => events.push(event))
    of.noteFailure([culprit('attacker'), culprit('attacker')])
    for (let i = 0; i < 50; i += 1) of.noteFailure([culprit(`junk ${i}`)])
    stop()
    expect([of.size, longestOf(of.remainingMs([culprit('attacker')])), events]).toEqual([
      3,
      1000,
      ['limiter_overflow'],
    ])
    now += 10_000
    for (let i = 0; i < 50; i += 1) {
      of.noteFailure([culprit(`later ${i}`)])
      now += 2000
    }
    expect(of.size).toBeLessThan(4)
    expect(blockMs({ firstMs: 1, growth: 10, maxMs: 5 }, 100_000)).toBe(5)
  })
})

describeWith(program('redis-server', 'redis-server'), 'penalise, with a real Redis', () => {
  let redis: RunningRedis
  let client: Redis
  let number = 0
  const store = (timeoutMs = 2000, breakerFailures = 3): Store =>
    redisStore(client, { prefix: `t${(number += 1)}`, timeoutMs, breakerFailures })
  beforeAll(async () => {
    redis = await startRedis()
    client = new Redis(redis.port, '127.0.0.1', { lazyConnect: false })
  })
  afterAll(async () => {
    client.disconnect()
    await redis.stop()
  })

  contract('counts', store)

  it('blocks as memory does: growing, bounded, and kept for all instances', async () => {
    const shared = store()
    const [here, there]: Blocks[] = [new RedisBlocks(shared as never), new RedisBlocks(shared as never)]
    const quick = culprit('{a}:b', { windowMs: 50, block: { firstMs: 150, growth: 3, maxMs: 400 } })
    const lengths: number[] = []
    for (let i = 0; i < 3; i += 1) {
      await Promise.all([here!.noteFailure([quick]), there!.noteFailure([quick])])
      const left = await longest(there!.remainingMs([quick, culprit('c')]))
      lengths.push(left)
      await pause(left + 5)
    }
    expect(lengths[0]! > 0 && lengths[0]! <= 150).toBe(true)
    expect(lengths.slice(1).every((length) => length > 150 && length <= 400)).toBe(true)
    expect(await longest(here!.remainingMs([quick]))).toBe(0)
    // Nothing is kept for ever.
    for (const key of await client.keys('*penalty*')) expect(await client.pttl(key)).toBeGreaterThan(-1)
  })

  it('counts a window of failures once, and not more', async () => {
    const of = new RedisBlocks(store() as never)
    const quick = culprit('a', { windowMs: 40 })
    await of.noteFailure([quick])
    await pause(60)
    await of.noteFailure([quick])
    expect(await longest(of.remainingMs([quick]))).toBe(0)
  })

  it('verifies nothing while the store is frozen, and again when it is back', async () => {
    await serving(penalise(one({ store: store(30), limit: 5, block: {} })))
    redis.freeze()
    const frozen = await statuses(['right'])
    redis.thaw()
    expect([frozen, login.checks]).toEqual([[503], 0])
    let status = 503
    for (let i = 0; i < 40 && status === 503; i += 1) {
      await pause(50)
      status = (await attempt('right')).status
    }
    expect(status).toBe(204)
  })

  it('with onOutage local gives each instance its share, blocks and refunds included', async () => {
    const logger = keepingLogger()
    const guard = penalise(one({ store: store(30, 1), limit: 6, instances: 2, onOutage: 'local', block: {} }))
    await serving(auditLog({ logger }), guard)
    redis.freeze()
    try {
      expect(
        await statuses(['right', 'right', 'right', 'right', 'wrong', 'wrong', 'wrong', 'right']),
      ).toEqual([204, 204, 204, 204, 401, 401, 401, 429])
      expect(logger.reasons()).toContain('caller_blocked')
      expect(guard.health().detail).toContain('by share')
    } finally {
      redis.thaw()
    }
  })

  it('gives back what was reserved for a caller who had left by then', async () => {
    const options = one({ limit: 1, store: store() })
    await serving(penalise(options))
    redis.freeze()
    const leaving = new AbortController()
    const gone = attempt('guess', 'ada', leaving.signal).catch(() => 'gone')
    await pause(30)
    leaving.abort()
    await gone
    await pause(20)
    redis.thaw()
    let status = 429
    for (let i = 0; i < 40 && status === 429; i += 1) {
      await pause(10)
      status = (await attempt('right')).status
    }
    expect([status, login.checks]).toEqual([204, 1])
  })
})
