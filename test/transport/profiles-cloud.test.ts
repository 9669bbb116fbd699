import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { cloudflareAccess, gatewayAssertion } from '../../src/authentication/gateway-assertion.js'
import { certificateThumbprint } from '../../src/core/client-certificate.js'
import { gateway } from '../../src/transport/gateway.js'
import type { Profile } from '../../src/transport/gateway/profile.js'
import { awsAlb } from '../../src/transport/gateway/profiles/aws-alb.js'
import { cloudfront } from '../../src/transport/gateway/profiles/cloudfront.js'
import { envoy } from '../../src/transport/gateway/profiles/envoy.js'
import { rfc9440 } from '../../src/transport/gateway/profiles/rfc9440.js'
import { traefik } from '../../src/transport/gateway/profiles/traefik.js'
import {
  HOSTILE,
  ISSUING,
  NESTED,
  ORDERS,
  RFC_CLIENT_CERT,
  RFC_CLIENT_CERT_CHAIN,
  ROOT,
  SELF_SIGNED,
  base64Of,
  escaped,
  escapedByAws,
  sha256,
  x509,
} from './formats/certificates.js'
import { SECRET_LINE, provenBySecret, station, type Answer, type Station } from './gateway-harness.js'

let server: Station

beforeAll(async () => {
  server = await station()
})

afterAll(async () => {
  await server.close()
})

const shared = { provenBy: provenBySecret } as const
const trusted = { certificateAuthorities: [ROOT] } as const
const FORWARDED = ['X-Forwarded-For: 10.9.9.9, 203.0.113.9', 'X-Forwarded-Proto: https']
const VIEWER = ['CloudFront-Viewer-Address: 203.0.113.9:46532', 'CloudFront-Forwarded-Proto: https']

const ask = (profile: Profile, lines: readonly string[]): Promise<Answer> =>
  server.ask(gateway(profile), [SECRET_LINE, ...lines])

const thumbprint = (pem: string): string => certificateThumbprint(x509(pem))
const element = (pem: string, ...more: readonly string[]): string =>
  [`Hash=${sha256(pem)}`, `Cert="${escaped(pem)}"`, ...more].join(';')

const xfcc = (value: string): string => `X-Forwarded-Client-Cert: ${value}`
const tls = (value: string): string => `X-Forwarded-Tls-Client-Cert: ${value}`
const alb = (value: string): string => `X-Amzn-Mtls-Clientcert: ${value}`
const leaf = (value: string): string => `X-Amzn-Mtls-Clientcert-Leaf: ${value}`
const serial = (value: string): string => `X-Amzn-Mtls-Clientcert-Serial-Number: ${value}`
const pem = (value: string): string => `CloudFront-Viewer-Cert-Pem: ${value}`
const present = (value: string): string => `CloudFront-Viewer-Cert-Present: ${value}`
const hash = (value: string): string => `CloudFront-Viewer-Cert-Sha256: ${value}`
const cert = (value: string): string => `Client-Cert: :${value}:`
const certChain = (value: string): string => `Client-Cert-Chain: ${value}`
const [DER, ISSUING_DER, ROOT_DER, HOSTILE_DER] = [ORDERS, ISSUING, ROOT, HOSTILE].map(base64Of) as [
  string,
  string,
  string,
  string,
]
const SERIAL = x509(ORDERS).serialNumber

const profiles = {
  envoy: envoy({ ...shared, clientCertificate: 'verify' }),
  envoyAppending: envoy({ ...shared, clientCertificate: { mode: 'verify', elements: 2 } }),
  envoyOpen: envoy({ ...shared, ...trusted, clientCertificate: 'passthrough' }),
  traefik: traefik({ ...shared, clientCertificate: 'verify' }),
  traefik2: traefik({ ...shared, clientCertificate: { mode: 'verify', escaped: true } }),
  traefikOpen: traefik({ ...shared, ...trusted, clientCertificate: 'passthrough' }),
  alb: awsAlb({ ...shared, clientCertificate: 'verify' }),
  albOpen: awsAlb({ ...shared, ...trusted, clientCertificate: 'passthrough' }),
  cloudfront: cloudfront({ ...shared, clientCertificate: 'verify' }),
  cloudfrontOpen: cloudfront({ ...shared, ...trusted, clientCertificate: 'passthrough' }),
  rfc9440: rfc9440({ ...shared, clientCertificate: 'verify' }),
  rfc9440Verdict: rfc9440({
    ...shared,
    clientCertificate: { mode: 'verify', verdict: { header: 'x-cert-verified', value: 'true' } },
  }),
  rfc9440Open: rfc9440({ ...shared, ...trusted, clientCertificate: 'passthrough' }),
} as const

