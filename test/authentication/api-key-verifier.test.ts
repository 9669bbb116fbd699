import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { IncomingMessage } from 'node:http'
import fc from 'fast-check'
import request from 'supertest'
import { apiKeyVerifier, type ApiKeyVerifierOptions } from '../../src/authentication/api-key-verifier.js'
import { checkDigits } from '../../src/authentication/api-keys/key-text.js'
import {
  apiKeys,
  type ApiKeys,
  type ApiKeyStore,
  type MadeApiKey,
} from '../../src/authentication/api-keys.js'
import { authenticate, type AuthenticateWithVerifiers } from '../../src/authentication/authenticate.js'
import { jwtVerifier } from '../../src/authentication/jwt-verifier.js'
import { refusal } from '../../src/authentication/refusal.js'
import { contextOf, openContext, principalOf } from '../../src/core/context.js'
import { onEvent, type OperationalEvent } from '../../src/core/events.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { rawRequest, sendRaw, serve, type RunningServer } from '../support/server.js'
import { forward, releaseClocks, stopClocks } from './clock.js'
import { incoming, nowSeconds, service, signer, trusting, type Service } from './harness.js'

const issuer = signer()

/** A store in memory that counts how often it is asked. */
function countingStore(): ApiKeyStore & { readonly records: Map<string, unknown>; asked: number } {
  const records = new Map<string, unknown>()
  return {
    records,
    asked: 0,
    find(id) {
      this.asked += 1
      return records.get(id)
    },
    update(id, change) {
      const next = change(records.get(id))
      if (next === undefined) records.delete(id)
      else records.set(id, next)
    },
  }
}

const store = countingStore()
const keys = apiKeys({ prefix: 'acme', store })
const whole = (req: IncomingMessage): unknown => {
  const {
    type,
    subject,
    issuer: by,
    clientId,
    scopes,
    claims,
    authenticatedBy,
    credentialId,
    expiresAt,
  } = principalOf(req)
  const { scheme, apiKeyId } = contextOf(req)
  return {
    ...{ type, subject, issuer: by, clientId, scopes, claims, authenticatedBy, credentialId, expiresAt },
    ...{ scheme, apiKeyId },
  }
}

function serviceWith(
  options: Partial<ApiKeyVerifierOptions> = {},
  more: Partial<AuthenticateWithVerifiers> = {},
): Service {
  return service(authenticate({ verifiers: [apiKeyVerifier({ keys, ...options })], ...more }), whole)
}

const plain = serviceWith()
let made: MadeApiKey
let server: RunningServer

beforeAll(async () => {
  made = await keys.create({
    scopes: ['orders:read', 'orders:write'],
    tenant: 'shop-1',
    rateTier: 'gold',
    clientId: 'billing',
  })
  server = await serve(plain.app)
})
afterAll(() => server.close())

const send = (to: Service, key: string) => request(to.app).get('/').set('X-API-Key', key)

async function outcome(to: Service, key: string): Promise<readonly [number, string | undefined]> {
  const { status } = await send(to, key)
  return [status, to.lastReason()]
}

