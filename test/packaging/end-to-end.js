// A small service with every middleware, asked over HTTP. It takes the library as an argument, so that the same file
// tries the ES modules and the CommonJS modules.
import assert from 'node:assert/strict'

const AUDIENCE = 'https://orders.example'
const SCHEMA = { type: 'object', required: ['sku'], properties: { sku: { type: 'string' } } }

export async function endToEnd(library, { localIssuer }, express) {
  const { tried, untried } = watchUse(library)
  const local = await localIssuer({ audience: AUDIENCE })
  const records = []
  const { app, parts } = service(tried, express, local.issuer, records)
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${server.address().port}`

  async function answer(path, { token, body, method = body === undefined ? 'GET' : 'POST', ...rest } = {}) {
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...rest.headers,
    }
    const response = await fetch(url + path, { method, headers, body })
    const text = await response.text()
    return { status: response.status, headers: response.headers, ...(text === '' ? {} : JSON.parse(text)) }
  }

  try {
    await parts.warmUp()
    assert.equal(parts.health().status, 'ok')
    const reader = await local.token({ scope: 'orders:read' })
    const writer = await local.token({ scope: 'orders:read orders:write' })
    const good = JSON.stringify({ sku: 'tea' })

    const health = await answer('/health')
    assert.equal(health.ok, true)
    assert.match(health.headers.get('content-security-policy'), /default-src 'none'/)
    assert.equal((await answer('/session')).subject, 'session-user')

    const anonymous = await answer('/orders/7', { body: good })
    assert.deepEqual([anonymous.status, anonymous.code], [401, 'unauthorized'])
    assert.equal(anonymous.headers.get('www-authenticate'), 'Bearer')
    const forged = await answer('/orders/7', { body: good, token: `${writer.slice(0, -8)}AAAAAAAA` })
    assert.deepEqual([forged.status, forged.code], [401, 'invalid_token'])
    const narrow = await answer('/orders/7', { body: good, token: reader })
    assert.deepEqual([narrow.status, narrow.code], [403, 'insufficient_scope'])

    const created = await answer('/orders/7', { body: good, token: writer })
    assert.deepEqual([created.status, created.id, created.sku], [201, '7', 'tea'])
    assert.deepEqual([created.owner, created.same], ['user-1', true])
    const unknownField = await answer('/orders/7', { body: '{"sku":"tea","isAdmin":true}', token: writer })
    assert.deepEqual([unknownField.status, unknownField.errors[0].code], [400, 'additionalProperties'])
    const text = await answer('/orders/7', {
      body: good,
      token: writer,
      headers: { 'content-type': 'text/plain' },
    })
    assert.equal(text.status, 415)

    assert.equal((await answer('/forgotten')).status, 403)
    for (const rule of ['roles', 'claims', 'service', 'internal', 'tenant', 'policy'])
      assert.equal((await answer(`/rules/${rule}`, { token: reader })).status, 403, rule)
    assert.equal((await answer('/papers/user-1', { token: reader })).owner, 'user-1')
    assert.equal((await answer('/papers/user-2', { token: reader })).status, 404)

    assert.equal((await answer('/closed', { token: reader })).code, 'order_closed')
    const broken = await answer('/broken', { token: reader })
    assert.deepEqual([broken.status, broken.code], [500, 'internal'])
    assert.equal((await answer('/teapot', { token: reader })).status, 403)
    assert.equal((await answer('/nowhere', { token: reader })).status, 404)
    const wrongMethod = await answer('/closed', { token: reader, method: 'DELETE' })
    assert.deepEqual([wrongMethod.status, wrongMethod.headers.get('allow')], [405, 'GET, HEAD'])

    const limited = await answer('/rare', { token: reader }).then(() => answer('/rare', { token: reader }))
    assert.equal(limited.status, 429)
    assert.match(limited.headers.get('retry-after'), /^[1-9]\d*$/)

    const written = JSON.stringify(records)
    for (const reason of ['signature_invalid', 'scope_missing', 'schema_mismatch', 'limit_exceeded'])
      assert.ok(written.includes(reason), `no audit record says ${reason}`)
    assert.ok(!written.includes(writer), 'an audit record holds a token')
    assert.deepEqual(untried(), [], 'exported, but not tried here')
  } finally {
    await parts.close()
    await new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
    await local.stop()
  }
}

function service(library, express, issuer, records) {
  const { auditLog, secureHeaders, publicRoute, principalFrom, rateLimit, authenticate } = library
  const { requireScopes, validateBody, notFound, secureErrors, problem, lifecycle } = library
  const { contextOf, principalOf, optionalPrincipalOf, inputOf, exposedHeaders, guardMetadataOf } = library
  const { authorize, denyByDefault, forbidTogether, internalOnly, requireClaims } = library
  const { requireResource, requireRoles, requireService, requireTenant } = library
  const { defineGuard, PASSED, SecurityProblem, isSecurityProblem, memoryStore, redisStore } = library

  const keep = (record) => records.push(record)
  const audit = auditLog({ logger: { info: keep, warn: keep, error: keep } })
  const perAddress = rateLimit({ name: 'per-address', limit: 100, windowSeconds: 60, by: 'address' })
  const auth = authenticate({ issuer, audience: AUDIENCE })
  const perCaller = rateLimit({
    name: 'per-caller',
    limit: 1,
    windowSeconds: 60,
    by: 'principal',
    store: memoryStore(),
  })
  const order = validateBody(SCHEMA)
  const teapot = defineGuard({
    kind: 'teapot',
    layer: 'authorization',
    name: 'teapot',
    check: (req) => (req.url === '/coffee' ? PASSED : new SecurityProblem('scope_missing')),
  })
  assert.equal(guardMetadataOf(teapot)?.name, 'teapot')
  assert.ok(isSecurityProblem(new SecurityProblem('scope_missing')))
  assert.equal(redisStore({ defineCommand: () => undefined }).health().status, 'ok')
  assert.ok(exposedHeaders.length > 0)

  const own = requireResource({
    name: 'own',
    load: ({ params }) => ({ owner: params.id }),
    rule: (paper, { subject }) => paper.owner === subject,
  })
  // Each with a route of its own, and how it answers a user without any power.
  const rules = {
    '/rules/roles': requireRoles('admin'),
    '/rules/claims': requireClaims({ department: 'sales' }),
    '/rules/service': requireService(),
    '/rules/internal': internalOnly({ hops: ['edge'] }),
    '/rules/tenant': requireTenant({ from: () => 'acme' }),
    '/rules/policy': authorize(() => ({ decision: false }), {
      action: 'read',
      resource: { type: 'paper', id: '1' },
    }),
  }

  const app = express()
  denyByDefault(app)
  app.use(audit)
  app.use(secureHeaders())
  app.get('/health', publicRoute('liveness probe'), (_req, res) => {
    res.json({ ok: true })
  })
  app.get(
    '/session',
    principalFrom(() => ({ subject: 'session-user' }), { name: 'session' }),
    (req, res) => {
      res.json({ subject: optionalPrincipalOf(req)?.subject })
    },
  )
  app.get('/forgotten', (_req, res) => {
    res.json({ forgotten: true })
  })
  app.use(perAddress)
  app.use(auth)
  app.post('/orders/:id', requireScopes('orders:write'), express.json(), order, (req, res) => {
    const { sku } = req.body
    const same = inputOf(req, order) === req.body && contextOf(req).principal === auth.principalOf(req)
    res.status(201).json({ id: req.params.id, sku, owner: principalOf(req).subject, same })
  })
  app.get('/closed', () => {
    throw problem({ status: 409, code: 'order_closed', detail: 'This order is closed.' })
  })
  app.get('/broken', () => {
    throw new Error('the database is gone')
  })
  app.get('/teapot', teapot)
  app.get('/rare', perCaller, (_req, res) => {
    res.json({})
  })
  for (const [path, rule] of Object.entries(rules)) app.get(path, rule)
  app.get('/papers/:id', own, forbidTogether({ scopes: ['a', 'b'] }), (req, res) => {
    res.json({ owner: inputOf(req, own).owner })
  })
  app.use(notFound())
  app.use(secureErrors())
  return { app, parts: lifecycle(audit, perAddress, auth, perCaller) }
}

/** Notes which exports are used, so that a new one is not forgotten here. */
function watchUse(library) {
  const names = Object.keys(library).filter((name) => !['default', 'module.exports'].includes(name))
  const used = new Set()
  const tried = new Proxy(
    { ...library },
    {
      get: (target, name) => {
        used.add(name)
        return target[name]
      },
    },
  )
  return { tried, untried: () => names.filter((name) => !used.has(name)) }
}
