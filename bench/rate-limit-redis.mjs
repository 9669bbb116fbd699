// Three limits of one request on Redis: one call of this library beside three limiters of others in sequence.
// node rate-limit-redis.mjs [rounds] [requests]; starts a redis-server of its own on loopback
import { loadavg } from 'node:os'
import express from 'express'
import { rateLimit as expressRateLimit } from 'express-rate-limit'
import { Redis } from 'ioredis'
import { RedisStore } from 'rate-limit-redis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { internal, library } from './library.mjs'
import { cpuOf, line, median, requestsTo, verdict } from './middleware.mjs'
import { startRedis } from './redis-server.mjs'

const [rounds = '60', requests = '50'] = process.argv.slice(2)
const WARM_UP_ROUNDS = 10
const CALLERS = 50
const AT_ONCE = 64
const limits = [
  { name: 'second', limit: 1e6, windowSeconds: 10 },
  { name: 'minute', limit: 1e7, windowSeconds: 60 },
  { name: 'hour', limit: 1e8, windowSeconds: 3600 },
]

const { RedisLimiter } = await internal('stores/redis/limiter.js')
const redis = await startRedis()
const client = new Redis(redis.port, '127.0.0.1')
const watcher = new Redis(redis.port, '127.0.0.1')
const addresses = Array.from({ length: CALLERS }, (_, index) => `203.0.113.${index}`)
const app = express()

// Bare limiters answer a number; whole middlewares find out whom to count, and write fields.
const stacks = {
  'limiter: this library, sliding': bare('sliding', {}),
  'limiter: this library, gcra': bare('gcra', { burst: 1000 }),
  'limiter: rate-limiter-flexible x 3': flexible(),
  'middleware: this library, sliding': whole('sliding', {}),
  'middleware: this library, gcra': whole('gcra', { burst: 1000 }),
  'middleware: express + rate-limit-redis x 3': inSequence(limits.map(expressLimit)),
}

const names = Object.keys(stacks)
const latency = Object.fromEntries(names.map((name) => [name, []]))
const paired = Object.fromEntries(names.map((name) => [name, []]))
for (let round = 0; round < Number(rounds) + WARM_UP_ROUNDS; round += 1) {
  const spent = {}
  for (let turn = 0; turn < names.length; turn += 1) {
    const name = names[(round + turn) % names.length]
    spent[name] = await latencyOf(stacks[name])
  }
  if (round < WARM_UP_ROUNDS) continue
  for (const name of names) {
    latency[name].push(spent[name])
    const ours = names[names.indexOf(name) < 3 ? 0 : 3]
    paired[name].push(spent[ours] / spent[name])
  }
}

const load = loadavg().map((figure) => figure.toFixed(1))
console.log(
  `${requests} requests x ${rounds} rounds, one after the other, node ${process.version}, load ${load.join(' ')}`,
)
console.log(line('', 'µs, p50', 'commands', 'Redis µs', 'per s'))
const facts = {}
for (const name of names) {
  const { commands, microseconds } = await serverCost(stacks[name])
  facts[name] = commands
  const perSecond = await throughputOf(stacks[name])
  const figures = [
    median(latency[name]).toFixed(0),
    commands.toFixed(2),
    microseconds.toFixed(1),
    perSecond.toFixed(0),
  ]
  console.log(line(name, ...figures))
}
for (const name of [names[2], names[5]]) verdict(`sliding beside ${name}`, median(paired[name]), 0.55)
verdict('commands a request', facts[names[3]], 1)
client.disconnect()
watcher.disconnect()
redis.stop()

/** Median of single requests, in **microseconds**, one after the other. */
async function latencyOf(middleware) {
  const spent = []
  for (const request of requestsTo(app, addresses, Number(requests))) {
    const startedMs = performance.now()
    await cpuOf(middleware, [request])
    spent.push((performance.now() - startedMs) * 1000)
  }
  return median(spent)
}

/** Commands and CPU time of the server for one request; those that scripts call are part of the script. */
async function serverCost(middleware) {
  const many = 500
  await watcher.config('RESETSTAT')
  await cpuOf(middleware, requestsTo(app, addresses, many))
  const stats = [...(await watcher.info('commandstats')).matchAll(/cmdstat_(\w+):calls=(\d+),usec=(\d+)/g)]
  const sent = stats.filter(([, command]) => /^(evalsha|eval)$/.test(command))
  // What a peer sends beside its script is a round trip as well.
  const others = stats.filter(([, command]) => /^(multi|exec|script)$/.test(command))
  const sum = (list, at) => list.reduce((total, found) => total + Number(found[at]), 0)
  return { commands: sum([...sent, ...others], 2) / many, microseconds: sum(sent, 3) / many }
}

async function throughputOf(middleware) {
  const many = 4000
  const pending = requestsTo(app, addresses, many)
  const startedMs = performance.now()
  const work = async () => {
    for (let request = pending.pop(); request !== undefined; request = pending.pop())
      await cpuOf(middleware, [request])
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return (many / (performance.now() - startedMs)) * 1000
}

// A busy machine must not turn a slow answer into a decision without the store.
function storeFor(prefix) {
  return library.redisStore(client, { prefix, timeoutMs: 5000 })
}

function whole(algorithm, more) {
  const policies = limits.map((limit) => ({ ...limit, ...more, algorithm, by: 'address' }))
  return library.rateLimit({ store: storeFor(`whole-${algorithm}`), onOutage: 'deny', policies })
}

function bare(algorithm, more) {
  const limiter = new RedisLimiter(storeFor(`bare-${algorithm}`))
  const rules = limits.map(({ name, limit, windowSeconds }) => [
    name,
    { algorithm, limit, windowMs: windowSeconds * 1000, ...more },
  ])
  return async (req, res, next) => {
    const key = req.ip
    const { allowed } = await limiter.take(rules.map(([name, rule]) => ({ name, rule, key, cost: 1 })))
    next(allowed ? undefined : new Error('refused'))
  }
}

function flexible() {
  const limiters = limits.map(
    ({ name, limit, windowSeconds }) =>
      new RateLimiterRedis({
        storeClient: client,
        keyPrefix: `rlf-${name}`,
        points: limit,
        duration: windowSeconds,
      }),
  )
  return async (req, res, next) => {
    try {
      for (const limiter of limiters) await limiter.consume(req.ip)
      next()
    } catch (cause) {
      next(cause)
    }
  }
}

function expressLimit({ name, limit, windowSeconds }) {
  return expressRateLimit({
    windowMs: windowSeconds * 1000,
    limit,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    identifier: name,
    validate: false,
    store: new RedisStore({ prefix: `erl-${name}:`, sendCommand: (...args) => client.call(...args) }),
  })
}

function inSequence(middlewares) {
  return (req, res, next) => {
    const step = (at) => (cause) => {
      if (cause !== undefined || at === middlewares.length) next(cause)
      else middlewares[at](req, res, step(at + 1))
    }
    step(0)()
  }
}