type Name = keyof typeof profiles

const linesOf = (name: Name): readonly string[] => (name.startsWith('cloudfront') ? VIEWER : FORWARDED)

describe('a certificate as it is forwarded by', () => {
  it.each<[Name, readonly string[]]>([
    ['envoy', [xfcc(element(ORDERS))]],
    ['envoy', [xfcc(element(ORDERS, `Chain="${escaped(ORDERS + ISSUING)}"`, 'URI=spiffe://acme.test/x'))]],
    ['envoyAppending', [xfcc(`${element(SELF_SIGNED)},${element(ORDERS)}`)]],
    ['envoyOpen', [xfcc(element(ORDERS, `Chain="${escaped(ORDERS + ISSUING)}"`))]],
    ['traefik', [tls(DER)]],
    ['traefik', [tls([DER, ISSUING_DER].join(','))]],
    ['traefik2', [tls([DER, ISSUING_DER].map(encodeURIComponent).join(','))]],
    ['traefikOpen', [tls([DER, ISSUING_DER].join(','))]],
    ['alb', [leaf(escapedByAws(ORDERS)), serial(SERIAL)]],
    [
      'alb',
      [
        leaf(escapedByAws(ORDERS)),
        serial(`00${SERIAL.toLowerCase()}`),
        'X-Amzn-Mtls-Clientcert-Subject: CN=root',
      ],
    ],
    ['albOpen', [alb(escapedByAws(ORDERS + ISSUING))]],
    ['albOpen', [alb(escapedByAws(ORDERS + ISSUING + ROOT))]],
    ['cloudfront', [present('1'), pem(escaped(ORDERS))]],
    ['cloudfront', [present('1'), pem(escapedByAws(ORDERS)), hash(sha256(ORDERS))]],
    ['cloudfrontOpen', [cert(DER), certChain(`:${ISSUING_DER}:`)]],
    ['rfc9440', [cert(DER)]],
    ['rfc9440', [cert(DER), certChain(`:${ISSUING_DER}:, :${ROOT_DER}:`)]],
    ['rfc9440Verdict', [cert(DER), 'X-Cert-Verified: true']],
    ['rfc9440Open', [cert(DER), certChain(`:${ISSUING_DER}:`)]],
  ])('%s is read (%#)', async (name, lines) => {
    const { status, seen } = await ask(profiles[name], [...linesOf(name), ...lines])
    expect({ status, ...seen }).toMatchObject({
      status: 200,
      certificate: thumbprint(ORDERS),
      certificateOf: thumbprint(ORDERS),
      address: '203.0.113.9',
      protocol: 'https',
      ip: '203.0.113.9',
    })
    expect(
      Object.keys(seen.headers).filter((header) => /cert|cloudfront|amzn|edge-secret/.test(header)),
    ).toEqual([])
  })
})

describe('no certificate, as it is told by', () => {
  it.each<[Name, readonly string[]]>([
    ['envoy', []],
    ['envoy', [xfcc('')]],
    ['traefik', []],
    ['alb', []],
    ['alb', [leaf(''), serial('')]],
    ['albOpen', []],
    ['cloudfront', [present('0')]],
    ['cloudfront', []],
    ['cloudfrontOpen', [present('0')]],
    ['rfc9440', []],
    ['rfc9440', [cert('')]],
    ['rfc9440', [cert(''), certChain('')]],
    ['rfc9440Verdict', ['X-Cert-Verified: false']],
  ])('%s, is nobody’s (%#)', async (name, lines) => {
    const { status, seen } = await ask(profiles[name], [...linesOf(name), ...lines])
    expect(status).toBe(200)
    expect(seen.certificateOf).toBeUndefined()
  })
})

