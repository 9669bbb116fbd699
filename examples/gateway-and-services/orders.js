import { randomUUID } from 'node:crypto'
import express from 'express'
import { principalOf, problem, requireScopes, validateBody } from 'express-bulwark'
import { createService } from './chain.js'

const orderSchema = {
  title: 'order',
  type: 'object',
  required: ['sku', 'quantity'],
  properties: {
    sku: { type: 'string', pattern: '^[A-Z0-9-]{1,20}$' },
    quantity: { type: 'integer', minimum: 1, maximum: 1000 },
  },
}

/**
 * The orders service: behind the gateway only. For each order it asks the billing service for an invoice.
 *
 * @param {object} options what `createService` needs, and
 * @param {(invoice: object) => Promise<{ id: string }>} options.createInvoice calls the billing service
 */
export function createOrders({ createInvoice, ...options }) {
  // In memory, and gone with the process: your database goes here.
  const orders = new Map()

  return createService({
    ...options,
    routes: (app) => {
      app.post(
        '/orders',
        requireScopes('orders:write'),
        express.json({ limit: '10kb' }),
        validateBody(orderSchema),
        (req, res, next) => {
          const order = { id: randomUUID(), ...req.body }
          const { key: owner } = principalOf(req)
          // With this service's own token. The caller's is for this service, and is handed on to nobody.
          createInvoice({ order: order.id, customer: owner, quantity: order.quantity })
            .then(({ id: invoice }) => {
              orders.set(order.id, { owner, order })
              res.status(201).json({ ...order, invoice })
            })
            .catch(next)
        },
      )

      // What the warehouse packs next. It is told nothing of whose order it is.
      app.get('/orders/open', requireScopes('orders:pick'), (_req, res) => {
        res.json(
          [...orders.values()]
            .slice(0, 100)
            .map(({ order: { id, sku, quantity } }) => ({ id, sku, quantity })),
        )
      })

      app.get('/orders/:id', requireScopes('orders:read'), (req, res) => {
        const found = orders.get(req.params.id)
        // Somebody else's order gets the same answer as none: the caller must not learn that it exists.
        if (found === undefined || found.owner !== principalOf(req).key)
          throw problem({ status: 404, code: 'order_not_found', detail: 'There is no such order.' })
        res.json(found.order)
      })
    },
  })
}
