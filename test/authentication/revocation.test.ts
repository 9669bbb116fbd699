import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { authenticate } from '../../src/authentication/authenticate.js'
import { revocation, type Revocation, type RevocationOptions } from '../../src/authentication/revocation.js'
import type { Verified } from '../../src/authentication/verifier.js'
import { onEvent, type OperationalEvent } from '../../src/core/events.js'
import { createPrincipal, type PrincipalFacts } from '../../src/core/principal.js'
import { memoryStore } from '../../src/stores/memory.js'
import { redisStore } from '../../src/stores/redis.js'
import { startRedis, type RunningRedis } from '../support/redis.js'
import { describeWith, program } from '../support/requirements.js'
import { forward, releaseClocks, stopClocks } from './clock.js'
import { ISSUER, nowSeconds, outcome, service, signer, trusting } from './harness.js'

const OTHER = 'https://other.test'

function verified(facts: Partial<PrincipalFacts> & Partial<Omit<Verified, 'principal'>> = {}): Verified {
  const { issuedAt, sessionId, ...rest } = { issuedAt: nowSeconds(), sessionId: 'session-1', ...facts }
  const principal = createPrincipal({
    type: 'user',
    issuer: ISSUER,
    subject: 'user-1',
    clientId: 'client-1',
    credentialId: 'token-1',
    authenticatedBy: 'jwt',
    expiresAt: nowSeconds() + 300,
    ...rest,
  })
  return { principal, issuedAt, sessionId }
}

/** `passes`, or the reason of the refusal and by what. */
async function verdict(list: Revocation, credential: Verified): Promise<string> {
  try {
    await list.check(credential)
    return 'passes'
  } catch (cause) {
    const { status, reason, evidence } = cause as {
      status: number
      reason: string
      evidence?: { by?: string }
    }
    return status === 401 ? `${reason} by ${evidence?.by ?? '?'}` : `${status} ${reason}`
  }
}

const jti = 'token-1'
const issuer = ISSUER

beforeEach(stopClocks)
afterEach(releaseClocks)

describe('set-up', () => {
  it.each<[object, string]>([
    [{ mode: 'report' }, 'revocation: mode must be "enforce"'],
    [{ store: {} }, 'revocation: store must be what redisStore() or memoryStore() makes'],
    [{ freshMs: 1001 }, 'revocation: freshMs must be an integer from 0 to 1000 milliseconds'],
    [{ outage: 'allow' }, 'revocation: outage must be "deny", or an object'],
    [{ outage: {} }, 'revocation: outage: snapshotSeconds must be'],
    [{ outage: { snapshotSeconds: 3601 } }, 'snapshotSeconds must be an integer from 1 to 3600 seconds'],
    [{ maxTokenLifetimeSeconds: 59 }, 'maxTokenLifetimeSeconds must be'],
    [{ onStoreError: 'allow' }, 'Did you mean outage?'],
  ])('refuses %p', (options, message) => {
    expect(() => revocation(options as RevocationOptions)).toThrow(message)
  })

  it.each<[keyof Revocation, object, string]>([
    ['revokeToken', { jti }, 'issuer must be'],
    ['revokeToken', { issuer, jti: '' }, 'jti must be'],
    ['revokeToken', { issuer, jti: 7 }, 'jti must be'],
    ['revokeToken', { issuer, jti, exp: 1 }, 'Did you mean expiresAt'],
    ['revokeToken', { issuer, jti, expiresAt: Date.now() }, 'seconds since the epoch'],
    ['revokeSubject', { issuer, sub: 'user-1' }, 'Did you mean subject?'],
    ['revokeSubject', { issuer, subject: 'user-1', at: Date.now() }, 'at must be seconds since the epoch'],
    ['revokeSession', { issuer }, 'sessionId must be'],
    ['revokeIssuedBefore', { issuer }, 'at must be'],
    ['revokeIssuedBefore', { issuer, at: NaN }, 'at must be'],
    ['revokeIssuedBefore', { issuer, at: '1' }, 'at must be'],
  ])('%s rejects %p', async (method, given, message) => {
    const list = revocation()
    const call = (what: object): Promise<void> => (list[method] as (what: object) => Promise<void>)(what)
    await expect(call(given)).rejects.toThrow(TypeError)
    await expect(call(given)).rejects.toThrow(message)
  })

  it('shows its facts and its health', () => {
    const list = revocation({ store: memoryStore(), name: 'sessions' })
    expect(list.facts).toMatchObject({ name: 'sessions', store: 'memory', outage: 'deny' })
    expect(list.health()).toEqual({ name: 'sessions', status: 'ok', detail: '0 of 100000 entries' })
  })
})

