import { X509Certificate } from 'node:crypto'
import { IncomingMessage, createServer, request as httpRequest } from 'node:http'
import { Socket, type AddressInfo } from 'node:net'
import { platform } from 'node:os'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { gatewayAssertion } from '../../src/authentication/gateway-assertion.js'
import { certificatePath } from '../../src/core/certificate-path.js'
import { certificateThumbprint } from '../../src/core/client-certificate.js'
import { contextOf } from '../../src/core/context.js'
import type { HopAnswer, HopProof } from '../../src/core/hop-proof.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { internalOnly } from '../../src/authorization/internal-only.js'
import { gateway } from '../../src/transport/gateway.js'
import { forwardedAddress, networkTest } from '../../src/transport/gateway/addresses.js'
import { canonicalName, isKnownHeader } from '../../src/transport/gateway/known-headers.js'
import type { ProvenBy } from '../../src/transport/gateway/profile.js'
import { awsAlb } from '../../src/transport/gateway/profiles/aws-alb.js'
import { envoy } from '../../src/transport/gateway/profiles/envoy.js'
import { haproxy } from '../../src/transport/gateway/profiles/haproxy.js'
import { nginx, type NginxOptions } from '../../src/transport/gateway/profiles/nginx.js'
import { ORDERS, ROOT, ISSUING, escaped, x509 } from './formats/certificates.js'
import {
  FOR_ANYTHING,
  FOR_CLIENTS,
  FOR_SERVERS,
  SLOW_KEY,
  certificate,
  isReadable,
  keyPair,
} from './gateway-der.js'
import { SECRET, SECRET_LINE, provenBySecret, station, telling, type Station } from './gateway-harness.js'

let server: Station

beforeAll(async () => {
  server = await station()
})

afterAll(async () => {
  await server.close()
})

afterEach(() => {
  jest.restoreAllMocks()
})

const FORWARDED = ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https']
const edge = (options: Partial<NginxOptions> = {}): ReturnType<typeof nginx> =>
  nginx({ provenBy: provenBySecret, ...options })
const network = (...networks: string[]): ProvenBy => ({ network: networks, reason: 'a test' })
const assertion = (answer: () => HopAnswer | Promise<HopAnswer>, header = 'x-proof'): ProvenBy => ({
  assertion: { kind: 'assertion', facts: {}, headers: [header], prove: answer } satisfies HopProof,
})
const MODES = ['refuse', 'strip'] as const

