// Express stacks that do the same work: nothing, what users assemble today, and this library.
import { Ajv } from 'ajv'
import express from 'express'
import { expressjwt } from 'express-jwt'
import { auth, requiredScopes } from 'express-oauth2-jwt-bearer'
import * as OpenApiValidator from 'express-openapi-validator'
import { rateLimit } from 'express-rate-limit'
import helmet from 'helmet'
import jwksRsa from 'jwks-rsa'
import { pinoHttp } from 'pino-http'
import { library } from './library.mjs'
import { silentLogger } from './logger.mjs'
import { AUDIENCE, orderSchema } from './work.mjs'

const REDACT = [
  'req.headers.authorization',
  'req.headers.cookie',
  'req.headers["x-api-key"]',
  'res.headers["set-cookie"]',
]
const LIMIT = 1e9

export function created(req, res) {
  res.status(201).json({ id: 'o-1', status: 'created' })
}

/** Body parser and handler: what the others add their checks to. */
export function bare() {
  const app = express()
  app.disable('x-powered-by')
  app.post('/orders', express.json(), created)
  app.use(answerError)
  return app
}

/** express-oauth2-jwt-bearer, express-rate-limit, helmet, pino-http, express-openapi-validator. */
export function auth0Stack({ issuer, jwksUri, algorithm }) {
  const app = express()
  app.use(pinoHttp({ logger: silentLogger({ redact: REDACT }) }))
  app.use(helmet())
  app.use(auth({ issuer, jwksUri, audience: AUDIENCE, tokenSigningAlg: algorithm }))
  app.use(expressRateLimit((req) => req.auth.payload.sub))
  app.use(express.json())
  app.use(
    OpenApiValidator.middleware({
      apiSpec: openapi(),
      validateRequests: true,
      validateResponses: false,
      validateApiSpec: false,
    }),
  )
  app.post('/orders', requiredScopes('orders:write'), created)
  app.use(answerError)
  return app
}

/** express-jwt, jwks-rsa, express-rate-limit, helmet, pino-http, and Ajv wired by hand. */
export function expressJwtStack({ issuer, jwksUri, algorithm }) {
  const secret = jwksRsa.expressJwtSecret({ jwksUri, cache: true, rateLimit: true })
  const validate = new Ajv().compile(orderSchema)
  const app = express()
  app.use(pinoHttp({ logger: silentLogger({ redact: REDACT }) }))
  app.use(helmet())
  app.use(expressjwt({ secret, issuer, audience: AUDIENCE, algorithms: [algorithm] }))
  app.use(expressRateLimit((req) => req.auth.sub))
  app.use(express.json())
  app.post(
    '/orders',
    (req, res, next) => (req.auth.scope.split(' ').includes('orders:write') ? next() : res.sendStatus(403)),
    (req, res, next) => (validate(req.body) ? next() : res.status(400).json({ errors: validate.errors })),
    created,
  )
  app.use(answerError)
  return app
}

/** This library, step by step: its names, in the order in which a request meets them. */
export function bulwarkSteps({ issuer, jwksUri }) {
  const { auditLog, authenticate, rateLimit, requireScopes, secureHeaders, validateBody } = library
  return {
    auditLog: auditLog({ logger: silentLogger(), completions: 'all' }),
    secureHeaders: secureHeaders(),
    authenticate: authenticate({ issuer, jwksUri, audience: AUDIENCE }),
    rateLimit: rateLimit({ name: 'per-caller', limit: LIMIT, windowSeconds: 60, by: 'principal' }),
    requireScopes: requireScopes('orders:write'),
    json: express.json(),
    validateBody: validateBody(orderSchema),
  }
}

export function bulwarkChain(issuer) {
  const { auditLog, secureHeaders, authenticate, rateLimit, ...route } = bulwarkSteps(issuer)
  const app = express()
  app.use(auditLog)
  app.use(secureHeaders)
  app.use(authenticate)
  app.use(rateLimit)
  app.post('/orders', route.requireScopes, route.json, route.validateBody, created)
  app.use(library.secureErrors())
  return app
}

function expressRateLimit(keyGenerator) {
  return rateLimit({
    windowMs: 60_000,
    limit: LIMIT,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    keyGenerator,
  })
}

function openapi() {
  const content = { 'application/json': { schema: orderSchema } }
  const post = { requestBody: { required: true, content }, responses: { 201: { description: 'created' } } }
  return {
    openapi: '3.0.3',
    info: { title: 'orders', version: '1.0.0' },
    paths: { '/orders': { post } },
  }
}

// Express tells error middlewares by their four parameters.
function answerError(error, _req, res, _next) {
  res
    .status(error.status ?? 500)
    .set(error.headers ?? {})
    .json({ title: error.message })
}
