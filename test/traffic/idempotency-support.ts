import express from 'express'
import request, { type Response, type Test } from 'supertest'
import { auditLog } from '../../src/audit/audit-log.js'
import { principalFrom } from '../../src/authentication/principal-from.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { memoryStore } from '../../src/stores/memory.js'
import { idempotency, type IdempotencyOptions } from '../../src/traffic/idempotency.js'
import { keepingLogger } from '../support/records.js'

export type Handler = (req: express.Request, res: express.Response, runs: number) => void

export interface Service {
  readonly app: express.Express
  /** How often the handler ran. */
  runs(): number
  reasons(): string[]
  /** A POST to /orders by ada with the key `"k"`, unless something else is said. */
  post(said?: Said): Test
}

export interface Said {
  readonly key?: string | undefined
  readonly user?: string
  readonly path?: string
  readonly method?: 'post' | 'patch' | 'put'
  readonly body?: string | object
  readonly type?: string
}

export const caller = principalFrom(
  ({ headers }) => {
    const [subject = '', clientId] = String(headers['x-user'] ?? '').split('/')
    if (subject === '') return undefined
    return { subject, issuer: 'test', ...(clientId === undefined ? {} : { clientId }) }
  },
  { name: 'test', required: false },
)

const created: Handler = (req, res, runs) => {
  res
    .status(201)
    .location(`/orders/${runs}`)
    .json({ run: runs, body: req.body ?? null })
}

/** An application with `idempotency` in its usual place; `mount` puts things elsewhere. */
export function service(
  options: IdempotencyOptions = {},
  handler: Handler = created,
  mount: { before?: unknown[]; after?: unknown[]; parsers?: unknown[] } = {},
): Service {
  const logger = keepingLogger()
  const app = express()
  let runs = 0
  const { before = [caller], after = [], parsers = [express.json(), express.text(), express.raw()] } = mount
  const chain = [
    auditLog({ logger }),
    ...parsers,
    ...before,
    idempotency({ store: memoryStore(), ...options }),
    ...after,
  ]
  for (const one of chain) app.use(one as express.RequestHandler)
  app.all(['/orders', '/orders/:id'], (req, res) => {
    runs += 1
    handler(req, res, runs)
  })
  app.use(secureErrors())
  return {
    app,
    runs: () => runs,
    reasons: () => logger.reasons(),
    post: ({
      method = 'post',
      path = '/orders',
      key = '"k"',
      user = 'ada',
      body = { sku: 1 },
      type,
      ...said
    } = {}) => {
      const asked = request(app)[method](path).set('x-user', user)
      if (!('key' in said) && key !== '') void asked.set('idempotency-key', key)
      if (type !== undefined) void asked.set('content-type', type)
      return asked.send(body)
    },
  }
}

/** What of an answer must be the same again. */
export function essence({ status, text, headers }: Response): object {
  const { location, etag } = headers
  return { status, text, location, etag, type: headers['content-type'] }
}
