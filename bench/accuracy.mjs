// How many a limiter of 100 in 1000 ms lets through in any 1000 ms, beside the peers.
// A: one request, 99 just before the window's end, 150 just after; of a window that the first request begins, and of one
// that the clock begins. C: 120 at once, then as many as are let through for a second.
// node accuracy.mjs [repeats]; starts a redis-server of its own on loopback
import { setTimeout as pause } from 'node:timers/promises'
import { MemoryStore } from 'express-rate-limit'
import { Ratelimit } from '@upstash/ratelimit'
import { Redis } from 'ioredis'
import { RedisStore } from 'rate-limit-redis'
import { BurstyRateLimiter, RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible'
import { internal, library } from './library.mjs'
import { line } from './middleware.mjs'
import { startRedis } from './redis-server.mjs'

const [repeats = '3'] = process.argv.slice(2)
const LIMIT = 100
const WINDOW_MS = 1000
const NEAR_MS = 40

const { MemoryLimiter } = await internal('stores/memory/limiter.js')
const { RedisLimiter } = await internal('stores/redis/limiter.js')
const redis = await startRedis()
const client = new Redis(redis.port, '127.0.0.1')
const store = library.redisStore(client, { timeoutMs: 5000 })

const sliding = { algorithm: 'sliding', limit: LIMIT, windowMs: WINDOW_MS }
const gcra = (burst) => ({ algorithm: 'gcra', limit: LIMIT, windowMs: WINDOW_MS, burst })
const flexible = { points: LIMIT, duration: 1 }
const upstash = (prefix, limiter) => {
  const redis = upstashOn(client)
  const made = new Ratelimit({ redis, limiter, prefix, ephemeralCache: false, timeout: 0 })
  return async (key) => (await made.limit(key)).success
}
const limiters = {
  'this library, sliding, memory': own(new MemoryLimiter(), sliding),
  'this library, sliding, Redis': own(new RedisLimiter(store), sliding),
  'this library, gcra, burst 10, memory': own(new MemoryLimiter(), gcra(10)),
  'this library, gcra, burst 10, Redis': own(new RedisLimiter(store), gcra(10)),
  'this library, gcra, burst 100, memory': own(new MemoryLimiter(), gcra(LIMIT)),
  'this library, gcra, burst 100, Redis': own(new RedisLimiter(store), gcra(LIMIT)),
  'rate-limiter-flexible, memory': consume(new RateLimiterMemory(flexible)),
  'rate-limiter-flexible, Redis': consume(new RateLimiterRedis({ storeClient: client, ...flexible })),
  'rate-limiter-flexible, bursty 100 + 50': consume(
    new BurstyRateLimiter(
      new RateLimiterMemory(flexible),
      new RateLimiterMemory({ points: 50, duration: 1 }),
    ),
  ),
  'express-rate-limit, memory': increment(new MemoryStore()),
  'express-rate-limit, rate-limit-redis': increment(
    new RedisStore({ prefix: 'erl:', sendCommand: (...args) => client.call(...args) }),
  ),
  'upstash, fixed window': upstash('u0', Ratelimit.fixedWindow(LIMIT, '1 s')),
  'upstash, sliding window': upstash('u1', Ratelimit.slidingWindow(LIMIT, '1 s')),
  'upstash, token bucket, 100 a second': upstash('u2', Ratelimit.tokenBucket(LIMIT, '1 s', LIMIT)),
  'upstash, token bucket, 1 in 10 ms': upstash('u3', Ratelimit.tokenBucket(1, '10 ms', LIMIT)),
}

const inMemory = new Set(
  Object.entries(limiters).flatMap(([name, take]) => (/memory|bursty/.test(name) ? [take] : [])),
)

// A few at the same time: they wait more than they work.
const waiting = Object.entries(limiters)
const worst = []
while (waiting.length > 0) worst.push(...(await Promise.all(waiting.splice(0, 3).map(worstOf))))
console.log(`limit ${LIMIT} in ${WINDOW_MS} ms, most in any ${WINDOW_MS} ms of ${repeats} runs`)
console.log(line('', 'A', 'C'))
for (const [name, ...figures] of worst) console.log(line(name, ...figures))
const broken = worst.filter(([name, ...figures]) => /, sliding,/.test(name) && Math.max(...figures) > LIMIT)
for (const [name, ...figures] of broken)
  console.log(`MISSED ${name}: ${Math.max(...figures)}, at most ${LIMIT}`)
process.exitCode = broken.length === 0 ? 0 : 1
client.disconnect()
redis.stop()

async function worstOf([name, take]) {
  const of = async (scenario) => {
    let most = 0
    for (let repeat = 0; repeat < Number(repeats); repeat += 1)
      most = Math.max(most, mostWithin(await scenario(take, `${scenario.name}-${repeat}`)))
    return most
  }
  const boundary = Math.max(await of(firstHitBoundary), await of(clockBoundary))
  return [name, boundary, await of(hammered)]
}

async function firstHitBoundary(take, key) {
  const opening = await burst(take, key, 1)
  const openedMs = opening[0]?.answeredMs ?? performance.now()
  await pause(openedMs + WINDOW_MS - NEAR_MS - performance.now())
  const late = await burst(take, key, LIMIT - 1)
  await pause(Math.max(0, openedMs + WINDOW_MS + 5 - performance.now()))
  return [...opening, ...late, ...(await burst(take, key, 150))]
}

async function clockBoundary(take, key) {
  const turn = Math.ceil((Date.now() + 2 * NEAR_MS) / WINDOW_MS) * WINDOW_MS
  await pause(turn - NEAR_MS - Date.now())
  const before = await burst(take, key, LIMIT)
  await pause(Math.max(0, turn + 5 - Date.now()))
  return [...before, ...(await burst(take, key, 150))]
}

async function hammered(take, key) {
  const passed = await burst(take, key, 120)
  const endMs = performance.now() + WINDOW_MS
  while (performance.now() < endMs) {
    passed.push(...(await burst(take, key, 4)))
    await pause(2)
  }
  return passed
}

/** Those that were let through, each with the two moments between which that was decided. */
async function burst(take, key, count) {
  const ask = async () => {
    const sentMs = performance.now()
    const isAllowed = await take(key)
    return isAllowed ? [{ sentMs, answeredMs: performance.now() }] : []
  }
  if (!inMemory.has(take)) return (await Promise.all(Array.from({ length: count }, ask))).flat()
  // One after the other, as requests come: express-rate-limit refuses all of those that are counted in one tick.
  const passed = []
  for (let asked = 0; asked < count; asked += 1) passed.push(...(await ask()))
  return passed
}

/** Only what was certainly decided within the window counts against a limiter. */
function mostWithin(passed) {
  const counts = passed.map(
    ({ sentMs: fromMs }) =>
      passed.filter(({ sentMs, answeredMs }) => sentMs >= fromMs && answeredMs <= fromMs + WINDOW_MS).length,
  )
  return Math.max(0, ...counts)
}

function own(port, rule) {
  const name = `${rule.algorithm}-${rule.burst ?? ''}`
  return async (key) => (await port.take([{ name, rule, key, cost: 1 }])).allowed
}

function consume(limiter) {
  return async (key) => {
    try {
      await limiter.consume(key)
      return true
    } catch (cause) {
      if (cause instanceof Error) throw cause
      return false
    }
  }
}

function increment(counts) {
  counts.init({ windowMs: WINDOW_MS })
  return async (key) => (await counts.increment(key)).totalHits <= LIMIT
}

/** As much of Upstash's client as its limiter asks for, on a server of our own. */
function upstashOn(redisClient) {
  const words = (list) => list.map((word) => String(word ?? ''))
  // The first line of its scripts is a flag that only Upstash's own server knows.
  const plain = (script) => script.replace(/^#!lua.*\n/, '')
  const run = (command) => (script, keys, args) =>
    redisClient.call(command, plain(script), String(keys.length), ...words(keys), ...words(args))
  return { eval: run('EVAL'), evalsha: run('EVALSHA') }
}
