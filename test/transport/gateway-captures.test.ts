import { afterAll, beforeAll, expect, it, afterEach } from '@jest/globals'
import { onEvent } from '../../src/core/events.js'
import { gateway } from '../../src/transport/gateway.js'
import type { Profile } from '../../src/transport/gateway/profile.js'
import { apache } from '../../src/transport/gateway/profiles/apache.js'
import { caddy } from '../../src/transport/gateway/profiles/caddy.js'
import { haproxy } from '../../src/transport/gateway/profiles/haproxy.js'
import { nginx } from '../../src/transport/gateway/profiles/nginx.js'
import { forward, releaseClocks, stopClocks } from '../authentication/clock.js'
import { describeWith, program, vectors } from '../support/requirements.js'
import { certificates, type Certificates, type Forwarded } from './gateway-certificates.js'
import {
  SECRET_LINE,
  captured,
  provenBySecret as provenBy,
  station,
  type Answer,
  type Station,
} from './gateway-harness.js'

const { folder } = vectors()
const XFF = 'X-Forwarded-For: 203.0.113.9'

const PROFILES = {
  nginx: (more = {}) => nginx({ provenBy, clientCertificate: true, ...more }),
  haproxy: (more = {}) =>
    haproxy({ provenBy, clientCertificate: { certificate: 'x-ssl-client-cert-der' }, ...more }),
  apache: (more = {}) => apache({ provenBy, clientCertificate: true, ...more }),
  caddy: (more = {}) =>
    caddy({
      provenBy,
      clientCertificate: { certificate: 'x-client-cert-der' },
      certificateAuthorities: [pki.ca.cert],
      ...more,
    }),
} as const
type Kind = keyof typeof PROFILES
const FORM: Readonly<Record<Kind, keyof Pick<Forwarded, 'escaped' | 'der' | 'spaced'>>> = {
  nginx: 'escaped',
  haproxy: 'der',
  apache: 'spaced',
  caddy: 'der',
}

let server: Station
let pki: Certificates

beforeAll(async () => {
  pki = certificates()
  server = await station()
})

afterAll(async () => {
  pki.close()
  await server.close()
})

/** What was captured, with a certificate of now in place of the one that is cut short. */
async function replay(
  kind: Kind,
  id: string,
  profile: Profile = PROFILES[kind](),
  more: readonly string[] = [],
): Promise<Answer> {
  const certificate = kind === 'nginx' && id === 'N6' ? pki.evil : pki.orders
  const lines = captured(folder, id).map((line) => line.replace('{certificate}', certificate[FORM[kind]]))
  expect(lines.length).toBeGreaterThan(0)
  return server.ask(gateway(profile), [SECRET_LINE, ...lines, ...more])
}

describeWith(vectors(), 'gateway, on what real gateways sent', () => {
  it.each<[string, Kind, string, boolean]>([
    ['nginx with a certificate', 'nginx', 'N1', true],
    ['nginx without one', 'nginx', 'N2', false],
    ['nginx without one, headers forged', 'nginx', 'N3', false],
    ['nginx with one, headers forged', 'nginx', 'N4', true],
    ['nginx, forwarding headers forged', 'nginx', 'N11', false],
    ['nginx, Connection abused', 'nginx', 'N13', true],
    ['HAProxy with a certificate', 'haproxy', 'H1', true],
    ['HAProxy without one, verdict 0', 'haproxy', 'H2', false],
    ['HAProxy without one, headers forged', 'haproxy', 'H3', false],
    ['HAProxy, forwarding headers forged', 'haproxy', 'H12', false],
    ['Apache without one', 'apache', 'A6', false],
  ])('%s (%s %s)', async (_case, kind, id, has) => {
    const { status, seen } = await replay(kind, id)
    expect(status).toBe(200)
    expect(seen).toMatchObject({ address: '127.0.0.1', hop: kind, host: 'api.test', tls: kind !== 'apache' })
    expect(seen.certificate).toBe(has ? pki.orders.thumbprint : undefined)
    expect(seen.certificateOf).toBe(seen.certificate)
    expect(JSON.stringify(seen)).not.toMatch(/evil\.test|10\.0\.0|10\.9\.9|Rk9SR0VE|forged|admin|SUCCESS/)
  })

  it('nginx that forwards what it did not verify (N6)', async () => {
    const { status, seen } = await replay('nginx', 'N6', undefined, [XFF, 'X-Forwarded-Proto: https'])
    expect(status).toBe(200)
    expect(seen.certificate).toBeUndefined()
  })

  it('nginx whose location sets nothing has no secret either (N7)', async () => {
    const answer = await server.ask(gateway(PROFILES.nginx()), captured(folder, 'N7'))
    expect(answer).toMatchObject({ status: 403, reason: 'hop_unproven' })
  })

  it('nginx that sets the secret but lets a verdict through is 400: there is no such certificate (N7)', async () => {
    expect(await replay('nginx', 'N7', undefined, [XFF])).toMatchObject({
      status: 400,
      reason: 'forwarded_header_malformed',
    })
  })

  it('HAProxy that forwards what it did not verify (H5)', async () => {
    const profile = haproxy({ provenBy, clientCertificate: { certificate: 'client-cert' } })
    const { status, seen } = await replay('haproxy', 'H5', profile, [XFF, 'X-SSL-Client-Used: 1'])
    expect(status).toBe(200)
    expect(seen.certificate).toBeUndefined()
  })

  it('HAProxy that adds instead of setting (H6)', async () => {
    const profile = haproxy({ provenBy, keeps: ['x-added-not-set'] })
    expect(await replay('haproxy', 'H6', profile, [XFF])).toMatchObject({
      status: 400,
      reason: 'forwarded_header_repeated',
    })
  })

  it('HAProxy that forwards a header with an underscore (H7)', async () => {
    const { seen } = await replay('haproxy', 'H7')
    expect(seen).toMatchObject({ address: '127.0.0.1' })
    expect(seen.distinct['x-forwarded-for']).toEqual(['127.0.0.1'])
    expect(seen.raw.join()).not.toMatch(/x_user_id|10\.0\.0/)
  })

  it('HAProxy that forwards the tokens of Connection (H8)', async () => {
    const answer = await replay('haproxy', 'H8', undefined, ['Connection: X-SSL-Client-Verify,Client-Cert'])
    expect(answer).toMatchObject({ status: 400, reason: 'connection_names_header' })
  })
})

