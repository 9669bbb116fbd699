import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { gatewayAssertion } from '../../src/authentication/gateway-assertion.js'
import { authenticate } from '../../src/authentication/authenticate.js'
import type { Guard } from '../../src/core/guard.js'
import { gateway } from '../../src/transport/gateway.js'
import type { ProvenBy } from '../../src/transport/gateway/profile.js'
import { haproxy } from '../../src/transport/gateway/profiles/haproxy.js'
import { nginx } from '../../src/transport/gateway/profiles/nginx.js'
import { authority, type Authority, type Credential } from '../authorization/certificates-support.js'
import {
  documented,
  freePorts,
  sendTls,
  startHaproxy,
  startNginx,
  workshop,
  type RunningGateway,
  type Workshop,
} from '../support/gateways.js'
import { describeWith, program } from '../support/requirements.js'
import { rawRequest, sendRaw } from '../support/server.js'
import { forwarded } from '../transport/gateway-certificates.js'
import { SECRET, provenBySecret as provenBy, telling, type Seen } from '../transport/gateway-harness.js'

/** The configuration of HAProxy that the page of assertions shows. */
function documentedAssertion(): string {
  const page = readFileSync(join(process.cwd(), 'docs/gateway-assertions.md'), 'utf8')
  const [, found] = /<!-- haproxy with an assertion -->\s+```haproxy\n([\s\S]*?)```/.exec(page) ?? []
  if (found === undefined) throw new Error('no configuration with an assertion in the documentation')
  return found
}

/** As `openssl rand -base64 32` prints it. */
const KEY = 'n4Jq0Xw1m6Tz8fQe2KbVr5sYc7Hd9LpAu3Go+MiRxWE='

const FORGED = [
  'X-SSL-Client-Evil: admin',
  'X-Forwarded-Host: evil.test',
  'Forwarded: for=10.0.0.7;host=evil.test',
  'X-Real-IP: 10.0.0.9',
  'X-User-Id: admin',
  'X_User_Id: admin',
  'Client-Cert: :Rk9SR0VE:',
  'X-Amzn-Oidc-Identity: admin',
]
const FORGED_AS_THE_HOP = [
  'X-Forwarded-For: 10.0.0.1, 10.0.0.2',
  'X-Forwarded-Proto: ftp',
  'X-SSL-Client-Cert: FORGED',
  'X-SSL-Client-Verify: SUCCESS',
  'X-SSL-Client-Used: 1',
  'X-Edge-Secret: forged',
]

interface Answer {
  readonly status: number
  readonly code: string | undefined
  readonly seen: Seen
}

const parsed = (received: string): Answer => {
  const start = received.indexOf('{')
  const seen =
    start === -1
      ? undefined
      : (JSON.parse(received.slice(start, received.lastIndexOf('}') + 1)) as Seen & { code?: string })
  return { status: Number(received.slice(9, 12)), code: seen?.code, seen: seen ?? ({} as Seen) }
}

/** What a caller without a certificate sends, if it holds anybody's and knows what the gateway would write. */
const forgedCertificate = (hop: 'nginx' | 'haproxy', { cert }: Credential): string[] => [
  ...FORGED,
  'X-Forwarded-For: 10.0.0.1',
  'X-Forwarded-Proto: https',
  `X-SSL-Client-Cert: ${hop === 'nginx' ? forwarded(cert).escaped : forwarded(cert).der}`,
  `X-SSL-Client-Verify: ${hop === 'nginx' ? 'SUCCESS' : '0'}`,
  'X-SSL-Client-Used: 1',
]

/** One application for each path; any other path is that of `/`. */
const byPath =
  (apps: Readonly<Record<string, RequestListener>>): RequestListener =>
  (req, res) => {
    ;(apps[req.url ?? ''] ?? apps['/'])?.(req, res)
  }

