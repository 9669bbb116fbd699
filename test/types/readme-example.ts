// README's service, to the letter (test/docs.test.ts compares the two): it must compile.
import cors from 'cors'
import express from 'express'
import {
  auditLog,
  authenticate,
  denyByDefault,
  exposedHeaders,
  notFound,
  principalOf,
  publicRoute,
  rateLimit,
  requireScopes,
  secureErrors,
  secureHeaders,
  validateBody,
} from 'express-bulwark'

const orderSchema = {
  type: 'object',
  required: ['items'],
  properties: {
    items: {
      type: 'array',
      minItems: 1,
      maxItems: 50,
      items: {
        type: 'object',
        required: ['sku', 'quantity'],
        properties: {
          sku: { type: 'string', maxLength: 40 },
          quantity: { type: 'integer', minimum: 1, maximum: 999 },
        },
      },
    },
  },
} as const

export const app = express()
denyByDefault(app) // a route without authentication or publicRoute is refused
app.use(auditLog()) // a record for each refusal, one for each response
app.use(secureHeaders()) // helmet with an API profile
app.use(cors({ origin: 'https://shop.example', exposedHeaders })) // where browsers call
app.get('/health', publicRoute('liveness probe'), (_req, res) => {
  res.json({ ok: true })
})
app.use(rateLimit({ name: 'per-address', limit: 300, windowSeconds: 60, by: 'address' }))
app.use(
  authenticate({
    issuer: 'https://id.example',
    audience: 'https://orders.example',
    maxTokenLifetimeSeconds: 900,
  }),
)
app.use(rateLimit({ name: 'per-caller', limit: 100, windowSeconds: 60, by: 'principal' }))
app.post('/orders', requireScopes('orders:write'), express.json(), validateBody(orderSchema), (req, res) => {
  res.status(201).json({ owner: principalOf(req).subject, sku: req.body.items[0]?.sku }) // typed from the schema
})
app.use(notFound()) // 404, or 405 with Allow
app.use(secureErrors()) // problem+json for whatever went wrong
app.listen(3000)
