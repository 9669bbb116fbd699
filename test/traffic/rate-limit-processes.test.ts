import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
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
})
