import { describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { authenticate } from '../../src/authentication/authenticate.js'
import { jwtVerifier } from '../../src/authentication/jwt-verifier.js'
import { refusal } from '../../src/authentication/refusal.js'
import type { Verifier } from '../../src/authentication/verifier.js'
import { requireScopes } from '../../src/authorization/require-scopes.js'
import { contextOf } from '../../src/core/context.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { createPrincipal } from '../../src/core/principal.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { localIssuer } from '../../src/testing/local-issuer.js'
import { AUDIENCE, ISSUER, service, signer } from './harness.js'

const OTHER = 'https://other.test'
const [ours, theirs] = [signer(), signer()]
const jwt = jwtVerifier([
  { issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [ours.jwk] } },
  { issuer: OTHER, audience: 'https://api.other', jwks: { keys: [theirs.jwk] } },
])

const person = createPrincipal({ type: 'user', subject: 'p', issuer: 'test', authenticatedBy: 'fake' })

/** Takes every token that begins with `word`, and every header that is its own. */
function fake(word: string, more: Partial<Verifier> = {}): Verifier & { readonly asked: jest.Mock } {
  const asked = jest.fn(() => ({ principal: person }))
  return {
    kind: 'fake',
    challenge: 'Bearer',
    facts: {},
    recognises: ({ scheme, value }) => scheme === 'bearer' && value.startsWith(word),
    verify: asked,
    ...more,
    asked,
  }
}

