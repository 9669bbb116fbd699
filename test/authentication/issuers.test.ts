// The table of docs/middlewares/authenticate.md: a token of each issuer's documented shape is accepted with the options
// the table gives, and refused without them.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { authenticate, principalOf, secureErrors, type AuthenticateOptions } from '../../src/index.js'
import { localIssuer, type LocalIssuer } from '../../src/testing/local-issuer.js'

const AUDIENCE = 'https://orders.example'

let local: LocalIssuer
beforeAll(async () => {
  local = await localIssuer({ audience: AUDIENCE })
})
afterAll(async () => {
  await local.stop()
})

interface Shape {
  readonly header: object
  readonly claims: object
  readonly options: Partial<AuthenticateOptions>
  readonly scopes: string[]
  readonly roles: string[]
}

const SHAPES: readonly (readonly [string, Shape])[] = [
  [
    'Auth0',
    {
      header: { typ: 'JWT' },
      claims: {
        sub: 'auth0|1',
        azp: 'client-1',
        client_id: undefined,
        scope: 'openid orders:read',
        gty: undefined,
      },
      options: { typ: ['at+jwt', 'JWT'] },
      scopes: ['openid', 'orders:read'],
      roles: [],
    },
  ],
  [
    'Keycloak',
    {
      header: { typ: 'JWT' },
      claims: {
        azp: 'web',
        client_id: undefined,
        typ: 'Bearer',
        scope: 'orders:read',
        realm_access: { roles: ['clerk'] },
      },
      options: { typ: 'JWT', principal: { roles: 'realm_access.roles' } },
      scopes: ['orders:read'],
      roles: ['clerk'],
    },
  ],
  [
    'Okta',
    {
      header: { typ: undefined },
      claims: { ver: 1, cid: 'client-1', client_id: undefined, uid: '00u1', scp: ['orders:read'] },
      options: { typ: ['JWT', 'absent'] },
      scopes: ['orders:read'],
      roles: [],
    },
  ],
  [
    'Entra ID',
    {
      header: { typ: 'JWT' },
      claims: {
        ver: '2.0',
        azp: 'client-1',
        client_id: undefined,
        oid: 'o',
        tid: 't',
        scp: 'orders.read',
        roles: ['Clerk'],
      },
      options: { typ: 'JWT' },
      scopes: ['orders.read'],
      roles: ['Clerk'],
    },
  ],
  [
    'Cognito',
    {
      header: { typ: undefined },
      claims: { aud: undefined, client_id: 'app-1', token_use: 'access', scope: 'orders/read' },
      options: { typ: 'absent', audience: { claim: 'client_id', value: 'app-1' } },
      scopes: ['orders/read'],
      roles: [],
    },
  ],
]

describe.each(SHAPES)('a token of %s', (_issuer, { header, claims, options, scopes, roles }) => {
  const ask = async (given: Partial<AuthenticateOptions>): Promise<request.Response> => {
    const app = express()
    app.use(authenticate({ issuer: local.issuer, audience: AUDIENCE, ...given }))
    app.get('/', (req, res) => {
      const principal = principalOf(req)
      res.json({ scopes: [...principal.scopes], roles: [...principal.roles] })
    })
    app.use(secureErrors())
    return request(app)
      .get('/')
      .auth(await local.token({ ...claims }, { ...header }), { type: 'bearer' })
  }

  it('is accepted with the options of the table, its scopes and roles read', async () => {
    const answer = await ask(options)
    expect([answer.status, answer.body]).toEqual([200, { scopes, roles }])
  })

  it('is refused without them', async () => {
    expect((await ask({})).status).toBe(401)
  })

  it('is refused with them where it is an ID token', async () => {
    const idToken = await local.token({ ...claims, nonce: 'n' }, { ...header })
    const app = express()
    app.use(authenticate({ issuer: local.issuer, audience: AUDIENCE, ...options }))
    app.use(secureErrors())
    expect((await request(app).get('/').auth(idToken, { type: 'bearer' })).status).toBe(401)
  })
})