describeWith(program('openssl', 'openssl'), 'gateway, on certificates', () => {
  const verdicts: Readonly<Record<Kind, readonly string[]>> = {
    nginx: ['X-SSL-Client-Verify: SUCCESS'],
    apache: ['X-SSL-Client-Verify: SUCCESS'],
    haproxy: ['X-SSL-Client-Verify: 0', 'X-SSL-Client-Used: 1'],
    caddy: [],
  }
  const header: Readonly<Record<Kind, string>> = {
    nginx: 'X-SSL-Client-Cert',
    apache: 'X-SSL-Client-Cert',
    haproxy: 'X-SSL-Client-Cert-DER',
    caddy: 'X-Client-Cert-DER',
  }
  const kinds = Object.keys(PROFILES) as Kind[]

  const ask = (kind: Kind, value: string | undefined, verdict = verdicts[kind], more = {}): Promise<Answer> =>
    server.ask(gateway(PROFILES[kind](more)), [
      SECRET_LINE,
      XFF,
      ...verdict,
      ...(value === undefined ? [] : [`${header[kind]}: ${value}`]),
    ])

  afterEach(() => {
    releaseClocks()
  })

  it.each(kinds)('%s: believes one that it says was verified', async (kind) => {
    expect((await ask(kind, pki.orders[FORM[kind]])).seen.certificate).toBe(pki.orders.thumbprint)
  })

  it.each(
    kinds.flatMap((kind) =>
      ['', '(null)', '::', 'NONE', '{http.request.tls.client.certificate_der_base64}'].map(
        (value) => [kind, value] as const,
      ),
    ),
  )('%s: "%s" is no certificate', async (kind, value) => {
    const { status, seen } = await ask(kind, value)
    expect(status).toBe(200)
    expect(seen.certificate).toBeUndefined()
  })

  it.each(
    kinds.flatMap((kind) =>
      ['FORGED', ':Rk9SR0VE:', 'é', '%00', `-----BEGIN CERTIFICATE-----`, 'AAAA', 'x'.repeat(9000)].map(
        (value) => [kind, value] as const,
      ),
    ),
  )('%s: "%s" is 400', async (kind, value) => {
    expect(await ask(kind, value)).toMatchObject({ status: 400, reason: 'forwarded_header_malformed' })
  })

  it.each<[Kind, string, string[]]>([
    ['nginx', 'no verdict', []],
    ['nginx', 'NONE', ['X-SSL-Client-Verify: NONE']],
    ['nginx', 'a failure', ['X-SSL-Client-Verify: FAILED:self-signed certificate']],
    ['nginx', 'a verdict in small letters', ['X-SSL-Client-Verify: success']],
    ['nginx', 'HAProxy’s verdict', ['X-SSL-Client-Verify: 0']],
    ['apache', 'GENEROUS', ['X-SSL-Client-Verify: GENEROUS']],
    ['apache', 'no verdict', []],
    ['haproxy', 'nothing about use', ['X-SSL-Client-Verify: 0']],
    ['haproxy', 'no use', ['X-SSL-Client-Verify: 0', 'X-SSL-Client-Used: 0']],
    ['haproxy', 'no verdict', ['X-SSL-Client-Used: 1']],
    ['haproxy', 'an empty verdict', ['X-SSL-Client-Verify:', 'X-SSL-Client-Used: 1']],
    ['haproxy', 'a self-signed one', ['X-SSL-Client-Verify: 18', 'X-SSL-Client-Used: 1']],
    ['haproxy', 'a verdict of zeros', ['X-SSL-Client-Verify: 00', 'X-SSL-Client-Used: 1']],
    ['haproxy', 'nginx’s verdict', ['X-SSL-Client-Verify: SUCCESS', 'X-SSL-Client-Used: 1']],
  ])('%s: with %s it is none', async (kind, _case, verdict) => {
    const { status, seen } = await ask(kind, pki.orders[FORM[kind]], verdict)
    expect(status).toBe(200)
    expect(seen.certificate).toBeUndefined()
    expect(seen.certificateOf).toBeUndefined()
  })

  it.each(kinds)('%s: two verdicts or certificates are 400', async (kind) => {
    const value = pki.orders[FORM[kind]]
    const twice = [...verdicts[kind], `${header[kind]}: ${value}`]
    expect(await ask(kind, value, twice)).toMatchObject({ status: 400, reason: 'forwarded_header_repeated' })
    const spelled = [...verdicts[kind], `${header[kind].replaceAll('-', '_')}: ${value}`]
    expect(await ask(kind, value, spelled)).toMatchObject({
      status: 400,
      reason: 'forwarded_header_repeated',
    })
  })

  it.each(kinds)('%s: one of another authority is none, and somebody is told', async (kind) => {
    const events: unknown[] = []
    const stop = onEvent((event) => events.push(event))
    const { status, seen } = await ask(kind, pki.evil[FORM[kind]], undefined, {
      certificateAuthorities: [pki.ca.cert],
    })
    stop()
    expect(status).toBe(200)
    expect(seen.certificate).toBeUndefined()
    expect(events).toEqual([
      { event: 'gateway_disagrees', severity: 'warn', facts: { hop: kind, about: 'authority' } },
    ])
  })

  it('believes one of any of several authorities', async () => {
    const both = { certificateAuthorities: `${pki.strangers.cert}${pki.ca.cert}` }
    expect((await ask('nginx', pki.evil.escaped, undefined, both)).seen.certificate).toBe(pki.evil.thumbprint)
    expect((await ask('nginx', pki.orders.escaped, undefined, both)).seen.certificate).toBe(
      pki.orders.thumbprint,
    )
  })

  it('believes none whose time is over, and tells', async () => {
    const events: unknown[] = []
    const stop = onEvent((event) => events.push(event))
    stopClocks()
    forward(2 * 86_400_000)
    const { seen } = await ask('nginx', pki.orders.escaped)
    stop()
    expect(seen.certificate).toBeUndefined()
    expect(events).toContainEqual({
      event: 'gateway_disagrees',
      severity: 'warn',
      facts: { hop: 'nginx', about: 'validity' },
    })
  })

  it('believes none of a profile that was not told of certificates', async () => {
    const { seen } = await server.ask(gateway(nginx({ provenBy })), [
      SECRET_LINE,
      XFF,
      ...verdicts.nginx,
      `X-SSL-Client-Cert: ${pki.orders.escaped}`,
    ])
    expect(seen.certificate).toBeUndefined()
    expect(JSON.stringify(seen)).not.toContain('BEGIN')
  })

  it('proves an outer hop by the certificate that the nearer one saw', async () => {
    const names = ['DNS:orders.internal']
    const guard = gateway([
      PROFILES.nginx({ protocol: false }),
      nginx({ name: 'outer', provenBy: { peerCertificate: { names } } }),
    ])
    const from = (x509: Forwarded, verdict: string) =>
      server.ask(guard, [
        SECRET_LINE,
        'X-Forwarded-For: 203.0.113.9, 192.0.2.1',
        `X-SSL-Client-Verify: ${verdict}`,
        `X-SSL-Client-Cert: ${x509.escaped}`,
      ])
    const { seen } = await from(pki.orders, 'SUCCESS')
    expect(seen).toMatchObject({ address: '203.0.113.9', hop: 'nginx' })
    // It was the outer hop's, and not the caller's.
    expect(seen.certificateOf).toBeUndefined()
    expect((await from(pki.evil, 'FAILED:self-signed certificate')).status).toBe(403)
  })

  it('throws for Caddy without authorities, and for what are none', () => {
    expect(() => caddy({ provenBy, clientCertificate: true })).toThrow(/certificateAuthorities/)
    expect(() =>
      nginx({ provenBy, clientCertificate: true, certificateAuthorities: [pki.orders.pem] }),
    ).toThrow(TypeError)
    expect(() => nginx({ provenBy, clientCertificate: { cert: 'x' } as never })).toThrow(TypeError)
  })
})
