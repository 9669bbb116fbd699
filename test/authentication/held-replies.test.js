import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { apiKeys } from '../../src/authentication/api-keys.js';
import { revocation } from '../../src/authentication/revocation.js';
import { createPrincipal } from '../../src/core/principal.js';
import { redisStore } from '../../src/stores/redis.js';
import { releaseClocks, stopClocks } from './clock.js';
import { ISSUER, nowSeconds } from './harness.js';
/** Redis as far as these tests need it. What it does and what it says of it can be held back, one by one. */
class SlowRedis {
    kept = new Map();
    #held = [];
    defineCommand() {
        // As an ioredis client has it.
    }
    /** The next command of this name waits: before it is carried out, or after, with its reply. */
    hold(name, when) {
        let release = () => undefined;
        const until = new Promise((resolve) => {
            release = resolve;
        });
        this.#held.push({ name, when, until });
        return release;
    }
    async call(name, ...rest) {
        const index = this.#held.findIndex((each) => each.name === name);
        const [held] = index === -1 ? [] : this.#held.splice(index, 1);
        if (held?.when === 'before')
            await held.until;
        const reply = this.#carryOut(name, rest);
        if (held?.when === 'after')
            await held.until;
        return reply;
    }
    #carryOut(name, rest) {
        if (name === 'GET')
            return this.kept.get(rest[0] ?? '') ?? null;
        if (name === 'MGET')
            return rest.map((key) => this.kept.get(key) ?? null);
        // A script: its digest, the number of keys, the key, and what the two of this library write there.
        const [, , key = '', first = '', second = ''] = rest;
        const isRevocation = key.includes(':revocation:');
        if (!isRevocation && (this.kept.get(key) ?? '') !== first)
            return 0;
        this.kept.set(key, isRevocation ? first : second);
        return 1;
    }
}
/** Lets everything that waits for nothing but promises go as far as it can. */
async function settled() {
    for (let turn = 0; turn < 3; turn += 1)
        await new Promise((resolve) => setImmediate(resolve));
}
beforeEach(stopClocks);
afterEach(releaseClocks);
describe('an API key in Redis that is disabled while it is being read', () => {
    const setUp = async () => {
        const redis = new SlowRedis();
        const keys = apiKeys({ prefix: 'acme', store: redisStore(redis), rememberSeconds: 300 });
        return { redis, keys, ...(await keys.create({ scopes: [] })) };
    };
    const use = async (keys, key) => {
        try {
            await keys.match(key);
            return 'accepted';
        }
        catch (cause) {
            return cause.reason;
        }
    };
    it('is not remembered from a reply that was on its way', async () => {
        const { redis, keys, id, key } = await setUp();
        const release = redis.hold('GET', 'after');
        const early = use(keys, key);
        await settled();
        await keys.disable(id);
        release();
        await expect(early).resolves.toBe('accepted');
        await expect(use(keys, key)).resolves.toBe('api_key_disabled');
    });
    it('is asked for again, and not with the question that was on its way', async () => {
        const { redis, keys, id, key } = await setUp();
        const release = redis.hold('GET', 'after');
        const early = use(keys, key);
        await settled();
        await keys.disable(id);
        await expect(use(keys, key)).resolves.toBe('api_key_disabled');
        release();
        await early;
        await expect(use(keys, key)).resolves.toBe('api_key_disabled');
    });
    it('is forgotten again where it was read before the change was carried out', async () => {
        const { redis, keys, id, key } = await setUp();
        const release = redis.hold('EVALSHA', 'before');
        const disabling = keys.disable(id);
        await settled();
        await expect(use(keys, key)).resolves.toBe('accepted');
        release();
        await disabling;
        await expect(use(keys, key)).resolves.toBe('api_key_disabled');
    });
    it('nor is a reply remembered that was asked for before it and came after it', async () => {
        const { redis, keys, id, key } = await setUp();
        const releaseChange = redis.hold('EVALSHA', 'before');
        const disabling = keys.disable(id);
        await settled();
        const release = redis.hold('GET', 'after');
        const early = use(keys, key);
        await settled();
        releaseChange();
        await disabling;
        release();
        await expect(early).resolves.toBe('accepted');
        await expect(use(keys, key)).resolves.toBe('api_key_disabled');
    });
});
describe('a credential in a list in Redis that is revoked while it is being asked about', () => {
    const shown = (jti) => ({
        principal: createPrincipal({
            type: 'user',
            issuer: ISSUER,
            subject: 'user-1',
            credentialId: jti,
            authenticatedBy: 'jwt',
            expiresAt: nowSeconds() + 300,
        }),
        issuedAt: nowSeconds(),
    });
    const verdict = async (list, credential) => {
        try {
            await list.check(credential);
            return 'passes';
        }
        catch (cause) {
            return cause.reason;
        }
    };
    const listIn = (redis) => revocation({ store: redisStore(redis), freshMs: 500 });
    it('does not pass by the reply that was on its way, nor by what is remembered of it', async () => {
        const redis = new SlowRedis();
        const list = listIn(redis);
        const credential = shown('a');
        const release = redis.hold('MGET', 'after');
        const early = verdict(list, credential);
        await settled();
        await list.revokeToken({ issuer: ISSUER, jti: 'a' });
        release();
        await expect(early).resolves.toBe('token_revoked');
        await expect(verdict(list, credential)).resolves.toBe('token_revoked');
    });
    it('does not pass while Redis has not yet carried it out', async () => {
        const redis = new SlowRedis();
        const list = listIn(redis);
        const release = redis.hold('EVALSHA', 'before');
        const revoking = list.revokeToken({ issuer: ISSUER, jti: 'a' });
        await settled();
        await expect(verdict(list, shown('a'))).resolves.toBe('token_revoked');
        release();
        await revoking;
    });
    it('nor where this process has no room for revocations of its own any more', async () => {
        const redis = new SlowRedis();
        const list = listIn(redis);
        for (let index = 0; index < 10_000; index += 1)
            await list.revokeToken({ issuer: ISSUER, jti: `other-${index}` });
        const [remembered, asking] = [shown('a'), shown('b')];
        await expect(verdict(list, remembered)).resolves.toBe('passes');
        const release = redis.hold('MGET', 'after');
        const early = verdict(list, asking);
        await settled();
        for (const jti of ['a', 'b'])
            await list.revokeToken({ issuer: ISSUER, jti });
        release();
        // It was asked before; what is remembered of it is what must not outlive the revocation.
        await early;
        for (const credential of [remembered, asking])
            await expect(verdict(list, credential)).resolves.toBe('token_revoked');
    });
});
