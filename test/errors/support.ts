import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { secureErrors, type SecureErrorsOptions } from '../../src/errors/secure-errors.js'
import { keepingLogger } from '../support/records.js'

/** Whether the suite runs on Express 4, which has methods that 5 took away. */
export const isExpress4 = 'del' in express.application

export interface Throwing {
  readonly app: express.Express
  readonly log: ReturnType<typeof keepingLogger>
}

/** An application whose route `/` runs `handlers`, and whose errors are answered by `secureErrors`. */
export function appThat(
  handlers: RequestHandler | readonly RequestHandler[],
  options?: SecureErrorsOptions,
): Throwing {
  const log = keepingLogger()
  const app = express()
  app.use(auditLog({ logger: log }))
  app.all('/', ...[handlers].flat())
  app.use(secureErrors(options))
  return { app, log }
}

/** A handler that hands something over as an error. */
export const failing =
  (thrown: unknown): RequestHandler =>
  (_req, _res, next) => {
    next(thrown)
  }

/** An error handler that must not be reached. */
export function unreachable(seen: unknown[]): ErrorRequestHandler {
  return (error, _req, res, _next) => {
    seen.push(error)
    res.status(599).end()
  }
}