describe('a list in memory', () => {
  it('revokes a token by its jti, and no other issuer’s of that name', async () => {
    const list = revocation()
    await list.revokeToken({ issuer, jti })
    await expect(verdict(list, verified())).resolves.toBe('token_revoked by token')
    for (const other of [{ credentialId: 'token-2' }, { issuer: OTHER }, { credentialId: undefined }])
      await expect(verdict(list, verified(other))).resolves.toBe('passes')
  })

  it('revokes an API key by its id', async () => {
    const list = revocation()
    await list.revokeToken({ issuer: 'api-keys', jti: 'key-7', expiresAt: 'never' })
    const key = verified({
      issuer: 'api-keys',
      credentialId: 'key-7',
      authenticatedBy: 'api-key',
      issuedAt: undefined,
    })
    forward(3_000_000_000)
    await expect(verdict(list, key)).resolves.toBe('token_revoked by token')
  })

  it('revokes what was issued for a subject until now, the second included, and what does not say when', async () => {
    const list = revocation()
    await list.revokeSubject({ issuer, subject: 'user-1' })
    const now = nowSeconds()
    for (const issuedAt of [now - 100, now, undefined, now + 1000, NaN])
      await expect(verdict(list, verified({ issuedAt }))).resolves.toBe('token_revoked by subject')
    await expect(verdict(list, verified({ issuedAt: now + 1 }))).resolves.toBe('passes')
    await expect(verdict(list, verified({ subject: 'user-2' }))).resolves.toBe('passes')
  })

  it('allows for an issuer whose clock is ahead', async () => {
    const list = revocation({ clockToleranceSeconds: 5 })
    await list.revokeSubject({ issuer, subject: 'user-1' })
    await expect(verdict(list, verified({ issuedAt: nowSeconds() + 5 }))).resolves.toBe(
      'token_revoked by subject',
    )
    await expect(verdict(list, verified({ issuedAt: nowSeconds() + 6 }))).resolves.toBe('passes')
  })

  it('revokes a session, whenever its tokens were issued', async () => {
    const list = revocation()
    await list.revokeSession({ issuer, sessionId: 'session-1' })
    await expect(verdict(list, verified({ issuedAt: nowSeconds() + 10 }))).resolves.toBe(
      'token_revoked by session',
    )
    for (const sessionId of ['session-2', undefined])
      await expect(verdict(list, verified({ sessionId }))).resolves.toBe('passes')
  })

  it('revokes what an issuer, or one client of it, got before a moment', async () => {
    const at = nowSeconds() - 50
    const [list, ofClient] = [revocation(), revocation()]
    await list.revokeIssuedBefore({ issuer, at })
    await ofClient.revokeIssuedBefore({ issuer, at, clientId: 'client-1' })
    for (const each of [list, ofClient]) {
      await expect(verdict(each, verified({ issuedAt: at }))).resolves.toBe('token_revoked by issued before')
      await expect(verdict(each, verified({ issuedAt: at + 1 }))).resolves.toBe('passes')
      await expect(verdict(each, verified({ issuedAt: at, issuer: OTHER }))).resolves.toBe('passes')
    }
    await expect(verdict(ofClient, verified({ issuedAt: at, clientId: 'client-2' }))).resolves.toBe('passes')
  })

  it('never makes a revocation weaker', async () => {
    const list = revocation()
    const [subject, now] = ['user-1', nowSeconds()]
    await list.revokeSubject({ issuer, subject, at: now, expiresAt: now + 1000 })
    await list.revokeSubject({ issuer, subject, at: now - 100, expiresAt: now + 10 })
    forward(500_000)
    await expect(verdict(list, verified({ issuedAt: now }))).resolves.toBe('token_revoked by subject')
  })

  it('forgets an entry when it ends, and not while a tolerant clock may still accept the token', async () => {
    const list = revocation()
    await list.revokeToken({ issuer, jti, expiresAt: nowSeconds() + 100 })
    forward(159_000)
    await expect(verdict(list, verified())).resolves.toBe('token_revoked by token')
    forward(2000)
    await expect(verdict(list, verified())).resolves.toBe('passes')
  })

  it('forgets nothing when it is full: it rejects the next, says so, and takes it when there is room', async () => {
    const events: OperationalEvent[] = []
    const stop = onEvent((event) => events.push(event))
    const list = revocation({ maxEntries: 2 })
    await list.revokeToken({ issuer, jti, expiresAt: nowSeconds() + 1000 })
    await list.revokeToken({ issuer, jti: 'token-2', expiresAt: nowSeconds() })
    await expect(list.revokeToken({ issuer, jti: 'token-3' })).rejects.toMatchObject({ status: 503 })
    expect(events.at(-1)).toMatchObject({ event: 'revocation_full', severity: 'error' })
    expect(list.health().status).toBe('degraded')
    await list.revokeToken({ issuer, jti })
    await expect(verdict(list, verified())).resolves.toBe('token_revoked by token')
    forward(61_000)
    await expect(list.revokeToken({ issuer, jti: 'token-3' })).resolves.toBeUndefined()
    stop()
  })

  it('tells who listens what kind of thing was revoked, and nobody’s name', async () => {
    const events: OperationalEvent[] = []
    const stop = onEvent((event) => events.push(event))
    await revocation().revokeSubject({ issuer, subject: 'user-1' })
    stop()
    expect(events).toEqual([
      { event: 'revoked', severity: 'info', facts: { list: 'revocation', kind: 'subject', issuer } },
    ])
  })

  it('warns once of each kind of credential that outlives an entry, and says whose they are', () => {
    const said: string[] = []
    const stop = onEvent(({ event, facts }) => {
      if (event === 'revocation_outlived') said.push(String(facts['message']))
    })
    const list = revocation({ name: 'outlived', maxTokenLifetimeSeconds: 60 })
    for (const authenticatedBy of ['api-key', 'jwt', 'api-key'])
      void list.check(
        verified({ authenticatedBy, issuer: `issuer of ${authenticatedBy}`, expiresAt: undefined }),
      )
    stop()
    expect(said).toEqual(
      ['api-key', 'jwt'].map(
        (kind) =>
          `a credential of "issuer of ${kind}" (${kind}) outlives maxTokenLifetimeSeconds of revocation "outlived": revoke such ones with expiresAt, or they come back`,
      ),
    )
  })

  it('goes on refusing after close()', async () => {
    const list = revocation()
    await list.revokeToken({ issuer, jti })
    await list.close()
    await expect(verdict(list, verified())).resolves.toBe('token_revoked by token')
  })

  it('answers at once', async () => {
    const list = revocation()
    await list.revokeToken({ issuer, jti: 'another' })
    expect(list.check(verified())).toBeUndefined()
  })

  it('is asked about a remembered token too', async () => {
    const key = signer()
    const list = revocation()
    const to = service(authenticate({ ...trusting(key), revocation: list }))
    const token = key.token({ jti: 'token-7', sid: 'session-7' })
    await expect(outcome(to, token)).resolves.toEqual([200, 'verified'])
    await expect(outcome(to, token)).resolves.toEqual([200, 'remembered'])
    await list.revokeSession({ issuer, sessionId: 'session-7' })
    await expect(outcome(to, token)).resolves.toEqual([401, 'token_revoked'])
  })

  it('stays in its bound, also while it is asked for more', async () => {
    const list = revocation({ maxEntries: 1000 })
    let rejected = 0
    for (let index = 0; index < 2000; index += 1)
      await list.revokeToken({ issuer, jti: `token-${index}` }).catch(() => (rejected += 1))
    expect(rejected).toBe(1000)
    expect(list.health().detail).toBe('1000 of 1000 entries')
    // What was taken is kept, and what was rejected left nothing behind.
    await expect(verdict(list, verified({ credentialId: 'token-999' }))).resolves.toBe(
      'token_revoked by token',
    )
    await expect(verdict(list, verified({ credentialId: 'token-1000' }))).resolves.toBe('passes')
  })
})

