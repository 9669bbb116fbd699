// A service of the built package, with three limits and a login on one Redis: node limited-service.js PACKAGE REDIS_PORT PREFIX.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import express from 'express'
import { Redis } from 'ioredis'

const [, , folder, redisPort, prefix] = process.argv
const load = (path) => import(pathToFileURL(join(folder, 'dist/esm', path)).href)
const { rateLimit } = await load('traffic/rate-limit.js')
const { penalise } = await load('traffic/penalise.js')
const { redisStore } = await load('stores/redis.js')
const { auditLog } = await load('audit/audit-log.js')
const { secureErrors } = await load('errors/secure-errors.js')

const client = new Redis(Number(redisPort), '127.0.0.1')
const store = redisStore(client, { prefix, timeoutMs: 5000 })
const app = express()
app.use(auditLog({ logger: { info() {}, warn() {}, error() {} } }))

let verifications = 0
app.post(
  '/login',
  penalise({
    name: 'login',
    store,
    policies: [
      { name: 'address', limit: 100, windowSeconds: 600, by: 'address' },
      {
        name: 'account',
        limit: 5,
        windowSeconds: 4,
        by: (req) => String(req.headers['x-account']),
        block: { seconds: 600 },
      },
    ],
  }),
  (req, res) => {
    verifications += 1
    // Verifying a password takes a while: all of a volley are under way by then.
    setTimeout(() => res.status(req.headers['x-password'] === 'right' ? 200 : 401).end(), 200)
  },
)
app.get('/verifications', (_req, res) => res.json(verifications))

app.use(
  rateLimit({
    store,
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
