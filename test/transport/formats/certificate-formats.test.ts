import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { certificateThumbprint } from '../../../src/core/client-certificate.js'
import { base64Der } from '../../../src/transport/gateway/formats/base64-der.js'
import { clientCert, clientCertChain } from '../../../src/transport/gateway/formats/client-cert-fields.js'
import { escapedPem } from '../../../src/transport/gateway/formats/escaped-pem.js'
import { MalformedValue } from '../../../src/transport/gateway/formats/malformed-value.js'
import { spacedPem } from '../../../src/transport/gateway/formats/spaced-pem.js'
import { escapedTraefikList, traefikList } from '../../../src/transport/gateway/formats/traefik-list.js'
import {
  HOSTILE,
  ISSUING,
  NESTED,
  ORDERS,
  RFC_CLIENT_CERT,
  RFC_CLIENT_CERT_CHAIN,
  ROOT,
  base64Of,
  escaped,
  escapedByAws,
  spaced,
  x509,
} from './certificates.js'

type Read = (value: string) => readonly X509Certificate[]

const subjects = (certificates: readonly X509Certificate[]): readonly string[] =>
  certificates.map(({ subject }) => subject)

const BASE64 = base64Of(ORDERS)
const DER = x509(ORDERS).raw

/** Each format, what it makes of one certificate, and of a chain where it has chains. */
const FORMATS: readonly (readonly [string, Read, (pem: string) => string, string | undefined])[] = [
  ['escaped PEM', escapedPem, escaped, ''],
  ['escaped PEM of AWS', escapedPem, escapedByAws, ''],
  ['spaced PEM', spacedPem, spaced, ''],
  ['base64 DER', base64Der, base64Of, undefined],
  ['Traefik 3', traefikList, base64Of, ','],
  ['Traefik 2', escapedTraefikList, (pem) => encodeURIComponent(base64Of(pem)), ','],
  ['Client-Cert', clientCert, (pem) => `:${base64Of(pem)}:`, undefined],
  ['Client-Cert-Chain', clientCertChain, (pem) => `:${base64Of(pem)}:`, ', '],
]

