import { describe, expect, it } from '@jest/globals'
import { MalformedValue } from '../../../src/transport/gateway/formats/malformed-value.js'
import { xfcc } from '../../../src/transport/gateway/formats/xfcc.js'
import { HOSTILE, ISSUING, NESTED, ORDERS, ROOT, SELF_SIGNED, escaped, sha256 } from './certificates.js'

const BY = 'By=spiffe://acme.test/ns/prod/sa/gateway'

/** An element as Envoy writes it: `Cert`, `Chain` and `Subject` in quotes, the rest bare. */
function element(pem: string, ...more: readonly string[]): string {
  return [`Hash=${sha256(pem)}`, `Cert="${escaped(pem)}"`, ...more].join(';')
}

const good = element(ORDERS)

const subjectOf = (value: string, elements?: number): string => xfcc(value, elements).certificate.subject
const refuses = (value: string, elements?: number): void => {
  expect(() => xfcc(value, elements)).toThrow(MalformedValue)
}

describe('X-Forwarded-Client-Cert', () => {
  it.each([
    ['Hash and Cert', good],
    [
      'everything that Envoy writes',
      `${BY};${good};Subject="CN=orders,O=\\"Acme; Inc\\"";URI=spiffe://a/b;DNS=a;DNS=b`,
    ],
    ['keys in any case', good.replace('Hash', 'hash').replace('Cert', 'CERT')],
    ['a hash in capitals', good.replace(sha256(ORDERS), sha256(ORDERS).toUpperCase())],
    ['empty values', `By=;${good};URI=;DNS=`],
    ['a comma and a semicolon in quotes', `${good};URI="spiffe://a/b,Hash=00;URI=c"`],
  ])('is read with %s', (_what, value) => {
    expect(xfcc(value)).toMatchObject({ certificate: { subject: 'CN=orders' }, chain: [] })
  })

  it('takes the identity from the certificate alone', () => {
    expect(subjectOf(`Subject="CN=admin";URI=spiffe://acme.test/admin;DNS=admin;${good}`)).toBe('CN=orders')
  })

  it('reads Chain, which begins with the certificate, without it', () => {
    const { chain } = xfcc(`${good};Chain="${escaped(ORDERS + ISSUING + ROOT)}"`)
    expect(chain.map(({ subject }) => subject)).toEqual(['CN=Acme Issuing CA', 'CN=Acme Client CA'])
  })

  it('is read of as many elements as were configured, and the last is the gateway’s', () => {
    expect(subjectOf(`${element(SELF_SIGNED)},${good}`, 2)).toBe('CN=orders')
    expect(subjectOf(`${element(ISSUING)},${good}`, 2)).toBe('CN=orders')
  })

  it.each(['URI=spiffe://a/x', 'DNS=a', 'uri=', 'Dns='])(
    'has no %s beside several elements: a comma in it would make one of them',
    (pair) => {
      refuses(`${element(HOSTILE)};${pair},${good}`, 2)
      refuses(`${element(HOSTILE)},${good};${pair}`, 2)
      expect(subjectOf(`${good};${pair}`)).toBe('CN=orders')
    },
  )
})

describe('attacks on X-Forwarded-Client-Cert', () => {
  it.each([
    [
      'an element that the caller sent, before the gateway’s (APPEND_FORWARD)',
      `${element(SELF_SIGNED)},${good}`,
    ],
    ['an element after it', `${good},${element(SELF_SIGNED)}`],
    ['an element in front that is empty', `,${good}`],
    ['an element behind that is empty', `${good},`],
    [
      'a URI of the certificate with a comma, unquoted',
      `${element(HOSTILE)};URI=spiffe://acme.test/x,Hash=00;URI=spiffe://acme.test/admin;Cert="x"`,
    ],
    ['a URI that adds a whole element', `${element(HOSTILE)};URI=spiffe://a/x,${good}`],
    ['a URI that adds a pair', `${element(HOSTILE)};URI=spiffe://acme.test/x;URI=spiffe://acme.test/admin`],
    [
      'a URI that adds a certificate',
      `Hash=${sha256(ORDERS)};URI=spiffe://a/x;Cert="${escaped(ORDERS)}";Cert="${escaped(HOSTILE)}"`,
    ],
    ['a URI that adds an unknown key', `${good};URI=spiffe://a/x;Role=admin`],
    ['a URI that opens quotes', `${good};URI=spiffe://a/x";Subject="CN=orders"`],
    ['a URI that opens quotes and hides the next pair', `URI=x";Hash="y;Cert="${escaped(ORDERS)}"`],
    ['a DNS name that hides an element in quotes', `${good};DNS=a",${element(SELF_SIGNED)}"`],
    ['quotes that do not end', `${good};Subject="CN=orders`],
    ['quotes escaped at the end', `${good};Subject="CN=orders\\"`],
    ['a backslash outside quotes as an escape', `${good};URI=a\\,Hash=00`],
    ['a backslash within the certificate', good.replace('%0A', '%\\0A')],
    ['a backslash within the hash', `Hash="\\${sha256(ORDERS)}";Cert="${escaped(ORDERS)}"`],
    ['two hashes', `Hash=${sha256(ORDERS)};${good}`],
    ['two hashes, one in capitals', `HASH=${sha256(ORDERS)};${good}`],
    ['the hash of another certificate', good.replace(sha256(ORDERS), sha256(SELF_SIGNED))],
    ['no hash at all', `Cert="${escaped(ORDERS)}"`],
    ['no hash in Hash', good.replace(sha256(ORDERS), '')],
    ['a hash cut short', good.replace(sha256(ORDERS), sha256(ORDERS).slice(0, 40))],
    [
      'no certificate (details other than cert)',
      `Hash=${sha256(ORDERS)};Subject="CN=orders";URI=spiffe://a/b`,
    ],
    ['no certificate in Cert', 'Cert=""'],
    ['two certificates in Cert', `Cert="${escaped(ORDERS + ISSUING)}"`],
    ['a certificate within the certificate', element(NESTED)],
    ['a certificate that is not escaped', `Cert="${ORDERS.replaceAll('\n', ' ')}"`],
    ['a chain of somebody else', `${good};Chain="${escaped(SELF_SIGNED + ISSUING)}"`],
    ['an empty chain', `${good};Chain=""`],
    ['a key without a value', `${good};URI`],
    ['a value without a key', `${good};=x`],
    ['white space around a key', `${good}; URI=x`],
    ['white space around an element', ` ${good}`],
    ['a key of the prototype', `${good};__proto__=x;constructor=y`],
    ['nothing', ''],
    ['an empty byte sequence', '::'],
  ])('refuses %s', (_what, value) => {
    refuses(value)
  })

  it('refuses an element too few', () => {
    refuses(good, 2)
  })

  it('refuses an element before the last that does not parse', () => {
    refuses(`Role=admin,${good}`, 2)
    refuses(`,${good}`, 2)
  })

  it('refuses a thousand pairs', () => {
    refuses(`${good}${';DNS=a'.repeat(1000)}`)
  })
})