describe('a caller who spoils the proof that its gateway writes', () => {
  it.each<[string, string[]]>([
    ['sends it too', ['X-Edge-Secret: x', SECRET_LINE]],
    ['sends it after', [SECRET_LINE, 'X-Edge-Secret: x']],
    ['sends it with underscores', ['X_Edge_Secret: x', SECRET_LINE]],
    ['sends it with dots', [SECRET_LINE, 'X.Edge.Secret: x']],
    ['sends it with underscores alone', [`X_Edge_Secret: ${SECRET}`]],
    ['sends it twice', [SECRET_LINE, SECRET_LINE]],
  ])('%s: is not taken for the gateway', async (_case, lines) => {
    for (const unproven of MODES)
      expect(await server.ask(gateway(edge(), { unproven }), [...lines, ...FORWARDED])).toMatchObject({
        status: 400,
        reason: 'forwarded_header_repeated',
      })
  })

  it.each<[string, () => HopAnswer | Promise<HopAnswer>]>([
    ['at once', () => 'refused'],
    ['later', () => Promise.resolve('refused')],
  ])('has an assertion refused %s', async (_case, answer) => {
    for (const unproven of MODES) {
      const guard = gateway(edge({ provenBy: assertion(answer) }), { unproven })
      expect(await server.ask(guard, FORWARDED)).toMatchObject({
        status: 403,
        reason: 'hop_unproven',
        evidence: { hop: 'nginx', proof: 'refused' },
      })
    }
  })

  it('has an assertion of the gateway’s own made for another path', async () => {
    const made = gatewayAssertion({ header: 'x-proof', issuer: 'edge', secrets: [SECRET] })
    const guard = gateway(edge({ provenBy: { assertion: made } }), { unproven: 'strip' })
    for (const lines of [['X-Proof: a.b.c'], ['X-Proof: a.b.c', 'X-Proof: a.b.c'], ['X-Proof:']])
      expect(await server.ask(guard, [...lines, ...FORWARDED])).toMatchObject({ status: 403 })
    expect((await server.ask(guard, FORWARDED)).status).toBe(200)
  })

  it('sends so many headers that Node.js drops the proof', async () => {
    const many = (count: number): string[] => Array<string>(count).fill('a:')
    for (const unproven of MODES) {
      const guard = gateway(edge(), { unproven })
      // Host, Connection and two that are forwarded.
      for (const count of [995, 996, 1100, 3000])
        expect(await server.ask(guard, [...many(count), SECRET_LINE, ...FORWARDED])).toMatchObject({
          status: 400,
          reason: 'forwarded_header_malformed',
        })
      expect((await server.ask(guard, [...many(994), SECRET_LINE, ...FORWARDED])).status).toBe(200)
    }
  })

  it('sends more headers than the server was told to keep', async () => {
    const own = createServer(telling([gateway(edge(), { unproven: 'strip' })]))
    own.maxHeadersCount = 20
    await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve))
    const { port } = own.address() as AddressInfo
    const ask = async (count: number): Promise<number> => {
      const headers = Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, 'x']))
      return (await fetch(`http://127.0.0.1:${port}`, { headers })).status
    }
    const got = [await ask(2), await ask(30)]
    own.closeAllConnections()
    await new Promise((resolve) => own.close(resolve))
    expect(got).toEqual([200, 400])
  })

  it('asks again through an error handler that passes everything on', async () => {
    for (const unproven of MODES) {
      const guard = gateway(edge(), { unproven })
      const forgive = (_error: unknown, _req: unknown, _res: unknown, next: () => void): void => {
        next()
      }
      const lines = ['X-Edge-Secret: wrong', ...FORWARDED]
      expect(await server.ask([guard, forgive, guard], lines)).toMatchObject({
        status: 403,
        reason: 'hop_unproven',
      })
    }
    const late = gateway(edge({ provenBy: assertion(() => Promise.resolve('refused')) }))
    const forgive = (_error: unknown, _req: unknown, _res: unknown, next: () => void): void => {
      next()
    }
    expect((await server.ask([late, forgive, late], FORWARDED)).status).toBe(403)
  })

  it('has an upgrade asked about twice, at once and later', async () => {
    const guard = gateway(edge({ provenBy: assertion(() => Promise.resolve(undefined)) }))
    const req = Object.assign(new IncomingMessage(new Socket()), { method: 'GET', url: '/' })
    const asked = [guard.verifyRequest(req), guard.verifyRequest(req)]
    const settled = [
      ...(await Promise.allSettled(asked)),
      ...(await Promise.allSettled([guard.verifyRequest(req)])),
    ]
    expect(settled).toEqual(
      Array.from({ length: 3 }, () => ({
        status: 'rejected',
        reason: expect.objectContaining({ reason: 'hop_unproven' }),
      })),
    )
    expect(contextOf(req).provenHop).toBeUndefined()
  })
})

describe('a header that proves more than one hop', () => {
  const far = { name: 'far', protocol: false as const }
  const made = assertion(() => ({}))

  it.each<[string, () => unknown]>([
    ['one secret', () => gateway([edge({ protocol: false }), edge({ name: 'far' })])],
    [
      'two secrets in one header',
      () =>
        gateway([
          edge({ protocol: false }),
          edge({
            name: 'far',
            provenBy: { secret: { header: 'x-edge-secret', values: 'far-0123456789abcdef-Zk3vQ8rTn1Lw5y' } },
          }),
        ]),
    ],
    ['one assertion', () => gateway([edge({ ...far, provenBy: made }), edge({ provenBy: made })])],
    [
      'a secret and an assertion in one header',
      () => gateway([edge(far), edge({ provenBy: assertion(() => ({}), 'x-edge-secret') })]),
    ],
    ['the header of a secret is kept', () => gateway(edge({ keeps: ['x-edge-secret'] }))],
    ['the header of an assertion is kept', () => gateway(edge({ provenBy: made, keeps: ['x-proof'] }))],
    ['it is the host', () => gateway(edge({ host: 'x-edge-secret' }))],
    ['it is the protocol', () => gateway(edge({ protocol: 'x-edge-secret' }))],
    ['it is the address', () => gateway(edge({ address: { header: 'x-edge-secret', writes: 'appends' } }))],
    ['it is the certificate', () => gateway(edge({ clientCertificate: { certificate: 'x-edge-secret' } }))],
    [
      'another hop keeps it',
      () => gateway([edge(far), edge({ provenBy: network('10.0.0.1'), keeps: ['x-edge-secret'] })]),
    ],
    ...['host', 'authorization', 'cookie', 'connection', 'x-forwarded-for', 'x-forwarded-host'].map(
      (header): [string, () => unknown] => [
        `it is ${header}`,
        () => gateway(edge({ provenBy: { secret: { header, values: SECRET } } })),
      ],
    ),
  ])('throws: %s', (_case, make) => {
    expect(make).toThrow(TypeError)
  })
})

