import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { authzenPolicy, type AuthzenPolicyOptions } from '../../../src/authorization/policy/authzen.js'
import { withinMs } from '../../../src/authorization/policy/authzen/post-json.js'
import { authzenServer, json, type FaultyServer } from './fixtures/engines.js'
import { mandated } from './fixtures/scenario.js'

let server: FaultyServer
beforeAll(async () => {
  server = await authzenServer()
})
afterAll(() => server.close())
const question = mandated[0]!.request

describe('authzenPolicy', () => {
  it('asks with its own header fields and the four members of the question, and nothing else', async () => {
    let calls = 0
    const headers = () => ({ authorization: `Bearer own-${(calls += 1)}`, 'Content-Type': 'text/plain' })
    const policy = authzenPolicy({ url: `${server.url}/`, headers })
    server.heard.length = 0
    await policy({ ...question, context: { a: 1 }, token: 'SECRET' } as never)
    await policy(question)
    expect(server.heard.map(({ body }) => body)).toEqual([{ ...question, context: { a: 1 } }, question])
    expect(server.heard.map(({ url }) => url)).toEqual(['/access/v1/evaluation', '/access/v1/evaluation'])
    expect(server.heard[1]?.headers).toMatchObject({
      authorization: 'Bearer own-2',
      'content-type': 'application/json',
      accept: 'application/json',
    })
  })

  it('keeps rule and reason for the record', async () => {
    await expect(authzenPolicy({ url: server.url })(question)).resolves.toEqual({
      decision: true,
      rule: 'alice-reads',
      reason: 'by alice-reads',
    })
  })

  it.each<[unknown, object]>([
    [{ reason_admin: { 403: 'no' } }, { reason: 'no' }],
    [{ reason_admin: 'no' }, { reason: 'no' }],
    [{ reason: { en: 'x'.repeat(5000) } }, { reason: 'x'.repeat(256) }],
    [{ reason_admin: { en: 'a\n\u202eb' } }, { reason: 'a\ufffd\ufffdb' }],
    [{ reason_admin: {}, id: 7 }, {}],
    [{ reason_user: { en: 'for the user' } }, {}],
    ['text', {}],
    [['list'], {}],
    [null, {}],
  ])('takes from the context %j what is bounded text', async (context, kept) => {
    server.fault = json(200, JSON.stringify({ decision: false, context }))
    await expect(authzenPolicy({ url: server.url })(question)).resolves.toEqual({ decision: false, ...kept })
    server.fault = undefined
  })

  it('rejects within its time where fetch does not listen', async () => {
    const policy = authzenPolicy({
      url: server.url,
      timeoutMs: 50,
      fetch: () => new Promise(() => undefined),
    })
    await expect(policy(question)).rejects.toThrow('50 ms')
  })

  it.each<[string, Partial<AuthzenPolicyOptions>]>([
    [
      'fetch throws',
      {
        fetch: () => {
          throw new Error('no')
        },
      },
    ],
    [
      'fetch followed a redirect',
      {
        fetch: async () =>
          Object.defineProperty(Response.json({ decision: true }), 'redirected', { value: true }),
      },
    ],
    ['fetch answers nothing', { fetch: async () => undefined as never }],
    [
      'headers throws',
      {
        headers: () => {
          throw new Error('no')
        },
      },
    ],
    ['headers are impossible', { headers: () => ({ a: 'b\r\nc: d' }) }],
    [
      'the answer is longer than allowed',
      { maxResponseBytes: 64, fetch: async () => Response.json({ decision: true, a: 'x'.repeat(64) }) },
    ],
  ])('rejects where %s', async (_case, options) => {
    await expect(authzenPolicy({ url: server.url, ...options })(question)).rejects.toThrow()
  })

  it.each<[string, () => Promise<never>]>([
    [
      'throws at once',
      () => {
        throw new Error('no')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])('leaves no timer behind where the work %s', async (_case, work) => {
    jest.useFakeTimers()
    try {
      await expect(withinMs(10_000, work)).rejects.toThrow('no')
      await Promise.resolve()
      expect(jest.getTimerCount()).toBe(0)
    } finally {
      jest.useRealTimers()
    }
  })

  it('rejects a question that is no JSON', async () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['a'] = cyclic
    await expect(
      (async () => authzenPolicy({ url: server.url })({ ...question, context: cyclic }))(),
    ).rejects.toThrow()
  })

  it('says nothing of the answer in its error', async () => {
    server.fault = json(200, '{"secret":"SECRET')
    await expect(authzenPolicy({ url: server.url })(question)).rejects.toThrow(/^(?!.*SECRET)/)
    server.fault = undefined
  })

  it.each<[string, unknown]>([
    ['no address', {}],
    ['http elsewhere', { url: 'http://pdp.example' }],
    ['http to a name that begins like loopback', { url: 'http://127.0.0.1.example' }],
    ['a user in the address', { url: 'https://user:password@pdp.example' }],
    ['a query', { url: 'https://pdp.example/?a=b' }],
    ['a fragment', { url: 'https://pdp.example/#a' }],
    ['another scheme', { url: 'file:///etc/passwd' }],
    ['a URL object', { url: new URL('https://pdp.example') }],
    ['no time', { url: 'https://pdp.example', timeoutMs: 0 }],
    ['no end of time', { url: 'https://pdp.example', timeoutMs: Infinity }],
    ['no bound', { url: 'https://pdp.example', maxResponseBytes: Infinity }],
    ['headers that are no function', { url: 'https://pdp.example', headers: {} }],
    ['an unknown option', { url: 'https://pdp.example', timeout: 5 }],
  ])('throws at set-up for %s', (_case, options) => {
    expect(() => authzenPolicy(options as never)).toThrow(TypeError)
  })

  it.each([
    'https://pdp.example',
    'https://pdp.example/tenant/a/',
    'http://localhost:9000',
    'http://[::1]:9000',
  ])('may be at %s', (url) => {
    expect(() => authzenPolicy({ url })).not.toThrow()
  })
})
