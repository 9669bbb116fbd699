import { randomUUID } from 'node:crypto'
import express from 'express'
import {
  internalOnly,
  principalOf,
  problem,
  requireScopes,
  requireService,
  validateBody,
} from 'express-bulwark'
import { createService } from './chain.js'

const ORDERS_CERTIFICATE = 'DNS:orders.internal'
const CENTS_EACH = 450

const invoiceSchema = {
  title: 'invoice',
  type: 'object',
  required: ['order', 'customer', 'quantity'],
  properties: {
    order: { type: 'string', format: 'uuid' },
    customer: { type: 'string', maxLength: 1000 },
    quantity: { type: 'integer', minimum: 1, maximum: 1000 },
  },
}

/**
 * The billing service: customers read their invoices through the gateway; the orders service, and nobody else, makes
 * new ones, past the gateway.
 *
 * @param {object} options what `createService` needs
 */
export function createBilling(options) {
  // In memory, and gone with the process: your database goes here.
  const invoices = new Map()

  return createService({
    ...options,
    services: [ORDERS_CERTIFICATE],
    routes: (app) => {
      app.post(
        '/invoices',
        // The certificate of the connection and the token must both be the orders service's: a token that was stolen
        // from it is worth nothing elsewhere, and what it shows of its callers' tokens nothing here.
        internalOnly({ name: 'orders-only', certificates: [ORDERS_CERTIFICATE] }),
        requireService({ clients: ['orders'] }),
        requireScopes('invoices:write'),
        express.json({ limit: '10kb' }),
        validateBody(invoiceSchema),
        (req, res) => {
          const { order, customer, quantity } = req.body
          const invoice = { id: randomUUID(), order, cents: quantity * CENTS_EACH }
          invoices.set(invoice.id, { customer, invoice })
          res.status(201).json(invoice)
        },
      )

      app.get('/invoices/:id', requireScopes('invoices:read'), (req, res) => {
        const found = invoices.get(req.params.id)
        if (found === undefined || found.customer !== principalOf(req).key)
          throw problem({ status: 404, code: 'invoice_not_found', detail: 'There is no such invoice.' })
        res.json(found.invoice)
      })
    },
  })
}
