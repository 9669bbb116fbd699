import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import { mostWithin } from '../../src/cli/abuse/boundary.js'
import { fieldsIn } from '../../src/cli/abuse/fields.js'
import { isLoopback, targetOf } from '../../src/cli/abuse/target.js'
import { readEvidence } from '../../src/cli/load-evidence.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { memoryStore } from '../../src/stores/memory.js'
import { rateLimit, type RateLimitOptions } from '../../src/traffic/rate-limit.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { abuseWorld, type Outcome } from './abuse-support.js'
import { PACKAGE, built } from './support.js'

const { folder, abuse, served, close } = abuseWorld()
const processes: ChildProcess[] = []

afterAll(async () => {
  for (const child of processes) child.kill('SIGKILL')
  await close()
})

/** A service with one limit of this library. */
function limited(options: Partial<RateLimitOptions> = {}, trustProxy: unknown = false): Promise<string> {
  const app = express()
  app.set('trust proxy', trustProxy)
  app.use(
    rateLimit({
      ...{ name: 'calls', limit: 20, windowSeconds: 60, by: 'address', store: memoryStore() },
      ...options,
    }),
  )
  app.get('/', (_req, res) => res.end())
  app.use(secureErrors())
  return served(app)
}

interface Peer {
  readonly limit?: number
  readonly windowMs?: number
  readonly keyOf?: (req: IncomingMessage) => string
  readonly retryAfter?: string
  /** In how many seconds the field says that the window ends. */
  readonly resetSeconds?: number
  /** What the field says is left. */
  readonly told?: (left: number) => number
  readonly status?: number
}

/** A limiter as many are: a window that begins with the first request. */
function peer(made: Peer = {}): Promise<string> {
  const { limit = 20, windowMs = 60_000, keyOf = () => '', retryAfter = '5', told, status = 200 } = made
  const windows = new Map<string, { endsAt: number; count: number }>()
  return served((req, res) => {
    const now = performance.now()
    const key = keyOf(req)
    const known = windows.get(key)
    const window = known !== undefined && known.endsAt > now ? known : { endsAt: now + windowMs, count: 0 }
    windows.set(key, window)
    window.count += 1
    const left = Math.max(0, limit - window.count)
    res.setHeader('RateLimit-Policy', `"peer";q=${limit};w=${windowMs / 1000}`)
    const { resetSeconds = Math.ceil((window.endsAt - now) / 1000) } = made
    res.setHeader('RateLimit', `"peer";r=${told === undefined ? left : told(left)};t=${resetSeconds}`)
    if (window.count <= limit) return res.writeHead(status).end()
    return res.writeHead(429, { 'Retry-After': retryAfter }).end()
  })
}

