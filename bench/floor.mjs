// The floor: the same checks written out by hand, with no abstraction at all. Not a design, a limit.
import { createPublicKey, randomUUID, verify } from 'node:crypto'
import { Ajv } from 'ajv'
import express from 'express'
import { importJWK, jwtVerify } from 'jose'
import { silentLogger } from './logger.mjs'
import { AUDIENCE, orderSchema } from './work.mjs'

const HEADERS = [
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Cache-Control', 'no-store'],
  ['X-Frame-Options', 'DENY'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
]
const LIMIT = 1e9

/** Tokens that were accepted are kept in a map under their own text. */
export function floorRemembering(issuer, recordOf = shortRecord) {
  const check = nodeVerifier(issuer)
  const remembered = new Map()
  return floor((token) => {
    let claims = remembered.get(token)
    if (claims === undefined) {
      claims = check(token)
      remembered.set(token, claims)
    }
    return claims
  }, recordOf)
}

/** As `floorRemembering`, and its record names what the library's names. */
export function floorSameRecord(issuer) {
  return floorRemembering(issuer, fullRecord)
}

/** Every token is verified with node:crypto, synchronously. */
export function floorVerifying(issuer) {
  return floor(nodeVerifier(issuer))
}

/** Every token is verified with `jose.jwtVerify`. */
export async function floorWithJose({ issuer, algorithm, jwk }) {
  const key = await importJWK(jwk, algorithm)
  const options = { issuer, audience: AUDIENCE, algorithms: [algorithm], typ: 'at+jwt' }
  return floor(async (token) => (await jwtVerify(token, key, options)).payload)
}

function nodeVerifier({ issuer, algorithm, jwk }) {
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const keyOptions = algorithm === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key
  const digest = algorithm === 'EdDSA' ? null : 'sha256'

  return function check(token) {
    const [header, payload, signature] = token.split('.')
    if (JSON.parse(Buffer.from(header, 'base64url')).alg !== algorithm) throw new Error('algorithm')
    const signed = Buffer.from(`${header}.${payload}`)
    if (!verify(digest, signed, keyOptions, Buffer.from(signature, 'base64url'))) throw new Error('signature')
    const claims = JSON.parse(Buffer.from(payload, 'base64url'))
    if (claims.iss !== issuer || claims.aud !== AUDIENCE) throw new Error('claims')
    return claims
  }
}

function shortRecord(claims, req, res, ms) {
  return { sub: claims.sub, status: res.statusCode, ms, path: req.url }
}

function fullRecord(claims, req, res, ms) {
  return {
    client: { address: req.socket.remoteAddress },
    event: { action: 'http_request', duration: Math.round(ms * 1e6), outcome: 'success' },
    http: {
      request: { id: randomUUID(), method: req.method },
      response: { status_code: res.statusCode },
      route: req.route.path,
    },
    user: { client_id: claims.client_id, id: claims.sub, issuer: claims.iss },
  }
}

function floor(claimsOf, recordOf = shortRecord) {
  const counts = new Map()
  const log = silentLogger()
  const validate = new Ajv().compile(orderSchema)
  const app = express()
  app.disable('x-powered-by')

  app.use((req, res, next) => {
    const startedMs = performance.now()
    for (const [name, value] of HEADERS) res.setHeader(name, value)
    const found = claimsOf(req.headers.authorization.slice(7))
    if (found instanceof Promise) found.then(admit, next)
    else admit(found)

    function admit(claims) {
      if (claims.exp * 1000 < Date.now()) throw new Error('expired')
      const count = (counts.get(claims.sub) ?? 0) + 1
      counts.set(claims.sub, count)
      res.setHeader('RateLimit', `"default";r=${LIMIT - count};t=60`)
      res.setHeader('RateLimit-Policy', `"default";q=${LIMIT};w=60`)
      res.on('finish', () => {
        const ms = performance.now() - startedMs
        log.info(recordOf(claims, req, res, ms))
      })
      req.claims = claims
      next()
    }
  })
  app.post(
    '/orders',
    express.json(),
    (req, res, next) => {
      if (!req.claims.scope.split(' ').includes('orders:write')) return res.status(403).end()
      return validate(req.body) ? next() : res.status(400).end()
    },
    (req, res) => res.status(201).json({ id: 'o-1', status: 'created' }),
  )
  return app
}