describe.each(FORMATS)('%s', (_name, read, write, joint) => {
  it('reads a certificate, byte for byte', () => {
    const [certificate, ...others] = read(write(ORDERS))
    expect(certificate?.raw.equals(x509(ORDERS).raw)).toBe(true)
    expect(others).toEqual([])
  })

  it(joint === undefined ? 'refuses a second certificate' : 'reads a chain, leaf first', () => {
    const chain = [ORDERS, ISSUING, ROOT].map(write)
    if (joint === undefined) {
      for (const joined of ['', ',', ', ', ' ', ';'])
        expect(() => read(chain.join(joined))).toThrow(MalformedValue)
      return
    }
    expect(subjects(read(chain.join(joint)))).toEqual([
      'CN=orders',
      'CN=Acme Issuing CA',
      'CN=Acme Client CA',
    ])
  })

  it('keeps a name with separators to itself', () => {
    expect(subjects(read(write(HOSTILE)))).toEqual(['CN=mallory'])
  })

  it.each([
    '',
    '(null)',
    '::',
    ':',
    '-',
    'NONE',
    '{http.request.tls.client.certificate_der_base64}',
    ' ',
    ',',
    '::, ::',
  ])('refuses %j, which gateways send for no certificate', (value) => {
    expect(() => read(value)).toThrow(MalformedValue)
  })

  it('refuses a certificate that carries another in PEM form, which Node.js would read instead', () => {
    expect(new X509Certificate(Buffer.from(base64Of(NESTED), 'base64')).subject).toBe('CN=orders')
    expect(() => read(write(NESTED))).toThrow(MalformedValue)
  })

  it.each([
    ['a byte after the certificate', base64(DER, Buffer.alloc(1))],
    ['a second certificate after the first', base64(DER, DER)],
    ['a byte before the certificate', base64(Buffer.alloc(1), DER)],
    ['a certificate cut short', base64(DER.subarray(0, -1))],
    ['a longer form of a length than DER has', base64(Buffer.from([0x30, 0x83, 0]), DER.subarray(2))],
    [
      'a key instead of a certificate',
      base64(x509(ORDERS).publicKey.export({ format: 'der', type: 'spki' })),
    ],
    ['random bytes', base64(Buffer.alloc(300, 7))],
    ['PEM in base64', base64(Buffer.from(ORDERS))],
    ['base64url', BASE64.replaceAll('+', '-').replaceAll('/', '_')],
    ['padding in the middle', `${BASE64.slice(0, 40)}==${BASE64.slice(40)}`],
    ['padding too many', `${BASE64}====`],
    ['padding that is missing', base64Of(ISSUING).replace(/=+$/, '')],
    ['stray bits before the padding', base64Of(ISSUING).replace(/.(=+)$/, '/$1')],
    ['a stray character', `${BASE64.slice(0, 40)}!${BASE64.slice(40)}`],
  ])('refuses %s', (_what, body) => {
    expect(() => read(write(pemOf(body)))).toThrow(MalformedValue)
  })

  it.each(['\t', '\n', '\0', ',', ';', ':', '"', 'A', '=', '%', '%0', '%0A', '%20', '%00', '\u00e9', '-'])(
    'refuses %j before and after',
    (extra) => {
      expect(() => read(extra + write(ORDERS))).toThrow(MalformedValue)
      // The line end after PEM is the one thing that a PEM may have twice over, and does not.
      expect(() => read(write(ORDERS) + extra)).toThrow(MalformedValue)
    },
  )

  it('refuses a value longer than 16 KiB, whatever it is, at once', () => {
    const started = performance.now()
    for (const filler of ['A', ' ', ',', '%0A', ':', '=', '-', '"', '%'])
      expect(() => read(filler.repeat(1_000_000))).toThrow(MalformedValue)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  it('is done with 16 KiB of anything in a few milliseconds', () => {
    const started = performance.now()
    for (const filler of ['A', ' ', ',', '%0A', ':', '=', '-', '"', ' ,', 'A,', '::,', ';='])
      expect(() => read(filler.repeat(Math.floor(16_384 / filler.length)))).toThrow(MalformedValue)
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

function base64(...parts: readonly Buffer[]): string {
  return Buffer.concat(parts).toString('base64')
}

function pemOf(text: string): string {
  const lines = text.match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

describe('the certificates of RFC 9440 appendix A', () => {
  it('are those of the RFC', () => {
    const [certificate] = clientCert(RFC_CLIENT_CERT)
    expect(certificate?.subject).toBe('CN=BC')
    expect(certificateThumbprint(certificate!)).toBe('v68ffgcPn6jdYpBfFY2nP4ShE2Yk-6_Mk5PI9yh6aes')
  })

  it('form a chain', () => {
    const [certificate] = clientCert(RFC_CLIENT_CERT)
    const [intermediate, root] = clientCertChain(RFC_CLIENT_CERT_CHAIN)
    expect(certificate?.verify(intermediate!.publicKey)).toBe(true)
    expect(intermediate?.verify(root!.publicKey)).toBe(true)
  })
})

describe('structured fields', () => {
  const item = `:${BASE64}:`

  it.each([
    ['parameters', `${item};a=1`],
    ['a string', `"${BASE64}"`],
    ['a token', BASE64],
    ['one colon', `:${BASE64}`],
    ['white space inside', `: ${BASE64}:`],
  ])('with %s are refused', (_what, value) => {
    expect(() => clientCert(value)).toThrow(MalformedValue)
    expect(() => clientCertChain(value)).toThrow(MalformedValue)
  })

  it.each(['', ' ', '   '])('may have %j on either side of a comma', (space) => {
    expect(clientCertChain(`${item}${space},${space}${item}`)).toHaveLength(2)
  })

  it.each([`${item},`, `,${item}`, `${item},,${item}`, `${item} ${item}`])('are no list in %#', (value) => {
    expect(() => clientCertChain(value)).toThrow(MalformedValue)
  })
})

describe('PEM', () => {
  it('may end without a line end', () => {
    expect(escapedPem(escaped(ORDERS.trimEnd()))).toHaveLength(1)
    expect(spacedPem(spaced(ORDERS.trimEnd()))).toHaveLength(1)
  })

  it.each([
    ['text before', `Subject: admin\n${ORDERS}`],
    ['text between', `${ORDERS}Subject: admin\n${ISSUING}`],
    ['two line ends', `${ORDERS}\n`],
    ['CR LF', ORDERS.replaceAll('\n', '\r\n')],
    ['another kind of block', ORDERS.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE')],
    ['an end of another kind', ORDERS.replace('END CERTIFICATE', 'END PUBLIC KEY')],
    ['no end', ORDERS.replace('-----END CERTIFICATE-----\n', '')],
    ['no begin', ORDERS.replace('-----BEGIN CERTIFICATE-----\n', '')],
    ['a begin inside', ORDERS.replace('\n', '\n-----BEGIN CERTIFICATE-----\n')],
    ['an empty line', ORDERS.replace('\n', '\n\n')],
    ['no certificate', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
    ['one long line', `-----BEGIN CERTIFICATE-----\n${BASE64}\n-----END CERTIFICATE-----\n`],
    ['a header (RFC 1421)', ORDERS.replace('\n', '\nProc-Type: 4,ENCRYPTED\n\n')],
  ])('with %s is refused', (_what, pem) => {
    expect(() => escapedPem(escaped(pem))).toThrow(MalformedValue)
    expect(() => spacedPem(spaced(pem))).toThrow(MalformedValue)
  })

  it('of more than ten certificates is refused', () => {
    expect(escapedPem(escaped(ROOT.repeat(10)))).toHaveLength(10)
    expect(() => escapedPem(escaped(ROOT.repeat(11)))).toThrow(MalformedValue)
  })

  it.each([
    ['escaped twice', escaped(escaped(ORDERS))],
    ['escaped as in a form, with + for a space', escaped(ORDERS).replaceAll('%20', '+')],
    ['not escaped', ORDERS.replaceAll('\n', '%0A')],
    ['escaped as multi-byte characters', escaped(ORDERS).replaceAll('%0A', '%C0%8A')],
    ['escaped where nothing needs it', escaped(ORDERS).replace('M', '%4D')],
    ['with a carriage return', escaped(ORDERS).replaceAll('%0A', '%0D%0A')],
  ])('%s is refused', (_what, value) => {
    expect(() => escapedPem(value)).toThrow(MalformedValue)
  })

  it('keeps a plus sign, escaped or not', () => {
    expect(ORDERS + ISSUING + ROOT).toContain('+')
    const chain = ORDERS + ISSUING + ROOT
    expect(escapedByAws(chain)).toContain('+')
    expect(escapedPem(escapedByAws(chain)).map(({ raw }) => raw.toString('base64'))).toEqual(
      [ORDERS, ISSUING, ROOT].map(base64Of),
    )
  })
})