describe('abuse refuses what is not this machine', () => {
  const lookedUp =
    (...addresses: string[]) =>
    () =>
      Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })))

  it.each([
    'http://example.com/',
    'http://0.0.0.0:3000/',
    'http://[::]:3000/',
    'http://169.254.169.254/latest/meta-data',
    'http://10.0.0.1/',
    'http://192.168.1.1/',
    'http://128.0.0.1/',
    'http://[::ffff:8.8.8.8]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[fe80::1]/',
    'http://134744072/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://127.0.0.1.nip.io/',
    'http://localhost.example.com/',
    'http://localhost./',
    'http://127.0.0.1./',
    'http://127.0.0.1\\@example.com/',
    'http:\\\\127.0.0.1/',
    'http:127.0.0.1/',
    ' http://127.0.0.1/',
    'http://①②⑦.0.0.1/',
  ])('%s', async (url) => {
    await expect(targetOf(url, undefined, lookedUp('127.0.0.1'))).rejects.toThrow('nothing was sent')
    const { code, stdout } = await abuse('http://127.0.0.1:9/', '--targets', url)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  it.each(['ftp://127.0.0.1/', 'file:///etc/passwd', '127.0.0.1:3000', 'unix:/run/x.sock', '//127.0.0.1/'])(
    '%s, which is no URL of a service',
    async (url) => {
      await expect(targetOf(url)).rejects.toThrow('is no URL of a service')
    },
  )

  it('a name that does not lead here alone', async () => {
    const of = (...addresses: string[]): Promise<unknown> =>
      targetOf('http://localhost:3000/', undefined, lookedUp(...addresses))
    await expect(of('127.0.0.1', '10.0.0.1')).rejects.toThrow('nothing was sent')
    await expect(of('::ffff:127.0.0.1')).rejects.toThrow('nothing was sent')
    await expect(of()).rejects.toThrow('nothing was sent')
    await expect(of('127.0.0.1', '::1')).resolves.toMatchObject({
      addresses: [{ address: '127.0.0.1' }, { address: '::1' }],
    })
  })

  it('credentials in the URL, and a path that leads elsewhere', async () => {
    await expect(targetOf('http://a:b@127.0.0.1/')).rejects.toThrow('holds a credential')
    await expect(targetOf('http://example.com@127.0.0.1/')).rejects.toThrow('holds a credential')
    for (const path of ['//example.com/', 'http://example.com/', 'orders', '/\\example.com', '/a b', '/a#b'])
      await expect(targetOf('http://127.0.0.1/', path)).rejects.toThrow('--path must begin')
    expect((await targetOf('http://[::1]:80/a', '/b?c=1')).url.href).toBe('http://[::1]/b?c=1')
  })

  it('knows loopback', () => {
    expect(['127.0.0.1', '127.255.255.254', '::1', '0:0:0:0:0:0:0:1'].map(isLoopback)).not.toContain(false)
    for (const address of [
      '',
      '::',
      '0.0.0.0',
      '126.255.255.255',
      '::2',
      '::ffff:7f00:1',
      '::127.0.0.1',
      'x',
    ])
      expect(isLoopback(address)).toBe(false)
  })

  it('a redirect: it is not followed', async () => {
    let followed = 0
    const elsewhere = await served((_req, res) => {
      followed += 1
      res.end()
    })
    const url = await served((_req, res) => res.writeHead(302, { location: elsewhere }).end())
    const { code, stderr } = await abuse(url)
    expect({ code, followed }).toEqual({ code: 2, followed: 0 })
    expect(stderr).toContain('The service answers 302, and no redirect is followed.')
  })

  it.each<[string[], string]>([
    [['--limit', '0', '--window', '1'], '--limit must be an integer from 1 to 1000'],
    [['--limit', '1001', '--window', '1'], '--limit must be'],
    [['--limit', '5'], '--limit needs --window <seconds>.'],
    [['--window', '60'], '--window needs --limit <count>.'],
    [['--limit', '5', '--window', '0'], '--window must be seconds from 0.1'],
    [['--burst', '1e3'], '--burst must be an integer'],
    [['--method', 'CONNECT'], '--method must be'],
    [['--rule', 'a b'], '--rule must be a name'],
    [['--header', 'Host: example.com'], '--header must not give "host"'],
    [['--header', 'Transfer-Encoding: chunked'], '--header must not give'],
    [['--header', 'secret-without-name'], '--header must be "Name: value"'],
    [['--header', 'A: 1', '--header', 'a: 2'], '--header gives "a" twice.'],
    [['--limit', '5', '--limit', '6'], '--limit is given twice.'],
    [['--targets', Array(8).fill('http://127.0.0.1:9').join(',')], 'At most 8 processes'],
    [['--output', 'no/such/file.json'], 'could not be written'],
    [[], 'The service does not answer: ECONNREFUSED.'],
    [['--body', 'secret'], 'GET carries no body.'],
    [['--method', 'POST', '--type', 'text/plain'], '--type needs --body or --body-file.'],
    [['--method', 'POST', '--body', 'secret', '--body-file', 'x'], 'exclude each other'],
    [['--method', 'POST', '--body', 'secret', '--type', 'json'], '--type must be a media type'],
    [['--method', 'POST', '--body', 'secret', '--type', 'a/b\r\nc: d'], '--type must be a media type'],
    [['--method', 'POST', '--body', '0'.repeat(65_537)], '--body is longer than 65536 bytes.'],
    [['--method', 'POST', '--body-file', 'no.json'], 'There is no file "no.json".'],
    [['--method', 'POST', '--body-file', '.'], 'There is no file ".".'],
    [
      ['--method', 'POST', '--body', 'x', '--type', 'a/b', '--header', 'Content-Type: c/d'],
      'give "content-type" both',
    ],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await abuse('http://127.0.0.1:9/', ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('secret')
  })
})

describe('abuse proves a limit', () => {
  it('of one process, and leaves evidence that the audit takes', async () => {
    const { code, stdout, stderr } = await abuse(await limited(), '--output', 'evidence.json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/\nlimit calls: 20 in 60 s\n/)
    expect(stdout).toMatch(/^kept +20 pass, and no more +30 sent: 20 let through, 10 refused with 429$/m)
    expect(stdout).toMatch(/^kept +RateLimit fields are right +on 30 answers; .* from 19 to 0$/m)
    expect(stdout).toMatch(/^kept +invented callers change nothing /m)
    expect(stdout).toMatch(/^not judged +at most 20 in any 60 s/m)
    expect(stdout).not.toContain('FAILED')
    expect(readEvidence(folder, 'evidence.json')).toEqual([
      { rule: 'calls', allowed: 20, refused: 10, at: expect.stringMatching(/Z$/) },
    ])
  })

  it('with a bucket, by --burst', async () => {
    const url = await limited({ algorithm: 'gcra', limit: 40, burst: 10 })
    expect(await abuse(url, '--burst', '10')).toMatchObject({ code: 0 })
  })

  it.each<[string, Partial<RateLimitOptions>, string[], RegExp, RegExp]>([
    ['two', { cost: 2 }, [], /^kept +10 pass at 2 points each, and no more /m, / from 18 to 0 by 2$/m],
    [
      'three, of which two are over',
      { cost: 3 },
      [],
      /^kept +6 pass at 3 points each/m,
      / from 17 to 2 by 3$/m,
    ],
    ['all but one', { limit: 3, cost: 2 }, [], /^kept +1 pass at 2 points each/m, / from 1 to 1 by 2$/m],
    ['all', { limit: 1 }, [], /^kept +1 pass, and no more/m, / from 0 to 0$/m],
    [
      'two of a bucket',
      { algorithm: 'gcra', limit: 40, burst: 10, cost: 2 },
      ['--burst', '10'],
      /^kept +5 pass at 2 points each/m,
      /^kept +RateLimit fields are right/m,
    ],
    [
      'two of a short window',
      { windowSeconds: 1, cost: 2 },
      [],
      /^kept +10 pass at 2 points each/m,
      /^kept +at most 10 in any 1 s +at most ([5-9]|10) let through/m,
    ],
  ])(
    'whose requests cost %s',
    async (_what, options, args, count, second) => {
      const { code, stdout } = await abuse(await limited(options), ...args)
      expect(stdout).toMatch(count)
      expect(stdout).toMatch(second)
      expect(stdout).not.toContain('FAILED')
      expect(code).toBe(0)
    },
    30_000,
  )

  it('that binds first, which is not always that with the fewest points', async () => {
    const app = express()
    const shared = { windowSeconds: 60, by: 'address', store: memoryStore() } as const
    app.use(rateLimit({ ...shared, name: 'many', limit: 20 }))
    app.use(rateLimit({ ...shared, name: 'dear', limit: 40, cost: 15 }))
    app.get('/', (_req, res) => res.end())
    app.use(secureErrors())
    const { code, stdout } = await abuse(await served(app))
    expect(stdout).toMatch(/\nlimit dear: 40 in 60 s\n/)
    expect(stdout).toMatch(/^kept +2 pass at 15 points each/m)
    expect(code).toBe(0)
  })

  it('without fields, by --limit', async () => {
    const url = await limited({ fields: 'none' })
    const args = ['--limit', '20', '--window', '60', '--rule', 'calls', '--output', 'by-hand.json']
    expect(await abuse(url, ...args)).toMatchObject({ code: 0 })
    expect(readEvidence(folder, 'by-hand.json')).toMatchObject([{ rule: 'calls', allowed: 20 }])
    const unnamed = await abuse(await limited({ fields: 'none' }), ...args.slice(0, 4), '--output', 'no.json')
    expect(unnamed).toMatchObject({ code: 0, stderr: expect.stringContaining('give it with --rule') })
    expect(readEvidence(folder, 'no.json')).toEqual([])
  })

  it('of a short window at its boundary, which a fixed window does not keep', async () => {
    const [ours, fixed] = await Promise.all([
      limited({ windowSeconds: 1 }).then((url) => abuse(url)),
      peer({ windowMs: 1000, retryAfter: '1' }).then((url) => abuse(url)),
    ])
    expect(ours.stdout).toMatch(/^kept +at most 20 in any 1 s +at most (1\d|20) let through/m)
    expect(ours.code).toBe(0)
    expect(fixed.stdout).toMatch(
      /^FAILED +at most 20 in any 1 s +at most 3\d let through .*a window that is fixed/m,
    )
    expect(fixed.code).toBe(1)
  }, 30_000)
})

describe('abuse beside the end of a calendar period', () => {
  let shiftMs = 0
  const realNow = Date.now.bind(Date)
  /** Now is so many seconds after a minute began. */
  const startAt = (seconds: number): void => {
    shiftMs = seconds * 1000 - (realNow() % 60_000)
    jest.spyOn(Date, 'now').mockImplementation(() => realNow() + shiftMs)
  }
  /** A service that finds itself in the next minute after so many requests, if it is not in that already. */
  async function turningAfter(count: number): Promise<string> {
    const app = express()
    const nextMinute = Math.ceil(Date.now() / 60_000) * 60_000
    let seen = 0
    app.use((_req, _res, next) => {
      seen += 1
      if (seen === count) shiftMs += Math.max(0, nextMinute - Date.now())
      next()
    })
    const options = {
      name: 'calls',
      limit: 20,
      period: 'minute',
      by: 'address',
      store: memoryStore(),
    } as const
    app.use(rateLimit(options))
    app.get('/', (_req, res) => res.end())
    app.use(secureErrors())
    return served(app)
  }
  afterEach(() => {
    jest.restoreAllMocks()
  })

  it('waits for the end of one that is near', async () => {
    startAt(57)
    const { code, stdout } = await abuse(await turningAfter(12))
    expect(stdout).toMatch(/^kept +20 pass, and no more +30 sent: 20 let through, 10 refused with 429$/m)
    expect(stdout).not.toContain('FAILED')
    expect(code).toBe(0)
  }, 30_000)

  it('counts on where a window did not end when the field said', async () => {
    const { code, stdout } = await abuse(await peer({ resetSeconds: 1 }))
    expect(stdout).toMatch(/^kept +20 pass, and no more +30 sent/m)
    expect(stdout).toMatch(/^kept +RateLimit fields are right .* from 19 to 0$/m)
    expect(code).toBe(0)
  })

  it('judges nothing where it ended in the middle', async () => {
    startAt(48)
    const { code, stdout, stderr } = await abuse(await turningAfter(12))
    expect(stdout).toMatch(/^not judged +20 pass, and no more +30 sent: .*; a window ended meanwhile$/m)
    expect(stdout).toMatch(/^not judged +RateLimit fields are right/m)
    expect(stdout).not.toContain('FAILED')
    expect(stderr).toContain('The limit is not proven: the count could not be judged.')
    expect(code).toBe(1)
  })

  it('judges the count, and no invented callers, where it ended while those were sent', async () => {
    startAt(48)
    const { code, stdout } = await abuse(await turningAfter(40))
    expect(stdout).toMatch(/^kept +20 pass, and no more/m)
    expect(stdout).toMatch(/^not judged +invented callers change nothing +points may have come back/m)
    expect(code).toBe(0)
  })
})

describe('abuse tells a limit that does not hold', () => {
  it('of another number of requests than the points allow', async () => {
    const cheap = await abuse(await peer({ told: (left) => left * 2 }), '--limit', '40', '--window', '60')
    expect(cheap.stdout).toMatch(/^FAILED +RateLimit fields are right/m)
    const silent = await abuse(await limited({ fields: 'none', cost: 2 }), '--limit', '20', '--window', '60')
    expect(silent.stdout).toMatch(/^FAILED +20 pass, .*10 let through.*no field tells what a request costs/m)
    expect([cheap.code, silent.code]).toEqual([1, 1])
  })

  it('none at all', async () => {
    const url = await served((_req, res) => res.end())
    const { code, stdout, stderr } = await abuse(url, '--output', 'none.json')
    expect(code).toBe(1)
    expect(stdout).toMatch(/^FAILED +there is a limit/m)
    expect(stderr).toContain('none.json holds no evidence')
    expect(readEvidence(folder, 'none.json')).toEqual([])
    const byHand = await abuse(url, '--limit', '5', '--window', '60', '--rule', 'x')
    expect(byHand.stdout).toMatch(/^FAILED +5 pass, and no more +15 sent: 15 let through, 0 refused/m)
    expect(byHand.code).toBe(1)
  })

  const failing = /^FAILED +(.*?) {2}/gm
  const failuresOf = ({ stdout }: Outcome): string[] => [...stdout.matchAll(failing)].map(([, name]) => name!)

  it.each<[string, Peer, string[]]>([
    ['a Retry-After that is no integer', { retryAfter: '0.52' }, ['Retry-After is whole seconds']],
    ['a Retry-After beyond the window', { retryAfter: '3600' }, ['Retry-After is whole seconds']],
    [
      'a count by API key',
      { keyOf: ({ headers }) => String(headers['x-api-key']) },
      ['invented callers change nothing'],
    ],
    ['fields that count wrongly', { told: (left) => left + (left % 2) }, ['RateLimit fields are right']],
    [
      'faults',
      { status: 503 },
      ['20 pass, and no more', 'no fault under load', 'RateLimit fields are right'],
    ],
  ])('%s', async (_what, made, failures) => {
    const outcome = await abuse(await peer(made))
    expect(failuresOf(outcome)).toEqual(expect.arrayContaining(failures))
    expect(outcome.code).toBe(1)
  })

  it('an address that the caller chooses, unless a caller is named', async () => {
    const url = await limited({}, 1)
    const outcome = await abuse(url)
    expect(failuresOf(outcome)).toEqual(['invented callers change nothing'])
    const named = await abuse(url, '--header', 'X-Forwarded-For: 203.0.113.7')
    expect(named).toMatchObject({ code: 0 })
  })

  it('a count for each process', async () => {
    const [first, second] = [await limited(), await limited()]
    const outcome = await abuse(first, '--targets', second)
    expect(failuresOf(outcome)).toEqual(expect.arrayContaining(['20 pass, and no more']))
    expect(outcome.stdout).toMatch(/40 sent: .* let through, .*; each process may count for itself/)
    expect(outcome.stdout).not.toContain('gcra')
    expect(outcome.code).toBe(1)
  })
})

describe('abuse across two processes on one Redis', () => {
  let redis: RunningRedis
  beforeAll(async () => {
    built()
    redis = await startRedis()
  }, 120_000)
  afterAll(() => redis.stop())

  const service = fileURLToPath(new URL('../support/limited-service.js', import.meta.url))
  function started(): Promise<string> {
    const child = spawn(process.execPath, [service, PACKAGE, String(redis.port), `abuse-${process.pid}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    processes.push(child)
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.stdout.on('data', (text: Buffer) => {
        resolve(`http://localhost:${String(text).trim()}/`)
      })
    })
  }

  it('finds one count, and the limit that binds first among three', async () => {
    const [first, second] = await Promise.all([started(), started()])
    const { code, stdout } = await abuse(first, '--targets', second, '--output', 'two.json')
    expect(stdout).toMatch(/\nlimit per-address: 6 in 600 s\n/)
    expect(stdout).toMatch(/^kept +6 pass, and no more +26 sent: 6 let through, 20 refused/m)
    expect(stdout).toMatch(
      /^kept +2 processes, one count +let through: [1-5] \+ [1-5]; refused: \d+ \+ \d+$/m,
    )
    expect(stdout).not.toContain('FAILED')
    expect(code).toBe(0)
    expect(JSON.parse(readFileSync(join(folder, 'two.json'), 'utf8'))).toMatchObject([
      { rule: 'per-address', allowed: 6, refused: 20 },
    ])
    const again = await abuse(second)
    expect(again).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/used up already.*\n.*Retry-After: \d+/),
    })
  }, 30_000)
})

