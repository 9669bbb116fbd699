import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Redis } from 'ioredis'
import { createClient, createClientPool } from 'redis'
import { command, evaluate } from '../../src/stores/redis/command.js'
import { redisStore } from '../../src/stores/redis.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { describeWith, program } from '../support/requirements.js'

const UNAVAILABLE = { status: 503, reason: 'store_unavailable' }
const patient = { timeoutMs: 2000 }

describeWith(program('redis-server', 'redis-server'), 'command on a real Redis', () => {
  let redis: RunningRedis
  const clients: Record<string, object> = {}
  const ends: (() => unknown)[] = []

  beforeAll(async () => {
    redis = await startRedis()
    const ioredis = new Redis(redis.port, '127.0.0.1')
    const nodeRedis = await createClient({ url: redis.url }).connect()
    const resp2 = await createClient({ url: redis.url, RESP: 2 }).connect()
    const pool = createClientPool({ url: redis.url })
    await pool.connect()
    Object.assign(clients, { ioredis, 'node-redis': nodeRedis, 'node-redis, RESP2': resp2, pool })
    ends.push(
      () => {
        ioredis.disconnect()
      },
      // A pool that is destroyed leaves its timer running; one that is closed does not.
      ...[nodeRedis, resp2, pool].map((client) => () => client.close()),
    )
  })
  afterAll(async () => {
    await Promise.all(ends.map((end) => end()))
    await redis.stop()
  })

  describe.each(['ioredis', 'node-redis', 'node-redis, RESP2', 'pool'])('with %s', (name) => {
    const store = (): ReturnType<typeof redisStore> => redisStore(clients[name]!, patient)

    it('puts in unless present, and says which', async () => {
      const put = (): Promise<unknown> => command(store(), 'SET', `${name}:once`, 'value', 'NX', 'EX', '60')
      expect(await put()).toBe('OK')
      expect(await put()).toBeNull()
      expect(await command(store(), 'GET', `${name}:once`)).toBe('value')
      expect(await command(store(), 'TTL', `${name}:once`)).toBeGreaterThan(50)
    })

    it('lets one of many at the same time put in', async () => {
      const puts = Array.from({ length: 50 }, (_, index) =>
        command(store(), 'SET', `${name}:race`, String(index), 'NX', 'EX', '60'),
      )
      expect((await Promise.all(puts)).filter((reply) => reply === 'OK')).toHaveLength(1)
    })

    it('passes text on as it is', async () => {
      for (const value of ['', ' ', 'é\u0000\r\n', '$6\r\nFLUSHALL', 'x'.repeat(100_000)]) {
        await command(store(), 'SET', `${name}:text`, value)
        expect(await command(store(), 'GET', `${name}:text`)).toBe(value)
      }
    })

    it('runs a script with keys and arguments', async () => {
      const script = "return {KEYS[1], ARGV[1], redis.call('INCRBY', KEYS[1], ARGV[1])}"
      const key: [string] = [`${name}:script`]
      expect(await evaluate(store(), script, key, ['5'])).toEqual([...key, '5', 5])
    })

    it('takes an error of the server for a failure', async () => {
      await expect(command(store(), 'NOSUCHCOMMAND', 'key')).rejects.toMatchObject({
        ...UNAVAILABLE,
        evidence: { store: 'redis', problem: 'failed: ERR' },
      })
    })
  })

  it('leaves the prefix of a client’s own to the client', async () => {
    const prefixed = new Redis(redis.port, '127.0.0.1', { keyPrefix: 'own:' })
    await command(redisStore(prefixed, patient), 'SET', 'name', 'value')
    const plain = redisStore(clients['ioredis']!, patient)
    expect(await command(plain, 'GET', 'own:name')).toBe('value')
    expect(await command(redisStore(prefixed, patient), 'GET', 'name')).toBe('value')
    prefixed.disconnect()
  })

  it('is 503 at its time-out while the server is frozen', async () => {
    const store = redisStore(clients['ioredis']!, { timeoutMs: 50 })
    redis.freeze()
    const startedMs = performance.now()
    await expect(command(store, 'SET', 'frozen', '1')).rejects.toMatchObject({
      ...UNAVAILABLE,
      evidence: { problem: 'too slow' },
    })
    expect(performance.now() - startedMs).toBeLessThan(1000)
    redis.thaw()
  })
})

describe('command, by the kind of client', () => {
  type Sent = unknown[]

  const recording = (extra: object, method: 'call' | 'sendCommand'): readonly [object, Sent[]] => {
    const sent: Sent[] = []
    const client = { [method]: (...args: Sent) => Promise.resolve(sent.push(args)), ...extra }
    return [client, sent]
  }

  it.each([
    ['ioredis', 'call', { defineCommand: () => undefined }, ['SET', 'key', 'value']],
    ['node-redis', 'sendCommand', {}, [['SET', 'key', 'value']]],
    ['a Cluster of node-redis', 'sendCommand', { slots: [] }, ['key', false, ['SET', 'key', 'value']]],
    [
      'a Sentinel of node-redis',
      'sendCommand',
      { getSentinelNode: () => undefined },
      [false, ['SET', 'key', 'value']],
    ],
  ] as const)('speaks to %s', async (_kind, method, extra, expected) => {
    const [client, sent] = recording(extra, method)
    await command(redisStore(client), 'SET', 'key', 'value')
    expect(sent).toEqual([expected])
  })

  it('names the first key of a script to a Cluster, by digest and by text', async () => {
    const sent: unknown[][] = []
    const sendCommand = (...args: unknown[]): Promise<unknown> => {
      sent.push(args)
      return sent.length === 1
        ? Promise.reject(new Error('NOSCRIPT No matching script.'))
        : Promise.resolve(1)
    }
    const store = redisStore({ sendCommand, slots: [] })
    expect(await evaluate(store, 'return 1', ['{a}:1', '{a}:2'], ['x'])).toBe(1)
    const rest = ['2', '{a}:1', '{a}:2', 'x']
    expect(sent).toEqual([
      ['{a}:1', false, ['EVALSHA', 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', ...rest]],
      ['{a}:1', false, ['EVAL', 'return 1', ...rest]],
    ])
  })

  it('takes a client that throws for one that failed', async () => {
    const client = {
      sendCommand: () => {
        throw new TypeError('closed')
      },
    }
    await expect(command(redisStore(client), 'GET', 'key')).rejects.toMatchObject(UNAVAILABLE)
  })
})