describe('HAProxy nearest, which adds a line of its own', () => {
  const near = haproxy({ provenBy: provenBySecret, protocol: false })
  const lines = (...addresses: string[]): string[] => [
    SECRET_LINE,
    'X-Forwarded-Proto: https',
    ...addresses.map((address) => `X-Forwarded-For: ${address}`),
  ]

  it('before one that appends to the caller’s line', async () => {
    const hops = gateway([near, edge({ provenBy: network('192.0.2.0/24') })])
    const { seen } = await server.ask(hops, lines('10.0.0.1, 203.0.113.9', '192.0.2.7'))
    expect(seen).toMatchObject({ address: '203.0.113.9', ip: '203.0.113.9', secure: true })
    expect(seen.distinct['x-forwarded-for']).toEqual(['203.0.113.9'])
  })

  it('before one that replaces it, and counts', async () => {
    const outer = edge({
      provenBy: network('192.0.2.0/24'),
      address: { header: 'x-forwarded-for', writes: 'replaces' },
    })
    const { seen } = await server.ask(gateway([near, outer]), lines('203.0.113.9', '192.0.2.7'))
    expect(seen.address).toBe('203.0.113.9')
    expect(
      (await server.ask(gateway([near, outer]), lines('10.0.0.1, 203.0.113.9', '192.0.2.7'))).status,
    ).toBe(400)
  })

  it('lets nobody else have several lines', async () => {
    const outer = haproxy({ provenBy: network('192.0.2.0/24') })
    const hops = gateway([edge({ protocol: false }), outer])
    expect(await server.ask(hops, lines('203.0.113.9', '192.0.2.7'))).toMatchObject({
      status: 400,
      reason: 'forwarded_header_repeated',
    })
  })
})

describe('whoever can send from the network of a weak hop', () => {
  const CERTIFICATE = [`X-SSL-Client-Cert: ${escaped(ORDERS)}`, 'X-SSL-Client-Verify: SUCCESS']
  const weak = (options: Partial<NginxOptions> = {}) =>
    edge({ provenBy: network('127.0.0.0/8'), clientCertificate: true, ...options })
  const strong = edge({ clientCertificate: true })

  it('sends a certificate that everybody can see, and it counts for nothing', async () => {
    const { seen } = await server.ask(gateway(weak()), [...FORWARDED, ...CERTIFICATE])
    expect(seen).toMatchObject({ hop: 'nginx', isHopWeak: true, address: '203.0.113.9' })
    expect([seen.certificate, seen.certificateOf]).toEqual([undefined, undefined])
    const proven = await server.ask(gateway(strong), [SECRET_LINE, ...FORWARDED, ...CERTIFICATE])
    expect(proven.seen.certificateOf).toBe(certificateThumbprint(x509(ORDERS)))
  })

  it('is not taken for an outer hop by it', async () => {
    const outer = envoy({ provenBy: { peerCertificate: { names: ['DNS:orders.acme.test'] } } })
    const lines = ['X-Forwarded-For: 10.0.0.1, 203.0.113.9', 'X-Forwarded-Proto: https', ...CERTIFICATE]
    expect(await server.ask(gateway([weak({ protocol: false }), outer]), lines)).toMatchObject({
      status: 403,
      evidence: { hop: 'envoy' },
    })
    const proven = await server.ask(gateway([{ ...strong, protocol: undefined } as never, outer]), [
      SECRET_LINE,
      ...lines,
    ])
    expect(proven).toMatchObject({ status: 200, seen: { address: '10.0.0.1', isHopWeak: false } })
  })

  it('sends it as an outer hop that is weak', async () => {
    const outer = nginx({ name: 'outer', provenBy: network('192.0.2.0/24'), clientCertificate: true })
    const hops = gateway([edge({ protocol: false }), outer])
    const lines = [SECRET_LINE, 'X-Forwarded-For: 203.0.113.9, 192.0.2.7', ...CERTIFICATE]
    const { seen } = await server.ask(hops, lines)
    expect(seen).toMatchObject({ hop: 'nginx', isHopWeak: true, address: '203.0.113.9' })
    expect([seen.certificate, seen.certificateOf]).toEqual([undefined, undefined])
    expect((await server.ask([hops, internalOnly({ hops: ['nginx'] })], lines)).status).toBe(403)
  })
})