describe('what abuse reads', () => {
  it('reads the fields of draft 10, and nothing else', () => {
    const read = (policy: string, limit: string) => fieldsIn({ 'ratelimit-policy': policy, ratelimit: limit })
    expect(read('"a";q=5;w=60, "b" ; q=7;pk=:YQ==:;x="y, z"', '"a";r=1;t=3,"b";r=0')).toEqual({
      policies: [
        { name: 'a', limit: 5, windowSeconds: 60 },
        { name: 'b', limit: 7, windowSeconds: undefined },
      ],
      limits: [
        { name: 'a', remaining: 1, resetSeconds: 3 },
        { name: 'b', remaining: 0, resetSeconds: undefined },
      ],
    })
    for (const wrong of [
      '',
      '5;w=60',
      'a;q=5',
      '"a"',
      '"a";q=-5',
      '"a";q=1.5',
      '"a";q=5 "b";q=5',
      '"a";q=5;',
      '"a;q=5',
    ])
      expect(read(wrong, '"a";r=1')).toMatchObject({ policies: undefined })
    expect(fieldsIn({})).toEqual({ policies: undefined, limits: undefined })
  })

  it('counts only what was certainly decided in one window', () => {
    const at = (sentMs: number, answeredMs: number) => ({ sentMs, answeredMs }) as never
    expect(mostWithin([at(0, 5), at(90, 99), at(95, 101), at(190, 195)], 100)).toBe(2)
    expect(mostWithin([at(90, 99), at(95, 101), at(189, 190)], 100)).toBe(3)
  })
})