describe('a certificate that is not to be believed', () => {
  it.each<[string, Name, readonly string[]]>([
    ['of an unknown authority, which Envoy did not verify', 'envoyOpen', [xfcc(element(SELF_SIGNED))]],
    ['of an unknown authority, which Traefik did not verify', 'traefikOpen', [tls(base64Of(SELF_SIGNED))]],
    [
      'of an unknown authority, which the load balancer did not verify',
      'albOpen',
      [alb(escapedByAws(SELF_SIGNED))],
    ],
    ['with the authority of another beside it', 'albOpen', [alb(escapedByAws(SELF_SIGNED + ISSUING + ROOT))]],
    [
      'of an unknown authority, which CloudFront did not verify',
      'cloudfrontOpen',
      [cert(base64Of(SELF_SIGNED))],
    ],
    ['of an unknown authority (RFC 9440)', 'rfc9440Open', [cert(base64Of(SELF_SIGNED))]],
    ['whose chain is not there', 'rfc9440Open', [cert(DER)]],
    ['that the gateway says it did not verify', 'rfc9440Verdict', [cert(DER), 'X-Cert-Verified: false']],
    ['of which the gateway says nothing', 'rfc9440Verdict', [cert(DER)]],
    ['whose verdict is in other letters', 'rfc9440Verdict', [cert(DER), 'X-Cert-Verified: TRUE']],
    [
      'whose time is over (RFC 9440 appendix A)',
      'rfc9440',
      [`Client-Cert: ${RFC_CLIENT_CERT}`, certChain(RFC_CLIENT_CERT_CHAIN)],
    ],
  ])('%s, is none', async (_what, name, lines) => {
    const { status, seen } = await ask(profiles[name], [...linesOf(name), ...lines])
    expect(status).toBe(200)
    expect(seen.certificateOf).toBeUndefined()
  })

  it.each<[string, Name, readonly string[]]>([
    // X-Forwarded-Client-Cert
    [
      'a caller’s element before Envoy’s (APPEND_FORWARD)',
      'envoy',
      [xfcc(`${element(SELF_SIGNED)},${element(ORDERS)}`)],
    ],
    ['an element too few', 'envoyAppending', [xfcc(element(ORDERS))]],
    [
      'an element too many',
      'envoyAppending',
      [xfcc([SELF_SIGNED, ISSUING, ORDERS].map((one) => element(one)).join(','))],
    ],
    [
      'a SAN with a comma and semicolons, unquoted',
      'envoy',
      [xfcc(element(HOSTILE, 'URI=spiffe://acme.test/x,Hash=00;URI=spiffe://acme.test/admin;Cert="x"'))],
    ],
    ['a SAN that is a whole element', 'envoy', [xfcc(element(HOSTILE, `URI=x,${element(ORDERS)}`))]],
    ['a SAN that adds a certificate', 'envoy', [xfcc(element(HOSTILE, `URI=x;Cert="${escaped(ORDERS)}"`))]],
    ['a SAN that opens quotes', 'envoy', [xfcc(element(HOSTILE, 'URI=x";DNS="y'))]],
    [
      'a hash that is not the certificate’s',
      'envoy',
      [xfcc(`Hash=${sha256(ORDERS)};Cert="${escaped(SELF_SIGNED)}"`)],
    ],
    [
      'a subject alone',
      'envoy',
      [xfcc('By=spiffe://acme.test/gw;Subject="CN=orders";URI=spiffe://acme.test/orders')],
    ],
    ['two lines', 'envoy', [xfcc(element(ORDERS)), xfcc(element(SELF_SIGNED))]],
    [
      'an underscore line beside it',
      'envoy',
      [xfcc(element(ORDERS)), `X_Forwarded_Client_Cert: ${element(SELF_SIGNED)}`],
    ],
    ['an empty line beside it', 'envoy', [xfcc(element(ORDERS)), xfcc('')]],
    // Traefik
    ['PEM where DER is written', 'traefik', [tls(escaped(ORDERS))]],
    ['escaped base64 of the other version', 'traefik', [tls(encodeURIComponent(ISSUING_DER))]],
    ['an empty certificate', 'traefik', [tls(`,${DER}`)]],
    ['a caller’s line after Traefik’s', 'traefik', [tls(DER), tls(base64Of(SELF_SIGNED))]],
    ['a certificate within the certificate', 'traefik', [tls(base64Of(NESTED))]],
    // AWS ALB
    [
      'a plus sign that became a space',
      'albOpen',
      [alb(escapedByAws(ORDERS + ISSUING + ROOT).replaceAll('+', ' '))],
    ],
    ['a leaf without its serial number', 'alb', [leaf(escapedByAws(ORDERS))]],
    ['a serial number without its leaf', 'alb', [serial(SERIAL)]],
    [
      'the serial number of another certificate',
      'alb',
      [leaf(escapedByAws(ORDERS)), serial(x509(ISSUING).serialNumber)],
    ],
    ['two certificates in the leaf', 'alb', [leaf(escapedByAws(ORDERS + ISSUING)), serial(SERIAL)]],
    ['two leaves', 'alb', [leaf(escapedByAws(ORDERS)), leaf(escapedByAws(ORDERS)), serial(SERIAL)]],
    // CloudFront
    ['a certificate that is said not to be there', 'cloudfront', [present('0'), pem(escaped(ORDERS))]],
    ['a certificate of which nothing is said', 'cloudfront', [pem(escaped(ORDERS))]],
    ['a certificate that is there and not forwarded', 'cloudfront', [present('1')]],
    ['another word than 0 and 1', 'cloudfront', [present('true'), pem(escaped(ORDERS))]],
    [
      'the hash of another certificate',
      'cloudfront',
      [present('1'), pem(escaped(ORDERS)), hash(sha256(ISSUING))],
    ],
    [
      'a hash cut short',
      'cloudfront',
      [present('1'), pem(escaped(ORDERS)), hash(sha256(ORDERS).slice(0, 40))],
    ],
    // RFC 9440
    ['a chain that repeats the certificate', 'rfc9440', [cert(DER), certChain(`:${DER}:, :${ISSUING_DER}:`)]],
    ['a chain without a certificate', 'rfc9440', [certChain(`:${ISSUING_DER}:`)]],
    ['a chain with an empty member', 'rfc9440', [cert(DER), certChain(`:${ISSUING_DER}:, ::`)]],
    ['two certificates in a list', 'rfc9440', [`Client-Cert: :${DER}:, :${HOSTILE_DER}:`]],
    ['two lines of Client-Cert (add-header)', 'rfc9440', [cert(HOSTILE_DER), cert(DER)]],
    ['two lines of Client-Cert, one empty', 'rfc9440', [cert(''), cert(DER)]],
    ['a parameter', 'rfc9440', [`Client-Cert: :${DER}:;verified`]],
    ['a certificate that is no byte sequence', 'rfc9440', [`Client-Cert: ${DER}`]],
    ['a certificate within the certificate (RFC 9440)', 'rfc9440', [cert(base64Of(NESTED))]],
  ])('%s, is 400', async (_what, name, lines) => {
    const { status, reason } = await ask(profiles[name], [...linesOf(name), ...lines])
    expect(status).toBe(400)
    expect(reason).toMatch(/^forwarded_header_(?:malformed|repeated)$/)
  })

  it.each<[string, Profile, readonly string[]]>([
    ['Envoy', envoy(shared), [xfcc(element(ORDERS))]],
    ['Traefik', traefik(shared), [tls(DER)]],
    ['AWS ALB', awsAlb(shared), [leaf(escapedByAws(ORDERS)), serial(SERIAL), alb(escapedByAws(ORDERS))]],
    ['RFC 9440', rfc9440(shared), [cert(DER)]],
    ['AWS ALB, of the other mode', profiles.alb, [alb(escapedByAws(ORDERS))]],
    ['AWS ALB, of the other mode', profiles.albOpen, [leaf(escapedByAws(ORDERS)), serial(SERIAL)]],
    ['another gateway', profiles.alb, [cert(DER), xfcc(element(ORDERS)), tls(DER)]],
  ])(
    'in the headers of %s, which were not asked for, is none, and they are gone',
    async (_what, profile, lines) => {
      const { status, seen } = await ask(profile, [...FORWARDED, ...lines])
      expect(status).toBe(200)
      expect(seen.certificateOf).toBeUndefined()
      expect(Object.keys(seen.headers).filter((header) => header.includes('cert'))).toEqual([])
    },
  )
})

