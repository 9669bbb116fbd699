import { randomUUID } from 'node:crypto'
import cors from 'cors'
import express from 'express'
import {
  auditLog,
  authenticate,
  denyByDefault,
  exposedHeaders,
  lifecycle,
  notFound,
  principalOf,
  problem,
  publicRoute,
  rateLimit,
  requireScopes,
  secureErrors,
  secureHeaders,
  validateBody,
} from 'express-bulwark'
import { orderSchema } from './order-schema.js'

/** Orders that one caller may place in a minute. */
export const NEW_ORDERS_PER_MINUTE = 30

/** As long as the authorization server makes them. */
const TOKEN_LIFETIME_SECONDS = 3600

/**
 * The service, without a port: the starter gives it one, and so can a test.
 *
 * The order of the lines is the order in which a request meets them. What it may do is decided from the top down, and
 * the cheap checks come before the expensive ones.
 *
 * @param {object} options
 * @param {string} options.issuer the authorization server, as it stands in the `iss` claim
 * @param {string} options.audience this service, as it stands in the `aud` claim
 * @param {number} [options.proxies] how many proxies of yours stand in front of it; they say who the caller is
 * @param {string} [options.shopOrigin] the web page that may call this service from a browser
 * @param {import('express-bulwark').SharedStore} [options.store] where limits are counted; this process by default
 * @param {number} [options.instances] how many instances share them, for as long as the store is out
 * @param {import('express-bulwark').AuditLogger} [options.logger] where audit records go; standard output by default
 */
export function createService({
  issuer,
  audience,
  proxies = 0,
  shopOrigin = 'https://shop.example',
  store,
  instances = 1,
  logger,
}) {
  const audit = auditLog({ logger })
  const shared = { store, instances }
  const perAddress = rateLimit({
    name: 'per-address',
    limit: 300,
    windowSeconds: 60,
    by: 'address',
    ...shared,
  })
  // Whatever the authorization server says: a token that is good for longer is not accepted here.
  const authentication = authenticate({ issuer, audience, maxTokenLifetimeSeconds: TOKEN_LIFETIME_SECONDS })
  // All three in one step: a request that one of them refuses is charged to none.
  const perCaller = rateLimit({
    policies: [
      { name: 'per-caller', limit: 100, windowSeconds: 60, by: 'principal' },
      { name: 'per-client', limit: 1000, windowSeconds: 60, by: 'client' },
      { name: 'daily-quota', limit: 20_000, period: 'day', by: 'principal' },
    ],
    ...shared,
  })
  const newOrders = rateLimit({
    name: 'new-orders',
    limit: NEW_ORDERS_PER_MINUTE,
    windowSeconds: 60,
    by: 'principal',
    ...shared,
  })
  const state = lifecycle(audit, perAddress, authentication, perCaller, newOrders)

  // In memory, and gone with the process: your database goes here.
  const orders = new Map()

  const app = express()
  // A route that nobody decided about is refused, whoever adds it.
  denyByDefault(app)
  if (proxies > 0) app.set('trust proxy', proxies)

  app.use(audit)
  app.use(secureHeaders())
  // Before authentication, because a browser's preflight request carries no token.
  app.use(cors({ origin: shopOrigin, exposedHeaders, methods: ['GET', 'POST'], maxAge: 600 }))

  app.get('/health', publicRoute('liveness probe'), (_req, res) => {
    res.json({ status: 'ok' })
  })
  app.get('/readyz', publicRoute('readiness probe'), (_req, res) => {
    const { status } = state.health()
    // Nobody sends requests to a service that is not ready, so the probe itself must ask for what is missing.
    if (status === 'down') state.warmUp().catch(() => undefined)
    res.status(status === 'down' ? 503 : 200).json({ status })
  })

  app.use(perAddress)
  app.use(authentication)
  app.use(perCaller)

  app.post(
    '/orders',
    requireScopes('orders:write'),
    newOrders,
    express.json({ limit: '10kb' }),
    validateBody(orderSchema),
    (req, res) => {
      const order = { id: randomUUID(), ...req.body }
      orders.set(order.id, { owner: principalOf(req).key, order })
      res.status(201).location(`/orders/${order.id}`).json(order)
    },
  )

  app.get('/orders/:id', requireScopes('orders:read'), (req, res) => {
    const found = orders.get(req.params.id)
    // Somebody else's order gets the same answer as none: the caller must not learn that it exists.
    if (found === undefined || found.owner !== principalOf(req).key) {
      throw problem({ status: 404, code: 'order_not_found', detail: 'There is no such order.' })
    }
    res.json(found.order)
  })

  app.use(notFound())
  app.use(secureErrors())

  return { app, lifecycle: state }
}
