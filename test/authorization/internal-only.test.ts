import { once } from 'node:events'
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import { internalOnly } from '../../src/authorization/internal-only.js'
import { certificateOfConnection, namesOfCertificate } from '../../src/core/client-certificate.js'
import { defineGuard, PASSED, type Guard } from '../../src/core/guard.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { describeWith, program } from '../support/requirements.js'
import { authority, type Authority, type Credential } from './certificates-support.js'
import { get, passing } from './guards-support.js'

const provenBy = (hop: string): Guard =>
  defineGuard({
    kind: 'testGateway',
    layer: 'transport',
    name: 'gateway',
    check(_req, context) {
      context.proveHop(hop)
      return PASSED
    },
  })

const weakly = (hop: string): Guard =>
  defineGuard({
    kind: 'gateway',
    layer: 'transport',
    name: 'gateway',
    check(_req, context) {
      context.proveHop(hop, undefined, { isWeak: true })
      return PASSED
    },
  })

describe('internalOnly, by hop', () => {
  it.each<[string, Guard[], number]>([
    ['nothing, from the loopback address', [passing, internalOnly({ hops: ['edge'] })], 403],
    ['another hop', [provenBy('other'), internalOnly({ hops: ['edge'] })], 403],
    ['another case', [provenBy('Edge'), internalOnly({ hops: ['edge'] })], 403],
    ['a hop that is known by its network alone', [weakly('edge'), internalOnly({ hops: ['edge'] })], 403],
    ['a name that every object has', [passing, internalOnly({ hops: ['constructor'] })], 403],
    [
      'a hop where only certificates are named',
      [provenBy('e'), internalOnly({ certificates: ['DNS:e'] })],
      403,
    ],
    [
      'a hop that is called as a certificate',
      [provenBy('DNS:e'), internalOnly({ certificates: ['DNS:e'] })],
      403,
    ],
    ['the hop', [provenBy('edge'), internalOnly({ hops: ['edge', 'mesh'] })], 200],
    [
      'the hop, beside certificates',
      [provenBy('edge'), internalOnly({ hops: ['edge'], certificates: ['DNS:e'] })],
      200,
    ],
  ])('with %s', async (_case, guards, status) => {
    expect((await get(guards)).status).toBe(status)
  })

  it('believes no address and no header', async () => {
    const { status } = await get([
      ((req, _res, next) => {
        req.app.set('trust proxy', 1)
        Object.assign(req.headers, {
          'x-forwarded-for': '10.0.0.1',
          'x-forwarded-client-cert': 'DNS=orders.internal',
          'x-ssl-client-verify': 'SUCCESS',
        })
        next()
      }) as express.RequestHandler,
      internalOnly({ hops: ['edge'], certificates: ['DNS:orders.internal'] }),
    ])
    expect(status).toBe(403)
  })

  it('records which hop it refused', async () => {
    const { record, text } = await get([provenBy('other'), internalOnly({ hops: ['edge'] })])
    expect(record).toMatchObject({
      event: { action: 'authz_fail', reason: 'hop_unproven' },
      evidence: { hop: 'other', certificate: [] },
      rule: { name: 'internal', ruleset: 'internalOnly' },
    })
    expect(text).not.toMatch(/edge|other/)
  })

  it('says what it accepts', () => {
    expect(guardMetadataOf(internalOnly({ hops: ['edge'], certificates: ['DNS:a.b'] }))).toMatchObject({
      layer: 'authorization',
      mode: 'enforce',
      facts: { hops: ['edge'], certificates: ['DNS:a.b'] },
    })
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['neither hops nor certificates', {}],
    ['an empty list', { hops: [] }],
    ['an empty hop', { hops: [''] }],
    ['report mode', { hops: ['edge'], mode: 'report' }],
    ['a certificate without kind', { certificates: ['orders.internal'] }],
    ['a wildcard', { certificates: ['DNS:*.internal'] }],
    ['two names in one', { certificates: ['DNS:a, DNS:b'] }],
    ['an address', { certificates: ['IP Address:10.0.0.1'] }],
    ['a common name', { certificates: ['CN=orders'] }],
    ['a relative URI', { certificates: ['URI:orders'] }],
    ['a quoted name', { certificates: ['DNS:"a"'] }],
    ['an address range', { addresses: ['10.0.0.0/8'] }],
  ])('throws at set-up for %s', (_case, given) => {
    expect(() => internalOnly(given as never)).toThrow(TypeError)
  })
})