describe('several proofs of one hop', () => {
  const both = (answer: () => HopAnswer | Promise<HopAnswer>): ReturnType<typeof nginx> =>
    edge({ provenBy: [assertion(answer), provenBySecret] })

  it.each<[string, () => HopAnswer | Promise<HopAnswer>, string[], number, number]>([
    ['both', () => ({}), [SECRET_LINE], 200, 200],
    ['both, one later', () => Promise.resolve({}), [SECRET_LINE], 200, 200],
    ['neither', () => undefined, [], 403, 200],
    ['the first alone', () => ({}), [], 403, 403],
    ['the first alone, later', () => Promise.resolve({}), [], 403, 403],
    ['the second alone', () => undefined, [SECRET_LINE], 403, 403],
    ['the first, and a wrong second', () => ({}), ['X-Edge-Secret: x'], 403, 403],
    ['the second, and a refused first', () => 'refused', [SECRET_LINE], 403, 403],
    ['a refused first', () => 'refused', [], 403, 403],
    ['the second, and a word', () => 'yes' as 'refused', [SECRET_LINE], 403, 403],
  ])('with %s', async (_case, answer, lines, refusing, stripping) => {
    const statuses = []
    for (const unproven of MODES)
      statuses.push((await server.ask(gateway(both(answer), { unproven }), [...lines, ...FORWARDED])).status)
    expect(statuses).toEqual([refusing, stripping])
  })

  it('is weak where all are, and an address alone is nobody', async () => {
    const local = network('127.0.0.0/8')
    const guard = (unproven: (typeof MODES)[number]) =>
      gateway(edge({ provenBy: [local, provenBySecret] }), { unproven })
    expect((await server.ask(guard('strip'), FORWARDED)).seen.hop).toBeUndefined()
    const { seen } = await server.ask(guard('refuse'), [SECRET_LINE, ...FORWARDED])
    expect(seen).toMatchObject({ hop: 'nginx', isHopWeak: false })
    expect(guardMetadataOf(guard('refuse'))?.facts['hops']).toEqual([
      'nginx proven by network 127.0.0.0/8: a test and shared secret in x-edge-secret',
    ])
    expect((await server.ask(gateway(edge({ provenBy: [local] })), FORWARDED)).seen.isHopWeak).toBe(true)
  })

  it('passes on what an assertion among them says', async () => {
    const guard = gateway(both(() => ({ claims: { sub: 'ada' } })))
    expect((await server.ask(guard, [SECRET_LINE, ...FORWARDED])).seen.claims).toEqual({ sub: 'ada' })
  })

  it.each<[string, unknown]>([
    ['an empty list', []],
    ['a list in a list', [[provenBySecret]]],
    ['one way twice', [provenBySecret, { secret: { header: 'x-b', values: SECRET } }]],
    ['one header twice', [provenBySecret, assertion(() => ({}), 'x-edge-secret')]],
    ['no proof', [provenBySecret, {}]],
    ['two ways in one', [{ unixSocket: true, ...provenBySecret }]],
  ])('throws for %s', (_case, provenBy) => {
    expect(() => gateway(edge({ provenBy: provenBy as ProvenBy[] }))).toThrow(TypeError)
  })

  it('throws for a farther hop with a UNIX socket among them', () => {
    const provenBy: ProvenBy[] = [{ unixSocket: true }, { secret: { header: 'x-b', values: SECRET } }]
    expect(() => gateway([edge({ protocol: false }), edge({ name: 'far', provenBy })])).toThrow(TypeError)
  })
})