describe('the documented configurations', () => {
  const nginxProfile = nginx({ provenBy, clientCertificate: true })
  const haproxyProfile = haproxy({ provenBy, clientCertificate: true })

  it.each([
    ['nginx', nginxProfile, () => documented('nginx', {})],
    ['nginx with a certificate', nginxProfile, () => documented('nginx with a certificate', {})],
    ['haproxy', haproxyProfile, () => documented('haproxy', {})],
    ['haproxy with an assertion', haproxyProfile, documentedAssertion],
  ] as const)('%s: every header that its profile can read is set or deleted', (_mark, profile, text) => {
    const { certificate, protocol, address } = profile
    const read = [...(certificate?.headers ?? []), (protocol as { readonly header: string }).header]
    const written = [...text().matchAll(/(?:proxy_set_header|http-request (?:set|del)-header) +(\S+)/g)].map(
      ([, name = '']) => name.toLowerCase(),
    )
    if (/option forwardfor/.test(text())) written.push('x-forwarded-for')
    expect(written).toEqual(expect.arrayContaining([...read, address.header]))
  })

  it('their placeholder is no secret', () => {
    for (const mark of ['nginx', 'nginx with a certificate', 'haproxy']) documented(mark, { 'CHANGE-ME': '' })
    const secret = { header: 'x-edge-secret', values: 'CHANGE-ME' }
    expect(() => gateway(nginx({ provenBy: { secret } }))).toThrow('got a text of 9 characters')
  })
})

const [nginxProgram, haproxyProgram] = [program('nginx', 'nginx'), program('haproxy', 'haproxy')]

