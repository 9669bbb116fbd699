import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { keyFileText } from '../../src/authentication/api-keys/key-file.js'
import { apiKeys, type ApiKeyRecord, type ApiKeys } from '../../src/authentication/api-keys.js'
import { onEvent, type OperationalEvent } from '../../src/core/events.js'
import { redisStore } from '../../src/stores/redis.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { describeWith, program } from '../support/requirements.js'
import { forward, releaseClocks, stopClocks } from './clock.js'

async function settle(keys: ApiKeys, key: string): Promise<string> {
  try {
    await keys.match(key)
    return 'accepted'
  } catch (problem) {
    const { reason, status } = problem as { reason?: string; status?: number }
    return status === 503 ? '503' : (reason ?? 'a fault')
  }
}

describe('keys in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-keys-'))
  const file = join(folder, 'keys.json')
  const maker = apiKeys({ prefix: 'acme' })
  let events: OperationalEvent[]
  let stop: () => void
  let keys: ApiKeys
  let first: { key: string; record: ApiKeyRecord }
  let second: { key: string; record: ApiKeyRecord }

  /** As an editor or a deployment does it: beside, then in place. */
  function write(text: string): void {
    writeFileSync(`${file}.new`, text)
    renameSync(`${file}.new`, file)
  }
  const told = (): string[] => events.map(({ event }) => event)

  beforeAll(async () => {
    first = await maker.create({ scopes: ['a'], tenant: 't' })
    second = await maker.create({ scopes: ['b'] })
  })
  beforeEach(() => {
    stopClocks()
    events = []
    stop = onEvent((event) => {
      if (event.event !== 'api_key_used') events.push(event)
    })
    write(keyFileText([first.record]))
    keys = apiKeys({ prefix: 'acme', file })
  })
  afterEach(() => {
    stop()
    releaseClocks()
  })
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  it('are read at the first use, and then answer at once for a second', async () => {
    expect(keys.health()).toMatchObject({ status: 'degraded' })
    expect(await settle(keys, first.key)).toBe('accepted')
    expect(keys.health()).toEqual({ name: 'apiKeys', status: 'ok', detail: '1 keys in a file' })
    expect(keys.match(first.key)).not.toBeInstanceOf(Promise)
    expect(await settle(keys, second.key)).toBe('api_key_unknown')
    expect(keys.facts).toEqual({ prefix: 'acme', store: 'file', keyed: false })
  })

  it('are read again when the file changed, looked at once a second and not by a timer', async () => {
    await keys.warmUp()
    write(keyFileText([{ ...first.record, disabled: true }, second.record]))
    expect([await settle(keys, first.key), await settle(keys, second.key)]).toEqual([
      'accepted',
      'api_key_unknown',
    ])
    forward(999)
    expect(await settle(keys, first.key)).toBe('accepted')
    forward(1)
    expect([await settle(keys, first.key), await settle(keys, second.key)]).toEqual([
      'api_key_disabled',
      'accepted',
    ])
  })

  it('are read again where a file of the same size was put in its place with the old time', async () => {
    const time = new Date(1_700_000_000_000)
    utimesSync(file, time, time)
    await keys.warmUp()
    write(keyFileText([second.record]).padEnd(keyFileText([first.record]).length))
    utimesSync(file, time, time)
    forward(1000)
    expect(await settle(keys, second.key)).toBe('accepted')
  })

  it.each<[string, () => void, string]>([
    [
      'is half written',
      () => {
        write(keyFileText([first.record]).slice(0, -20))
      },
      'it is no JSON',
    ],
    [
      'is empty',
      () => {
        write('')
      },
      'it is no JSON',
    ],
    [
      'is an array',
      () => {
        write('[]')
      },
      'it is not { "version": 1, "keys": [...] }',
    ],
    [
      'is null',
      () => {
        write('null')
      },
      'it is not { "version": 1, "keys": [...] }',
    ],
    [
      'is of another version',
      () => {
        write('{ "version": 2, "keys": [] }')
      },
      'it is not { "version": 1, "keys": [...] }',
    ],
    [
      'is too large',
      () => {
        write(' '.repeat(16_777_217))
      },
      'it is larger than 16777216 bytes',
    ],
    [
      'is gone',
      () => {
        rmSync(file)
      },
      'ENOENT',
    ],
  ])('stay as they were while the file %s, which is told once', async (_what, spoil, problem) => {
    await keys.warmUp()
    spoil()
    for (let turn = 0; turn < 3; turn += 1) {
      forward(1000)
      expect(await settle(keys, first.key)).toBe('accepted')
    }
    expect(events).toEqual([{ event: 'api_key_file_broken', severity: 'error', facts: { file, problem } }])
    expect(keys.health()).toEqual({ name: 'apiKeys', status: 'degraded', detail: `the file: ${problem}` })
    write(keyFileText([second.record]))
    forward(1000)
    expect([await settle(keys, first.key), await settle(keys, second.key)]).toEqual([
      'api_key_unknown',
      'accepted',
    ])
    expect(told()).toEqual(['api_key_file_broken', 'api_key_file_restored'])
    expect(keys.health()).toMatchObject({ status: 'ok' })
  })

  it.each<[string, () => void]>([
    [
      'is not there',
      () => {
        rmSync(file)
      },
    ],
    [
      'is no JSON',
      () => {
        write('{')
      },
    ],
    [
      'is a folder',
      () => {
        rmSync(file)
        keys = apiKeys({ prefix: 'acme', file: folder })
      },
    ],
  ])('are 503 where the file %s at the start, until it is mended', async (_what, spoil) => {
    spoil()
    const problem: unknown = await keys.warmUp().catch((cause: unknown) => cause)
    expect(problem).toMatchObject({ status: 503, reason: 'store_unavailable' })
    // What was wrong stands in the log of whoever awaits it.
    const { message } = (problem as Error).cause as Error
    expect(message).toMatch(
      { 'is not there': 'ENOENT', 'is no JSON': 'it is no JSON' }[_what] ?? 'no regular file',
    )
    expect(await settle(keys, first.key)).toBe('503')
    expect(keys.health()).toMatchObject({ status: 'down' })
    write(keyFileText([first.record]))
    expect(await settle(keys, first.key)).toBe('503')
    forward(1000)
    expect(keys.health()).toMatchObject({ status: 'degraded' })
    if (_what !== 'is a folder') expect(await settle(keys, first.key)).toBe('accepted')
  })

  it('spoil only themselves: a malformed record is 503, the others count', async () => {
    const { record } = first
    const odd = { ...second.record, owner: 'x' }
    write(JSON.stringify({ version: 1, keys: [odd, record, null, 'x', { id: '__proto__' }] }))
    await keys.warmUp()
    expect([await settle(keys, first.key), await settle(keys, second.key)]).toEqual(['accepted', '503'])
    expect(events).toMatchObject([{ event: 'api_key_file_records_malformed', facts: { records: 4 } }])
    expect(keys.health()).toMatchObject({ status: 'degraded' })
    expect(({} as { disabled?: unknown }).disabled).toBeUndefined()
  })

  it('that stand there twice are 503: one of the two may be the disabled one', async () => {
    const { record } = first
    for (const twice of [
      [record, { ...record, disabled: true }],
      [{ ...record, disabled: 'yes' }, record],
      [record, record, record],
    ]) {
      write(JSON.stringify({ version: 1, keys: [...twice, second.record] }))
      forward(1000)
      expect([await settle(keys, first.key), await settle(keys, second.key)]).toEqual(['503', 'accepted'])
    }
  })

  it('are asked for together: the file is read once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => settle(keys, first.key)))
    expect(new Set(answers)).toEqual(new Set(['accepted']))
    await expect(keys.create({ scopes: [] })).rejects.toThrow(
      'apiKeys: a key file is only read here: set "disabled": true in its record, or use express-bulwark key disable',
    )
    await keys.close()
    expect(keys.health()).toMatchObject({ status: 'degraded' })
    expect(await settle(keys, first.key)).toBe('accepted')
  })
})