/** A thing that is revoked, and what it is revoked by. */
const word = fc.constantFrom('a', 'b', 'c')
const calls = fc.array(
  fc.record({
    by: fc.constantFrom('token', 'subject', 'session', 'issuer', 'client'),
    issuer: word,
    value: word,
    at: fc.integer({ min: -50, max: 0 }),
  }),
  { maxLength: 6 },
)
const credential = fc.record({
  issuer: word,
  subject: word,
  credentialId: fc.option(word, { nil: undefined }),
  sessionId: fc.option(word, { nil: undefined }),
  clientId: fc.option(word, { nil: undefined }),
  issuedAt: fc.option(fc.integer({ min: -60, max: 10 }), { nil: undefined }),
})

describe('whatever was revoked', () => {
  it('never passes, and nothing else is refused', async () => {
    await fc.assert(
      fc.asyncProperty(calls, credential, async (all, facts) => {
        const list = revocation()
        const now = nowSeconds()
        for (const { by, issuer: from, value, at } of all) {
          if (by === 'token') await list.revokeToken({ issuer: from, jti: value })
          if (by === 'session') await list.revokeSession({ issuer: from, sessionId: value })
          if (by === 'subject') await list.revokeSubject({ issuer: from, subject: value, at: now + at })
          if (by === 'issuer') await list.revokeIssuedBefore({ issuer: from, at: now + at })
          if (by === 'client') await list.revokeIssuedBefore({ issuer: from, clientId: value, at: now + at })
        }
        const { issuedAt } = facts
        const isRevoked = all.some(({ by, issuer: from, value, at }) => {
          if (from !== facts.issuer) return false
          if (by === 'token') return value === facts.credentialId
          if (by === 'session') return value === facts.sessionId
          const isBefore = issuedAt === undefined || issuedAt <= at
          if (by === 'subject') return value === facts.subject && isBefore
          return by === 'issuer' ? isBefore : value === facts.clientId && isBefore
        })
        const shown = verified({ ...facts, issuedAt: issuedAt === undefined ? undefined : now + issuedAt })
        expect((await verdict(list, shown)) === 'passes').toBe(!isRevoked)
      }),
      { numRuns: 200 },
    )
  })
})

