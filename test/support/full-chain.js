// A service with every middleware, built package, that serves a few requests, closes its server and must then end by
// itself: no timer, socket or listener of the library may keep the process alive.
import { once } from 'node:events'
import express from 'express'
import {
  auditLog,
  authenticate,
  notFound,
  publicRoute,
  rateLimit,
  requireScopes,
  secureErrors,
  secureHeaders,
  validateBody,
} from 'express-bulwark'
import { localIssuer } from 'express-bulwark/testing'

const issuer = await localIssuer()
const app = express()
app.use(auditLog())
app.use(secureHeaders())
app.get('/health', publicRoute('probe'), (_req, res) => res.json({ ok: true }))
app.use(rateLimit({ name: 'per-address', limit: 300, windowSeconds: 3600, by: 'address' }))
app.use(
  authenticate({
    issuer: issuer.issuer,
    audience: 'https://api.test',
    failureLimit: { limit: 100, windowSeconds: 3600 },
  }),
)
app.use(rateLimit({ name: 'per-caller', limit: 100, windowSeconds: 3600, by: 'principal' }))
app.post(
  '/orders',
  requireScopes('orders:write'),
  express.json(),
  validateBody({ type: 'object', properties: { sku: { type: 'string' } } }),
  (_req, res) => res.status(201).json({}),
)
app.use(notFound())
app.use(secureErrors())

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${server.address().port}`
const headers = {
  authorization: `Bearer ${await issuer.token({ scope: 'orders:write' })}`,
  'content-type': 'application/json',
}
const statuses = []
for (const [path, init] of [
  ['/health', {}],
  ['/orders', { method: 'POST', headers, body: '{"sku":"A-1"}' }],
  ['/orders', { method: 'POST', headers, body: '{"nope":1}' }],
  ['/orders', { method: 'POST' }],
  ['/nowhere', { headers }],
]) {
  const answer = await fetch(url + path, init)
  await answer.text()
  statuses.push(answer.status)
}
console.error(statuses.join(' '))
server.close()
server.closeIdleConnections()
await issuer.stop()
