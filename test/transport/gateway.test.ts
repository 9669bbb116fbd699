import { request as httpRequest, createServer, type Server } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { onEvent, type OperationalEvent } from '../../src/core/events.js'
import type { HopProof, HopStatement } from '../../src/core/hop-proof.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { SecurityProblem } from '../../src/core/problem.js'
import { principalFrom } from '../../src/authentication/principal-from.js'
import { requireScopes } from '../../src/authorization/require-scopes.js'
import { concurrencyLimit } from '../../src/traffic/concurrency-limit.js'
import { loadShed } from '../../src/traffic/load-shed.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { requestTimeout } from '../../src/traffic/request-timeout.js'
import { gateway } from '../../src/transport/gateway.js'
import type { ProvenBy } from '../../src/transport/gateway/profile.js'
import { haproxy } from '../../src/transport/gateway/profiles/haproxy.js'
import { nginx, type NginxOptions } from '../../src/transport/gateway/profiles/nginx.js'
import {
  SECRET,
  SECRET_LINE,
  provenBySecret,
  station,
  telling,
  type Seen,
  type Station,
} from './gateway-harness.js'

let server: Station

beforeAll(async () => {
  server = await station()
})

afterAll(async () => {
  await server.close()
})

const edge = (options: Partial<NginxOptions> = {}): ReturnType<typeof nginx> =>
  nginx({ provenBy: provenBySecret, ...options })
const FORWARDED = ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https']

/** Every way of saying who one is that this file knows of. */
const FORGED = [
  'Forwarded: for=10.0.0.7;proto=https',
  'X-Real-IP: 10.0.0.9',
  'X-Forwarded-Host: evil.test',
  'X-Forwarded-User: admin',
  'X_Forwarded_For: 10.0.0.1',
  'X-Original-URL: /admin',
  'X-Rewrite-URL: /admin',
  'X-Client-Subject: CN=admin',
  'Client-Cert: :Rk9SR0VE:',
  'client_cert: :Rk9SR0VE:',
  'Client-Cert-Chain: :Rk9SR0VE:',
  'X-SSL-Client-Verify: SUCCESS',
  'X-SSL-Client-Evil: 1',
  'SSL_CLIENT_CERT: FORGED',
  'X-Amzn-Oidc-Identity: admin',
  'X-Amzn-Mtls-Clientcert: FORGED',
  'CF-Connecting-IP: 10.0.0.2',
  'True-Client-IP: 10.0.0.2',
  'X-Goog-Authenticated-User-Email: admin',
  'X-MS-CLIENT-PRINCIPAL: e30=',
  'X-User-Id: admin',
  'x_user_id: admin',
  'X.User.Id: admin',
  'X-USER-ID: admin',
  'X-Auth-Request-User: admin',
  'X-Forwarded-Client-Cert: Hash=00',
  'Remote-User: admin',
  'X-Consumer-Username: admin',
]

const isForged = (name: string): boolean =>
  FORGED.some((line) => line.slice(0, line.indexOf(':')).toLowerCase() === name.toLowerCase())

/** Nothing that was forged is left where anybody could read it. */
function expectNothingForged({ headers, distinct, raw }: Seen, allowed: readonly string[] = []): void {
  const names = [
    ...Object.keys(headers),
    ...Object.keys(distinct),
    ...raw.filter((_, index) => index % 2 === 0),
  ]
  expect(names.filter((name) => isForged(name) && !allowed.includes(name))).toEqual([])
  expect(JSON.stringify({ headers, distinct, raw })).not.toMatch(/admin|evil|FORGED|10\.0\.0\./)
}

