// An ES module copy and a CommonJS copy of the library in one process, on one request.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import express from 'express'
import * as esm from 'express-bulwark'
import { localIssuer } from 'express-bulwark/testing'

const cjs = createRequire(import.meta.url)('express-bulwark')
assert.notEqual(esm.contextOf, cjs.contextOf, 'this must be two copies')

// Each recognises the other's problems, which are of another class.
for (const [one, other] of [
  [esm, cjs],
  [cjs, esm],
]) {
  const made = new one.SecurityProblem('scope_missing')
  assert.ok(!(made instanceof other.SecurityProblem))
  assert.ok(other.isSecurityProblem(made))
}

const local = await localIssuer({ audience: 'https://orders.example' })
const limit = { name: 'shared', limit: 1, windowSeconds: 60, by: 'principal' }
const order = cjs.validateBody({ type: 'object', properties: { sku: { type: 'string' } } })
const records = []
const keep = (record) => records.push(record)

const app = express()
app.use(esm.auditLog({ logger: { info: keep, warn: keep, error: keep } }))
app.use(cjs.authenticate({ issuer: local.issuer, audience: 'https://orders.example' }))
app.post('/orders', esm.requireScopes('orders:write'), express.json(), order, (req, res) => {
  assert.equal(esm.contextOf(req), cjs.contextOf(req))
  assert.equal(esm.principalOf(req), cjs.principalOf(req))
  assert.equal(esm.inputOf(req, order), req.body)
  assert.ok(cjs.guardMetadataOf(esm.requireScopes('a')))
  res.json({ layers: cjs.contextOf(req).decisions.map(({ guard }) => guard) })
})
app.get('/esm', esm.rateLimit(limit), (_req, res) => {
  res.json({})
})
app.get('/cjs', cjs.rateLimit(limit), (_req, res) => {
  res.json({})
})
app.get('/admin', cjs.requireScopes('admin'))
app.use(esm.secureErrors())
const server = app.listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))

const authorization = `Bearer ${await local.token({ scope: 'orders:write' })}`
const ask = (path, init = {}) =>
  fetch(`http://127.0.0.1:${server.address().port}${path}`, {
    ...init,
    headers: { authorization, 'content-type': 'application/json' },
  })
try {
  const answer = await ask('/orders', { method: 'POST', body: '{"sku":"tea"}' })
  assert.deepEqual(await answer.json(), { layers: ['authenticate', 'requireScopes', 'validateBody'] })
  const refused = await ask('/admin')
  assert.deepEqual([refused.status, (await refused.json()).code], [403, 'insufficient_scope'])
  assert.equal((await ask('/esm')).status, 200)
  assert.equal((await ask('/cjs')).status, 429, 'limiters of one name share their count')
  assert.ok(JSON.stringify(records).includes('scope_missing'))
} finally {
  server.close()
  server.closeAllConnections()
  await local.stop()
}
