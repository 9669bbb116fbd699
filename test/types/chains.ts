// How handlers see the body and the parameters behind guards, in every way Express offers to mount them.
// Compiled with the types of Express 5 and of Express 4.
import express, { Router, type RequestHandler, type Response } from 'express'
import multer from 'multer'
import { inputOf, requireScopes, validateBody } from '../../src/index.js'
import {
  orderSchema,
  typebox034Order,
  typebox1Order,
  valibotOrder,
  zodOrder,
  type LooseOrder,
  type Order,
} from './orders.js'
import { typeOf } from './support.js'

const app = express()
const router = Router()
const validOrder = validateBody(orderSchema)

// The core case: the body is exact, and the parameters stay what the path says.
app.post('/orders/:id', requireScopes('x'), express.json(), validOrder, (req, res) => {
  typeOf(req.body).is<Order>()
  typeOf(req.params).is<{ id: string }>()
  // @ts-expect-error -- no such parameter
  typeOf(req.params.other)
  // @ts-expect-error -- no such field
  typeOf(req.body.isAdmin)
  res.json(req.body.sku)
})

// A schema written where it is used needs no `as const`.
app.post(
  '/orders/:id',
  express.json(),
  validateBody({ type: 'object', required: ['sku'], properties: { sku: { type: 'string' } } }),
  (req) => {
    typeOf(req.body).is<{ sku: string }>()
    typeOf(req.params).is<{ id: string }>()
  },
)

// Other languages of schema, in the same place.
app.post('/orders/:id', requireScopes('x'), express.json(), validateBody(zodOrder), (req) => {
  typeOf(req.body).is<LooseOrder>()
  typeOf(req.params).is<{ id: string }>()
})
app.post('/orders/:id', requireScopes('x'), express.json(), validateBody(valibotOrder), (req) => {
  typeOf(req.body).is<LooseOrder>()
  typeOf(req.params).is<{ id: string }>()
})
app.post('/orders/:id', requireScopes('x'), express.json(), validateBody(typebox034Order), (req) => {
  typeOf(req.body).is<Order>()
  typeOf(req.params).is<{ id: string }>()
})
app.post('/orders/:id', requireScopes('x'), express.json(), validateBody(typebox1Order), (req) => {
  typeOf(req.body).is<Order>()
  typeOf(req.params).is<{ id: string }>()
})

router.post('/orders/:id', express.json(), validOrder, (req) => {
  typeOf(req.body).is<Order>()
  typeOf(req.params).is<{ id: string }>()
})

router
  .route('/orders/:id')
  .get((req) => {
    typeOf(req.params).is<{ id: string }>()
  })
  .post(express.json(), validOrder, (req) => {
    typeOf(req.body).is<Order>()
    typeOf(req.params).is<{ id: string }>()
  })

app.use(express.json(), validOrder, (req, _res, next) => {
  typeOf(req.body).is<Order>()
  next()
})

app.use('/orders/:id', express.json(), validOrder, (req, _res, next) => {
  typeOf(req.body).is<Order>()
  typeOf(req.params).is<{ id: string }>()
  next()
})

const guarded = [requireScopes('x'), express.json(), validOrder] as const
app.post('/orders/:id', ...guarded, (req) => {
  typeOf(req.body).is<Order>()
  typeOf(req.params).is<{ id: string }>()
})

app.post('/orders/:id', express.json(), validOrder, async (req, res) => {
  await Promise.resolve()
  typeOf(req.body).is<Order>()
  typeOf(req.params).is<{ id: string }>()
  res.end()
})

app.post('/orders/:id', multer().single('file'), validOrder, (req) => {
  typeOf(req.body).is<Order>()
})

// A handler that demands another body does not fit behind the guard. (One with a single parameter would: Express's
// types take it for an error handler, whose first parameter is `any`.)
declare const ofThis: (req: { body: Order }, res: Response) => void
declare const ofAnother: (req: { body: { title: string } }, res: Response) => void
declare const ofAnotherRequest: RequestHandler<{ id: string }, unknown, { title: string }>
app.post('/orders/:id', express.json(), validOrder, ofThis)
// @ts-expect-error -- the guard promises an Order
app.post('/orders/:id', express.json(), validOrder, ofAnother)
// @ts-expect-error -- likewise
app.post('/orders/:id', express.json(), validOrder, ofAnotherRequest)

// A middleware typed with Express's defaults widens the parameters, not the body.
declare const foreign: RequestHandler
app.post('/orders/:id', foreign, express.json(), validOrder, (req) => {
  typeOf(req.body).is<Order>()
  typeOf(req.params['other'])
})

// `inputOf` gives the same type in the route, and anywhere else.
app.post('/orders/:id', express.json(), validOrder, (req) => {
  const order = inputOf(req, validOrder)
  typeOf(order).is<Order>()
})

export function controller(req: object): string {
  const order = inputOf(req, validOrder)
  typeOf(order).is<Order>()
  return order.sku
}

// Where no body is needed, there may be none.
const optionalOrder = validateBody(orderSchema, { required: false })
app.patch('/orders/:id', express.json(), optionalOrder, (req) => {
  typeOf(req.body).is<Order | undefined>()
  typeOf(req.params).is<{ id: string }>()
  const order = inputOf(req, optionalOrder)
  typeOf(order).is<Order | undefined>()
})
app.patch('/orders/:id', express.json(), validateBody(orderSchema, { required: true }), (req) => {
  typeOf(req.body).is<Order>()
})

// In a nested array, Express's own types give a handler none: spread the guards instead.
app.post('/orders/:id', [
  express.json(),
  validOrder,
  // @ts-expect-error -- implicitly any
  (req) => {
    typeOf(req)
  },
])
