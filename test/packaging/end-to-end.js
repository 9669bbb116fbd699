// A small service with every middleware, asked over HTTP. It takes the library as an argument, so that the same file
// tries the ES modules and the CommonJS modules.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'

const AUDIENCE = 'https://orders.example'
const SCHEMA = { type: 'object', required: ['sku'], properties: { sku: { type: 'string' } } }

export async function endToEnd(library, { localIssuer }, express) {
  const { tried, untried } = watchUse(library)
  const local = await localIssuer({ audience: AUDIENCE })
  const records = []
  const { app, keys, revoked, metadata, parts } = service(tried, express, local.issuer, records)
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
    assert.match(anonymous.headers.get('www-authenticate'), /^Bearer resource_metadata="/)
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
    assert.equal((await answer('/rules/level', { token: reader })).code, 'insufficient_user_authentication')
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

    const { key } = await keys.create({
      scopes: ['orders:write'],
      expiresAt: Math.floor(Date.now() / 1000) + 3600,
    })
    const byKey = await answer('/orders/7', { body: good, headers: { 'x-api-key': key } })
    assert.equal(byKey.status, 201)
    const both = await answer('/orders/7', { body: good, token: writer, headers: { 'x-api-key': key } })
    assert.equal(both.status, 400)
    assert.equal((await answer(metadata.path)).resource, AUDIENCE)
    await revoked.revokeSubject({ issuer: local.issuer, subject: 'user-1' })
    assert.equal((await answer('/orders/7', { body: good, token: writer })).status, 401)
    await gateways(tried, express)
    await traffic(tried, express)

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
  const keys = library.apiKeys({ prefix: 'acme' })
  const revoked = library.revocation()
  const metadata = library.protectedResourceMetadata({
    resource: AUDIENCE,
    authorizationServers: ['https://id.example'],
  })
  const auth = authenticate({
    verifiers: [
      library.jwtVerifier([{ issuer, audience: AUDIENCE }]),
      library.apiKeyVerifier({ keys }),
      library.certificateVerifier({ names: ['DNS:orders.internal'], issuer: 'mesh' }),
      library.introspectionVerifier({
        issuer,
        endpoint: `${issuer}/introspect`,
        audience: AUDIENCE,
        client: { id: 'orders', secret: 'a secret of the client' },
      }),
    ],
    revocation: revoked,
    resourceMetadata: metadata.url,
  })
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
    '/rules/level': library.requireAuthnLevel({ acr: 'phishing-resistant' }),
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
  app.get(metadata.path, publicRoute('where to get tokens'), metadata)
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
  return { app, keys, revoked, metadata, parts: lifecycle(audit, perAddress, auth, perCaller, keys, revoked) }
}

/** One service behind each kind of gateway; what proves the nginx one is a secret, and the others do not prove themselves. */
async function gateways(library, express) {
  const { gateway, secureErrors, contextOf } = library
  const { apache, awsAlb, caddy, cloudfront, envoy, haproxy, nginx, rfc9440, traefik } = library
  const value = 'Zk3vQ8rTn1Lw5y-0123456789abcdef-edge'
  const assertions = [
    library.googleIap({ audience: '/projects/1/apps/orders' }),
    library.cloudflareAccess({ team: 'acme', audience: 'orders', reason: 'nobody else reaches this port' }),
    library.awsAlbOidc({
      region: 'eu-west-1',
      loadBalancerArn:
        'arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/orders/50dc6c495c0c9188',
      clientId: 'orders',
    }),
    library.gatewayAssertion({ header: 'x-gateway', issuer: 'edge', secrets: [value] }),
  ]
  const profiles = [nginx, apache, awsAlb, caddy, cloudfront, envoy, haproxy, rfc9440, traefik].map(
    (profile) => profile({ provenBy: { secret: { header: 'x-gateway-secret', values: [value] } } }),
  )
  // One that is weak warns, as it should: nothing may be written here.
  for (const assertion of assertions)
    if (assertion.facts.isWeak !== true) gateway(nginx({ provenBy: { assertion } }))
  for (const profile of profiles) {
    const app = express()
    app.use(gateway(profile))
    app.get('/', (req, res) => {
      res.json(contextOf(req).client)
    })
    app.use(secureErrors())
    const server = createServer(app).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${server.address().port}`
    const forwarded = { 'x-forwarded-for': '203.0.113.7', 'cloudfront-viewer-address': '203.0.113.7:4000' }
    assert.equal((await fetch(url, { headers: forwarded })).status, 403, profile.kind)
    const proven = await fetch(url, { headers: { ...forwarded, 'x-gateway-secret': value } })
    assert.equal((await proven.json()).address, '203.0.113.7', profile.kind)
    server.close()
    server.closeAllConnections()
  }
}

/** What bounds how much and how often, each once. */
async function traffic(library, express) {
  const { concurrencyLimit, idempotency, loadShed, penalise, requestTimeout, signalOf, slowDown } = library
  const { fromRateLimiterFlexible, memoryStore, principalFrom, secureErrors } = library
  assert.throws(() => fromRateLimiterFlexible({}), TypeError)
  const store = memoryStore()
  let paid = 0
  const app = express()
  app.use(loadShed({ maxEventLoopDelayMs: 5000 }), requestTimeout({ timeoutMs: 5000 }))
  app.use(concurrencyLimit({ name: 'all', limit: 10 }))
  app.use(slowDown({ name: 'slow', after: 100, windowSeconds: 60, delayMs: 10, by: 'address', store }))
  app.post(
    '/login',
    penalise({ name: 'logins', limit: 2, windowSeconds: 60, by: 'address', store }),
    (_req, res) => {
      res.status(401).json({})
    },
  )
  app.use(principalFrom(() => ({ subject: 'ada' }), { name: 'session' }))
  app.post('/payments', idempotency({ store }), (req, res) => {
    paid += 1
    res.status(201).json({ paid, aborted: signalOf(req).aborted })
  })
  app.use(secureErrors())
  const server = createServer(app).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${server.address().port}`
  const post = (path, headers = {}) => fetch(url + path, { method: 'POST', headers })
  const logins = [await post('/login'), await post('/login'), await post('/login')]
  assert.deepEqual(
    logins.map(({ status }) => status),
    [401, 401, 429],
  )
  const key = { 'idempotency-key': '"a-key-of-the-caller"' }
  const payments = [await post('/payments', key), await post('/payments', key)]
  for (const payment of payments) assert.deepEqual(await payment.json(), { paid: 1, aborted: false })
  assert.equal((await post('/payments')).status, 400)
  server.close()
  server.closeAllConnections()
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
