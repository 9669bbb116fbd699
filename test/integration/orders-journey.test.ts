import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import express, { type ErrorRequestHandler } from 'express'
import {
  auditLog,
  authenticate,
  lifecycle,
  notFound,
  principalOf,
  publicRoute,
  rateLimit,
  requireScopes,
  secureErrors,
  secureHeaders,
  validateBody,
  type Lifecycle,
} from '../../src/index.js'
import { authorizationServer, type AuthorizationServer } from '../support/authorization-server.js'
import { keepingLogger } from '../support/records.js'
import { serve, type RunningServer } from '../support/server.js'

const AUDIENCE = 'https://orders.test'
const ORDER = { sku: 'TEA-100', quantity: 2 }
const orderSchema = {
  title: 'order',
  type: 'object',
  required: ['sku', 'quantity'],
  properties: { sku: { type: 'string', maxLength: 20 }, quantity: { type: 'integer', minimum: 1 } },
} as const

// The shortest that the options allow, so that a test need not wait long for anything to grow old.
const KEY_SET_MS = { jwksCooldownMs: 1000, jwksMaxAgeMs: 1000 }
const NEW_ORDERS = 3

interface Journey {
  readonly provider: AuthorizationServer
  readonly records: ReturnType<typeof keepingLogger>
  readonly state: Lifecycle
  readonly placeOrder: (token?: string, body?: unknown, type?: string) => Promise<Answer>
  readonly read: (path: string, token?: string) => Promise<Answer>
  end(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly code: string | undefined
  readonly body: Readonly<Record<string, unknown>>
}

/** A provider of its own and a service of its own: no test leaves anything behind for another. */
async function begin(newOrders = 10_000): Promise<Journey> {
  const provider = await authorizationServer(AUDIENCE, {
    shop: 'orders:read orders:write',
    report: 'orders:read',
    batch: 'orders:write',
  })
  const records = keepingLogger()
  const audit = auditLog({ logger: records })
  const perAddress = rateLimit({ name: 'journey-address', limit: 100_000, windowSeconds: 60, by: 'address' })
  const authentication = authenticate({ issuer: provider.issuer, audience: AUDIENCE, ...KEY_SET_MS })
  const perCaller = rateLimit({
    name: `journey-${newOrders}`,
    limit: newOrders,
    windowSeconds: 60,
    by: 'principal',
  })
  const state = lifecycle(audit, perAddress, authentication, perCaller)

  const app = express()
  app.use(audit, secureHeaders())
  app.get('/health', publicRoute('liveness probe'), (_req, res) => {
    res.json({ status: state.health().status })
  })
  app.use(perAddress, authentication)
  app.post(
    '/orders',
    requireScopes('orders:write'),
    perCaller,
    express.json({ limit: '10kb' }),
    validateBody(orderSchema),
    (req, res) => {
      res.status(201).json({ owner: principalOf(req).subject, sku: req.body.sku })
    },
  )
  app.get('/orders/:id', requireScopes('orders:read'), (req, res) => {
    res.json({ id: req.params['id'], reader: principalOf(req).subject })
  })
  app.use(notFound())
  app.use(secureErrors() as ErrorRequestHandler)
  const server: RunningServer = await serve(app)

  async function send(path: string, init: RequestInit, token: string | undefined): Promise<Answer> {
    const headers = new Headers(init.headers)
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
    const response = await fetch(server.url + path, { ...init, headers })
    const body = (await response.json()) as Record<string, unknown>
    return {
      status: response.status,
      headers: response.headers,
      code: body['code'] as string | undefined,
      body,
    }
  }

  return {
    provider,
    records,
    state,
    placeOrder: (token, body = ORDER, type = 'application/json') =>
      send(
        '/orders',
        {
          method: 'POST',
          headers: { 'content-type': type },
          body: typeof body === 'string' ? body : JSON.stringify(body),
        },
        token,
      ),
    read: (path, token) => send(path, {}, token),
    end: async () => {
      await server.close()
      await state.close()
      await provider.close()
    },
  }
}

/** Asks again and again until an answer is right; answers with the last one in any case. */
async function until(isRight: (answer: Answer) => boolean, ask: () => Promise<Answer>): Promise<Answer> {
  const deadline = Date.now() + 8000
  for (;;) {
    const answer = await ask()
    if (isRight(answer) || Date.now() > deadline) return answer
    await pause(50)
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}

function kidOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
}

describe('an order, from the token to the answer', () => {
  let journey: Journey
  const tokens: Record<string, string> = {}

  beforeAll(async () => {
    journey = await begin(NEW_ORDERS)
    for (const client of ['shop', 'report', 'batch']) tokens[client] = await journey.provider.token(client)
  })
  afterAll(() => journey.end())

  it('is accepted with a token of the client credentials grant, and belongs to the client', async () => {
    const { status, body } = await journey.placeOrder(tokens['shop'])
    expect(status).toBe(201)
    expect(body).toEqual({ owner: 'shop', sku: ORDER.sku })
  })

  it.each([
    [401, 'without a token', () => journey.placeOrder(), 'unauthorized', 'credential_missing'],
    [
      401,
      'with a token for another service',
      async () => journey.placeOrder(await foreignToken(journey)),
      'invalid_token',
      'issuer_mismatch',
    ],
    [
      403,
      'with a token that may only read',
      () => journey.placeOrder(tokens['report']),
      'insufficient_scope',
      'scope_missing',
    ],
    [
      404,
      'to an address that does not exist',
      () => journey.read('/nothing', tokens['shop']),
      'not_found',
      'route_unmatched',
    ],
    [
      400,
      'with a field that the schema does not name',
      () => journey.placeOrder(tokens['shop'], { ...ORDER, discount: 100 }),
      'input_invalid',
      'schema_mismatch',
    ],
    [
      415,
      'in a form that is not JSON',
      () => journey.placeOrder(tokens['shop'], 'two boxes', 'text/plain'),
      'media_type_unsupported',
      'media_type_unsupported',
    ],
    [
      413,
      'of 20 kB',
      () => journey.placeOrder(tokens['batch'], { ...ORDER, sku: 'x'.repeat(20_000) }),
      'body_too_large',
      'body_too_large',
    ],
  ])('is refused with %i %s', async (status, _case, ask, code, reason) => {
    const earlier = journey.records.reasons().length
    const answer = await ask()
    expect(answer).toMatchObject({ status, code })
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(journey.records.reasons().slice(earlier)).toEqual([reason])
  })

  it('is refused with 429 once the caller has had as many as it may, while others go on', async () => {
    for (let placed = 0; placed < NEW_ORDERS; placed += 1) await journey.placeOrder(tokens['shop'])
    const answer = await journey.placeOrder(tokens['shop'])
    expect(answer).toMatchObject({ status: 429, code: 'limit_exceeded' })
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await journey.placeOrder(tokens['batch'])).status).toBe(201)
  })

