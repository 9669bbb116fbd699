// A service of the built package, with three limits on one Redis: node limited-service.js PACKAGE REDIS_PORT PREFIX.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import express from 'express'
import { Redis } from 'ioredis'

const [, , folder, redisPort, prefix] = process.argv
const load = (path) => import(pathToFileURL(join(folder, 'dist/esm', path)).href)
const { rateLimit } = await load('traffic/rate-limit.js')
const { redisStore } = await load('stores/redis.js')
const { auditLog } = await load('audit/audit-log.js')
const { secureErrors } = await load('errors/secure-errors.js')

const client = new Redis(Number(redisPort), '127.0.0.1')
const app = express()
app.use(auditLog({ logger: { info() {}, warn() {}, error() {} } }))
app.use(
  rateLimit({
    store: redisStore(client, { prefix, timeoutMs: 5000 }),
    onOutage: 'deny',
    policies: [
      { name: 'per-address', limit: 6, windowSeconds: 600, by: 'address' },
      { name: 'smooth', limit: 600, windowSeconds: 60, algorithm: 'gcra', burst: 100, by: 'address' },
      { name: 'per-day', limit: 1000, period: 'day', by: 'address' },
    ],
  }),
)
app.get('/', (_req, res) => res.end())
app.use(secureErrors())
const server = app.listen(0, '127.0.0.1', () => {
  console.log(server.address().port)
})