describeWith(program('redis-server', 'redis-server'), 'a list in Redis', () => {
  let redis: RunningRedis
  let client: Redis
  let name = 0
  beforeAll(async () => {
    redis = await startRedis()
    client = new Redis(redis.port, '127.0.0.1', { maxRetriesPerRequest: 0 })
    client.on('error', () => undefined)
  })
  afterAll(async () => {
    client.disconnect()
    await redis.stop()
  })
  beforeEach(() => {
    name += 1
  })

  function sharing(options: RevocationOptions = {}, timeoutMs = 2000): Revocation {
    const store = redisStore(client, { timeoutMs, breakerCoolDownMs: 100 })
    return revocation({ store, name: `list-${name}`, ...options })
  }

  it('is in force in this process at once, and in another within one second', async () => {
    releaseClocks()
    const [here, there] = [sharing(), sharing({ freshMs: 1000 })]
    const shown = verified()
    await expect(verdict(there, shown)).resolves.toBe('passes')
    await expect(verdict(here, shown)).resolves.toBe('passes')
    await here.revokeToken({ issuer, jti })
    await expect(verdict(here, shown)).resolves.toBe('token_revoked by token')
    const startedMs = performance.now()
    while ((await verdict(there, shown)) === 'passes') {
      expect(performance.now() - startedMs).toBeLessThan(1000)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })

  it('reaches everything that the one in memory does', async () => {
    const now = nowSeconds()
    const [here, there] = [sharing(), sharing({ freshMs: 0 })]
    await here.revokeSubject({ issuer, subject: 'user-1', at: now - 10 })
    await here.revokeSession({ issuer, sessionId: 'session-2' })
    await here.revokeIssuedBefore({ issuer: OTHER, at: now })
    await here.revokeIssuedBefore({ issuer, at: now, clientId: 'client-2' })
    for (const each of [here, there]) {
      await expect(verdict(each, verified({ issuedAt: now - 10 }))).resolves.toBe('token_revoked by subject')
      await expect(verdict(each, verified({ issuedAt: now - 9 }))).resolves.toBe('passes')
      await expect(verdict(each, verified({ sessionId: 'session-2' }))).resolves.toBe(
        'token_revoked by session',
      )
      const before = 'token_revoked by issued before'
      await expect(verdict(each, verified({ issuer: OTHER }))).resolves.toBe(before)
      await expect(verdict(each, verified({ clientId: 'client-2' }))).resolves.toBe(before)
    }
  })

  it('never makes a revocation weaker, and lets it end', async () => {
    const list = sharing({ freshMs: 0 })
    const [subject, now] = ['user-1', nowSeconds()]
    await list.revokeSubject({ issuer, subject, at: now, expiresAt: now + 1000 })
    await list.revokeSubject({ issuer, subject, at: now - 100, expiresAt: now + 10 })
    const [key = ''] = await client.keys(`*{list-${name}}*`)
    expect(await client.get(key)).toBe(String(now))
    expect(await client.pttl(key)).toBeGreaterThan(1_000_000)
    expect(await client.pttl(key)).toBeLessThanOrEqual(1_060_000)
    await list.revokeSubject({ issuer, subject, expiresAt: 'never' })
    expect(await client.pttl(key)).toBe(-1)
    await list.revokeSubject({ issuer, subject, expiresAt: now + 5 })
    expect(await client.pttl(key)).toBe(-1)
  })

  it('holds nobody’s name, in one slot of a Cluster, and asks once for a credential', async () => {
    const list = sharing()
    await list.revokeSubject({ issuer, subject: 'user-1', at: 1 })
    await list.revokeToken({ issuer, jti: 'another' })
    const keys = await client.keys(`*list-${name}*`)
    expect(keys).toHaveLength(2)
    for (const key of keys)
      expect(key).toMatch(new RegExp(`^express-bulwark:revocation:\\{list-${name}\\}:[\\w-]{43}$`))
    const commands = async (): Promise<number> =>
      Number(
        /calls=(\d+)/.exec(/cmdstat_mget:.*/.exec(await client.info('commandstats'))?.[0] ?? '')?.[1] ?? 0,
      )
    const before = await commands()
    const shown = verified()
    await list.check(shown)
    for (let index = 0; index < 10; index += 1) expect(list.check(shown)).toBeUndefined()
    expect(await commands()).toBe(before + 1)
    forward(501)
    await list.check(shown)
    expect(await commands()).toBe(before + 2)
  })

  it('takes a value that somebody else wrote for a revocation', async () => {
    const list = sharing({ freshMs: 0 })
    await list.revokeSubject({ issuer, subject: 'user-1', at: 1 })
    const [key = ''] = await client.keys(`*{list-${name}}*`)
    await client.set(key, 'garbage')
    await expect(verdict(sharing({ freshMs: 0 }), verified())).resolves.toBe('token_revoked by subject')
  })

  it('works with node-redis too', async () => {
    const other = createClient({ url: redis.url })
    await other.connect()
    const store = redisStore(other, { timeoutMs: 2000 })
    const list = revocation({ store, name: `list-${name}`, freshMs: 0 })
    await list.revokeToken({ issuer, jti })
    await expect(verdict(sharing(), verified())).resolves.toBe('token_revoked by token')
    await expect(verdict(list, verified({ credentialId: 'other' }))).resolves.toBe('passes')
    other.destroy()
  })

  it('refuses with 503 in time when Redis is frozen, where nothing else was said', async () => {
    const list = sharing({}, 50)
    const [shown, other] = [verified(), verified({ credentialId: 'revoked' })]
    await list.revokeToken({ issuer, jti: 'revoked' })
    await expect(verdict(list, shown)).resolves.toBe('passes')
    redis.freeze()
    try {
      forward(600)
      const started = process.hrtime.bigint()
      for (const each of [shown, shown, shown, shown])
        await expect(verdict(list, each)).resolves.toBe('503 store_unavailable')
      expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(1000)
      await expect(verdict(list, other)).resolves.toBe('token_revoked by token')
      await expect(list.revokeSession({ issuer, sessionId: 'x' })).rejects.toMatchObject({ status: 503 })
      expect(list.health().status).toBe('down')
    } finally {
      redis.thaw()
    }
  })

  it('or goes by the last answer about this very credential, while it is young enough', async () => {
    const list = sharing({ outage: { snapshotSeconds: 30 } }, 50)
    const [shown, refused, unknown] = [
      {},
      { credentialId: 'revoked', sessionId: 'session-2' },
      { credentialId: 'new' },
    ].map((facts) => verified(facts)) as [Verified, Verified, Verified]
    await sharing().revokeToken({ issuer, jti: 'revoked' })
    await expect(verdict(list, shown)).resolves.toBe('passes')
    await expect(verdict(list, refused)).resolves.toBe('token_revoked by token')
    redis.freeze()
    try {
      forward(29_000)
      await expect(verdict(list, shown)).resolves.toBe('passes')
      await expect(verdict(list, refused)).resolves.toBe('token_revoked by token')
      await expect(verdict(list, unknown)).resolves.toBe('503 store_unavailable')
      await list.revokeSession({ issuer, sessionId: 'session-1' }).catch(() => undefined)
      await expect(verdict(list, shown)).resolves.toBe('token_revoked by session')
      forward(2000)
      await expect(verdict(list, refused)).resolves.toBe('503 store_unavailable')
    } finally {
      redis.thaw()
    }
  })

  it('that this process wrote to while asking is not overlooked', async () => {
    const list = sharing()
    const checking = verdict(list, verified())
    await Promise.all([checking, list.revokeToken({ issuer, jti })])
    await expect(verdict(list, verified())).resolves.toBe('token_revoked by token')
  })
})