const withKey = (more: Partial<Verifier> = {}): ReturnType<typeof fake> => {
  const asked = jest.fn(() => ({
    principal: createPrincipal({
      type: 'service',
      subject: 'k',
      issuer: 'keys',
      authenticatedBy: 'api-key',
      credentialId: 'id-1',
    }),
  }))
  return {
    ...fake(''),
    kind: 'api-key',
    challenge: 'ApiKey',
    header: 'x-api-key',
    recognises: ({ scheme }) => scheme === 'x-api-key',
    verify: asked,
    ...more,
    asked,
  }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe('several issuers', () => {
  const to = service(authenticate({ verifiers: [jwt] }))
  const ask = (token: string) => request(to.app).get('/').set(bearer(token))

  it('each accept their own tokens, for their own audience', async () => {
    await ask(ours.token()).expect(200)
    await ask(theirs.token({ iss: OTHER, aud: 'https://api.other' })).expect(200)
    await ask(theirs.token({ iss: OTHER, aud: 'https://api.other' })).expect(200)
  })

  it.each<[string, string, () => string]>([
    ['the key of another issuer, of the same kid', 'signature_invalid', () => theirs.token()],
    ['the audience of another issuer', 'audience_mismatch', () => theirs.token({ iss: OTHER })],
    ['an issuer that nobody trusts', 'issuer_mismatch', () => ours.token({ iss: 'https://third.test' })],
    ['an issuer with a slash', 'issuer_mismatch', () => ours.token({ iss: `${ISSUER}/` })],
    ['a list of issuers', 'issuer_mismatch', () => ours.token({ iss: [ISSUER] })],
    ['no issuer', 'issuer_mismatch', () => ours.token({ iss: undefined })],
    ['an issuer named __proto__', 'issuer_mismatch', () => ours.token({ iss: '__proto__' })],
  ])('refuse %s', async (_case, reason, token) => {
    const answer = await ask(token())
    expect([answer.status, to.lastReason()]).toEqual([401, reason])
    expect(answer.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
  })

  it('are asked for keys only where a token names them', async () => {
    const [first, second] = [await localIssuer(), await localIssuer()]
    try {
      const both = service(
        authenticate({
          verifiers: [
            jwtVerifier([
              { issuer: first.issuer, audience: AUDIENCE },
              { issuer: second.issuer, audience: AUDIENCE },
            ]),
          ],
        }),
      )
      await request(both.app)
        .get('/')
        .set(bearer(await second.token()))
        .expect(200)
      await request(both.app)
        .get('/')
        .set(bearer(ours.token({ iss: 'https://third.test' })))
        .expect(401)
      expect([first.requests.size, second.requests.size > 0]).toEqual([0, true])
    } finally {
      await Promise.all([first.stop(), second.stop()])
    }
  })

  it('never share keys, also where they say the same address', async () => {
    const issuer = await localIssuer()
    try {
      const jwksUri = `${issuer.issuer}/jwks`
      const shared = authenticate({
        verifiers: [
          jwtVerifier([
            { issuer: issuer.issuer, audience: AUDIENCE, jwksUri },
            { issuer: OTHER, audience: AUDIENCE, jwksUri },
          ]),
        ],
      })
      await shared.warmUp()
      expect(issuer.requests.get('/jwks')).toBe(2)
    } finally {
      await issuer.stop()
    }
  })

  it('one of which is out leave the others working', async () => {
    const verifier = jwtVerifier([
      { issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [ours.jwk] } },
      { issuer: 'http://127.0.0.1:9', audience: AUDIENCE },
    ])
    const half = service(authenticate({ verifiers: [verifier] }))
    await request(half.app).get('/').set(bearer(ours.token())).expect(200)
    await request(half.app)
      .get('/')
      .set(bearer(ours.token({ iss: 'http://127.0.0.1:9' })))
      .expect(503)
    expect(verifier.health?.().status).toBe('degraded')
  })

  it.each<[string, unknown]>([
    ['no issuer', []],
    [
      'the same issuer twice',
      [
        { issuer: ISSUER, audience: 'a', jwks: { keys: [ours.jwk] } },
        { issuer: ISSUER, audience: 'b', jwks: { keys: [ours.jwk] } },
      ],
    ],
    ['an unknown option', { issuer: ISSUER, audience: 'a', failureLimit: { limit: 1, windowSeconds: 1 } }],
    ['nothing', undefined],
  ])('throw at set-up for %s', (_case, options) => {
    expect(() => jwtVerifier(options as never)).toThrow(TypeError)
  })
})

describe('several verifiers', () => {
  it('are asked in order, and the first that recognises a credential decides', async () => {
    const [first, second] = [
      fake('a', {
        verify: () => {
          throw refusal('token_revoked')
        },
      }),
      fake(''),
    ]
    const to = service(authenticate({ verifiers: [first, second] }))
    const refused = await request(to.app).get('/').set(bearer('abc'))
    expect([refused.status, to.lastReason(), second.asked.mock.calls.length]).toEqual([
      401,
      'token_revoked',
      0,
    ])
    await request(to.app).get('/').set(bearer('xyz')).expect(200)
    expect(second.asked).toHaveBeenCalledTimes(1)
  })

  it('a JWT that is refused is shown to nobody else', async () => {
    const opaque = fake('')
    const to = service(authenticate({ verifiers: [jwt, opaque] }))
    for (const token of [ours.token({ aud: 'x' }), 'a.b.c', 'a..c', 'a.b.', 'a.b.c.d.e', `${ours.token()}A`])
      await request(to.app).get('/').set(bearer(token)).expect(401)
    expect(opaque.asked).not.toHaveBeenCalled()
    await request(to.app).get('/').set(bearer('opaque-token')).expect(200)
  })

  it.each<[string, Record<string, string | string[]>, number, string]>([
    ['nothing', {}, 401, 'credential_missing'],
    ['another scheme', { authorization: 'Basic YTpi' }, 401, 'scheme_unsupported'],
    ['a key as its own scheme in Authorization', { authorization: 'ApiKey abc' }, 401, 'scheme_unsupported'],
    [
      'the scheme DPoP where no proofs are accepted',
      { authorization: 'DPoP abc' },
      401,
      'scheme_unsupported',
    ],
    ['a token that no verifier knows', bearer('opaque'), 401, 'token_malformed'],
    ['a key beside a token', { ...bearer(ours.token()), 'x-api-key': 'k' }, 400, 'credentials_conflict'],
    [
      'a key beside another scheme',
      { authorization: 'Basic YTpi', 'x-api-key': 'k' },
      401,
      'scheme_unsupported',
    ],
    ['two keys', { 'x-api-key': ['k', 'l'] }, 400, 'credential_repeated'],
  ])('refuse %s', async (_case, headers, status, reason) => {
    const to = service(authenticate({ verifiers: [jwt, withKey()] }))
    const answer = await request(to.app)
      .get('/')
      .set(headers as never)
    expect([answer.status, to.lastReason(), to.served()]).toEqual([status, reason, 0])
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer|^ApiKey/)
  })

  it('name every scheme to whoever brings nothing, and one to whoever brings something bad', async () => {
    const bad = withKey({
      verify: () => {
        throw refusal('api_key_unknown')
      },
    })
    const app = service(
      authenticate({ verifiers: [jwt, bad], resourceMetadata: 'https://api.test/meta' }),
    ).app
    const none = await request(app).get('/')
    expect(none.headers['www-authenticate']).toBe(
      'Bearer resource_metadata="https://api.test/meta", ApiKey resource_metadata="https://api.test/meta"',
    )
    const key = await request(app).get('/').set('x-api-key', 'k')
    expect(key.headers['www-authenticate']).toBe(
      'ApiKey resource_metadata="https://api.test/meta", error="invalid_token"',
    )
  })

  it('a 403 names the scheme that the caller used', async () => {
    const app = express()
    app.use(authenticate({ verifiers: [jwt, withKey()] }), requireScopes('a'), secureErrors())
    const key = await request(app).get('/').set('x-api-key', 'k')
    expect(key.headers['www-authenticate']).toBe('ApiKey error="insufficient_scope", scope="a"')
    const token = await request(app).get('/').set(bearer(ours.token()))
    expect(token.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="a"')
  })

  it('a verifier that throws what is no refusal is a fault, never a pass', async () => {
    for (const verify of [
      () => {
        throw new Error('x')
      },
      () => Promise.reject(new Error('x')),
      () => undefined,
      () => ({}),
      () => ({ principal: undefined }),
    ]) {
      const to = service(authenticate({ verifiers: [fake('', { verify: verify as never })] }))
      const answer = await request(to.app).get('/').set(bearer('x'))
      expect([answer.status, to.served()]).toEqual([500, 0])
    }
  })

  it('are shown one by one in the facts, and one alone by its own', () => {
    const facts = guardMetadataOf(authenticate({ verifiers: [jwt, withKey()] }))?.facts
    expect(facts?.['verifiers']).toMatchObject([{ kind: 'jwt' }, { kind: 'api-key' }])
    const alone = authenticate({
      verifiers: [jwtVerifier({ issuer: ISSUER, audience: 'a', jwks: { keys: [ours.jwk] } })],
    })
    expect(guardMetadataOf(alone)?.facts).toMatchObject({ issuer: ISSUER, audience: ['a'] })
  })

  it.each<[string, unknown]>([
    ['none', { verifiers: [] }],
    ['what is no verifier', { verifiers: [{}] }],
    ['a verifier alone', { verifiers: jwt }],
    ['a jwtVerifier that would never be asked', { verifiers: [jwt, jwt] }],
    ['the short form beside them', { verifiers: [jwt], issuer: ISSUER }],
    ['report mode', { verifiers: [jwt], mode: 'report' }],
    ['a combination where nothing can be combined', { verifiers: [jwt], combine: 'accepted' }],
    ['metadata over plain http', { verifiers: [jwt], resourceMetadata: 'http://api.test/meta' }],
    ['a revocation list that is none', { verifiers: [jwt], revocation: {} }],
  ])('throw at set-up for %s', (_case, options) => {
    expect(() => authenticate(options as never)).toThrow(TypeError)
  })
})

describe('a key beside a token, with combine', () => {
  const app = (combine: 'accepted' | 'required', key = withKey()) => {
    const made = express()
    made.use(authenticate({ verifiers: [jwt, key], combine }), secureErrors())
    made.get('/', (req, res) => {
      const { principal, apiKeyId, scheme } = contextOf(req)
      res.json({ subject: principal?.subject, apiKeyId, scheme })
    })
    made.use(secureErrors())
    return made
  }
  const both = () => ({ ...bearer(ours.token()), 'x-api-key': 'k' })

  it('lets both pass, and the principal is the token’s', async () => {
    const answer = await request(app('accepted')).get('/').set(both())
    expect(answer.body).toEqual({ subject: 'user-1', apiKeyId: 'id-1', scheme: 'Bearer' })
  })

  it('lets each pass alone where that is enough, and not where both must come', async () => {
    for (const headers of [{ 'x-api-key': 'k' }, bearer(ours.token())] as Record<string, string>[]) {
      await request(app('accepted')).get('/').set(headers).expect(200)
      await request(app('required')).get('/').set(headers).expect(401)
    }
    await request(app('required')).get('/').set(both()).expect(200)
  })

  it('refuses where either is bad', async () => {
    const bad = withKey({
      verify: () => {
        throw refusal('api_key_unknown')
      },
    })
    await request(app('accepted', bad)).get('/').set(both()).expect(401)
    await request(app('accepted'))
      .get('/')
      .set({ ...bearer(ours.token({ aud: 'x' })), 'x-api-key': 'k' })
      .expect(401)
  })
})

describe('revocation', () => {
  it('is asked on every request, remembered or not, and its refusal is final', async () => {
    let isRevoked = false
    const check = jest.fn(() => {
      if (isRevoked) throw refusal('token_revoked')
    })
    const to = service(authenticate({ verifiers: [jwt], revocation: { check, facts: {} } }))
    const token = ours.token({ sid: 'session-1' })
    await request(to.app).get('/').set(bearer(token)).expect(200)
    await request(to.app).get('/').set(bearer(token)).expect(200)
    isRevoked = true
    await request(to.app).get('/').set(bearer(token)).expect(401)
    expect([check.mock.calls.length, to.lastReason()]).toEqual([3, 'token_revoked'])
    expect(check.mock.calls[1]).toMatchObject([{ sessionId: 'session-1', issuedAt: expect.any(Number) }])
  })
})

describe('senderConstrained', () => {
  it('refuses what is bound to nothing', async () => {
    const to = service(authenticate({ verifiers: [jwt], senderConstrained: 'required' }))
    await request(to.app).get('/').set(bearer(ours.token())).expect(401)
    expect(to.lastReason()).toBe('confirmation_missing')
  })
})
