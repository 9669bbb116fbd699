import type { X509Certificate } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { base64Der } from '../../../src/transport/gateway/formats/base64-der.js'
import { clientCert, clientCertChain } from '../../../src/transport/gateway/formats/client-cert-fields.js'
import { escapedPem } from '../../../src/transport/gateway/formats/escaped-pem.js'
import { MalformedValue } from '../../../src/transport/gateway/formats/malformed-value.js'
import { spacedPem } from '../../../src/transport/gateway/formats/spaced-pem.js'
import { escapedTraefikList, traefikList } from '../../../src/transport/gateway/formats/traefik-list.js'
import { viewerAddress } from '../../../src/transport/gateway/formats/viewer-address.js'
import { xfcc } from '../../../src/transport/gateway/formats/xfcc.js'
import { ISSUING, ORDERS, base64Of, escaped, escapedByAws, sha256, spaced, x509 } from './certificates.js'

interface Format {
  readonly name: string
  readonly read: (value: string) => readonly X509Certificate[]
  readonly good: string
  /** All base64 that stands in a value, in order, as the characters that it means. */
  readonly base64In: (value: string) => string
}

const asItStands = (value: string): string => value.replace(/-----[A-Z ]+-----|[^A-Za-z0-9+/]/g, '')
const unescaped = (value: string): string => asItStands(decodeURIComponent(value))
const forwarded = `By=spiffe://acme.test/gateway;Hash=${sha256(ORDERS)};Cert="${escaped(ORDERS)}";Subject="CN=orders"`

const FORMATS: readonly Format[] = [
  { name: 'escaped PEM', read: escapedPem, good: escaped(ORDERS), base64In: unescaped },
  { name: 'escaped PEM of AWS', read: escapedPem, good: escapedByAws(ORDERS), base64In: unescaped },
  { name: 'spaced PEM', read: spacedPem, good: spaced(ORDERS), base64In: asItStands },
  { name: 'base64 DER', read: base64Der, good: base64Of(ORDERS), base64In: asItStands },
  { name: 'Traefik 3', read: traefikList, good: base64Of(ORDERS), base64In: asItStands },
  {
    name: 'Traefik 2',
    read: escapedTraefikList,
    good: encodeURIComponent(base64Of(ORDERS)),
    base64In: unescaped,
  },
  { name: 'Client-Cert', read: clientCert, good: `:${base64Of(ORDERS)}:`, base64In: asItStands },
  { name: 'Client-Cert-Chain', read: clientCertChain, good: `:${base64Of(ORDERS)}:`, base64In: asItStands },
  {
    name: 'X-Forwarded-Client-Cert',
    read: (value) => [xfcc(value).certificate],
    good: forwarded,
    base64In: (value) => unescaped(/(?:^|;)cert="?([^";]*)/i.exec(value)?.[1] ?? ''),
  },
]

const ORIGINAL = x509(ORDERS).raw
const ISSUER_KEY = x509(ISSUING).publicKey

/**
 * Either the value is malformed; or what was read is, bit for bit, what stands there, and then it is the certificate
 * that was issued, or one that its issuer never signed.
 */
function holds({ read, base64In }: Format, value: string): void {
  let certificates: readonly X509Certificate[]
  try {
    certificates = read(value)
  } catch (problem) {
    if (!(problem instanceof MalformedValue)) throw problem
    return
  }
  const written = certificates.map(({ raw }) => raw.toString('base64').replace(/=+$/, '')).join('')
  if (written !== base64In(value)) throw new Error('read something that does not stand there')
  for (const certificate of certificates) {
    if (!certificate.raw.equals(ORIGINAL) && certificate.verify(ISSUER_KEY)) throw new Error('forged')
  }
}

const RUNS = 3000

// What Node lets through in a field: latin1 without controls, but for the tab.
const anyText = fc.string({
  unit: fc.integer({ min: 32, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 300,
})
const pieces = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...Array.from(':,;="\\ %-\t'),
        '%0A',
        '%20',
        '%2B',
        '%00',
        '%C0%8A',
        'Hash=',
        'Cert=',
        'URI=',
      ),
      fc.constantFrom(
        '-----BEGIN CERTIFICATE-----',
        '-----END CERTIFICATE-----',
        '-----BEGIN%20CERTIFICATE-----%0A',
      ),
      fc.constantFrom(
        base64Of(ORDERS),
        base64Of(ISSUING),
        escaped(ORDERS),
        `"${escaped(ORDERS)}"`,
        sha256(ORDERS),
      ),
      fc.base64String({ maxLength: 40 }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))

function changed(good: string): fc.Arbitrary<string> {
  const edit = fc.record({
    at: fc.nat({ max: good.length }),
    remove: fc.nat({ max: 4 }),
    insert: fc.string({ unit: fc.constantFrom(...Array.from('AMgQz09+/=:,;"\\% -\u00e9')), maxLength: 4 }),
  })
  return fc
    .array(edit, { minLength: 1, maxLength: 3 })
    .map((edits) =>
      edits.reduce(
        (text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove),
        good,
      ),
    )
}

describe.each(FORMATS)('whatever stands in $name', (format) => {
  it('is malformed, or read as it stands', () => {
    expect(format.read(format.good)[0]?.raw.equals(ORIGINAL)).toBe(true)
    fc.assert(
      fc.property(fc.oneof(anyText, pieces), (value) => {
        holds(format, value)
      }),
      { numRuns: RUNS },
    )
  })

  it('with a few characters changed, is never another certificate of the same issuer', () => {
    fc.assert(
      fc.property(changed(format.good), (value) => {
        holds(format, value)
      }),
      { numRuns: RUNS },
    )
  })
})

describe('whatever changes in X-Forwarded-Client-Cert', () => {
  it('leaves the certificate whose hash stands there, or nothing', () => {
    fc.assert(
      fc.property(changed(forwarded), (value) => {
        if (!value.includes(`Hash=${sha256(ORDERS)}`)) return
        try {
          if (!xfcc(value).certificate.raw.equals(ORIGINAL)) throw new Error('another certificate')
        } catch (problem) {
          if (!(problem instanceof MalformedValue)) throw problem
        }
      }),
      { numRuns: RUNS },
    )
  })
})

describe('whatever stands in CloudFront-Viewer-Address', () => {
  it('is malformed, or an address that stands there', () => {
    const text = fc.oneof(
      anyText,
      fc.string({ unit: fc.constantFrom(...Array.from('0123456789abf:.[]')), maxLength: 30 }),
      fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat({ max: 70_000 })).map((parts) => parts.join(':')),
    )
    fc.assert(
      fc.property(text, (value) => {
        try {
          if (!value.includes(viewerAddress(value))) throw new Error('made up')
        } catch (problem) {
          if (!(problem instanceof MalformedValue)) throw problem
        }
      }),
      { numRuns: RUNS },
    )
  })
})