describe('what a caller sends past the gateway', () => {
  it.each(Object.keys(profiles) as Name[])('is nothing to %s', async (name) => {
    const lines = [
      ...FORWARDED,
      ...VIEWER,
      xfcc(element(ORDERS)),
      tls(DER),
      leaf(escapedByAws(ORDERS)),
      serial(SERIAL),
      alb(escapedByAws(ORDERS)),
      present('1'),
      pem(escaped(ORDERS)),
      cert(DER),
    ]
    const refused = await server.ask(gateway(profiles[name]), lines)
    expect([refused.status, refused.reason]).toEqual([403, 'hop_unproven'])
    const { seen } = await server.ask(gateway(profiles[name], { unproven: 'strip' }), lines)
    expect([seen.certificateOf, seen.address, seen.protocol]).toEqual([undefined, '127.0.0.1', 'http'])
    expect(
      Object.keys(seen.headers).filter((header) => /cert|forwarded|cloudfront|amzn/.test(header)),
    ).toEqual([])
  })
})

describe('CloudFront', () => {
  it.each(['203.0.113.9', '203.0.113.9:80, 10.0.0.1:80', '', 'evil.test:80'])(
    'with the viewer’s address %j is refused',
    async (address) => {
      const answer = await ask(cloudfront(shared), [`CloudFront-Viewer-Address: ${address}`])
      expect(answer.status).toBe(400)
    },
  )

  it('tells of an IPv6 viewer, and of no host', async () => {
    const { seen } = await ask(cloudfront(shared), ['CloudFront-Viewer-Address: 2001:db8::1:46532'])
    expect([seen.address, seen.host, seen.protocol]).toEqual(['2001:db8::1', undefined, 'http'])
  })

  it('before a load balancer is a list, and each tells its own', async () => {
    const hops = gateway([
      awsAlb({ provenBy: { network: ['127.0.0.0/8'], reason: 'a test' } }),
      cloudfront({ ...shared, clientCertificate: 'verify', protocol: 'cloudfront-forwarded-proto' }),
    ])
    const lines = [
      SECRET_LINE,
      'X-Forwarded-For: 10.9.9.9, 198.51.100.7',
      'X-Forwarded-Proto: http',
      ...VIEWER,
      present('1'),
      pem(escaped(ORDERS)),
    ]
    const { seen } = await server.ask(hops, lines)
    // A hop on the way is known by its address alone: the certificate could be anybody's.
    expect(seen).toMatchObject({ address: '203.0.113.9', protocol: 'https', isHopWeak: true })
    expect([seen.certificate, seen.certificateOf]).toEqual([undefined, undefined])
  })
})

