// What README's "How fast" shows stands below the line, to the letter (test/docs-traffic.test.ts compares the two).
import type { IncomingMessage } from 'node:http'
import express from 'express'
import {
  authenticate,
  idempotency,
  penalise,
  publicRoute,
  rateLimit,
  redisStore,
  requireClaims,
  requireScopes,
  validateBody,
  type Principal,
} from '../../src/index.js'

declare const client: object
declare const app: express.Express
declare const login: express.RequestHandler
declare const exportOrders: express.RequestHandler
declare const pay: express.RequestHandler
declare const accountOf: (req: IncomingMessage) => string
declare const perDayOf: (principal: Principal | undefined) => number
const credentials = { type: 'object' } as const
const payment = { type: 'object' } as const

// ---
const shared = { store: redisStore(client), instances: 4 } // or leave them out: this process

app.post(
  '/login',
  publicRoute('log in'),
  express.json(),
  validateBody(credentials),
  penalise({ name: 'login', limit: 5, windowSeconds: 300, by: ['address', accountOf], ...shared }),
  login,
)
app.use(authenticate({ issuer: 'https://id.example', audience: 'https://orders.example' }))
// 403 for who has no tenant: a limit by tenant could not count them, and would answer 500.
app.use(requireClaims({ tenant: (value) => typeof value === 'string' && value !== '' }))
app.use(
  rateLimit({
    policies: [
      { name: 'per-caller', limit: 100, windowSeconds: 60, by: 'principal' }, // never more in any 60 seconds
      { name: 'plan', limit: (_req, { principal }) => perDayOf(principal), period: 'day', by: 'tenant' },
    ],
    ...shared,
  }),
)
app.get(
  '/orders/export',
  requireScopes('orders:read'),
  // By route: in its route. In report mode it is tried out.
  rateLimit({
    name: 'exports',
    limit: 10,
    windowSeconds: 60,
    by: ['tenant', 'route'],
    mode: 'report',
    ...shared,
  }),
  exportOrders,
)
app.post(
  '/payments',
  requireScopes('payments:write'),
  express.json(),
  validateBody(payment),
  idempotency({ store: shared.store }), // behind the parser, and behind all that may refuse
  pay,
)