describe('gateway, on a request that came through the hop', () => {
  it('knows the client, and makes one line of each forwarding header', async () => {
    const { status, seen } = await server.ask(gateway(edge()), [
      SECRET_LINE,
      'X-Forwarded-For: 10.0.0.1, 203.0.113.9',
      'X-Forwarded-Proto: https',
      'Accept: text/html',
    ])
    expect(status).toBe(200)
    expect(seen).toMatchObject({
      address: '203.0.113.9',
      tls: true,
      protocol: 'https',
      host: 'api.test',
      hop: 'nginx',
      isHopWeak: false,
    })
    expect(seen).toMatchObject({
      ip: '203.0.113.9',
      ips: ['203.0.113.9'],
      secure: true,
      hostname: 'api.test',
    })
    expect(seen.distinct).toMatchObject({
      'x-forwarded-for': ['203.0.113.9'],
      'x-forwarded-proto': ['https'],
      'x-forwarded-host': ['api.test'],
      accept: ['text/html'],
    })
    expect(seen.raw.slice(-6)).toEqual([
      'x-forwarded-for',
      '203.0.113.9',
      'x-forwarded-proto',
      'https',
      'x-forwarded-host',
      'api.test',
    ])
    expect(JSON.stringify(seen)).not.toContain(SECRET)
  })

  it('leaves nothing of what callers forge', async () => {
    const { status, seen } = await server.ask(gateway(edge()), [
      ...FORGED.filter((line) => !/^x.forwarded.for/i.test(line)),
      SECRET_LINE,
      ...FORWARDED,
    ])
    expect(status).toBe(200)
    expectNothingForged(seen, ['x-forwarded-host'])
    expect(seen).toMatchObject({ address: '203.0.113.9', hostname: 'api.test' })
  })

  it('keeps what the hop keeps, and only with a value', async () => {
    const profile = edge({ keeps: ['x-user-id', 'x-auth-level', 'x-tenant'], removes: ['x-internal'] })
    const lines = [
      SECRET_LINE,
      ...FORWARDED,
      'X-User-Id: user-42',
      'X-Auth-Level: (null)',
      'X-Tenant: a',
      'X-Internal: 1',
      'X-User-Email: e',
    ]
    const { seen } = await server.ask(gateway(profile), lines)
    expect(seen.headers).toMatchObject({ 'x-user-id': 'user-42', 'x-tenant': 'a' })
    expect(Object.keys(seen.headers)).not.toEqual(expect.arrayContaining(['x-auth-level']))
    expect(seen.headers).not.toHaveProperty('x-internal')
    expect(seen.headers).not.toHaveProperty('x-user-email')
  })

  it('leaves what the application says is the caller’s own', async () => {
    const guard = gateway(edge(), { ignores: ['x-client-version'], removes: ['x-tenant'] })
    const { seen } = await server.ask(guard, [
      SECRET_LINE,
      ...FORWARDED,
      'X-Client-Version: 7',
      'X-Tenant: a',
      'X-Amzn-Trace-Id: Root=1',
    ])
    expect(seen.headers).toMatchObject({ 'x-client-version': '7', 'x-amzn-trace-id': 'Root=1' })
    expect(seen.headers).not.toHaveProperty('x-tenant')
  })

  it.each<[string, string[], Partial<Seen>]>([
    ['an IPv4 address with a port', ['X-Forwarded-For: 203.0.113.9:4711'], { address: '203.0.113.9' }],
    ['an IPv6 address', ['X-Forwarded-For: 2001:db8::1'], { address: '2001:db8::1' }],
    ['an IPv6 address in brackets', ['X-Forwarded-For: [2001:db8::1]'], { address: '2001:db8::1' }],
    ['an IPv6 address with a port', ['X-Forwarded-For: [2001:db8::1]:443'], { address: '2001:db8::1' }],
    ['IPv4 inside IPv6', ['X-Forwarded-For: ::ffff:203.0.113.9'], { address: '203.0.113.9' }],
    ['rubbish to the left', ['X-Forwarded-For: <script>, , unknown,203.0.113.9'], { address: '203.0.113.9' }],
    ['no protocol', ['X-Forwarded-For: 203.0.113.9'], { tls: false, protocol: 'http', secure: false }],
    ['an empty protocol', ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto:'], { tls: false }],
    ['HTTPS in capitals', ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: HTTPS'], { tls: true }],
    ['a WebSocket', ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: wss'], { protocol: 'https' }],
  ])('reads %s', async (_case, lines, expected) => {
    const { status, seen } = await server.ask(gateway(edge()), [SECRET_LINE, ...lines])
    expect(status).toBe(200)
    expect(seen).toMatchObject(expected)
  })

  it.each<[string, string[], string]>([
    ['no address', ['X-Forwarded-Proto: https'], 'forwarded_header_malformed'],
    ['an empty address', ['X-Forwarded-For:'], 'forwarded_header_malformed'],
    ['an empty last address', ['X-Forwarded-For: 203.0.113.9,'], 'forwarded_header_malformed'],
    ['a word as address', ['X-Forwarded-For: unknown'], 'forwarded_header_malformed'],
    ['a UNIX socket as address', ['X-Forwarded-For: unix:'], 'forwarded_header_malformed'],
    ['an address with a zone', ['X-Forwarded-For: fe80::1%eth0'], 'forwarded_header_malformed'],
    ['an octal address', ['X-Forwarded-For: 0177.0.0.1'], 'forwarded_header_malformed'],
    [
      'two addresses lines',
      ['X-Forwarded-For: 10.0.0.1', 'x-forwarded-for: 203.0.113.9'],
      'forwarded_header_repeated',
    ],
    [
      'an address with underscores beside it',
      [...FORWARDED, 'X_Forwarded_For: 10.0.0.1'],
      'forwarded_header_repeated',
    ],
    ['an address with underscores only', ['X_Forwarded_For: 10.0.0.1'], 'forwarded_header_repeated'],
    ['two protocols', [...FORWARDED, 'x-forwarded-proto: http'], 'forwarded_header_repeated'],
    [
      'two protocols in a line',
      ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https, http'],
      'forwarded_header_malformed',
    ],
    [
      'another protocol',
      ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: ftp'],
      'forwarded_header_malformed',
    ],
    [
      'a header of the hop in Connection',
      [...FORWARDED, 'Connection: close, X-Forwarded-For'],
      'connection_names_header',
    ],
    [
      'a header of another gateway in Connection',
      [...FORWARDED, 'Connection: client_cert'],
      'connection_names_header',
    ],
    ['the proof in Connection', [...FORWARDED, 'Connection: X-Edge-Secret'], 'connection_names_header'],
    ['Authorization in Connection', [...FORWARDED, 'Connection: Authorization'], 'connection_names_header'],
    ['Host in Connection', [...FORWARDED, 'Connection: Host'], 'connection_names_header'],
  ])('answers 400 for %s', async (_case, lines, reason) => {
    const answer = await server.ask(gateway(edge()), [SECRET_LINE, ...lines])
    expect(answer).toMatchObject({ status: 400, reason })
    expect(JSON.stringify(answer)).not.toMatch(/10\.0\.0\.1|203\.0\.113/)
  })

  it.each<[string, string[], string]>([
    ['there is none', ['X-Forwarded-Proto: https'], 'missing'],
    ['it is no address', ['X-Forwarded-For: unknown'], 'no IP address'],
  ])('says in the record what is wrong with the address: %s', async (_case, lines, problem) => {
    const { evidence } = await server.ask(gateway(edge()), [SECRET_LINE, ...lines])
    expect(evidence).toMatchObject({ hop: 'nginx', header: 'x-forwarded-for', problem })
  })

  it.each([
    ['evil.test/path'],
    ['evil.test, api.test'],
    ['user@evil.test'],
    ['evil test'],
    ['a'.repeat(300)],
    ['evil.test:port'],
  ])('answers 400 for the host %s', async (host) => {
    const guard = gateway(edge({ host: 'x-forwarded-host' }))
    expect(await server.ask(guard, [SECRET_LINE, ...FORWARDED, `X-Forwarded-Host: ${host}`])).toMatchObject({
      status: 400,
      reason: 'forwarded_header_malformed',
    })
  })

  it('takes the last of several lines only from a gateway that adds one', async () => {
    const lines = [SECRET_LINE, 'X-Forwarded-For: 10.0.0.1', 'x-forwarded-for: 203.0.113.9']
    const { seen } = await server.ask(gateway(haproxy({ provenBy: provenBySecret })), lines)
    expect(seen).toMatchObject({ address: '203.0.113.9', hop: 'haproxy' })
    expect(seen.distinct['x-forwarded-for']).toEqual(['203.0.113.9'])
    const spelled = [SECRET_LINE, 'X-Forwarded-For: 203.0.113.9', 'X_Forwarded_For: 10.0.0.1']
    expect(await server.ask(gateway(haproxy({ provenBy: provenBySecret })), spelled)).toMatchObject({
      status: 400,
      reason: 'forwarded_header_repeated',
    })
  })

  it('believes an only value only where it is alone', async () => {
    const guard = gateway(edge({ address: { header: 'x-real-ip', writes: 'replaces' } }))
    const ask = (value: string) => server.ask(guard, [SECRET_LINE, `X-Real-IP: ${value}`])
    expect((await ask('203.0.113.9')).seen.ip).toBe('203.0.113.9')
    expect(await ask('10.0.0.1, 203.0.113.9')).toMatchObject({ status: 400 })
  })

  it('says which protocol there is where the hop has but one', async () => {
    const { seen } = await server.ask(gateway(edge({ protocol: { always: 'https' }, host: false })), [
      SECRET_LINE,
      'X-Forwarded-For: 203.0.113.9',
      'X-Forwarded-Proto: http',
    ])
    expect(seen).toMatchObject({ tls: true, secure: true })
    expect(seen.host).toBeUndefined()
    expect(seen.headers).not.toHaveProperty('x-forwarded-host')
  })
})

describe('gateway, on a request that went past the hop', () => {
  const lines = [...FORGED, ...FORWARDED]

  it.each<[string, string[]]>([
    ['a wrong secret', [`X-Edge-Secret: ${'x'.repeat(SECRET.length)}`]],
    ['half of the secret', [`X-Edge-Secret: ${SECRET.slice(1)}`]],
    ['an empty secret', ['X-Edge-Secret:']],
    ['the secret in other capitals', [`X-Edge-Secret: ${SECRET.toUpperCase()}`]],
  ])('answers 403 for %s, and strips nothing', async (_case, secret) => {
    for (const unproven of ['refuse', 'strip'] as const)
      expect(await server.ask(gateway(edge(), { unproven }), [...secret, ...lines])).toMatchObject({
        status: 403,
        reason: 'hop_unproven',
        evidence: { hop: 'nginx', proof: 'refused' },
      })
  })

  it('answers 403 without the secret, or strips it', async () => {
    expect(await server.ask(gateway(edge()), lines)).toMatchObject({
      status: 403,
      reason: 'hop_unproven',
      evidence: { hop: 'nginx', proof: 'none' },
    })
    const { status, seen } = await server.ask(gateway(edge(), { unproven: 'strip' }), lines)
    expect(status).toBe(200)
    expectNothingForged(seen)
    expect(seen).toMatchObject({
      address: '127.0.0.1',
      tls: false,
      ip: '127.0.0.1',
      secure: false,
      hostname: 'api.test',
    })
    expect(seen.hop).toBeUndefined()
    expect(seen.host).toBeUndefined()
    expect(JSON.stringify(seen)).not.toContain(SECRET)
  })

  it('records whoever is connected, though trust proxy believed the header when the record was begun', async () => {
    const answer = await server.ask(gateway(edge()), ['X-Forwarded-For: 10.0.0.1'])
    expect(answer).toMatchObject({ status: 403, client: '127.0.0.1' })
  })

  it('answers 400 where Connection names what gateways write', async () => {
    const guard = gateway(edge(), { unproven: 'strip' })
    expect(await server.ask(guard, ['Connection: X-Forwarded-For'])).toMatchObject({
      status: 400,
      reason: 'connection_names_header',
    })
  })

  it('hides the headers from error handlers too', async () => {
    let found: string[] = []
    const look = (
      error: unknown,
      req: { rawHeaders: string[] },
      _res: unknown,
      next: (error: unknown) => void,
    ): void => {
      found = req.rawHeaders
      next(error)
    }
    await server.ask([gateway(edge()), look], [...FORGED, 'X-Edge-Secret: wrong'])
    expect(found.length).toBeGreaterThan(0)
    expect(found.filter((name) => isForged(name) || /secret/i.test(name))).toEqual([])
  })
})

describe('gateway, proof by secret', () => {
  it('takes each of several live secrets, and asks a function each time', async () => {
    const [old, fresh] = ['0123456789abcdef'.repeat(2), 'fedcba9876543210'.repeat(3)]
    let live: string | string[] = [old, fresh]
    const guard = gateway(edge({ provenBy: { secret: { header: 'x-edge-secret', values: () => live } } }))
    const ask = async (secret: string): Promise<number> =>
      (await server.ask(guard, [...FORWARDED, `X-Edge-Secret: ${secret}`])).status
    expect([await ask(old), await ask(fresh)]).toEqual([200, 200])
    live = fresh
    expect([await ask(old), await ask(fresh)]).toEqual([403, 200])
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['an empty list', []],
    ['a short secret', 'short'],
    ['a short secret among others', [SECRET, 'short']],
    ['what documentation writes there', 'CHANGE-ME-0123456789-abcdef-ghijkl'],
    ['a promise', Promise.resolve(SECRET)],
  ])('answers 500 where the function returns %s', async (_case, answer) => {
    const guard = gateway(
      edge({ provenBy: { secret: { header: 'x-edge-secret', values: () => answer as string } } }),
    )
    expect((await server.ask(guard, [SECRET_LINE, ...FORWARDED])).status).toBe(500)
  })
})

describe('gateway, proof by network', () => {
  const weak = (...networks: string[]): ProvenBy => ({
    network: networks,
    reason: 'only the balancer reaches the port',
  })

  it.each<[string, string[], number]>([
    ['the address itself', ['127.0.0.1'], 200],
    ['a network', ['10.0.0.0/8', '127.0.0.0/8'], 200],
    ['an IPv6 loopback', ['::1'], 403],
    ['another network', ['10.0.0.0/8'], 403],
    ['half of IPv6', ['8000::/1'], 403],
  ])('of %s', async (_case, networks, status) => {
    expect((await server.ask(gateway(edge({ provenBy: weak(...networks) })), FORWARDED)).status).toBe(status)
  })

  it('is told apart from a proof that is one', async () => {
    const guard = gateway(edge({ provenBy: weak('127.0.0.1'), name: 'balancer' }))
    expect((await server.ask(guard, FORWARDED)).seen).toMatchObject({ hop: 'balancer', isHopWeak: true })
    expect(guardMetadataOf(guard)?.facts).toEqual({
      hops: ['balancer (nginx) proven by network 127.0.0.1: only the balancer reaches the port'],
      weak: ['balancer'],
      certificates: 'none',
      unproven: 'refuse',
    })
  })
})

describe('gateway, several hops', () => {
  const far: ProvenBy = { network: ['192.0.2.0/24'], reason: 'addresses of the balancer' }
  const two = (options = {}) =>
    gateway([edge({ protocol: false }), haproxy({ name: 'alb', provenBy: far })], options)

  it('counts from the right, and believes the outermost', async () => {
    const lines = [
      SECRET_LINE,
      'X-Forwarded-For: 10.0.0.1, 203.0.113.9, 192.0.2.7',
      'X-Forwarded-Proto: https',
    ]
    const { seen } = await server.ask(two(), lines)
    expect(seen).toMatchObject({
      address: '203.0.113.9',
      tls: true,
      hop: 'nginx',
      isHopWeak: true,
      ip: '203.0.113.9',
      ips: ['203.0.113.9'],
    })
  })

  it.each<[string, string[]]>([
    ['went past the outer hop', ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https']],
    [
      'forges an outer hop',
      ['X-Forwarded-For: 10.0.0.1, 192.0.2.7, 203.0.113.9', 'X-Forwarded-Proto: https'],
    ],
  ])('refuses or strips what %s', async (_case, lines) => {
    expect(await server.ask(two(), [SECRET_LINE, ...lines])).toMatchObject({
      status: 403,
      reason: 'hop_unproven',
      evidence: { hop: 'alb' },
    })
    const { seen } = await server.ask(two({ unproven: 'strip' }), [SECRET_LINE, ...lines])
    expect(seen).toMatchObject({ address: '203.0.113.9', tls: false, hop: 'nginx' })
  })

  it('needs as many addresses as there are hops', async () => {
    const answer = await server.ask(two(), [SECRET_LINE, 'X-Forwarded-For: 192.0.2.7'])
    expect(answer).toMatchObject({ status: 400, reason: 'forwarded_header_malformed' })
  })

  it.each<[string, () => unknown]>([
    ['a protocol that the nearer one writes over', () => gateway([edge(), edge({ name: 'outer' })])],
    [
      'an address that the nearer one replaces',
      () =>
        gateway([
          edge({ protocol: false, address: { header: 'x-forwarded-for', writes: 'replaces' } }),
          edge({ name: 'outer' }),
        ]),
    ],
    ['one name twice', () => gateway([edge({ protocol: false }), edge()])],
    [
      'an outer UNIX socket',
      () => gateway([edge({ protocol: false }), edge({ name: 'o', provenBy: { unixSocket: true } })]),
    ],
    ['no hop', () => gateway([])],
    [
      'six hops',
      () => gateway(Array.from({ length: 6 }, (_, n) => edge({ name: `n${n}`, protocol: false }))),
    ],
  ])('throws for %s', (_case, make) => {
    expect(make).toThrow(TypeError)
  })
})

describe('gateway, proof by what was made elsewhere', () => {
  const HEADER = 'x-goog-iap-jwt-assertion'
  const proof = (answer: () => unknown, more: Partial<HopProof> = {}): ProvenBy => ({
    assertion: {
      kind: 'assertion',
      facts: {},
      headers: [HEADER],
      prove: () => answer() as HopStatement,
      ...more,
    },
  })
  const lines = [...FORWARDED, 'X-Goog-Iap-Jwt-Assertion: a.b.c']

  it.each<[string, () => unknown, number]>([
    ['a statement', () => ({}), 200],
    ['a statement that is waited for', () => Promise.resolve({}), 200],
    ['nothing', () => undefined, 403],
    ['a wait for nothing', () => Promise.resolve(undefined), 403],
    ['null', () => null, 403],
    ['true', () => true, 403],
    ['a word', () => 'yes', 403],
    [
      'a fault',
      () => {
        throw new Error('no')
      },
      500,
    ],
    ['a late fault', () => Promise.reject(new Error('no')), 500],
    ['that it cannot tell', () => Promise.reject(new SecurityProblem('key_set_unavailable')), 503],
  ])('with %s', async (_case, answer, status) => {
    let left: string[] = []
    const look = (
      error: unknown,
      req: { rawHeaders: string[] },
      _res: unknown,
      next: (error: unknown) => void,
    ): void => {
      left = req.rawHeaders
      next(error)
    }
    const got = await server.ask([gateway(edge({ provenBy: proof(answer) })), look], lines)
    expect(got.status).toBe(status)
    expect(JSON.stringify([got.seen, left])).not.toContain('a.b.c')
  })

  it('is shown its header, and nobody else is', async () => {
    let shown: unknown
    const guard = gateway(
      edge({
        provenBy: proof(() => ({ claims: { sub: 'ada' } }), {
          prove: (req) => {
            shown = req.headers[HEADER]
            return { claims: { sub: 'ada' } }
          },
        }),
      }),
    )
    const { seen } = await server.ask(guard, [...lines, 'X_Goog_Iap_Jwt_Assertion: d.e.f'])
    expect(shown).toBe('a.b.c')
    expect(seen.claims).toEqual({ sub: 'ada' })
    expect(JSON.stringify(seen)).not.toMatch(/a\.b\.c|d\.e\.f/)
  })

  it('tells where another caller was found than the one it names', async () => {
    const events: OperationalEvent[] = []
    const stop = onEvent((event) => events.push(event))
    const as = (subject: string) => principalFrom(() => ({ subject }), { name: 'test' })
    const guard = (options = {}) =>
      gateway(edge({ provenBy: proof(() => ({ claims: { sub: 'ada' } })) }), options)
    await server.ask([guard(), as('ada')], lines)
    await server.ask([guard({ sameCaller: () => true }), as('bob')], lines)
    expect(events.filter(({ event }) => event === 'gateway_disagrees')).toEqual([])
    expect((await server.ask([guard(), as('bob')], lines)).status).toBe(200)
    await server.ask(
      [
        guard({
          sameCaller: () => {
            throw new Error('no')
          },
        }),
        as('ada'),
      ],
      lines,
    )
    stop()
    expect(events.filter(({ event }) => event === 'gateway_disagrees')).toEqual([
      { event: 'gateway_disagrees', severity: 'warn', facts: { hop: 'nginx', about: 'caller' } },
      { event: 'gateway_disagrees', severity: 'warn', facts: { hop: 'nginx', about: 'caller' } },
    ])
  })

  it('passes on warming up, health and closing', async () => {
    const steps: string[] = []
    const note = (step: string) => () => {
      steps.push(step)
      return Promise.resolve()
    }
    const stateful = {
      warmUp: note('warmUp'),
      close: note('close'),
      health: () => ({ name: 'keys', status: 'degraded' as const, detail: 'old keys' }),
    }
    const guard = gateway(edge({ provenBy: proof(() => ({}), stateful) }))
    await guard.warmUp()
    await guard.close()
    expect(steps).toEqual(['warmUp', 'close'])
    expect(guard.health()).toEqual({ name: 'gateway', status: 'degraded', detail: 'old keys' })
    expect(gateway(edge()).health()).toEqual({ name: 'gateway', status: 'ok' })
  })
})

describe('gateway, in the chain', () => {
  it('answers 500 after what goes by the client', async () => {
    const limit = rateLimit({ name: 'gateway-test', limit: 1000, windowSeconds: 60, by: 'address' })
    const anonymous = principalFrom(() => undefined, { name: 'test', required: false })
    const late = async (...guards: unknown[]) =>
      (await server.ask([...guards, gateway(edge())], [SECRET_LINE, ...FORWARDED])).reason
    expect(await late(limit)).toBe('guard_order')
    expect(await late(anonymous)).toBe('guard_order')
    expect(
      await late(
        principalFrom(() => ({ subject: 'a', scopes: ['a'] }), { name: 't' }),
        requireScopes('a'),
      ),
    ).toBe('guard_order')
    expect(await late(gateway(edge()))).toBe('guard_order')
  })

  it('may stand after what limits this process, whoever calls', async () => {
    const shed = loadShed({ maxInFlight: 1000 })
    const before = [
      shed,
      requestTimeout({ timeoutMs: 60_000 }),
      concurrencyLimit({ name: 'all', limit: 1000 }),
    ]
    const { status, seen } = await server.ask([...before, gateway(edge())], [SECRET_LINE, ...FORWARDED])
    expect(status).toBe(200)
    expect(seen).toMatchObject({ address: '203.0.113.9', hop: 'nginx' })
    await shed.close()
    const limit = rateLimit({ name: 'late', limit: 1000, windowSeconds: 60, by: 'address' })
    expect(await server.ask([before[2], limit, gateway(edge())], [SECRET_LINE, ...FORWARDED])).toMatchObject({
      status: 500,
      reason: 'guard_order',
    })
  })

  it('is the same when it stands twice', async () => {
    const guard = gateway(edge())
    const { status, seen } = await server.ask([guard, guard], [SECRET_LINE, ...FORWARDED])
    expect(status).toBe(200)
    expect(seen).toMatchObject({ address: '203.0.113.9', hop: 'nginx' })
  })

  it.each<[string, unknown, string | undefined]>([
    ['1', 1, '203.0.113.9'],
    ['a function', (_address: string, hop: number) => hop === 0, '203.0.113.9'],
    ['a network', 'loopback', '203.0.113.9'],
    ['more hops than there are', 3, '203.0.113.9'],
    ['nothing', false, '127.0.0.1'],
  ])('gives req.ip with trust proxy set to %s', async (_case, trust, ip) => {
    const { seen } = await server.ask(
      gateway(edge()),
      [SECRET_LINE, 'X-Forwarded-For: 10.0.0.1, 203.0.113.9', 'X-Forwarded-Proto: https'],
      trust,
    )
    expect(seen).toMatchObject({ ip, address: '203.0.113.9' })
  })

  it('serves a request that never reaches Express', async () => {
    const guard = gateway(edge())
    const answers: unknown[] = []
    const own = createServer((req, res) => {
      guard.verifyRequest(req).then(
        (client) => {
          answers.push(client)
          res.end()
        },
        (problem: unknown) => {
          answers.push(problem)
          res.end()
        },
      )
    })
    await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve))
    const { port } = own.address() as { port: number }
    await fetch(`http://127.0.0.1:${port}`, {
      headers: { 'x-edge-secret': SECRET, 'x-forwarded-for': '203.0.113.9' },
    })
    await fetch(`http://127.0.0.1:${port}`, { headers: { 'x-forwarded-for': '203.0.113.9' } })
    own.closeAllConnections()
    await new Promise((resolve) => own.close(resolve))
    expect(answers).toEqual([
      expect.objectContaining({ address: '203.0.113.9' }),
      expect.objectContaining({ reason: 'hop_unproven' }),
    ])
  })
})

describe('gateway, over a UNIX socket', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bulwark-socket-'))
  const socketPath = join(folder, 'app.sock')
  let listening: Server

  beforeAll(async () => {
    listening = createServer(telling([gateway(edge({ provenBy: { unixSocket: true } }))]))
    await new Promise<void>((resolve) => listening.listen(socketPath, resolve))
  })

  afterAll(async () => {
    await new Promise((resolve) => listening.close(resolve))
    rmSync(folder, { recursive: true })
  })

  it('proves the hop, and req.ip is the client', async () => {
    const seen = await new Promise<Seen>((resolve, reject) => {
      const sent = httpRequest(
        { socketPath, headers: { host: 'api.test', 'x-forwarded-for': '203.0.113.9', connection: 'close' } },
        (res) => {
          let text = ''
          res.on('data', (chunk: Buffer) => {
            text += chunk.toString()
          })
          res.on('end', () => {
            resolve(JSON.parse(text) as Seen)
          })
        },
      )
      sent.on('error', reject)
      sent.end()
    })
    expect(seen).toMatchObject({ address: '203.0.113.9', ip: '203.0.113.9', hop: 'nginx' })
  })

  it('is not proven by a connection over the network', async () => {
    const answer = await server.ask(gateway(edge({ provenBy: { unixSocket: true } })), FORWARDED)
    expect(answer).toMatchObject({ status: 403, reason: 'hop_unproven' })
  })
})

describe('gateway, at set-up', () => {
  const make = (profile: unknown, options?: unknown) => () => gateway(profile as never, options as never)
  const proven = (provenBy: unknown) => () => gateway(nginx({ provenBy } as never))

  it.each<[string, () => unknown]>([
    ['nothing', make(undefined)],
    ['a word', make('nginx')],
    ['report mode', make(edge(), { mode: 'report' })],
    ['an unknown option', make(edge(), { hops: 1 })],
    ['an impossible way with the unproven', make(edge(), { unproven: 'allow' })],
    ['a header in capitals', make(edge(), { removes: ['X-User'] })],
    ['ignoring a header of the hop', make(edge(), { ignores: ['x-forwarded-proto'] })],
    ['ignoring the proof', make(edge(), { ignores: ['x-edge-secret'] })],
    ['ignoring what gateway writes', make(edge({ host: false }), { ignores: ['x-forwarded-host'] })],
    ['keeping what gateway writes', make(edge({ keeps: ['x-forwarded-host'] }))],
    ['keeping Authorization', make(edge({ keeps: ['authorization'] }))],
    ['removing Host', make(edge({ removes: ['host'] }))],
    ['no proof', proven(undefined)],
    ['an empty proof', proven({})],
    ['two proofs', proven({ unixSocket: true, ...provenBySecret })],
    ['an unknown proof', proven({ header: 'x' })],
    ['unixSocket: false', proven({ unixSocket: false })],
    ['a short secret', proven({ secret: { header: 'x-edge-secret', values: 'short' } })],
    [
      'a secret of few characters',
      proven({ secret: { header: 'x-edge-secret', values: 'abcdefg'.repeat(6) } }),
    ],
    ...['change', 'secret', 'example', 'placeholder', 'random', 'Password'].map<[string, () => unknown]>(
      (word) => [
        `a secret with ${word} in it`,
        proven({ secret: { header: 'x-edge-secret', values: `${SECRET}-${word}` } }),
      ],
    ),
    ['a secret with a line break', proven({ secret: { header: 'x-edge-secret', values: `${SECRET}\n` } })],
    ['no secret at all', proven({ secret: { header: 'x-edge-secret', values: [] } })],
    [
      'eleven secrets',
      proven({ secret: { header: 'x-edge-secret', values: Array<string>(11).fill(SECRET) } }),
    ],
    ['a secret without header', proven({ secret: { values: SECRET } })],
    ['a network without reason', proven({ network: ['10.0.0.0/8'] })],
    ['all networks', proven({ network: ['0.0.0.0/0'], reason: 'r' })],
    ['an impossible network', proven({ network: ['10.0.0.0/33'], reason: 'r' })],
    ['no network', proven({ network: [], reason: 'r' })],
    ['a name with a wildcard', proven({ peerCertificate: { names: ['DNS:*.internal'] } })],
    ['a name without kind', proven({ peerCertificate: { names: ['edge.internal'] } })],
    ['no name', proven({ peerCertificate: { names: [] } })],
    ['an assertion that proves nothing', proven({ assertion: { kind: 'a' } })],
    ['authorities without certificate', () => gateway(edge({ certificateAuthorities: ['x'] }))],
  ])('throws for %s', (_case, attempt) => {
    expect(attempt).toThrow(TypeError)
  })

  it.each<[string, unknown, string]>([
    ['short', 'q7Xy2', 'got a text of 5 characters'],
    ['short, of two', [SECRET, 'q7Xy2'], 'got a list of 2: a text of 36 characters, a text of 5 characters'],
    ['without much in it', 'q7'.repeat(20), 'got a text of 40 characters, fewer than 8 of them different'],
    ['from the documentation', `${SECRET}-change-me`, 'with a word in it as placeholders have'],
  ])('says of a secret that is %s how long it is, and never what', (_case, values, says) => {
    const attempt = proven({ secret: { header: 'x-edge-secret', values } })
    expect(attempt).toThrow(says)
    expect(attempt).not.toThrow(/q7|0123|change-me/)
  })

  it.each<[string, () => unknown]>([
    ['nginx()', () => nginx(undefined as never)],
    ['nginx({})', () => nginx({} as never)],
    ['an empty list', () => nginx({ provenBy: [] })],
    ['the secret itself', () => nginx({ provenBy: SECRET } as never)],
    ['an empty proof', proven({})],
    ['two in one', proven({ unixSocket: true, ...provenBySecret })],
  ])('names the five ways to prove a hop: %s', (_case, attempt) => {
    expect(attempt).toThrow(
      'provenBy must be one of { peerCertificate }, { secret }, { unixSocket: true }, { assertion } and { network, reason }',
    )
    expect(attempt).not.toThrow(new RegExp(SECRET))
  })

  it('describes itself to the posture, without a secret', () => {
    const metadata = guardMetadataOf(
      gateway(edge({ provenBy: { secret: { header: 'x-edge-secret', values: SECRET } } })),
    )
    expect(metadata).toMatchObject({
      kind: 'gateway',
      layer: 'transport',
      mode: 'enforce',
      facts: { hops: ['nginx proven by shared secret in x-edge-secret'], unproven: 'refuse' },
    })
    expect(JSON.stringify(metadata)).not.toContain(SECRET)
  })
})
