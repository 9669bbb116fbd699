import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import cors from 'cors'
import express from 'express'
import supertest from 'supertest'
import { authenticate } from '../../src/authentication/authenticate.js'
import { publicRoute } from '../../src/authentication/public-route.js'
import { notFound } from '../../src/errors/not-found.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { localIssuer, type LocalIssuer } from '../../src/testing/local-issuer.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { exposedHeaders } from '../../src/transport/exposed-headers.js'
import { secureHeaders } from '../../src/transport/secure-headers.js'

const ORIGIN = 'https://shop.example'
const PREFLIGHT = {
  Origin: ORIGIN,
  'Access-Control-Request-Method': 'POST',
  'Access-Control-Request-Headers': 'authorization,content-type',
}

describe('calls from browsers', () => {
  let issuer: LocalIssuer
  let reached = 0
  beforeAll(async () => {
    issuer = await localIssuer()
  })
  afterAll(async () => {
    await issuer.stop()
  })

  function service(corsBefore: boolean): express.Express {
    reached = 0
    const app = express()
    app.use(secureHeaders())
    const handler = cors({ origin: ORIGIN, exposedHeaders: [...exposedHeaders] })
    if (corsBefore) app.use(handler)
    app.get('/health', publicRoute('liveness probe'), (_req, res) => {
      res.json({})
    })
    app.use(rateLimit({ name: 'cors', limit: 100, windowSeconds: 60, by: 'address' }))
    app.use(authenticate({ issuer: issuer.issuer, audience: 'https://api.test' }))
    if (!corsBefore) app.use(handler)
    app.all('/orders', (_req, res) => {
      reached += 1
      res.json({})
    })
    app.use(notFound())
    app.use(secureErrors())
    return app
  }

  it('begin with a preflight, which cors() answers where it stands before authentication', async () => {
    const answer = await supertest(service(true)).options('/orders').set(PREFLIGHT)
    expect(answer.status).toBe(204)
    expect(answer.headers['access-control-allow-origin']).toBe(ORIGIN)
    expect(answer.headers['access-control-allow-methods']).toContain('POST')
    expect(reached).toBe(0)
  })

  it.each([
    ['a preflight where cors() stands after authentication', false, PREFLIGHT],
    ['OPTIONS alone, without cors()', false, {}],
    ['OPTIONS with a foreign origin, without cors()', false, { Origin: 'https://evil.example' }],
  ])('never pass authentication as OPTIONS: %s is 401', async (_case, corsBefore, headers) => {
    const answer = await supertest(service(corsBefore)).options('/orders').set(headers)
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer'])
    expect(reached).toBe(0)
  })

  it('reach no handler with what only looks like a preflight, other than cors() itself', async () => {
    const answer = await supertest(service(true)).post('/orders').set(PREFLIGHT)
    expect(answer.status).toBe(401)
    expect(reached).toBe(0)
  })

  it('may read these headers of the answer, and a 401 is one they may read', async () => {
    const answer = await supertest(service(true)).get('/orders').set('Origin', ORIGIN)
    expect(answer.status).toBe(401)
    expect(answer.headers['access-control-allow-origin']).toBe(ORIGIN)
    expect(answer.headers['access-control-expose-headers']?.split(',').toSorted()).toEqual([
      'DPoP-Nonce',
      'Idempotency-Replayed',
      'RateLimit',
      'RateLimit-Policy',
      'Retry-After',
      'WWW-Authenticate',
    ])
    for (const name of ['ratelimit', 'ratelimit-policy', 'www-authenticate']) {
      expect(answer.headers[name]).toBeDefined()
    }
  })

  it('get no permission for another origin than the one named', async () => {
    const answer = await supertest(service(true)).get('/orders').set('Origin', 'https://evil.example')
    expect(answer.headers['access-control-allow-origin']).toBe(ORIGIN)
  })

  it('cannot change the list for others: it is frozen', () => {
    expect(Object.isFrozen(exposedHeaders)).toBe(true)
  })
})
