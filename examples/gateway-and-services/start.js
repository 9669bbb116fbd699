import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { startAuthorizationServer } from './authorization-server.js'
import { createBilling } from './billing.js'
import { billingClient } from './billing-client.js'
import { commandsFor } from './commands.js'
import { createOrders } from './orders.js'
import { outcomesOf } from './outcomes.js'
import { authorityOf, credentialOf, edgeSecretOf, makePki } from './pki.js'
import { isInstalled, serve, startGateway } from './servers.js'
import { tokenSource } from './tokens.js'

const ORDERS = 'https://orders.example'
const BILLING = 'https://billing.example'
const SERVICES = {
  [ORDERS]: 'orders:read orders:write',
  [BILLING]: 'invoices:read invoices:write',
}
const NO_GATEWAY = 2

const { values: options } = parseArgs({
  options: { demo: { type: 'boolean' }, gateway: { type: 'string', default: 'nginx' } },
})
const { gateway: kind } = options
if (!['nginx', 'haproxy'].includes(kind)) throw new Error('--gateway is nginx or haproxy')

const hasGateway = isInstalled(kind)
if (!hasGateway)
  console.log(
    `${kind} is not on the PATH. Debian and Ubuntu: apt-get install -y ${kind}; macOS: brew install ${kind}.\nWithout it only what goes past the gateway is shown.\n`,
  )
if (options.demo) process.exitCode = await demo()
else await show()

/** Tries everything that is worth trying. 0 where all came out as it should, 2 where there was no gateway to try. */
async function demo() {
  const records = []
  const keep = (record) => records.push(record)
  const world = await start({ info: keep, warn: keep, error: keep })
  let kept = 0
  let total = 0
  try {
    for await (const { isRight, title, expected, got, why } of outcomesOf(world, records)) {
      total += 1
      if (isRight) kept += 1
      console.log(`${isRight ? 'ok    ' : 'FAILED'}  expected ${expected}, got ${got}  ${title}`)
      if (why !== undefined) console.log(`        audit:  ${why}`)
    }
  } finally {
    await world.stop()
  }
  console.log(`\n${kept} of ${total} outcomes as they should be${hasGateway ? '' : `, without ${kind}`}`)
  if (kept < total) return 1
  return hasGateway ? 0 : NO_GATEWAY
}

/** Serves until a signal comes, and shows how to call it. */
async function show() {
  const world = await start()
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void world.stop())
  if (!hasGateway) process.exitCode = NO_GATEWAY
  console.log(await commandsFor(world))
}

/** Keys and certificates, an authorization server, both services and the gateway, on loopback ports. */
async function start(logger) {
  const tls = makePki()
  const stops = [async () => rmSync(tls, { recursive: true, force: true })]
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each()
  }
  try {
    return { ...(await startAll({ tls, logger, stops })), tls, stop }
  } catch (cause) {
    await stop()
    throw cause
  }
}

async function startAll({ tls, logger, stops }) {
  const clients = {
    shop: client('shop', 'orders:read orders:write invoices:read'),
    report: client('report', 'orders:read'),
    late: client('late', 'orders:read', { issuedAgoSeconds: 3600 }),
    orders: client('orders', 'invoices:write'),
  }
  const { issuer, close } = await startAuthorizationServer({
    services: SERVICES,
    clients: Object.values(clients),
  })
  stops.push(close)
  const partnersAuthority = authorityOf(tls, 'partners')
  const common = { issuer, partnersAuthority, edgeSecret: edgeSecretOf(tls), kind, logger }
  const tokenOf = Object.fromEntries(
    Object.entries(clients).map(([id, each]) => [id, tokenSource({ issuer, client: each })]),
  )

  const billing = await serve(createBilling({ ...common, audience: BILLING }), { tls, name: 'billing' })
  stops.push(billing.stop)
  const calls = billingClient({
    host: '127.0.0.1',
    port: billing.port,
    credential: credentialOf(tls, 'orders'),
    authority: authorityOf(tls, 'internal'),
    token: () => tokenOf.orders(BILLING, 'invoices:write'),
  })
  stops.push(async () => calls.close())
  const { createInvoice } = calls
  const orders = await serve(createOrders({ ...common, audience: ORDERS, createInvoice }), {
    tls,
    name: 'orders',
  })
  stops.push(orders.stop)

  const ports = { orders: orders.port, billing: billing.port }
  if (!hasGateway) return { ports, tokenOf, kind, audiences: { ORDERS, BILLING } }
  const edge = await startGateway({ kind, tls, ports })
  stops.push(edge.stop)
  return { ports: { ...ports, edge: edge.port }, tokenOf, kind, audiences: { ORDERS, BILLING } }
}

function client(id, scope, more = {}) {
  return { id, scope, secret: randomBytes(32).toString('base64url'), ...more }
}
