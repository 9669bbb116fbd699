import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, request as httpsRequest } from 'node:https'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import supertest from 'supertest'
import { SecurityProblem } from '../../src/core.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { secureHeaders, type SecureHeadersOptions } from '../../src/transport/secure-headers.js'
import { describeWith, program } from '../support/requirements.js'

function service(options?: SecureHeadersOptions, trustProxy?: unknown): express.Express {
  const app = express()
  if (trustProxy !== undefined) app.set('trust proxy', trustProxy)
  app.use(secureHeaders(options))
  app.get('/', (_req, res) => {
    res.json({})
  })
  app.get('/cached', (_req, res) => {
    res.set('Cache-Control', 'public, max-age=60').json({})
  })
  app.get('/refused', (_req, _res, next) => {
    next(new SecurityProblem('scope_missing'))
  })
  app.use(secureErrors())
  return app
}

const HSTS = 'strict-transport-security'
const SECURITY_FIELDS = [
  'cache-control',
  'content-security-policy',
  'cross-origin-resource-policy',
  'referrer-policy',
  'x-content-type-options',
  'x-frame-options',
]

describe('the headers of an answer', () => {
  it('are these, and X-Powered-By is not among them', async () => {
    const { headers } = await supertest(service()).get('/')
    const { date: _date, etag: _etag, connection: _connection, ...rest } = headers as Record<string, string>
    expect(rest).toEqual({
      'cache-control': 'no-store',
      'content-length': '2',
      'content-security-policy': "default-src 'none';base-uri 'none';frame-ancestors 'none'",
      'content-type': 'application/json; charset=utf-8',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    })
  })

  it('are there on a refusal too', async () => {
    const { headers, status } = await supertest(service()).get('/refused')
    expect(status).toBe(403)
    expect(SECURITY_FIELDS.filter((field) => headers[field] === undefined)).toEqual([])
    expect(headers['x-powered-by']).toBeUndefined()
  })

  it.each<[SecureHeadersOptions, string, string | undefined]>([
    [
      { contentSecurityPolicy: { 'default-src': ["'self'"], 'img-src': ["'self'", 'https://img.example'] } },
      'content-security-policy',
      "default-src 'self';img-src 'self' https://img.example",
    ],
    [{ crossOriginResourcePolicy: 'cross-origin' }, 'cross-origin-resource-policy', 'cross-origin'],
    [{ crossOriginResourcePolicy: 'same-site' }, 'cross-origin-resource-policy', 'same-site'],
    [{ cacheControl: 'private, max-age=5' }, 'cache-control', 'private, max-age=5'],
    [{ cacheControl: false }, 'cache-control', undefined],
    [{ hsts: false }, HSTS, undefined],
    [{ hsts: { maxAgeSeconds: 1 } }, HSTS, undefined],
  ])('follow %j', async (options, field, value) => {
    expect((await supertest(service(options)).get('/')).headers[field]).toBe(value)
  })

  it('leave a handler its own Cache-Control', async () => {
    expect((await supertest(service()).get('/cached')).headers['cache-control']).toBe('public, max-age=60')
  })

  it.each<[object, string]>([
    [{ csp: {} }, 'unknown option "csp"'],
    [{ strictTransportSecurity: {} }, 'Did you mean hsts?'],
    [{ hsts: true }, 'secureHeaders: hsts must be'],
    [{ hsts: { maxAge: 5 } }, 'Did you mean maxAgeSeconds?'],
    [{ hsts: { maxAgeSeconds: -1 } }, 'maxAgeSeconds must be an integer from 0'],
    [{ hsts: { maxAgeSeconds: 1.5 } }, 'maxAgeSeconds must be an integer'],
    [{ hsts: { maxAgeSeconds: '60' } }, 'maxAgeSeconds must be an integer'],
    [{ hsts: { includeSubDomains: 'yes' } }, 'includeSubDomains must be'],
    [{ hsts: { preload: 1 } }, 'preload must be'],
    [{ crossOriginResourcePolicy: 'none' }, 'secureHeaders: crossOriginResourcePolicy must be'],
    [{ cacheControl: '' }, 'secureHeaders: cacheControl must be'],
    [{ cacheControl: true }, 'secureHeaders: cacheControl must be'],
    [{ cacheControl: 'no-store\r\nset-cookie: a=b' }, 'secureHeaders: cacheControl must be'],
    [{ contentSecurityPolicy: [] }, 'secureHeaders: contentSecurityPolicy must be'],
    [{ contentSecurityPolicy: "default-src 'none'" }, 'secureHeaders: contentSecurityPolicy must be'],
    [{ contentSecurityPolicy: { 'default-src': "'none'" } }, 'secureHeaders: contentSecurityPolicy must be'],
    [{ contentSecurityPolicy: { 'default-src': [1] } }, 'secureHeaders: contentSecurityPolicy must be'],
    [{ contentSecurityPolicy: { 'default-src': undefined } }, 'secureHeaders: contentSecurityPolicy must be'],
    [
      { contentSecurityPolicy: { 'default-src': ["'none'; script-src *"] } },
      'secureHeaders: contentSecurityPolicy',
    ],
    [
      { contentSecurityPolicy: { 'default-src': ["'none'\r\nset-cookie: a=b"] } },
      'secureHeaders: contentSecurityPolicy',
    ],
    [{ contentSecurityPolicy: { 'default src': ["'none'"] } }, 'secureHeaders: contentSecurityPolicy'],
    [{ contentSecurityPolicy: { 'default-src': ['none'] } }, 'secureHeaders: contentSecurityPolicy'],
    [{ contentSecurityPolicy: {} }, 'secureHeaders: contentSecurityPolicy'],
  ])('are refused at set-up with %j', (options, message) => {
    expect(() => secureHeaders(options)).toThrow(TypeError)
    expect(() => secureHeaders(options)).toThrow(message)
  })
})