describe('an assertion that is bound to a certificate', () => {
  const CERTIFICATE = [`X-SSL-Client-Cert: ${escaped(ORDERS)}`, 'X-SSL-Client-Verify: SUCCESS']
  const x5t = certificateThumbprint(x509(ORDERS))
  const other = certificateThumbprint(x509(ROOT))

  it.each<[string, unknown, string[], number]>([
    ['the forwarded one', { 'x5t#S256': x5t }, CERTIFICATE, 200],
    ['the forwarded one (RFC 8705)', { cnf: { 'x5t#S256': x5t } }, CERTIFICATE, 200],
    ['another', { 'x5t#S256': other }, CERTIFICATE, 400],
    ['another (RFC 8705)', { cnf: { 'x5t#S256': other } }, CERTIFICATE, 400],
    ['one where none was forwarded', { 'x5t#S256': x5t }, [], 400],
    ['one of two', { 'x5t#S256': x5t, cnf: { 'x5t#S256': other } }, CERTIFICATE, 400],
    ['null', { 'x5t#S256': null }, CERTIFICATE, 400],
    ['a list', { 'x5t#S256': [x5t] }, CERTIFICATE, 400],
  ])('%s', async (_case, claims, lines, status) => {
    const provenBy = assertion(() => ({ claims: claims as never }))
    const answer = await server.ask(gateway(edge({ provenBy, clientCertificate: true })), [
      ...FORWARDED,
      ...lines,
    ])
    expect(answer.status).toBe(status)
    if (status === 400) expect(answer.reason).toBe('forwarded_header_malformed')
  })
})

describe('a chain that a caller made up', () => {
  const root = keyPair()
  const ROOT_X = certificate({ by: root.privateKey, spki: root.spki, ca: true })
  const own = keyPair()
  const issued = (by = root, more = {}): X509Certificate =>
    certificate({ by: by.privateKey, spki: own.spki, ca: false, ...more })
  const between = (by = root, spki = own.spki, more = {}): X509Certificate =>
    certificate({ by: by.privateKey, spki, ca: true, ...more })

  it('is followed where it is one', () => {
    const [first, second] = [keyPair(), keyPair()]
    const chain = [between(first, second.spki), between(root, first.spki)]
    const path = certificatePath(issued(second), chain, [ROOT_X])
    expect(path).toEqual({ authority: ROOT_X, between: chain })
    expect(certificatePath(issued(second), [...chain].reverse(), [ROOT_X])).toEqual(path)
    expect(certificatePath(issued(second), chain.slice(1), [ROOT_X])).toBeUndefined()
    expect(certificatePath(x509(ORDERS), [x509(ISSUING)], [x509(ROOT)])?.between).toHaveLength(1)
  })

  it('costs no signature by a key that nobody vouches for', () => {
    expect(isReadable(SLOW_KEY)).toBe(true)
    const verify = jest.spyOn(X509Certificate.prototype, 'verify')
    const stranger = keyPair()
    const chain = Array.from({ length: 10 }, () => between(stranger, SLOW_KEY))
    expect(certificatePath(issued(stranger), chain, [ROOT_X])).toBeUndefined()
    expect(verify.mock.calls.length).toBeLessThanOrEqual(8)
    for (const [key] of verify.mock.calls) expect(key.asymmetricKeyType).toBe('ec')
  })

  it('is not verified with an exponent that takes long, whoever vouches for it', () => {
    const verify = jest.spyOn(X509Certificate.prototype, 'verify')
    expect(certificatePath(issued(keyPair()), [between(root, SLOW_KEY)], [ROOT_X])).toBeUndefined()
    for (const [key] of verify.mock.calls) expect(key.asymmetricKeyType).toBe('ec')
  })

  it('verifies eight signatures at most, and stops in a circle', () => {
    const verify = jest.spyOn(X509Certificate.prototype, 'verify')
    const keys = Array.from({ length: 8 }, () => keyPair())
    const chain = keys.map((by, index) => between(by, keys[(index + 1) % keys.length]?.spki))
    const authorities = Array.from({ length: 20 }, () => {
      const { privateKey, spki } = keyPair()
      return certificate({ by: privateKey, spki, ca: true })
    })
    expect(certificatePath(issued(keyPair()), chain, authorities)).toBeUndefined()
    expect(verify.mock.calls.length).toBe(8)
  })

  it.each<[string, readonly string[], boolean]>([
    ['clients', [FOR_CLIENTS], true],
    ['clients and servers', [FOR_SERVERS, FOR_CLIENTS], true],
    ['anything', [FOR_ANYTHING], true],
    ['servers', [FOR_SERVERS], false],
  ])('is for %s', (_what, purposes, isFound) => {
    expect(certificatePath(issued(root, { purposes }), [], [ROOT_X]) !== undefined).toBe(isFound)
    const first = keyPair()
    const chain = [between(root, first.spki, { purposes })]
    expect(certificatePath(issued(first), chain, [ROOT_X]) !== undefined).toBe(isFound)
  })

  it('has no issuer that is no authority, and none out of its time', () => {
    const first = keyPair()
    const notCa = certificate({ by: root.privateKey, spki: first.spki, ca: false })
    expect(certificatePath(issued(first), [notCa], [ROOT_X])).toBeUndefined()
    expect(certificatePath(issued(), [], [ROOT_X], Date.UTC(2050, 1, 1))).toBeUndefined()
    expect(certificatePath(issued(), [], [])).toBeUndefined()
  })
})

