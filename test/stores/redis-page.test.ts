import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, it } from '@jest/globals'
import { built } from '../support/built.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { describeWith, program } from '../support/requirements.js'

const page = readFileSync(join(process.cwd(), 'docs/middlewares/redis.md'), 'utf8')
const blocks = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code ?? '')
const shownOf = (client: string): string => blocks.find((code) => code.includes(`from '${client}'`)) ?? ''

/** A service around what the page shows. For each line it is sent it says by whom a request was counted. */
const serviceWith = (snippet: string): string => `${snippet}
  import { createInterface } from 'node:readline'
  import express from 'express'
  import { rateLimit } from 'express-bulwark'
  const limiter = rateLimit({ name: 'page', limit: 100, windowSeconds: 60, by: 'address', store })
  const app = express().use(limiter).get('/', (_req, res) => res.end())
  const server = app.listen(0, '127.0.0.1', () => console.log('listening'))
  for await (const _line of createInterface({ input: process.stdin })) {
    const before = limiter.health().detail
    const { status } = await fetch('http://127.0.0.1:' + server.address().port)
    const share = /without the store: (\\d+) by share/
    const count = (detail) => Number(share.exec(detail)?.[1] ?? 0)
    console.log(status + (count(limiter.health().detail) > count(before) ? ' by share' : ' by the store'))
  }
  process.exit(0)
`

describeWith(program('redis-server', 'redis-server'), 'the clients of docs/middlewares/redis.md', () => {
  let redis: RunningRedis
  let service: ChildProcess
  beforeAll(built, 120_000)
  afterEach(async () => {
    service.kill('SIGKILL')
    await redis.stop()
  })

  async function said(): Promise<string> {
    const [chunk] = (await once(service.stdout as NodeJS.EventEmitter, 'data')) as [Buffer]
    return chunk.toString().trim()
  }
  function request(): Promise<string> {
    service.stdin?.write('\n')
    return said()
  }
  /** What requests are counted by, once it is this. */
  async function becomes(counted: string): Promise<string> {
    let last = ''
    for (let tries = 0; last !== counted && tries < 200; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      last = await request()
    }
    return last
  }

  it.each(['ioredis', 'redis'])(
    'with %s a service starts, goes on when Redis goes, and finds it again',
    async (client) => {
      redis = await startRedis()
      const { port, url } = redis
      await redis.stop()
      service = spawn(process.execPath, ['--input-type=module', '--eval', serviceWith(shownOf(client))], {
        env: { ...process.env, REDIS_URL: url },
        stdio: ['pipe', 'pipe', 'ignore'],
      })
      expect(await said()).toBe('listening')
      expect(await request()).toBe('200 by share')
      redis = await startRedis(port)
      expect(await becomes('200 by the store')).toBe('200 by the store')
      await redis.stop()
      expect(await request()).toBe('200 by share')
      redis = await startRedis(port)
      expect(await becomes('200 by the store')).toBe('200 by the store')
      expect(service.exitCode).toBeNull()
    },
    60_000,
  )
})
