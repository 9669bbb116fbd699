import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { authorityOf, credentialOf } from './pki.js'

const ORDER = { sku: 'TEA-100', quantity: 2 }
const RECORD_TRIES = 50
const RECORD_MS = 20
const INVOICE = { order: '00000000-0000-4000-8000-000000000000', customer: 'nobody', quantity: 1 }

/**
 * Tries each way in, the right ones and the wrong ones, and tells what came of it.
 *
 * @param {object} world what `start` answers with
 * @param {readonly object[]} records where both services write their audit records
 */
export async function* outcomesOf(world, records) {
  const all = await attempts(world)
  for (const attempt of all) {
    if (attempt.to === 'edge' && world.ports.edge === undefined) continue
    records.length = 0
    const answer = await send(
      world,
      typeof attempt.path === 'function' ? { ...attempt, path: attempt.path() } : attempt,
    )
    attempt.keep?.(answer.body)
    const isRight = answer.status === attempt.expected && (await holds(attempt, answer, records))
    yield { ...attempt, got: answer.status, isRight, why: refusalIn(records) }
  }
}

/** A record is written when an answer has gone out, which its reader may know a moment earlier. */
async function holds({ holds: check = () => true }, answer, records) {
  for (let tries = 0; tries < RECORD_TRIES && !check(answer, records); tries += 1)
    await new Promise((resolve) => setTimeout(resolve, RECORD_MS))
  return check(answer, records)
}

async function attempts({ tls, tokenOf, kind, audiences: { ORDERS, BILLING } }) {
  const [shop, shopForBilling, report, late, orders] = await Promise.all([
    tokenOf.shop(ORDERS, 'orders:read orders:write'),
    tokenOf.shop(BILLING, 'invoices:read'),
    tokenOf.report(ORDERS, 'orders:read'),
    tokenOf.late(ORDERS, 'orders:read'),
    tokenOf.orders(BILLING, 'invoices:write'),
  ])
  const placed = {}
  const forged = forgedHeaders(credentialOf(tls, 'warehouse').cert)
  const isUntouched = (_answer, records) =>
    records.every(({ client }) => client.address === '127.0.0.1') && records.length > 0

  return [
    // Through the gateway.
    {
      to: 'edge',
      expected: 201,
      title: 'the shop places an order; orders calls billing by mutual TLS and gets an invoice',
      path: '/orders',
      body: ORDER,
      token: shop,
      keep: (body) => Object.assign(placed, body),
      holds: ({ body }, records) =>
        typeof body?.invoice === 'string' && callOf(records, 'POST /invoices') === 'orders',
    },
    {
      to: 'edge',
      expected: 200,
      title: 'it reads the invoice, with a token for billing',
      path: () => `/invoices/${placed.invoice}`,
      token: shopForBilling,
    },
    {
      to: 'edge',
      expected: 200,
      title: 'the same with forged headers: the address in the record is the true one',
      path: () => `/orders/${placed.id}`,
      token: shop,
      headers: forged,
      holds: isUntouched,
    },
    {
      to: 'edge',
      expected: 200,
      title: 'a partner with a certificate, and no token, reads what is open',
      path: '/orders/open',
      credential: 'warehouse',
    },
    {
      to: 'edge',
      expected: 401,
      title: 'the partner’s certificate in forged headers is nobody, at orders',
      path: '/orders/open',
      headers: forged,
    },
    {
      to: 'edge',
      expected: 401,
      title: 'and at billing, which has a location of its own',
      path: () => `/invoices/${placed.invoice}`,
      headers: forged,
    },
    {
      to: 'edge',
      expected: kind === 'nginx' ? 400 : 'no connection',
      title: 'a certificate with the partner’s name, of an unknown authority, ends at the gateway',
      path: '/orders/open',
      credential: 'stranger',
    },
    { to: 'edge', expected: 401, title: 'no token', path: '/orders', body: ORDER },
    { to: 'edge', expected: 401, title: 'a token that is over', path: '/orders/open', token: late },
    { to: 'edge', expected: 401, title: 'a token for billing, at orders', path: '/orders', body: ORDER, token: shopForBilling }, // prettier-ignore
    { to: 'edge', expected: 401, title: 'a token for orders, at billing', path: () => `/invoices/${placed.invoice}`, token: shop }, // prettier-ignore
    { to: 'edge', expected: 403, title: 'a token that may only read places an order', path: '/orders', body: ORDER, token: report }, // prettier-ignore
    {
      to: 'edge',
      expected: 403,
      title: 'the token of the orders service, stolen, makes no invoice through the gateway',
      path: '/invoices',
      body: INVOICE,
      token: orders,
    },
    { to: 'edge', expected: 404, title: 'the gateway has no way to the probes', path: '/health' },

    // Past the gateway: whoever is inside, and reaches the ports.
    { to: 'orders', expected: 200, title: 'the probe asks the service itself', path: '/health' },
    {
      to: 'orders',
      expected: 403,
      title: 'past the gateway, with a good token',
      path: '/orders',
      body: ORDER,
      token: shop,
    },
    {
      to: 'orders',
      expected: 403,
      title: 'past the gateway, with everything the gateway writes',
      path: '/orders/open',
      headers: forged,
    },
    {
      to: 'orders',
      expected: 403,
      title: 'past the gateway, with the certificate of another service',
      path: '/orders',
      body: ORDER,
      token: shop,
      credential: 'billing',
    },
    {
      to: 'billing',
      expected: 201,
      title: 'orders calls billing: its certificate and its token',
      path: '/invoices',
      body: INVOICE,
      token: orders,
      credential: 'orders',
    },
    {
      to: 'billing',
      expected: 403,
      title: 'its token without its certificate',
      path: '/invoices',
      body: INVOICE,
      token: orders,
    },
    {
      to: 'billing',
      expected: 401,
      title: 'its certificate without its token',
      path: '/invoices',
      body: INVOICE,
      credential: 'orders',
    },
    {
      to: 'billing',
      expected: 403,
      title: 'its certificate with a caller’s token, handed on',
      path: '/invoices',
      body: INVOICE,
      token: shopForBilling,
      credential: 'orders',
    },
    {
      to: 'billing',
      expected: 401,
      title: 'orders with forged headers: it is not the gateway, and none of them counts',
      path: '/invoices/1',
      headers: forged,
      credential: 'orders',
      holds: isUntouched,
    },
  ]
}