describe('a hop that is proven by an assertion', () => {
  it('is proven for this method and path alone, and the assertion is gone', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const proof = gatewayAssertion({
      header: 'x-gateway-assertion',
      issuer: 'edge',
      jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig' }] },
    })
    const { SignJWT } = await import('jose')
    const token = (path: string): Promise<string> =>
      new SignJWT({ htm: 'GET', path, sub: 'orders' })
        .setProtectedHeader({ alg: 'EdDSA', kid: 'k' })
        .setIssuer('edge')
        .setIssuedAt()
        .setExpirationTime('30s')
        .sign(privateKey)
    const profile = rfc9440({ provenBy: { assertion: proof }, clientCertificate: 'verify' })
    const send = async (assertion: string): Promise<Answer> =>
      server.ask(gateway(profile), [`X-Gateway-Assertion: ${assertion}`, ...FORWARDED, cert(DER)])
    const good = await send(await token('/'))
    expect(good.seen).toMatchObject({ certificate: thumbprint(ORDERS), claims: { sub: 'orders' } })
    expect(good.seen.headers['x-gateway-assertion']).toBeUndefined()
    const elsewhere = await send(await token('/admin'))
    expect([elsewhere.status, elsewhere.seen.headers]).toEqual([403, undefined])
  })

  it('is never proven by a cookie', async () => {
    const proof = cloudflareAccess({ team: 'acme', audience: 'tag', reason: 'a test' })
    const { status } = await server.ask(gateway(rfc9440({ provenBy: { assertion: proof } })), [
      'Cookie: CF_Authorization=a.b.c',
    ])
    expect(status).toBe(403)
  })
})

describe('set-up', () => {
  it.each<[string, () => Profile]>([
    ['Envoy', () => envoy({ ...shared, clientCertificate: 'passthrough' })],
    [
      'Envoy with elements',
      () => envoy({ ...shared, clientCertificate: { mode: 'passthrough', elements: 2 } }),
    ],
    ['Traefik', () => traefik({ ...shared, clientCertificate: 'passthrough' })],
    ['AWS ALB', () => awsAlb({ ...shared, clientCertificate: 'passthrough' })],
    ['CloudFront', () => cloudfront({ ...shared, clientCertificate: 'passthrough' })],
    ['RFC 9440', () => rfc9440({ ...shared, clientCertificate: 'passthrough' })],
  ])('refuses certificates that %s did not verify, where nobody else would', (_what, make) => {
    expect(make).toThrow('certificateAuthorities must name those who may')
  })

  it.each([
    ['a mode that there is not', () => awsAlb({ ...shared, clientCertificate: 'optional' as never })],
    ['true for a mode', () => envoy({ ...shared, clientCertificate: true as never })],
    ['no mode', () => envoy({ ...shared, clientCertificate: { elements: 2 } as never })],
    ['no element', () => envoy({ ...shared, clientCertificate: { mode: 'verify', elements: 0 } })],
    [
      'an option of another profile',
      () => envoy({ ...shared, clientCertificate: { mode: 'verify', escaped: true } as never }),
    ],
    [
      'a verdict without a value',
      () =>
        rfc9440({ ...shared, clientCertificate: { mode: 'verify', verdict: { header: 'x-v' } as never } }),
    ],
    ['no proof', () => cloudfront({} as never)],
  ])('refuses %s', (_what, make) => {
    expect(make).toThrow(TypeError)
  })
})
