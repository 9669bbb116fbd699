import { IncomingMessage } from 'node:http'
import { Socket, isIP } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { contextOf } from '../../src/core/context.js'
import { isSecurityProblem } from '../../src/core/problem.js'
import { gateway, type Gateway } from '../../src/transport/gateway.js'
import { forwardedAddress, networkTest } from '../../src/transport/gateway/addresses.js'
import { MalformedValue } from '../../src/transport/gateway/formats/malformed-value.js'
import { HeaderLines } from '../../src/transport/gateway/header-lines.js'
import { canonicalName, isKnownHeader } from '../../src/transport/gateway/known-headers.js'
import { apache } from '../../src/transport/gateway/profiles/apache.js'
import { haproxy } from '../../src/transport/gateway/profiles/haproxy.js'
import { nginx } from '../../src/transport/gateway/profiles/nginx.js'
import { certificates, type Certificates } from './gateway-certificates.js'
import { SECRET, provenBySecret as provenBy } from './gateway-harness.js'

/** A request as Node.js makes it of these lines, names and values in turn. */
function incoming(lines: readonly string[]): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  const raw = [...lines]
  req.rawHeaders = raw
  // What the parser calls; there is no public way to the same.
  ;(req as unknown as { _addHeaderLines(lines: string[], count: number): void })._addHeaderLines(
    raw,
    raw.length,
  )
  return req
}

const NAMES = [
  'X-Forwarded-For',
  'X-Forwarded-Proto',
  'X-Forwarded-Host',
  'Host',
  'X-SSL-Client-Cert',
  'X-SSL-Client-Verify',
  'X-SSL-Client-Used',
  'X-Edge-Secret',
  'Connection',
  'Forwarded',
  'X-User-Id',
  'Client-Cert',
  'Accept',
  '__proto__',
  'constructor',
]

const latin1 = fc.string({
  unit: fc
    .integer({ min: 32, max: 255 })
    .filter((code) => code !== 127)
    .map((code) => String.fromCharCode(code)),
  maxLength: 60,
})
const name = fc
  .tuple(fc.constantFrom(...NAMES), fc.integer({ min: 0, max: 5 }))
  .map(([text, how]) =>
    how === 0
      ? text.replaceAll('-', '_')
      : how === 1
        ? text.toUpperCase()
        : how === 2
          ? text.replace('-', '.')
          : text,
  )

let pki: Certificates

beforeAll(() => {
  pki = certificates()
})

afterAll(() => {
  pki.close()
})

const isHeaderOfGateways = (header: string): boolean =>
  isKnownHeader(canonicalName(header)) || canonicalName(header) === 'x-edge-secret'
const CANONICAL = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'])

describe('gateway, with random headers', () => {
  it('lets pass only what is proven, with one line of each and nothing else', async () => {
    const authorities = { certificateAuthorities: [pki.ca.cert] }
    const guards = [nginx, haproxy, apache].flatMap((profile): Gateway[] =>
      (['refuse', 'strip'] as const).map((unproven) =>
        gateway(profile({ provenBy, clientCertificate: true, ...authorities }), { unproven }),
      ),
    )
    const value = fc.oneof(
      latin1,
      fc.constantFrom(
        '203.0.113.9',
        '10.0.0.1, 203.0.113.9',
        'https',
        'SUCCESS',
        '0',
        '1',
        SECRET,
        '',
        '(null)',
        'NONE',
        'close',
      ),
      fc
        .constantFrom<keyof Certificates>('orders', 'evil')
        .chain((which) =>
          fc
            .constantFrom('escaped', 'der', 'spaced')
            .map((form) => (pki[which] as unknown as Record<string, string>)[form] as string),
        ),
    )
    const lines = fc.array(fc.tuple(name, value), { maxLength: 8 })
    const proven = fc.boolean()
    let passed = 0
    await fc.assert(
      fc.asyncProperty(lines, proven, fc.nat(guards.length - 1), async (pairs, isProven, which) => {
        const secret = isProven ? ['X-Edge-Secret', SECRET, 'X-Forwarded-For', '203.0.113.9'] : []
        const req = incoming([...pairs.flat(), ...secret])
        const problem = await (guards[which] as Gateway).verifyRequest(req).then(
          () => undefined,
          (cause: unknown) => cause,
        )
        const names = req.rawHeaders.filter((_, index) => index % 2 === 0)
        const left = [...names, ...Object.keys(req.headers), ...Object.keys(req.headersDistinct)].filter(
          isHeaderOfGateways,
        )
        if (problem !== undefined) {
          expect(isSecurityProblem(problem) && [400, 403].includes(problem.status)).toBe(true)
          expect(left).toEqual([])
          return
        }
        passed += 1
        const { client, provenHop } = contextOf(req)
        expect(left.filter((header) => !CANONICAL.has(header))).toEqual([])
        expect(new Set(names.filter(isHeaderOfGateways)).size).toBe(names.filter(isHeaderOfGateways).length)
        if (provenHop === undefined) {
          expect(left).toEqual([])
          expect(client.certificate).toBeUndefined()
          return
        }
        expect(isIP(client.address ?? '')).not.toBe(0)
        expect(req.headers['x-forwarded-for']).toBe(client.address)
        expect(client.certificate?.x509.fingerprint256 ?? pki.orders.x509.fingerprint256).toBe(
          pki.orders.x509.fingerprint256,
        )
      }),
      { numRuns: 4000, endOnFailure: true },
    )
    expect(passed).toBeGreaterThan(400)
  })

  it('reads an address or says that it is none', () => {
    const near = fc.oneof(
      latin1,
      fc.ipV4(),
      fc.ipV6(),
      fc.ipV4Extended(),
      fc.ipV6().map((ip) => `[${ip}]:443`),
      fc.ipV4().map((ip) => `::ffff:${ip}`),
      fc.ipV4().map((ip) => `${ip}:80`),
    )
    const inside = networkTest(['10.0.0.0/8', '2001:db8::/32'])
    fc.assert(
      fc.property(near, (entry) => {
        let address: string
        try {
          address = forwardedAddress(entry)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedValue)
          return
        }
        expect(isIP(address)).not.toBe(0)
        expect(typeof inside(address)).toBe('boolean')
      }),
      { numRuns: 10_000, endOnFailure: true },
    )
  })

  it('keeps every line that is not taken, in its order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, latin1), { maxLength: 12 }), (pairs) => {
        const req = incoming(pairs.flat())
        HeaderLines.take(req, isHeaderOfGateways, () => false)
        expect(req.rawHeaders).toEqual(pairs.filter(([header]) => !isHeaderOfGateways(header)).flat())
      }),
      { numRuns: 3000, endOnFailure: true },
    )
  })
})
