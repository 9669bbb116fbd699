import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  requireAuthnLevel,
  type RequireAuthnLevelOptions,
} from '../../src/authorization/require-authn-level.js'
import { defineGuard, type Guard } from '../../src/core/guard.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { createPrincipal } from '../../src/core/principal.js'
import { authenticate } from '../../src/authentication/authenticate.js'
import { forward, releaseClocks, stopClocks } from '../authentication/clock.js'
import { nowSeconds, outcome, send, service, signer, trusting } from '../authentication/harness.js'
import { anonymous, caller, get, passing } from './guards-support.js'

type Claims = Readonly<Record<string, unknown>>

const LEVEL = { acr: ['phr', 'mfa'] } as const
const RECENT = { maxAgeSeconds: 300 }

const withClaims = (claims: Claims, options: RequireAuthnLevelOptions): ReturnType<typeof get> =>
  get([caller({ claims }), requireAuthnLevel(options)])

/** What a parser of structured text would make of the header, line breaks of the RFC's examples aside. */
const asWritten = (lines: readonly string[]): string => lines.map((line) => line.trim()).join(' ')

describe('requireAuthnLevel', () => {
  beforeEach(stopClocks)
  afterEach(releaseClocks)

  it.each<[string, RequireAuthnLevelOptions, Claims, string | undefined]>([
    ['the one context', { acr: 'mfa' }, { acr: 'mfa' }, undefined],
    ['the context that is preferred', LEVEL, { acr: 'phr' }, undefined],
    ['the context that is liked less', LEVEL, { acr: 'mfa' }, undefined],
    ['another context', LEVEL, { acr: 'pwd' }, 'authn_level_insufficient'],
    ['no context', LEVEL, {}, 'authn_level_insufficient'],
    ['the context in another case', LEVEL, { acr: 'MFA' }, 'authn_level_insufficient'],
    ['a context that contains it', LEVEL, { acr: 'no-mfa' }, 'authn_level_insufficient'],
    ['both in one text', LEVEL, { acr: 'phr mfa' }, 'authn_level_insufficient'],
    ['a list', LEVEL, { acr: ['mfa'] }, 'authn_level_insufficient'],
    ['a number where a text is asked for', { acr: '2' }, { acr: 2 }, 'authn_level_insufficient'],
    ['a name that every object has', { acr: 'constructor' }, {}, 'authn_level_insufficient'],
    ['only the method of authentication', LEVEL, { amr: ['mfa'] }, 'authn_level_insufficient'],
  ])('with %s', async (_case, options, claims, reason) => {
    const { status, record } = await withClaims(claims, options)
    expect([status, record?.event.reason]).toEqual([reason === undefined ? 200 : 401, reason])
  })

  it.each<[string, unknown, string | undefined]>([
    ['just now', 0, undefined],
    ['at the limit and its tolerance', -305, undefined],
    ['a second longer ago', -306, 'authn_too_old'],
    ['in the future, within the tolerance', 5, undefined],
    ['in the future', 6, 'authn_too_old'],
    ['at an unknown time', undefined, 'authn_too_old'],
    ['at a time in text', 'text', 'authn_too_old'],
    ['at no number', NaN, 'authn_too_old'],
    ['at infinity', Infinity, 'authn_too_old'],
    ['before all time', -Infinity, 'authn_too_old'],
    ['null', null, 'authn_too_old'],
    ['in a list', [0], 'authn_too_old'],
  ])('where the user authenticated %s', async (_case, offset, reason) => {
    const authTime =
      typeof offset === 'number' ? nowSeconds() + offset : offset === 'text' ? String(nowSeconds()) : offset
    const { status, record } = await withClaims({ auth_time: authTime }, RECENT)
    expect([status, record?.event.reason]).toEqual([reason === undefined ? 200 : 401, reason])
  })

  it('asks for both where both are wanted, whichever is missed, and records the first', async () => {
    const both = { ...LEVEL, ...RECENT }
    const old = nowSeconds() - 1000
    const weak = await withClaims({ acr: 'pwd', auth_time: nowSeconds() }, both)
    const stale = await withClaims({ acr: 'mfa', auth_time: old }, both)
    const neither = await withClaims({ acr: 'pwd', auth_time: old }, both)
    for (const { headers } of [weak, stale, neither])
      expect(headers['www-authenticate']).toContain('acr_values="phr mfa", max_age="300"')
    expect([weak, stale, neither].map(({ record }) => record.event.reason)).toEqual([
      'authn_level_insufficient',
      'authn_too_old',
      'authn_level_insufficient',
    ])
    expect((await withClaims({ acr: 'mfa', auth_time: nowSeconds() }, both)).status).toBe(200)
  })

  it('has no tolerance where none is given', async () => {
    const strict = { maxAgeSeconds: 60, clockToleranceSeconds: 0 }
    expect((await withClaims({ auth_time: nowSeconds() - 60 }, strict)).status).toBe(200)
    expect((await withClaims({ auth_time: nowSeconds() - 61 }, strict)).status).toBe(401)
    expect((await withClaims({ auth_time: nowSeconds() + 1 }, strict)).status).toBe(401)
  })

  describe('RFC 9470, as written', () => {
    it('section 3, the challenge that indicates acr_values', async () => {
      const { status, headers } = await withClaims({ acr: 'pwd' }, { acr: 'myACR' })
      expect(status).toBe(401)
      expect(headers['www-authenticate']).toBe(
        asWritten([
          'Bearer error="insufficient_user_authentication",',
          '  error_description="A different authentication level is required",',
          '  acr_values="myACR"',
        ]),
      )
    })

    it('section 3, the challenge that indicates max_age', async () => {
      const { status, headers } = await withClaims({ auth_time: nowSeconds() - 60 }, { maxAgeSeconds: 5 })
      expect(status).toBe(401)
      expect(headers['www-authenticate']).toBe(
        asWritten([
          'Bearer error="insufficient_user_authentication",',
          '  error_description="More recent authentication is required",',
          '  max_age="5"',
        ]),
      )
    })

    it('section 6.1, the claims of the example token', async () => {
      const claims = {
        iss: 'https://as.example.net',
        sub: 'someone@example.net',
        aud: 'https://rs.example.com',
        exp: 1646343000,
        iat: 1646340200,
        jti: 'e1j3V_bKic8-LAEB_lccD0G',
        client_id: 's6BhdRkqt3',
        scope: 'purchase',
        auth_time: 1646340198,
        acr: 'myACR',
      }
      expect((await withClaims(claims, { acr: 'myACR' })).status).toBe(200)
      expect((await withClaims(claims, { acr: 'myACR', maxAgeSeconds: 5 })).status).toBe(401)
    })
  })

  it('tells the scheme that was used, and the metadata of the service, in the one challenge', async () => {
    const key = signer()
    const resourceMetadata = 'https://api.test/.well-known/oauth-protected-resource'
    const to = service([
      authenticate({ ...trusting(key), resourceMetadata }),
      requireAuthnLevel({ acr: 'mfa' }),
    ])
    const { headers } = await send(to, key.token({ acr: 'pwd' }))
    expect(headers['www-authenticate']).toBe(
      `Bearer resource_metadata="${resourceMetadata}", error="insufficient_user_authentication", ` +
        'error_description="A different authentication level is required", acr_values="mfa"',
    )
  })

  it('looks at the time of each request, also of a token that is remembered', async () => {
    const key = signer()
    const to = service([authenticate(trusting(key)), requireAuthnLevel({ maxAgeSeconds: 60 })])
    const token = key.token({ auth_time: nowSeconds(), exp: nowSeconds() + 600 })
    await expect(outcome(to, token)).resolves.toEqual([200, 'passed'])
    forward(66_000)
    await expect(outcome(to, token)).resolves.toEqual([401, 'authn_too_old'])
    expect(to.decisions.at(-2)?.reason).toBe('remembered')
  })

  it('answers 401 without an error to nobody, and 500 where no authentication ran', async () => {
    const nobody = await get([anonymous, requireAuthnLevel({ acr: 'mfa' })])
    expect([nobody.status, nobody.headers['www-authenticate']]).toEqual([401, 'Bearer'])
    const unasked = await get([passing, requireAuthnLevel({ acr: 'mfa' })])
    expect([unasked.status, unasked.record.event.reason]).toEqual([500, 'guard_order'])
  })

  it('says nothing of what the credential says, to the caller or in the record', async () => {
    const { text, headers, record } = await withClaims({ acr: 'urn:secret' }, { acr: 'mfa' })
    expect(`${text}${JSON.stringify(headers)}${JSON.stringify(record)}`).not.toContain('urn:secret')
    expect(JSON.parse(text).code).toBe('insufficient_user_authentication')
    expect(record.evidence).toEqual({ required: ['mfa'] })
  })

  it('lets a refusal pass in report mode, and records it', async () => {
    const { status, record } = await withClaims({}, { acr: 'mfa', mode: 'report' })
    expect(status).toBe(200)
    expect(record.event).toMatchObject({ mode: 'report', reason: 'authn_level_insufficient' })
  })

  it('reads no claim through a prototype, whoever made the principal', async () => {
    const inheriting: Guard = defineGuard({
      kind: 'testLogin',
      layer: 'authentication',
      name: 'test',
      check(_req, context) {
        const claims: unknown = Object.create({ acr: 'mfa', auth_time: nowSeconds() })
        const facts = {
          type: 'user',
          subject: 'ada',
          issuer: 'https://id.test',
          authenticatedBy: 'test',
        } as const
        context.authenticateAs({ ...createPrincipal(facts), claims: claims as Claims }, {})
        return { reason: 'verified' }
      },
    })
    for (const options of [{ acr: 'mfa' }, RECENT])
      expect((await get([inheriting, requireAuthnLevel(options)])).status).toBe(401)
  })

  it('says what it asks for', () => {
    expect(guardMetadataOf(requireAuthnLevel({ acr: 'mfa', maxAgeSeconds: 60 }))).toMatchObject({
      kind: 'requireAuthnLevel',
      name: 'authn-level',
      layer: 'authorization',
      facts: { acr: ['mfa'], maxAgeSeconds: 60, clockToleranceSeconds: 5 },
    })
    expect(guardMetadataOf(requireAuthnLevel({ acr: 'mfa' }))?.facts).toEqual({ acr: ['mfa'] })
  })

  it('does not follow a list that is changed after set-up', async () => {
    const acr = ['mfa']
    const guard = requireAuthnLevel({ acr })
    acr.push('pwd')
    expect((await get([caller({ claims: { acr: 'pwd' } }), guard])).status).toBe(401)
  })

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'options'],
    ['neither', {}, 'acr, maxAgeSeconds or both'],
    ['an empty context', { acr: '' }, 'acr'],
    ['an empty list', { acr: [] }, 'acr'],
    ['two contexts in one text', { acr: 'a b' }, 'acr'],
    ['a context with a quote', { acr: 'a"' }, 'acr'],
    ['a context with a line break', { acr: 'a\r\nx: y' }, 'acr'],
    ['no age at all', { maxAgeSeconds: 0 }, 'maxAgeSeconds'],
    ['part of a second', { maxAgeSeconds: 0.5 }, 'maxAgeSeconds'],
    ['an age in text', { maxAgeSeconds: '60' }, 'maxAgeSeconds'],
    ['the name without a unit', { maxAge: 60 }, 'Did you mean maxAgeSeconds (seconds)?'],
    ['the name of the challenge', { acr_values: 'a' }, 'Did you mean acr?'],
    ['more tolerance than there is', { acr: 'a', clockToleranceSeconds: 61 }, 'clockToleranceSeconds'],
    ['an impossible mode', { acr: 'a', mode: 'off' }, 'mode'],
  ])('throws at set-up for %s', (_case, given, says) => {
    expect(() => requireAuthnLevel(given as never)).toThrow(TypeError)
    expect(() => requireAuthnLevel(given as never)).toThrow(says)
  })
})