describe('a way around', () => {
  it.each([
    ...[
      'Forwarded-For',
      'Forwarded-For-Ip',
      'X-Forward-For',
      'OIDC_CLAIM_sub',
      'OIDC-access-token',
      'SM_USER',
    ],
    ...['iv-user', 'iv-groups', 'iv-creds', 'Shib-Session-Id', 'Eppn', 'OAM_REMOTE_USER', 'X-Vouch-User'],
    ...['X-Endpoint-Api-Userinfo', 'Fastly-SSL', 'Fastly-Client-IP', 'Akamai-Client-Ip', 'Incap-Client-Ip'],
    ...['X-Sucuri-Clientip', 'X-Nf-Client-Connection-Ip', 'Impersonate-User', 'Impersonate-Extra-Scopes'],
    ...['Kubeflow-Userid', 'X-Proxy-User', 'Proxy-Remote-User', 'Proxy-User', 'Remote-User', 'REMOTE_USER'],
    ...['Forwarded', 'X-Forwarded', 'X-Forwarded-For'],
  ])('by %s', (name) => {
    expect(isKnownHeader(canonicalName(name))).toBe(true)
  })

  it.each([
    ...['Host', 'Authorization', 'Cookie', 'DPoP', 'X-Amzn-Trace-Id', 'Traceparent', 'X-Request-Id', 'Via'],
    ...['X-Api-Key', 'Idempotency-Key', 'X-CSRF-Token', 'X-HTTP-Method-Override', 'X-Tenant-Id', 'Origin'],
    ...[
      'User-Agent',
      'Forward',
      'Proxy-Authorization',
      'If-Match',
      'Accept',
      'Content-Type',
      'Sec-Fetch-Site',
    ],
    ...['Upgrade-Insecure-Requests', 'X-Requested-With', 'Sm', 'Iv', 'Username'],
  ])('is not seen in %s, which stays', (name) => {
    expect(isKnownHeader(canonicalName(name))).toBe(false)
  })

  it.each([
    ['::ffff:102:304', '1.2.3.4'],
    ['::FFFF:0102:0304', '1.2.3.4'],
    ['0:0:0:0:0:ffff:102:304', '1.2.3.4'],
    ['[::ffff:1.2.3.4]:443', '1.2.3.4'],
    ['::ffff:0.0.0.0', '0.0.0.0'],
    ['::ffff:255.255.255.255', '255.255.255.255'],
    ['::fffe:1.2.3.4', '::fffe:1.2.3.4'],
    ['::ffff:0:102:304', '::ffff:0:102:304'],
    ['2001:db8:ffff::1', '2001:db8:ffff::1'],
  ])('by the spelling %s', (given, address) => {
    expect(forwardedAddress(given)).toBe(address)
    expect(networkTest(['1.2.3.0/24'])(given)).toBe(address === '1.2.3.4' && !given.startsWith('['))
  })

  const onLinux = platform() === 'linux' ? it : it.skip
  onLinux('by a UNIX socket in the abstract namespace, which everybody may open', async () => {
    const socketPath = `\0bulwark-gateway-attacks-${process.pid}-${process.env['JEST_WORKER_ID'] ?? ''}`
    const own = createServer(telling([gateway(edge({ provenBy: { unixSocket: true } }))]))
    await new Promise<void>((resolve) => own.listen(socketPath, resolve))
    const status = await new Promise((resolve, reject) => {
      httpRequest(
        { socketPath, headers: { 'x-forwarded-for': '203.0.113.9', connection: 'close' } },
        (res) => {
          res.resume()
          resolve(res.statusCode)
        },
      )
        .on('error', reject)
        .end()
    })
    own.closeAllConnections()
    await new Promise((resolve) => own.close(resolve))
    expect(status).toBe(403)
  })

  it('by the name of a hop that has a proof of its own (awsAlb, by its network)', async () => {
    const hops = gateway([edge({ protocol: false }), awsAlb({ provenBy: network('192.0.2.0/24') })])
    const lines = [SECRET_LINE, 'X-Forwarded-For: 10.0.0.1, 192.0.2.7', 'X-Forwarded-Proto: https']
    expect((await server.ask([hops, internalOnly({ hops: ['aws-alb'] })], lines)).status).toBe(403)
  })
})