  it('leaves no token in any record', () => {
    const written = JSON.stringify(journey.records.kept)
    expect(written).toContain('scope_missing')
    for (const token of Object.values(tokens)) expect(written).not.toContain(token.split('.')[2])
  })
})

/** A token of another provider: real, and worth nothing here. */
async function foreignToken(journey: Journey): Promise<string> {
  const other = await authorizationServer(AUDIENCE, { shop: 'orders:write' })
  try {
    expect(other.issuer).not.toBe(journey.provider.issuer)
    return await other.token('shop')
  } finally {
    await other.close()
  }
}

describe('while the provider changes its keys', () => {
  let journey: Journey

  beforeAll(async () => {
    journey = await begin()
  })
  afterAll(() => journey.end())

  it('no request fails, with tokens of the old key or of the new one, and a retired key ends', async () => {
    const { provider, placeOrder } = journey
    const old = await provider.token('shop')
    const statuses: number[] = []
    let newest = old
    let running = true
    const callers = [() => old, () => newest, () => newest].map(async (token) => {
      while (running) statuses.push((await placeOrder(token())).status)
    })

    await pause(200)
    await provider.rotate()
    newest = await provider.token('shop')
    expect(kidOf(newest)).not.toBe(kidOf(old))
    // Once more, as soon as an unknown key may be asked for again.
    await pause(KEY_SET_MS.jwksCooldownMs + 200)
    await provider.rotate()
    newest = await provider.token('shop')
    await pause(300)
    running = false
    await Promise.all(callers)

    expect(statuses.length).toBeGreaterThan(50)
    expect(new Set(statuses)).toEqual(new Set([201]))

    await provider.retireOldKeys()
    const refused = await until(
      ({ status }) => status === 401,
      () => placeOrder(old),
    )
    expect(refused).toMatchObject({ status: 401, code: 'invalid_token' })
    expect((await placeOrder(newest)).status).toBe(201)
  }, 20_000)
})

describe('while the provider is out', () => {
  let journey: Journey

  beforeAll(async () => {
    journey = await begin()
  })
  afterAll(() => journey.end())

  it('known keys go on, an unknown one is 503 and never 401, and all is well when the provider is back', async () => {
    const { provider, placeOrder, read, records, state } = journey
    const used = await provider.token('shop')
    const unused = await provider.token('batch')
    expect((await placeOrder(used)).status).toBe(201)
    await provider.rotate()
    const unknown = await provider.token('shop')
    await provider.stop()

    expect((await placeOrder(used)).status).toBe(201)
    expect((await placeOrder(unused)).status).toBe(201)
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const answer = await placeOrder(unknown)
      expect(answer).toMatchObject({ status: 503, code: 'unavailable' })
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      expect(answer.headers.get('www-authenticate')).toBeNull()
    }
    expect(records.reasons()).toEqual(Array(3).fill('key_set_unavailable'))

    // Past the age at which keys are refreshed: the last good ones still serve, and the service says so.
    await pause(1200)
    expect((await placeOrder(used)).status).toBe(201)
    expect((await placeOrder(unused)).status).toBe(201)
    expect(state.health().status).toBe('degraded')
    expect((await read('/health')).body).toEqual({ status: 'degraded' })

    await provider.start()
    const back = await until(
      ({ status }) => status !== 503,
      () => placeOrder(unknown),
    )
    expect(back.status).toBe(201)
    expect((await placeOrder(used)).status).toBe(201)
    expect((await placeOrder(await provider.token('batch'))).status).toBe(201)
    expect(state.health().status).toBe('ok')
  }, 20_000)
})