describe('apiKeyVerifier', () => {
  it('makes a service of a good key', async () => {
    const { status, body } = await send(plain, made.key)
    expect(status).toBe(200)
    expect(body).toEqual({
      type: 'service',
      subject: 'billing',
      clientId: 'billing',
      issuer: 'api-keys:acme',
      scopes: ['orders:read', 'orders:write'],
      claims: { tenant: 'shop-1', rate_tier: 'gold' },
      authenticatedBy: 'api-key',
      credentialId: made.id,
      scheme: 'ApiKey',
      apiKeyId: made.id,
    })
  })

  it('names the owner, then the client, then the key, and says when it ends', async () => {
    const expiresAt = nowSeconds() + 1000
    const owned = await keys.create({ scopes: [], subject: 'team-a', clientId: 'billing', expiresAt })
    const bare = await keys.create({ scopes: [] })
    expect((await send(plain, owned.key)).body).toMatchObject({ subject: 'team-a', expiresAt, claims: {} })
    expect((await send(plain, bare.key)).body).toMatchObject({ subject: bare.id, scopes: [] })
  })

  it('tells which scheme it takes, and not why a key was refused', async () => {
    const nothing = await request(plain.app).get('/')
    expect([nothing.status, nothing.headers['www-authenticate']]).toEqual([401, 'ApiKey header="x-api-key"'])
    const bad = await send(plain, `${made.key.slice(0, -1)}-`)
    expect([bad.status, bad.headers['www-authenticate']]).toEqual([
      401,
      'ApiKey header="x-api-key", error="invalid_token"',
    ])
    expect(JSON.stringify([bad.body, bad.headers])).not.toContain(made.id)
  })

  it('reads another header where it is told to', async () => {
    const other = serviceWith({ header: 'X-Partner-Key', issuer: 'https://partners.test' })
    expect((await request(other.app).get('/').set('x-partner-key', made.key)).body).toMatchObject({
      issuer: 'https://partners.test',
    })
    expect((await send(other, made.key)).status).toBe(401)
  })

  it('takes keys as bearer tokens, beside tokens of another kind', async () => {
    const both = service(
      authenticate({
        verifiers: [apiKeyVerifier({ keys, scheme: 'bearer' }), jwtVerifier(trusting(issuer))],
      }),
      whole,
    )
    const bearer = (token: string) => request(both.app).get('/').set('Authorization', `Bearer ${token}`)
    expect((await bearer(made.key)).body).toMatchObject({ scheme: 'Bearer', apiKeyId: made.id })
    expect((await bearer(issuer.token())).body).toMatchObject({ subject: 'user-1' })
    const bad = await bearer(`${made.key.slice(0, -1)}-`)
    expect([bad.status, both.lastReason()]).toEqual([401, 'api_key_malformed'])
    expect(bad.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
    expect([(await send(both, made.key)).status, both.lastReason()]).toEqual([401, 'credential_missing'])
    await bearer('acm_other-opaque-token')
    expect(both.lastReason()).toBe('token_malformed')
  })

  it('is revoked as every other credential: by id, subject and time of issue', async () => {
    const seen: unknown[] = []
    const revoked = serviceWith(
      {},
      {
        revocation: {
          facts: {},
          check: ({ principal, issuedAt }) => {
            seen.push([principal.credentialId, issuedAt])
            throw refusal('token_revoked')
          },
        },
      },
    )
    expect(await outcome(revoked, made.key)).toEqual([401, 'token_revoked'])
    expect(seen).toEqual([[made.id, made.record.createdAt]])
  })

  it('shows the posture what it is, and no secret', () => {
    const guard = authenticate({ verifiers: [apiKeyVerifier({ keys })] })
    expect(guardMetadataOf(guard)?.facts).toMatchObject({
      verifiers: [
        {
          kind: 'api-key',
          prefix: 'acme',
          store: 'own',
          keyed: false,
          issuer: 'api-keys:acme',
          in: 'x-api-key',
        },
      ],
    })
  })

  it('answers at once where the store does', () => {
    const verifier = apiKeyVerifier({ keys })
    const context = openContext(incoming())
    const first = verifier.verify({ scheme: 'x-api-key', value: made.key }, incoming(), context)
    expect(first).not.toBeInstanceOf(Promise)
    expect(verifier.verify({ scheme: 'x-api-key', value: made.key }, incoming(), context)).toBe(first)
  })

  it.each<[object, string]>([
    [{}, 'apiKeyVerifier: keys must be what apiKeys() makes, got undefined'],
    [{ keys: {} }, 'apiKeyVerifier: keys must be what apiKeys() makes, got an object'],
    [{ keys, header: 'Authorization' }, 'apiKeyVerifier: header must be the name of a header of its own'],
    [{ keys, header: 'cookie' }, 'apiKeyVerifier: header must be'],
    [{ keys, header: 'x-forwarded-for' }, 'apiKeyVerifier: header must be'],
    [{ keys, header: 'x api key' }, 'apiKeyVerifier: header must be'],
    [{ keys, header: '' }, 'apiKeyVerifier: header must be'],
    [{ keys, scheme: 'query' }, 'apiKeyVerifier: scheme must be "header" or "bearer", got "query"'],
    [
      { keys, scheme: 'bearer', header: 'x-key' },
      'apiKeyVerifier: header must be left out where scheme is "bearer"',
    ],
    [{ keys, headerName: 'x' }, 'Did you mean header?'],
    [{ keys, query: 'api_key' }, 'unknown option "query"'],
  ])('refuses the options %p', (options, message) => {
    expect(() => apiKeyVerifier(options as ApiKeyVerifierOptions)).toThrow(message)
  })
})

describe('attacks', () => {
  it('a key with wrong check digits costs no look-up', async () => {
    const before = store.asked
    const wrong = `${made.key.slice(0, -6)}${made.key.slice(-6) === '000000' ? '000001' : '000000'}`
    expect(await outcome(plain, wrong)).toEqual([401, 'api_key_malformed'])
    expect(store.asked).toBe(before)
    expect(await outcome(plain, made.key)).toEqual([200, 'verified'])
    expect(store.asked).toBe(before + 1)
  })

  const text = (): string => made.key
  const rechecked = (changed: string): string => changed + checkDigits(changed)
  it.each<[string, () => string, string]>([
    [
      'an id that is there, another secret',
      () => rechecked(text().slice(0, 18) + 'A'.repeat(32)),
      'api_key_unknown',
    ],
    ['an id that is not there', () => rechecked(`acme_000000000000_${'A'.repeat(32)}`), 'api_key_unknown'],
    ['a key of another prefix', () => rechecked(`acmf${text().slice(4, -6)}`), 'api_key_malformed'],
    ['the secret in another case', () => rechecked(text().slice(0, -6).toUpperCase()), 'api_key_malformed'],
    ['the id alone', () => made.id, 'api_key_malformed'],
    [
      'the id cut short',
      () => rechecked(`acme_${made.id.slice(1)}_${text().slice(18, -6)}`),
      'api_key_malformed',
    ],
    ['the id __proto__', () => rechecked(`acme___proto___${'A'.repeat(32)}`), 'api_key_malformed'],
    ['the digest that is kept', () => made.record.secrets[0]!.digest, 'api_key_malformed'],
    ['a Latin-1 letter', () => `${text()}\u00e9`, 'api_key_malformed'],
    ['eight kilobytes', () => 'a'.repeat(8193), 'token_too_long'],
    ['seven kilobytes', () => `acme_${'a'.repeat(7000)}`, 'api_key_malformed'],
    ['a scheme before it', () => `Bearer ${text()}`, 'api_key_malformed'],
    ['two keys in one line, as a proxy joins them', () => `${text()}, ${text()}`, 'api_key_malformed'],
    ['a list that ends in a good key', () => `x,${text()}`, 'api_key_malformed'],
  ])('%s is refused', async (_what, key, reason) => {
    expect(await outcome(plain, key())).toEqual([401, reason])
  })

  it('an empty header is a bad credential, not none', async () => {
    const open = service(authenticate({ verifiers: [apiKeyVerifier({ keys })], required: false }))
    expect(await outcome(open, '')).toEqual([401, 'api_key_malformed'])
    expect((await request(open.app).get('/')).status).toBe(200)
  })

  it.each([
    ['twice the same', () => [`X-API-Key: ${made.key}`, `X-API-Key: ${made.key}`]],
    ['twice, in two cases', () => [`x-api-key: ${made.key}`, 'X-API-KEY: x']],
    ['once empty', () => ['X-API-Key:', `X-API-Key: ${made.key}`]],
  ])('two lines (%s) are 400, whatever they hold', async (_what, lines) => {
    const answer = await sendRaw(server.port, rawRequest('GET', '/', lines()))
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(plain.lastReason()).toBe('credential_repeated')
  })

  it('keys are not read from the query, a cookie, the body or the Authorization field', async () => {
    const { key } = made
    const places = [
      request(plain.app).get(`/?api_key=${key}&x-api-key=${key}&key=${key}`),
      request(plain.app).get('/').set('Cookie', `x-api-key=${key}`),
      request(plain.app).post('/').send({ 'x-api-key': key }),
      request(plain.app).get('/').set('X-Api_Key', key),
      request(plain.app).get('/').set('Authorization', `ApiKey ${key}`),
      request(plain.app).get('/').set('Authorization', `Bearer ${key}`),
    ]
    for (const place of places) expect((await place).status).toBe(401)
  })

  it.each<[string, number, number]>([
    ['refused', 400, 400],
    ['accepted', 200, 401],
    ['required', 200, 401],
  ])('a key beside a token, combine %s: %i, and with a bad key %i', async (combine, good, bad) => {
    const both = service(
      authenticate({
        verifiers: [jwtVerifier(trusting(issuer)), apiKeyVerifier({ keys })],
        combine: combine as 'refused',
      }),
      whole,
    )
    const beside = (key: string, token = issuer.token()) =>
      send(both, key).set('Authorization', `Bearer ${token}`)
    const { status, body } = await beside(made.key)
    expect(status).toBe(good)
    if (good === 200) expect(body).toMatchObject({ subject: 'user-1', apiKeyId: made.id, scheme: 'Bearer' })
    const wrong = rechecked(made.key.slice(0, 18) + 'A'.repeat(32))
    expect((await beside(wrong)).status).toBe(bad)
    expect((await beside(made.key, issuer.token({ exp: 1 }))).status).toBe(bad)
    const alone = combine === 'required' ? 401 : 200
    expect((await send(both, made.key)).status).toBe(alone)
  })

  it('random headers are 400 or 401, and never served', async () => {
    const served = plain.served()
    const value = fc.string({
      unit: fc.constantFrom(...Array.from('0Aaz_, \t;="é\u00ff'), 'acme_', made.id, made.key.slice(0, -1)),
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(value, async (header) => {
        const answer = await fetch(server.url, { headers: { 'x-api-key': header } })
        await answer.arrayBuffer()
        expect([400, 401]).toContain(answer.status)
      }),
      { numRuns: 300 },
    )
    expect(plain.served()).toBe(served)
  }, 30_000)
})

describe('the life of a key', () => {
  let events: OperationalEvent[]
  let stop: () => void
  beforeEach(() => {
    stopClocks()
    events = []
    stop = onEvent((event) => events.push(event))
  })
  afterEach(() => {
    stop()
    releaseClocks()
  })
  const settle = async (of: ApiKeys, key: string): Promise<string> => {
    try {
      await of.match(key)
      return 'accepted'
    } catch (problem) {
      return (problem as { reason: string }).reason
    }
  }

  it('ends at the very second that was named', async () => {
    const { key } = await keys.create({ scopes: [], expiresAt: Math.floor(Date.now() / 1000) + 60 })
    const { expiresAt } = (await keys.match(key)).record
    forward(expiresAt! * 1000 - Date.now() - 1)
    expect(await settle(keys, key)).toBe('accepted')
    forward(1)
    expect(await settle(keys, key)).toBe('api_key_expired')
    expect(await settle(keys, rechecked(key))).toBe('api_key_unknown')
    forward(1e9)
    expect(await settle(keys, key)).toBe('api_key_expired')
  })

  it('has two secrets while it is rotated; the older ends with the overlap', async () => {
    const first = await keys.create({ scopes: ['a'], tenant: 't' })
    const second = await keys.rotate(first.id, { overlapSeconds: 60 })
    expect(second).toMatchObject({ id: first.id, record: { scopes: ['a'], tenant: 't' } })
    expect(second.key).not.toBe(first.key)
    expect([await settle(keys, first.key), await settle(keys, second.key)]).toEqual(['accepted', 'accepted'])
    const [older] = second.record.secrets
    expect((await send(plain, first.key)).body).toMatchObject({ expiresAt: older!.expiresAt })
    forward(older!.expiresAt! * 1000 - Date.now() - 1)
    expect(await settle(keys, first.key)).toBe('accepted')
    forward(1)
    expect([await settle(keys, first.key), await settle(keys, second.key)]).toEqual([
      'api_key_expired',
      'accepted',
    ])
  })

  it('loses a leaked secret at once where there is no overlap', async () => {
    const first = await keys.create({ scopes: [] })
    const second = await keys.rotate(first.id, { overlapSeconds: 0 })
    expect([await settle(keys, first.key), await settle(keys, second.key)]).toEqual([
      'api_key_expired',
      'accepted',
    ])
    const third = await keys.rotate(first.id, { overlapSeconds: 3600 })
    expect(await settle(keys, first.key)).toBe('api_key_expired')
    expect(await settle(keys, second.key)).toBe('accepted')
    expect(third.record.secrets).toHaveLength(3)
    for (let turn = 0; turn < 6; turn += 1) await keys.rotate(first.id, { overlapSeconds: 3600 })
    expect((await keys.get(first.id))?.secrets).toHaveLength(5)
    expect(await settle(keys, second.key)).toBe('api_key_unknown')
  })

  it('lives longer where rotation says so', async () => {
    const first = await keys.create({ scopes: [], expiresAt: nowSeconds() + 10 })
    const second = await keys.rotate(first.id, { overlapSeconds: 0, expiresAt: nowSeconds() + 100 })
    forward(20_000)
    expect(await settle(keys, second.key)).toBe('accepted')
  })

  it('is disabled, enabled, removed, each at once, also after it was used', async () => {
    const { id, key } = await keys.create({ scopes: [] })
    expect(await settle(keys, key)).toBe('accepted')
    await keys.disable(id)
    expect(await settle(keys, key)).toBe('api_key_disabled')
    const rotated = await keys.rotate(id, { overlapSeconds: 10 })
    expect(await settle(keys, rotated.key)).toBe('api_key_disabled')
    await keys.enable(id)
    expect(await settle(keys, key)).toBe('accepted')
    await keys.remove(id)
    expect(await settle(keys, key)).toBe('api_key_unknown')
    expect(await keys.get(id)).toBeUndefined()
    expect(events.filter(({ event }) => event !== 'api_key_used')).toEqual(
      ['created', 'disabled', 'rotated', 'enabled', 'removed'].map((what) => ({
        event: `api_key_${what}`,
        severity: 'info',
        facts: { prefix: 'acme', id },
      })),
    )
  })

  it('is told to be in use, at most once a minute', async () => {
    const { id, key } = await keys.create({ scopes: [] })
    const other = await keys.create({ scopes: [] })
    const told = (): unknown[] =>
      events.filter(({ event }) => event === 'api_key_used').map(({ facts }) => facts['id'])
    await settle(keys, rechecked(key))
    expect(told()).toEqual([])
    for (let turn = 0; turn < 3; turn += 1) await settle(keys, key)
    await settle(keys, other.key)
    expect(told()).toEqual([id, other.id])
    forward(59_999)
    await settle(keys, key)
    expect(told()).toEqual([id, other.id])
    forward(1)
    await settle(keys, key)
    expect(told()).toEqual([id, other.id, id])
  })

  /** Another secret for the same id. */
  const rechecked = (key: string): string => {
    const changed = key.slice(0, 18) + 'A'.repeat(32)
    return changed + checkDigits(changed)
  }
})
