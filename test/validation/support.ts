import express, { type Express, type RequestHandler } from 'express'
import supertest, { type Test } from 'supertest'
import { auditLog } from '../../src/audit/audit-log.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { validateBody, type ValidateBodyOptions } from '../../src/validation/validate-body.js'
import { keepingLogger } from '../support/records.js'

export interface Service {
  readonly app: Express
  readonly log: ReturnType<typeof keepingLogger>
  /** The bodies that reached the handler. */
  readonly accepted: unknown[]
  /** Posts JSON text as it is. */
  post(json: string | object, contentType?: string): Test
}

/** A service with one route, `POST /`, that answers with what `req.body` is by then. */
export function serviceWith(
  schema: object | boolean,
  options: ValidateBodyOptions = {},
  parsers: readonly RequestHandler[] = [express.json()],
): Service {
  const app = express()
  const log = keepingLogger()
  const audit = auditLog({ logger: log })
  const accepted: unknown[] = []
  app.use(audit)
  app.all('/', ...parsers, validateBody(schema, options), (req, res) => {
    accepted.push(req.body)
    res.json({ type: typeof req.body, body: req.body })
  })
  app.use(secureErrors())
  return {
    app,
    log,
    accepted,
    post: (json, contentType = 'application/json') =>
      supertest(app)
        .post('/')
        .set('Content-Type', contentType)
        .send(typeof json === 'string' ? json : JSON.stringify(json)),
  }
}

/** Everything that a service said about a refused request, in its answer and in its records. */
export function saidBy(answer: { text: string; headers: object }, log: Service['log']): string {
  return `${answer.text}\n${JSON.stringify(answer.headers)}\n${JSON.stringify(log.kept)}`
}
