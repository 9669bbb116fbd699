import { describe, expect, it, jest } from '@jest/globals'
import fc from 'fast-check'
import { requestPath, targetUri } from '../../src/authentication/binding/dpop/target-uri.js'
import {
  ORIGIN,
  boundService,
  carrying,
  checked,
  holder,
  present,
  proofClaims,
  proofsOf,
} from './dpop-client.js'
import { segment } from './harness.js'

const caller = holder()
const token = caller.token()
const good = caller.proof(token)
const [goodHeader, goodPayload, goodSignature] = good.split('.') as [string, string, string]
const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: caller.jwk }
const proofs = proofsOf({ nonce: {} })
const withoutNonces = proofsOf()

jest.setTimeout(60_000)

const runs = (numRuns: number): { numRuns: number; endOnFailure: boolean } => ({
  numRuns,
  endOnFailure: true,
})
const REFUSALS = /^dpop_proof_(malformed|invalid|mismatch|expired)( [\w ]+)?$/

/** A refusal of the catalogue: not let in, no fault of ours, and nothing of the text in what is recorded. */
async function isRefused(text: string): Promise<void> {
  if (text === good) return
  expect(await checked(withoutNonces, carrying(text), token, caller.jkt)).toMatch(REFUSALS)
}

// What Node lets through in a field: latin1 without controls, but for the tab.
const fieldText = fc.string({
  unit: fc
    .integer({ min: 32, max: 255 })
    .filter((code) => code !== 127)
    .map((code) => String.fromCharCode(code)),
  maxLength: 300,
})
const base64url = fc.string({ unit: fc.constantFrom(...Array.from('ABCDwxyz0189-_')), maxLength: 80 })
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('', 'GET', 'ES256', 'none', 0, -1, 1e308, null, '__proto__', 'x'.repeat(300)),
)
const members = ['typ', 'alg', 'jwk', 'crit', 'kid', 'b64', '__proto__', 'constructor', 'x5c', 'jku']
const claimNames = ['jti', 'htm', 'htu', 'iat', 'ath', 'nonce', 'exp', 'nbf', '__proto__', 'toString']
const keyMembers = ['kty', 'crv', 'x', 'y', 'd', 'k', 'n', 'e', 'use', 'key_ops', 'alg', 'ext', 'kid', 'oth']

/** JSON text of an object with some members replaced, added or left out; `__proto__` as a member, not as a prototype. */
const altered = (base: object, names: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(fc.constantFrom(...names), fc.option(odd, { nil: undefined })), {
      minLength: 1,
      maxLength: 4,
    })
    .map((changes) => {
      const all = new Map<string, unknown>(Object.entries(base))
      for (const [name, value] of changes) all.set(name, value)
      const written = [...all].filter(([, value]) => value !== undefined)
      return `{${written.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`
    })

