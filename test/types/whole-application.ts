// Every middleware in the order in which a request meets them. Compiled with the types of Express 5 and of Express 4.
import cors from 'cors'
import express from 'express'
import {
  auditLog,
  authenticate,
  exposedHeaders,
  notFound,
  principalFrom,
  principalOf,
  publicRoute,
  rateLimit,
  requireScopes,
  secureErrors,
  secureHeaders,
  validateBody,
} from '../../src/index.js'
import { orderSchema, type Order } from './orders.js'
import { typeOf } from './support.js'

export const app = express()
app.use(auditLog())
app.use(secureHeaders())
app.use(cors({ origin: 'https://shop.example', exposedHeaders }))
app.get('/health/:probe', publicRoute('liveness probe'), (req, res) => {
  typeOf(req.params).is<{ probe: string }>()
  res.json({ ok: true })
})
app.use(rateLimit({ name: 'per-address', limit: 300, windowSeconds: 60, by: 'address' }))
app.use(authenticate({ issuer: 'https://id.example', audience: 'https://orders.example' }))
app.use(principalFrom((req) => ({ subject: req.url ?? '' }), { name: 'session' }))
app.post(
  '/orders/:id',
  rateLimit({ name: 'per-caller', limit: 100, windowSeconds: 60, by: 'principal' }),
  requireScopes('orders:write'),
  express.json(),
  validateBody(orderSchema),
  (req, res) => {
    typeOf(req.body).is<Order>()
    typeOf(req.params).is<{ id: string }>()
    res.status(201).json({ owner: principalOf(req).subject, sku: req.body.sku })
  },
)
app.use(notFound())
app.use(secureErrors())