describe('the names in a certificate', () => {
  it.each<[string | undefined, string[]]>([
    [undefined, []],
    ['', []],
    ['DNS:a', ['DNS:a']],
    ['DNS:a, URI:spiffe://b/c', ['DNS:a', 'URI:spiffe://b/c']],
    ['DNS:a, IP Address:10.0.0.1, email:a@b.c', ['DNS:a', 'IP Address:10.0.0.1', 'email:a@b.c']],
    ['DNS:"evil\\u002c DNS:a"', []],
    ['DNS:a, URI:"http://e/\\"\\u002c DNS:b"', []],
    ['DNS:evil,DNS:a', []],
    ['DNS:a, DNS:a', []],
    ['DNS:a, ', []],
    ['DNS:', []],
    ['a', []],
    ['DNS:a, b', []],
    ['DNS:a\u0000.evil', []],
    ['DNS:\u0430', []],
    [`DNS:${'a'.repeat(20_000)}`, []],
  ])('of %j are %j', (text, names) => {
    expect(namesOfCertificate({ subjectAltName: text })).toEqual(names)
  })

  const certificate = {
    subjectAltName: 'DNS:a',
    validFrom: 'Jan  1 00:00:00 2020 GMT',
    validTo: 'Jan  1 00:00:00 2120 GMT',
  }
  const over = { ...certificate, validTo: 'Jan  1 00:00:00 2021 GMT' }
  const unread = { ...certificate, validTo: 'Bad time value' }
  const socket = (about: object, found: object | undefined = certificate): Partial<TLSSocket> =>
    ({ getPeerX509Certificate: () => found, ...about }) as never

  it.each<[string, Partial<TLSSocket>, string[]]>([
    ['a plain connection', {}, []],
    ['a certificate that was not verified', socket({ authorized: false }), []],
    ['a truthy word for verified', socket({ authorized: 'yes' }), []],
    ['a renegotiation that failed', socket({ authorized: true, authorizationError: 'X' as never }), []],
    ['a certificate that ended meanwhile', socket({ authorized: true }, over), []],
    ['a certificate whose end cannot be read', socket({ authorized: true }, unread), []],
    ['no certificate', { authorized: true, getPeerX509Certificate: () => undefined }, []],
    ['a verified certificate', socket({ authorized: true, authorizationError: null as never }), ['DNS:a']],
  ])('with %s', (_case, peer, names) => {
    const found = certificateOfConnection(peer)
    expect(found === undefined ? [] : namesOfCertificate(found.x509)).toEqual(names)
  })
})

