import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { PACKAGE, built } from '../support/built.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { describeWith, program } from '../support/requirements.js'

describeWith(program('redis-server', 'redis-server'), 'two processes on one Redis', () => {
  let redis: RunningRedis
  const services: ChildProcess[] = []
  const urls: string[] = []

  beforeAll(async () => {
    built()
    redis = await startRedis()
    const script = join(process.cwd(), 'test/support/limited-service.js')
    const options = { stdio: ['ignore', 'pipe', 'inherit'] as ['ignore', 'pipe', 'inherit'] }
    for (let index = 0; index < 2; index += 1) {
      const service = spawn(process.execPath, [script, PACKAGE, String(redis.port), 'processes'], options)
      services.push(service)
      const failed = once(service, 'exit').then(() => {
        throw new Error('the service ended')
      })
      failed.catch(() => undefined)
      const [port] = await Promise.race([once(service.stdout, 'data'), failed])
      urls.push(`http://127.0.0.1:${String(port).trim()}/`)
    }
  }, 180_000)
  afterAll(async () => {
    await Promise.all(
      services.map(async (service) => {
        if (service.exitCode !== null) return
        const ended = once(service, 'exit')
        service.kill()
        await ended
      }),
    )
    await redis.stop()
  })

  it('share their limits: 30 requests at the same time to both, 6 pass', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => fetch(urls[index % 2]!)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(6)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(24)
    const refused = await fetch(urls[1]!)
    // Charged for 6 requests, and not for the 25 that were refused.
    expect(refused.headers.get('ratelimit')).toMatch(
      /"per-address";r=0;t=\d+, "smooth";r=\d+;t=\d+, "per-day";r=994;/,
    )
    expect(await refused.json()).toMatchObject({ 'violated-policies': ['per-address'] })
  })

  it('share what logins cost: 40 attempts at the same time to both, 5 verifications, and both block', async () => {
    const login = (at: number, account: string, password: string): Promise<Response> => {
      const headers = { 'x-account': account, 'x-password': password }
      return fetch(new URL('/login', urls[at % 2]), { method: 'POST', headers })
    }
    const volley = await Promise.all(Array.from({ length: 40 }, (_, index) => login(index, 'alice', 'wrong')))
    expect(volley.filter(({ status }) => status === 401)).toHaveLength(5)
    expect(volley.filter(({ status }) => status === 429)).toHaveLength(35)
    const counts = urls.map(
      async (url) => (await (await fetch(new URL('/verifications', url))).json()) as number,
    )
    expect((await Promise.all(counts)).reduce((sum, count) => sum + count)).toBe(5)

    // Once the window of the limit is over the block is what is left, wherever the failures were.
    await setTimeout(4500)
    for (const at of [0, 1]) {
      const blocked = await login(at, 'alice', 'right')
      expect(blocked.status).toBe(429)
      expect(Number(blocked.headers.get('retry-after'))).toBeGreaterThan(500)
    }
    // Somebody else is not blocked, and successes are given back: more of them than the limit.
    for (let at = 0; at < 8; at += 1) expect((await login(at, 'bob', 'right')).status).toBe(200)
  })
})