describeWith(program('redis-server', 'redis-server'), 'keys in Redis', () => {
  let redis: RunningRedis
  let client: Redis
  let nodeRedis: ReturnType<typeof createClient>
  const fast = { timeoutMs: 100, breakerFailures: 100 }

  beforeAll(async () => {
    redis = await startRedis()
    client = new Redis(redis.url)
    nodeRedis = createClient({ url: redis.url })
    await nodeRedis.connect()
  })
  afterAll(async () => {
    client.disconnect()
    nodeRedis.destroy()
    await redis.stop()
  })
  const shared = (rememberSeconds?: number): ApiKeys =>
    apiKeys({
      prefix: 'acme',
      store: redisStore(client, fast),
      ...(rememberSeconds === undefined ? {} : { rememberSeconds }),
    })

  it.each(['ioredis', 'node-redis'])('live as keys in memory do, through %s', async (dialect) => {
    const store = redisStore(dialect === 'ioredis' ? client : nodeRedis, fast)
    const keys = apiKeys({ prefix: 'acme', store, rememberSeconds: 300 })
    const { id, key, record } = await keys.create({ scopes: ['a'], tenant: 't' })
    expect(await settle(keys, key)).toBe('accepted')
    expect(keys.match(key)).not.toBeInstanceOf(Promise)
    expect(await keys.get(id)).toEqual(record)
    expect(await client.keys(`*${id}*`)).toEqual([`express-bulwark:api-keys:acme:${id}`])
    expect(await client.get(`express-bulwark:api-keys:acme:${id}`)).not.toContain(key.slice(18))
    const rotated = await keys.rotate(id, { overlapSeconds: 60 })
    expect([await settle(keys, key), await settle(keys, rotated.key)]).toEqual(['accepted', 'accepted'])
    await keys.disable(id)
    expect(await settle(keys, key)).toBe('api_key_disabled')
    await keys.enable(id)
    expect(await settle(keys, key)).toBe('accepted')
    await keys.remove(id)
    expect([await settle(keys, key), await keys.get(id)]).toEqual(['api_key_unknown', undefined])
    await expect(keys.disable(id)).rejects.toThrow('there is no key')
    expect(keys.health()).toMatchObject({ name: 'apiKeys', status: 'ok' })
  })

  it('work in another process at once, and stop to work there when the time to remember is over', async () => {
    stopClocks()
    const [here, there, exact] = [shared(), shared(), shared(0)]
    const { id, key } = await here.create({ scopes: [] })
    for (const keys of [here, there, exact]) expect(await settle(keys, key)).toBe('accepted')
    await here.disable(id)
    expect([await settle(here, key), await settle(exact, key)]).toEqual([
      'api_key_disabled',
      'api_key_disabled',
    ])
    // Remembered for five seconds, as documented.
    forward(4999)
    expect(await settle(there, key)).toBe('accepted')
    forward(1)
    expect(await settle(there, key)).toBe('api_key_disabled')
    releaseClocks()
  })

  it('that are changed by two at once lose neither change', async () => {
    const [here, there] = [shared(), shared()]
    const { id } = await here.create({ scopes: [] })
    await Promise.all([
      here.rotate(id, { overlapSeconds: 60 }),
      there.rotate(id, { overlapSeconds: 60 }),
      there.disable(id),
    ])
    const kept = await here.get(id)
    expect([kept?.secrets.length, kept?.disabled]).toEqual([3, true])
  })

  it('that are asked for together are asked for once', async () => {
    const keys = shared()
    const { key } = await keys.create({ scopes: [] })
    const call = jest.spyOn(client, 'call')
    const answers = await Promise.all(Array.from({ length: 50 }, () => settle(keys, key)))
    expect(new Set(answers)).toEqual(new Set(['accepted']))
    expect(call).toHaveBeenCalledTimes(1)
  })

  it.each<[string, (record: ApiKeyRecord) => string]>([
    ['no JSON', () => '{"id"'],
    ['null', () => 'null'],
    ['empty', () => ''],
    ['the record of another key', (record) => JSON.stringify({ ...record, id: '000000000000' })],
    [
      'a record with __proto__',
      (record) => JSON.stringify(record).replace('{', '{"__proto__":{"disabled":false},'),
    ],
    ['a member too much', (record) => JSON.stringify({ ...record, x: 1 })],
    ['a megabyte', (record) => JSON.stringify({ ...record, name: 'x'.repeat(1_000_000) })],
    ['nested deep', () => '['.repeat(10_000) + ']'.repeat(10_000)],
  ])('are 503 where somebody wrote %s, and are not remembered', async (_what, text) => {
    const keys = shared()
    const { id, key, record } = await keys.create({ scopes: [] })
    await client.set(`express-bulwark:api-keys:acme:${id}`, text(record))
    expect(await settle(keys, key)).toBe('503')
    await client.set(`express-bulwark:api-keys:acme:${id}`, JSON.stringify(record))
    expect(await settle(keys, key)).toBe('accepted')
  })

  it('are 503 where another type stands under their name', async () => {
    const keys = shared()
    const { id, key } = await keys.create({ scopes: [] })
    await client.del(`express-bulwark:api-keys:acme:${id}`)
    await client.hset(`express-bulwark:api-keys:acme:${id}`, 'a', 'b')
    expect(await settle(keys, key)).toBe('503')
  })

  it('serve from memory while Redis is frozen, until the time is over; others are 503', async () => {
    stopClocks()
    const keys = shared(60)
    const known = await keys.create({ scopes: [] })
    const unknown = await keys.create({ scopes: [] })
    expect(await settle(keys, known.key)).toBe('accepted')
    redis.freeze()
    try {
      expect([await settle(keys, known.key), await settle(keys, unknown.key)]).toEqual(['accepted', '503'])
      await expect(keys.disable(known.id)).rejects.toMatchObject({ status: 503 })
      await expect(keys.create({ scopes: [] })).rejects.toMatchObject({ status: 503 })
      forward(59_999)
      expect(await settle(keys, known.key)).toBe('accepted')
      forward(1)
      expect(await settle(keys, known.key)).toBe('503')
    } finally {
      redis.thaw()
      releaseClocks()
    }
    await client.ping()
    expect(await settle(keys, unknown.key)).toBe('accepted')
    await keys.close()
  })
})