describeWith(program('openssl', 'openssl'), 'internalOnly, by client certificate', () => {
  const ours: { ca?: Authority; foreign?: Authority; server?: Server; port?: number } = {}
  const clients: Record<string, Credential> = {}
  const handler = jest.fn()

  beforeAll(async () => {
    const ca = (ours.ca = authority('Test CA'))
    const foreign = (ours.foreign = authority('Test CA'))
    Object.assign(clients, {
      dns: ca.issue('anything', 'DNS.1=orders.internal'),
      uri: ca.issue('anything', 'URI.1=spiffe://example.org/orders'),
      several: ca.issue('anything', 'DNS.1=localhost', 'DNS.2=orders.internal'),
      other: ca.issue('other', 'DNS.1=other.internal'),
      commonName: ca.issue('orders.internal'),
      child: ca.issue('x', 'DNS.1=evil.orders.internal', 'DNS.2=orders.internal.evil'),
      wildcard: ca.issue('x', 'DNS.1=*.internal'),
      otherKind: ca.issue('x', 'email.1=DNS:orders.internal', 'URI.1=http://orders.internal'),
      twice: ca.issue('x', 'DNS.1=orders.internal', 'DNS.2=orders.internal'),
      injected: ca.issue('x', 'DNS.1="evil, DNS:orders.internal"'),
      injectedUri: ca.issue('x', 'URI.1="http://evil/, DNS:orders.internal, URI:x"'),
      injectedBeside: ca.issue('x', 'DNS.1="evil, DNS:x"', 'DNS.2=orders.internal'),
      foreign: foreign.issue('anything', 'DNS.1=orders.internal'),
    })
    const app = express()
    app.get(
      '/',
      internalOnly({ certificates: ['DNS:orders.internal', 'URI:spiffe://example.org/orders'] }),
      (_req, res) => {
        handler()
        res.json({})
      },
    )
    app.use(secureErrors())
    const tls = { ...ca.issue('localhost', 'DNS.1=localhost'), ca: ca.cert, requestCert: true }
    ours.server = createServer({ ...tls, rejectUnauthorized: false }, app as never)
    ours.server.listen(0, '127.0.0.1')
    await once(ours.server, 'listening')
    ours.port = (ours.server.address() as AddressInfo).port
  }, 30_000)
  afterAll(() => {
    ours.server?.closeAllConnections()
    ours.server?.close()
    ours.ca?.close()
    ours.foreign?.close()
  })

  const ask = (
    client: Credential | undefined,
    agent?: Agent,
  ): Promise<{ status: number; resumed: boolean }> =>
    new Promise((resolve, reject) => {
      const headers = { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-client-cert': 'DNS=orders.internal' }
      const connection = { host: '127.0.0.1', port: ours.port, servername: 'localhost', ca: ours.ca?.cert }
      const sent = httpsRequest({ ...connection, ...client, headers, agent: agent ?? false }, (answer) => {
        const resumed = (answer.socket as Partial<TLSSocket>).isSessionReused?.() === true
        answer.resume().on('end', () => {
          resolve({ status: answer.statusCode ?? 0, resumed })
        })
      })
      sent.on('error', reject).end()
    })

  it.each<[string, string, number]>([
    ['none', 'nobody', 403],
    ['another name', 'other', 403],
    ['the name as common name only', 'commonName', 403],
    ['the name inside longer ones', 'child', 403],
    ['a wildcard over the name', 'wildcard', 403],
    ['the name in a name of another kind', 'otherKind', 403],
    ['the name twice', 'twice', 403],
    ['the name injected behind a comma (CVE-2021-44532)', 'injected', 403],
    ['the name injected into a URI', 'injectedUri', 403],
    ['the name beside one that injects', 'injectedBeside', 403],
    ['the name from another authority of the same name', 'foreign', 403],
    ['the DNS name', 'dns', 200],
    ['the URI', 'uri', 200],
    ['the name among others', 'several', 200],
  ])('with %s', async (_case, client, status) => {
    handler.mockClear()
    expect((await ask(clients[client])).status).toBe(status)
    expect(handler).toHaveBeenCalledTimes(status === 200 ? 1 : 0)
  })

  it('knows the certificate of a session that was resumed', async () => {
    const agent = new Agent({ keepAlive: false })
    expect(await ask(clients['dns'], agent)).toEqual({ status: 200, resumed: false })
    expect(await ask(clients['dns'], agent)).toEqual({ status: 200, resumed: true })
    const another = new Agent({ keepAlive: false })
    expect(await ask(clients['other'], another)).toEqual({ status: 403, resumed: false })
    expect(await ask(clients['other'], another)).toEqual({ status: 403, resumed: true })
  })
})