describeWith(
  nginxProgram.met ? haproxyProgram : nginxProgram,
  'gateway, behind a real nginx and a real HAProxy',
  () => {
    let [clients, services]: Authority[] = []
    let shop: Workshop
    let caller: Credential
    let big: Credential
    let stranger: Credential
    const running: RunningGateway[] = []
    const servers: Server[] = []
    /** The documented configurations of HAProxy, in their places. */
    const alone: string[] = []
    const ports = {
      nginx: 0,
      bare: 0,
      tls: 0,
      haproxy: 0,
      front: 0,
      plain: 0,
      node: 0,
      nodeTls: 0,
      nodeHaproxy: 0,
      nodeTwo: 0,
      forgetful: 0,
      appending: 0,
      adding: 0,
      nodeAdding: 0,
      signing: 0,
      nodeSigning: 0,
    }

    const listen = async (server: Server): Promise<number> => {
      servers.push(server)
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return (server.address() as AddressInfo).port
    }

    beforeAll(async () => {
      shop = workshop()
      clients = authority('clients')
      services = authority('services')
      caller = clients.issue('orders', 'DNS.1=orders.internal')
      big = clients.issue(
        'big',
        ...Array.from(
          { length: 200 },
          (_, n) => `DNS.${n + 1}=tenant-${String(n).padStart(4, '0')}.customers.example.org`,
        ),
      )
      const strangers = authority('clients')
      stranger = strangers.issue('orders', 'DNS.1=orders.internal')
      strangers.close()
      const [front, orders, edge] = [['localhost'], ['orders.internal'], ['edge.internal']].map((names) =>
        services?.issue(names[0] as string, `DNS.1=${names[0]}`),
      ) as [Credential, Credential, Credential]
      const file = (name: string, text: string): string => shop.write(name, text)
      file('server.crt', front.cert)
      file('server.key', front.key)
      file('server.pem', front.cert + front.key)
      file('clients.crt', clients.cert)
      file('services.crt', services.cert)
      file('edge.crt', edge.cert)
      file('edge.key', edge.key)

      const certificateAuthorities = [clients.cert]
      const anonymously = authenticate({
        issuer: 'https://id.test',
        audience: 'https://api.test',
        required: false,
      })
      const app = (guard: Guard) => telling([guard, anonymously])
      ports.node = await listen(
        createServer(
          byPath({
            '/': app(gateway(nginx({ provenBy, clientCertificate: true, certificateAuthorities }))),
            '/word': app(gateway(nginx({ provenBy, clientCertificate: true }))),
            '/without': app(gateway(nginx({ provenBy }))),
          }),
        ),
      )
      const certificate: ProvenBy = { peerCertificate: { names: ['DNS:edge.internal'] } }
      const both = [certificate, provenBy]
      const byCertificate = byPath({
        '/': app(gateway(nginx({ provenBy: both, clientCertificate: true }))),
        '/without': app(gateway(nginx({ provenBy: both }))),
        '/alone': app(
          gateway(nginx({ provenBy: certificate, clientCertificate: true, removes: ['x-edge-secret'] })),
        ),
      })
      ports.nodeTls = await listen(
        createTlsServer(
          { ...orders, ca: services.cert, requestCert: true, rejectUnauthorized: false },
          byCertificate,
        ),
      )
      ports.nodeHaproxy = await listen(
        createServer(
          byPath({
            '/': app(gateway(haproxy({ provenBy, clientCertificate: true }))),
            '/without': app(gateway(haproxy({ provenBy }))),
          }),
        ),
      )
      const outer = haproxy({ provenBy: { network: ['127.0.0.0/8'], reason: 'a test' } })
      ports.nodeTwo = await listen(createServer(app(gateway([nginx({ provenBy, protocol: false }), outer]))))

      const outermost = nginx({ provenBy: { network: ['127.0.0.0/8'], reason: 'a test' } })
      const adding = haproxy({ provenBy, protocol: false })
      ports.nodeAdding = await listen(createServer(app(gateway([adding, outermost]))))

      const assertion = gatewayAssertion({
        header: 'x-gateway-assertion',
        issuer: 'edge',
        audience: 'orders',
        secrets: Buffer.from(KEY, 'base64'),
      })
      ports.nodeSigning = await listen(
        createServer(
          byPath({
            '/': app(gateway(haproxy({ provenBy: { assertion } }), { unproven: 'strip' })),
            '/with': app(gateway(haproxy({ provenBy: { assertion }, clientCertificate: true }))),
          }),
        ),
      )

      const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0, j = 0] = await freePorts(10)
      Object.assign(ports, { nginx: a, bare: b, tls: c, haproxy: d, front: e, plain: f })
      Object.assign(ports, { forgetful: g, appending: h, adding: i, signing: j })
      const tls = `${shop.folder}/`
      const places = (port: number, node: number) => ({
        '443 ssl': `127.0.0.1:${port} ssl`,
        '127.0.0.1:3000': `127.0.0.1:${node}`,
        '/etc/nginx/tls/': tls,
      })
      const secret = { 'CHANGE-ME': SECRET }
      // What people forget: one header of its own, and a location inherits none.
      const bare = `server { listen 127.0.0.1:${b}; underscores_in_headers on; proxy_set_header X-Edge-Secret "${SECRET}";
      location / { proxy_pass http://127.0.0.1:${ports.node}; proxy_set_header X-Request-Id 1; } }`
      const plain = `server { listen 127.0.0.1:${f}; location / { proxy_pass http://127.0.0.1:${ports.nodeTwo}; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Edge-Secret "${SECRET}"; } }`
      // The certificate goes with the connection, also where a location forgets every header.
      const forgetful = `server { listen 127.0.0.1:${g}; location / { proxy_pass https://127.0.0.1:${ports.nodeTls};
      proxy_ssl_certificate ${tls}edge.crt; proxy_ssl_certificate_key ${tls}edge.key; proxy_ssl_session_reuse off;
      proxy_set_header X-Request-Id 1; } }`
      const appending = `server { listen 127.0.0.1:${h}; location / { proxy_pass http://127.0.0.1:${i}; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; } }`
      running.push(
        await startNginx(
          shop,
          a,
          [
            documented('nginx', { ...places(a, ports.node), ...secret }),
            documented('nginx with a certificate', { ...places(c, ports.nodeTls), ...secret }),
            bare,
            plain,
            forgetful,
            appending,
          ].join('\n'),
        ),
      )
      const haproxyPlaces = {
        ':443': `127.0.0.1:${d}`,
        '127.0.0.1:3000': `127.0.0.1:${ports.nodeHaproxy}`,
        '/etc/haproxy/tls/': tls,
        ...secret,
      }
      const twoHops = `frontend two\n  mode http\n  bind 127.0.0.1:${e} ssl crt ${join(shop.folder, 'server.pem')}\n  option forwardfor\n  http-request set-header X-Forwarded-Proto https\n  default_backend two\nbackend two\n  mode http\n  server nginx 127.0.0.1:${f}\n`
      const signs = documentedAssertion()
        .replaceAll(':443', `127.0.0.1:${j}`)
        .replaceAll('127.0.0.1:3000', `127.0.0.1:${ports.nodeSigning}`)
        .replaceAll('/etc/haproxy/tls/', tls)
        .replace('CHANGE-ME', KEY)
        .replace('frontend https', 'frontend signing')
        .replaceAll(/(backend) orders/g, '$1 signed')
      const adds = `frontend adds\n  mode http\n  bind 127.0.0.1:${i}\n  option forwardfor\n  http-request set-header X-Edge-Secret ${SECRET}\n  default_backend adds\nbackend adds\n  mode http\n  server node 127.0.0.1:${ports.nodeAdding}\n`
      alone.push(documented('haproxy', haproxyPlaces), signs)
      running.push(
        await startHaproxy(shop, d, `${documented('haproxy', haproxyPlaces)}\n${twoHops}\n${adds}\n${signs}`),
      )
    })

    afterAll(async () => {
      await Promise.all(running.map(({ stop }) => stop()))
      await Promise.all(
        servers.map(
          (server) =>
            new Promise((resolve) => {
              server.close(resolve)
              server.closeAllConnections()
            }),
        ),
      )
      for (const each of [clients, services, shop]) each?.close()
    })

    const ask = async (
      port: number,
      lines: readonly string[] = [],
      credential?: Credential,
      path = '/',
    ): Promise<Answer> =>
      parsed(await sendTls(port, services?.cert ?? '', rawRequest('GET', path, lines), credential))
    const direct = async (port: number, lines: readonly string[]): Promise<Answer> =>
      parsed(await sendRaw(port, rawRequest('GET', '/', lines)))
    const thumbprint = ({ cert }: Credential): string => forwarded(cert).thumbprint

    const expectTruth = ({ status, seen }: Answer, hop: string): void => {
      expect({ status, hop: seen.hop }).toEqual({ status: 200, hop })
      expect(seen).toMatchObject({
        address: '127.0.0.1',
        tls: true,
        host: 'api.test',
        ip: '127.0.0.1',
        secure: true,
        hostname: 'api.test',
      })
      expect(JSON.stringify(seen)).not.toMatch(/evil|admin|10\.0\.0|FORGED|Rk9SR0VE|edge-secret/)
    }

    it.each(['nginx', 'haproxy'] as const)('%s: with a certificate, and with none', async (hop) => {
      const [withOne, without] = [await ask(ports[hop], [], caller), await ask(ports[hop])]
      expectTruth(withOne, hop)
      expect(withOne.seen.certificateOf).toBe(thumbprint(caller))
      expectTruth(without, hop)
      expect(without.seen.certificateOf).toBeUndefined()
    })

    it.each(['nginx', 'haproxy'] as const)('%s: forged headers change nothing', async (hop) => {
      const lines = [...FORGED, ...FORGED_AS_THE_HOP]
      const [withOne, without] = [await ask(ports[hop], lines, caller), await ask(ports[hop], lines)]
      expectTruth(withOne, hop)
      expect(withOne.seen.certificateOf).toBe(thumbprint(caller))
      expectTruth(without, hop)
      expect(without.seen.certificateOf).toBeUndefined()
    })

    it.each<[string, 'nginx' | 'haproxy', 'nginx' | 'tls' | 'haproxy' | 'signing', string, boolean]>([
      ['nginx by secret', 'nginx', 'nginx', '/', true],
      ['nginx by secret, taken at its word', 'nginx', 'nginx', '/word', true],
      ['nginx by secret, without clientCertificate', 'nginx', 'nginx', '/without', false],
      ['nginx with a certificate', 'nginx', 'tls', '/', false],
      ['nginx with a certificate, without clientCertificate', 'nginx', 'tls', '/without', false],
      ['nginx with a certificate, and no secret', 'nginx', 'tls', '/alone', false],
      ['HAProxy', 'haproxy', 'haproxy', '/', true],
      ['HAProxy, without clientCertificate', 'haproxy', 'haproxy', '/without', false],
      ['HAProxy with an assertion', 'haproxy', 'signing', '/with', false],
      ['HAProxy with an assertion, without clientCertificate', 'haproxy', 'signing', '/', false],
    ])('%s: a forged certificate is never believed', async (_case, hop, port, path, forwards) => {
      const lines = forgedCertificate(hop, caller)
      const certificate = lines.find((line) => line.startsWith('X-SSL-Client-Cert'))?.slice(-60) ?? ''
      for (const [sent, credential] of [
        [lines, undefined],
        [lines, big],
        [lines.filter((line) => !/Verify|Used/.test(line)), undefined],
        [lines.filter((line) => !/-Cert:/.test(line)), undefined],
        [[...lines, port === 'signing' ? 'X-Gateway-Assertion: a.b.c' : 'X-Edge-Secret: forged'], undefined],
      ] as const) {
        const answer = await ask(ports[port], sent, credential, path)
        expectTruth(answer, hop)
        expect(answer.seen.certificateOf).toBe(forwards && credential ? thumbprint(credential) : undefined)
        expect(JSON.stringify(answer.seen)).not.toContain(certificate)
      }
      // In the spellings that other servers take for the same names, it is gone or refused.
      const spelled = lines.map((line) => line.replace(/^X-SSL-Client-(\w+)/, 'X_SSL_Client_$1'))
      const { status, seen } = await ask(ports[port], spelled, undefined, path)
      expect([200, 400]).toContain(status)
      expect(seen.certificateOf).toBeUndefined()
    })

    it('HAProxy has nothing to say against the documented configurations', () => {
      for (const [index, text] of alone.entries()) {
        const file = shop.write(`alone-${index}.cfg`, text)
        const { status, stdout, stderr } = spawnSync('haproxy', ['-c', '-f', file], { encoding: 'utf8' })
        expect({ status, said: `${stdout}${stderr}` }).toEqual({
          status: 0,
          said: expect.not.stringMatching(/warning|alert/i) as unknown,
        })
      }
      expect(alone).toHaveLength(2)
    })

    it.each(['nginx', 'haproxy'] as const)('%s: the host, without its port or as it came', async (hop) => {
      const text = rawRequest('GET', '/', []).replace(/^host: .*$/im, 'Host: API.test:8443')
      const { seen } = parsed(await sendTls(ports[hop], services?.cert ?? '', text))
      expect(seen.host).toBe(hop === 'nginx' ? 'api.test' : 'API.test:8443')
    })

    it.each(['nginx', 'haproxy'] as const)('%s: a certificate with 200 names', async (hop) => {
      const { status, seen } = await ask(ports[hop], [], big)
      expect(status).toBe(200)
      expect(seen.certificateOf).toBe(thumbprint(big))
    })

    it.each(['nginx', 'haproxy'] as const)('%s: a stranger’s certificate goes nowhere', async (hop) => {
      expect((await ask(ports[hop], [], stranger)).seen.hop).toBeUndefined()
    })

    it.each(['node', 'nodeHaproxy', 'nodeTwo'] as const)(
      '%s: past the gateway, with everything forged',
      async (port) => {
        expect(await direct(ports[port], [...FORGED, ...FORGED_AS_THE_HOP])).toMatchObject({
          status: 403,
          code: 'forbidden',
        })
      },
    )

    it('nginx: a location that forgets its headers is refused', async () => {
      expect(await direct(ports.bare, [...FORGED, ...FORGED_AS_THE_HOP])).toMatchObject({ status: 403 })
    })

    it.each<[string, string, number]>([
      ['nginx', 'X_Forwarded_For: 10.0.0.1', 200],
      ['haproxy', 'X_Forwarded_For: 10.0.0.1', 400],
      ['haproxy', 'X_SSL_Client_Verify: 0', 400],
      ['haproxy', 'X_Edge_Secret: x', 400],
      ['nginx', 'Connection: close, X-SSL-Client-Verify', 200],
      ['haproxy', 'Connection: close, X-SSL-Client-Verify', 400],
      ['haproxy', 'Connection: Authorization', 400],
    ])('%s: %s', async (hop, line, status) => {
      const answer = await ask(ports[hop as 'nginx'], [line], caller)
      expect(answer.status).toBe(status)
      if (status === 200) expectTruth(answer, hop)
    })

    it.each(['nginx', 'haproxy'] as const)('%s: two Authorization lines', async (hop) => {
      const lines = ['Authorization: Bearer one', 'authorization: Bearer two']
      expect((await ask(ports[hop], lines, caller)).status).toBe(400)
    })

    it('nginx proves itself by its certificate, and nobody else by another of the same authority', async () => {
      const answer = await ask(ports.tls, [...FORGED, 'X-Forwarded-For: 10.0.0.1'])
      expectTruth(answer, 'nginx')
      // The certificate of the connection is the hop's, and never the caller's.
      expect(answer.seen.certificateOf).toBeUndefined()
      const lines = [...FORGED, 'X-Forwarded-For: 10.0.0.1', 'X-Forwarded-Proto: https']
      const other = services?.issue('other', 'DNS.1=other.internal')
      for (const credential of [undefined, stranger, caller, other]) {
        const text = rawRequest('GET', '/', lines)
        const { status } = parsed(await sendTlsTo(ports.nodeTls, text, credential))
        expect(status).toBe(403)
      }
    })

    it('nginx with a certificate, in a location that forgets its headers, is refused with the caller’s', async () => {
      const forged = [
        'X-Forwarded-For: 10.0.0.1',
        'X-Forwarded-Proto: https',
        `X-SSL-Client-Cert: ${encodeURIComponent(caller.cert)}`,
        'X-SSL-Client-Verify: SUCCESS',
      ]
      expect(await direct(ports.forgetful, forged)).toMatchObject({ status: 403 })
      // What the documentation warns of: proven by the certificate alone, it is the caller who says all this.
      const { seen } = parsed(await sendRaw(ports.forgetful, rawRequest('GET', '/alone', forged)))
      expect(seen).toMatchObject({ address: '10.0.0.1', certificateOf: thumbprint(caller) })
    })

    it('nginx before HAProxy, which adds a line of its own: the client is the outer one’s', async () => {
      for (const lines of [[], ['X-Forwarded-For: 10.0.0.1'], FORGED]) {
        const { status, seen } = await direct(ports.appending, lines)
        expect({ status, hop: seen.hop }).toEqual({ status: 200, hop: 'haproxy' })
        expect(seen).toMatchObject({
          address: '127.0.0.1',
          ip: '127.0.0.1',
          ips: ['127.0.0.1'],
          host: 'api.test',
        })
        expect(JSON.stringify(seen)).not.toMatch(/evil|admin|10\.0\.0|edge-secret/)
      }
    })

    it.each([
      '/',
      '/a"b',
      '/a\\b',
      '//x',
      '/%22',
      '/?q="',
      '/","sub":"root","path":"/',
      '/","htm":"GET","path":"/","x":"',
    ])('HAProxy signs for the path %s, and nothing that stands in it', async (path) => {
      const lines = ['X-Gateway-Assertion: a.b.c', 'X-Forwarded-For: 10.0.0.1', ...FORGED]
      const text = rawRequest('GET', path, lines)
      const answer = parsed(await sendTls(ports.signing, services?.cert ?? '', text))
      expectTruth(answer, 'haproxy')
      const claims = answer.seen.claims as Readonly<Record<string, unknown>>
      expect(Object.keys(claims).sort()).toEqual(['aud', 'exp', 'htm', 'iat', 'iss', 'path'])
    })

    it('HAProxy before nginx: both are proven, and the client is the outer one’s', async () => {
      const answer = await ask(ports.front, ['X-Forwarded-For: 10.0.0.1', ...FORGED])
      expectTruth(answer, 'nginx')
      expect(answer.seen.raw.join()).not.toContain('127.0.0.1, ')
    })

    const sendTlsTo = (port: number, text: string, credential?: Credential): Promise<string> =>
      sendTls(port, services?.cert ?? '', text, credential, 'orders.internal')
  },
)