/** All that a caller could write to be somebody else: as nginx, HAProxy and others would say it. */
function forgedHeaders(cert) {
  return {
    'x-forwarded-for': '10.0.0.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    forwarded: 'for=10.0.0.1;host=evil.example',
    'x-real-ip': '10.0.0.1',
    'x-ssl-client-cert': encodeURIComponent(cert),
    'x-ssl-client-verify': 'SUCCESS',
    'x-ssl-client-used': '1',
    'x-user-id': 'admin',
  }
}

function send({ ports, tls }, { to, path, body, token, credential, headers = {} }) {
  const content = body === undefined ? undefined : JSON.stringify(body)
  const options = {
    host: '127.0.0.1',
    port: ports[to],
    path,
    method: content === undefined ? 'GET' : 'POST',
    headers: {
      host: 'api.example',
      ...(content === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ca: authorityOf(tls, 'internal'),
    servername: to === 'edge' ? 'api.example' : `${to}.internal`,
    ...(credential === undefined ? {} : credentialOf(tls, credential)),
    agent: false,
    timeout: 10_000,
  }
  return new Promise((resolve) => {
    const call = request(options, (response) => {
      text(response).then((answer) => resolve({ status: response.statusCode, body: parsed(answer) }), refused)
    })
    const refused = () => resolve({ status: 'no connection' })
    call.on('timeout', () => call.destroy())
    call.on('error', refused)
    call.end(content)
  })
}

function parsed(body) {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** Who called, in the record of this route. */
function callOf(records, route) {
  return records.find(({ http }) => `${http?.request.method} ${http?.route}` === route)?.user?.id
}

/** Why, and by which rule: what the caller was not told. */
function refusalIn(records) {
  const record = records.find(({ rule }) => rule !== undefined)
  if (record === undefined) return undefined
  const shown = Object.entries(record.evidence ?? {}).map(
    ([name, value]) => `${name}: ${[value].flat().join(', ')}`,
  )
  return [`${record.event.reason} by ${record.rule.name}`, ...shown].join('  ')
}