describe('whatever stands in the DPoP field', () => {
  it('text', () => fc.assert(fc.asyncProperty(fieldText, isRefused), runs(10_000)))

  it('segments', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(base64url, fc.constantFrom(goodHeader, goodPayload, goodSignature, '')), {
          maxLength: 6,
        }),
        (segments) => isRefused(segments.join('.')),
      ),
      runs(10_000),
    ))

  it('a good proof with characters changed, cut out or put in', () =>
    fc.assert(
      fc.asyncProperty(
        fc.nat(good.length),
        fc.nat(3),
        fc.string({ unit: fc.constantFrom(...Array.from('AZaz09-_.=+/ ,\u00e9')), maxLength: 3 }),
        (at, cut, put) => isRefused(good.slice(0, at) + put + good.slice(at + cut)),
      ),
      runs(10_000),
    ))

  it('a header of other members, signed', () =>
    fc.assert(
      fc.asyncProperty(altered(header, members), async (text) => {
        const said = await checked(proofs, carrying(caller.sign(text, proofClaims(token))), token, caller.jkt)
        expect(said).toMatch(/^dpop_(proof_(malformed|mismatch|invalid)|nonce_required)/)
      }),
      runs(1500),
    ))

  it('a key of other members, signed', () =>
    fc.assert(
      fc.asyncProperty(altered(caller.jwk, keyMembers), async (jwk) => {
        const text = `{"typ":"dpop+jwt","alg":"ES256","jwk":${jwk}}`
        const said = await checked(proofs, carrying(caller.sign(text, proofClaims(token))), token, caller.jkt)
        expect(said).toMatch(/^dpop_(proof_(malformed|mismatch|invalid)|nonce_required)/)
      }),
      runs(1500),
    ))

  it('other claims, signed: they are what decides', () =>
    fc.assert(
      fc.asyncProperty(altered(proofClaims(token), claimNames), async (payload) => {
        const text = `${segment(header)}.${segment(payload)}`
        const [, , signature = ''] = caller.sign(header, payload).split('.')
        const said = await checked(withoutNonces, carrying(`${text}.${signature}`), token, caller.jkt)
        if (said === 'accepted' || said === 'dpop_proof_replayed') {
          const { htm, htu, ath, jti } = JSON.parse(payload) as Record<string, unknown>
          expect([htm, htu, ath]).toEqual(['GET', `${ORIGIN}/`, proofClaims(token)['ath']])
          expect(typeof jti).toBe('string')
        } else expect(said).toMatch(REFUSALS)
      }),
      runs(1500),
    ))

  it('over HTTP: 401, and a challenge that does not quote it', async () => {
    const to = boundService()
    await fc.assert(
      fc.asyncProperty(fieldText, async (text) => {
        const answer = await present(to, token, text)
        expect(answer.status).toBe(401)
        expect(answer.headers['www-authenticate']).toMatch(/^DPoP algs="[\w ]+", error="invalid_dpop_proof"$/)
      }),
      runs(100),
    )
    expect(to.served()).toBe(0)
  })
})

describe('whatever a URL is', () => {
  const piece = fc.constantFrom(
    ...[
      'https',
      'http',
      ':',
      '/',
      '//',
      '\\',
      '@',
      '?',
      '#',
      '.',
      '..',
      '%2e',
      '%2F',
      '%',
      ' ',
      '\t',
      '\n',
      '\u0000',
    ],
    ...['orders.example', 'ORDERS.EXAMPLE', 'evil.example', ':443', ':80', '[::1]', 'a', ';', 'é', '。'],
  )
  const anyUrl = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    fc.array(piece, { maxLength: 8 }).map((pieces) => `${ORIGIN}${pieces.join('')}`),
    fc.webUrl({ withFragments: true, withQueryParameters: true }),
    fc.string({ unit: 'binary' }),
  )

  it('one that is read as ours is ours to the platform too, with the same path', () => {
    fc.assert(
      fc.property(anyUrl, (text) => {
        const read = targetUri(text)
        if (read?.origin !== ORIGIN) return
        const platform = new URL(text)
        expect(platform.origin).toBe(ORIGIN)
        // The platform turns a backslash into a slash, and leaves escapes as they are; nothing here may do either.
        // It also keeps dots at the end of a path that begins with an empty segment (`//.a/.`): RFC 3986 has no such case.
        if (!/[\\%]/.test(text) && !/\/\.\.?$/.test(platform.pathname))
          expect(read.path).toBe(platform.pathname)
      }),
      runs(20_000),
    )
  })

  it('a path that is compared is in normal form and has one reading', () => {
    fc.assert(
      fc.property(anyUrl, (text) => {
        const path = requestPath(text)
        if (path === undefined) return
        expect(path).toMatch(/^\/[\x21-\x7e]*$/)
        expect(path.split('/')).not.toContain('..')
        expect(requestPath(path)).toBe(path)
        expect(targetUri(`${ORIGIN}${path}`)).toEqual({ origin: ORIGIN, path })
      }),
      runs(20_000),
    )
  })
})