describe('Strict-Transport-Security behind a proxy', () => {
  const value = 'max-age=31536000; includeSubDomains'

  it.each<[string, unknown, string | undefined, string | undefined]>([
    ['no proxy is trusted', undefined, 'https', undefined],
    ['no proxy is trusted, explicitly', false, 'https', undefined],
    ['one hop is trusted', 1, 'https', value],
    ['one hop is trusted that says http', 1, 'http', undefined],
    ['one hop is trusted that says nothing', 1, undefined, undefined],
    ['one hop is trusted that says much', 1, 'https,http', value],
    ['the loopback network is trusted', 'loopback', 'https', value],
    ['another network is trusted', '10.0.0.0/8', 'https', undefined],
    ['a function trusts nobody', () => false, 'https', undefined],
  ])(
    'follows X-Forwarded-Proto where the sender is trusted: %s',
    async (_case, trust, protocol, expected) => {
      const call = supertest(service({}, trust)).get('/')
      const { headers } = await (protocol === undefined ? call : call.set('X-Forwarded-Proto', protocol))
      expect(headers[HSTS]).toBe(expected)
    },
  )

  it('is never believed of everybody: trust proxy true is a 500', async () => {
    jest.spyOn(console, 'error').mockImplementation(() => undefined)
    expect((await supertest(service({}, true)).get('/')).status).toBe(500)
  })
})

describeWith(program('openssl', 'openssl'), 'Strict-Transport-Security over TLS', () => {
  let folder = ''
  let tls: { key: Buffer; cert: Buffer }
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tls-'))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const options =
      '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost'.split(' ')
    const { status } = spawnSync('openssl', ['req', ...options, '-keyout', key, '-out', cert])
    expect(status).toBe(0)
    tls = { key: readFileSync(key), cert: readFileSync(cert) }
  })
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })

  async function headersOverTls(
    options?: SecureHeadersOptions,
    trust?: unknown,
  ): Promise<IncomingHttpHeaders> {
    const server = createServer(tls, service(options, trust))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      return await new Promise((resolve, reject) => {
        httpsRequest({ port, host: '127.0.0.1', ca: tls.cert, servername: 'localhost' }, (res) => {
          res.resume().on('end', () => {
            resolve(res.headers)
          })
        })
          .on('error', reject)
          .end()
      })
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  it.each<[string, SecureHeadersOptions | undefined, string | undefined]>([
    ['by default', undefined, 'max-age=31536000; includeSubDomains'],
    ['with a shorter time', { hsts: { maxAgeSeconds: 60 } }, 'max-age=60; includeSubDomains'],
    ['with no time, which takes it back', { hsts: { maxAgeSeconds: 0 } }, 'max-age=0; includeSubDomains'],
    ['for this host alone', { hsts: { includeSubDomains: false } }, 'max-age=31536000'],
    ['for the preload list', { hsts: { preload: true } }, 'max-age=31536000; includeSubDomains; preload'],
    ['not at all', { hsts: false }, undefined],
  ])('is sent %s', async (_case, options, expected) => {
    expect((await headersOverTls(options))[HSTS]).toBe(expected)
  })

  it('is sent where a proxy is trusted as well', async () => {
    expect((await headersOverTls({}, 1))[HSTS]).toBeDefined()
  })
})
