import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { apiKeys, } from '../../src/authentication/api-keys.js';
import { apiKeyVerifier } from '../../src/authentication/api-key-verifier.js';
import { authenticate } from '../../src/authentication/authenticate.js';
import { memoryStore } from '../../src/stores/memory.js';
import { nowSeconds, service } from './harness.js';
import request from 'supertest';
const PEPPERS = ['a'.repeat(32), 'b'.repeat(32)];
async function settle(keys, key) {
    try {
        await keys.match(key);
        return 'accepted';
    }
    catch (problem) {
        const { reason, status } = problem;
        return status === 503 ? '503' : (reason ?? 'a fault');
    }
}
/** A store of this very record. */
const holding = (record) => ({ find: () => record });
describe('the options of apiKeys', () => {
    it.each([
        [undefined, 'apiKeys: options must be an object'],
        [{}, 'apiKeys: prefix must be 2 to 16 lower-case letters and digits, a letter first, got undefined'],
        [{ prefix: 'acme_live' }, 'apiKeys: prefix must be'],
        [
            { prefix: 'acme', store: {} },
            'apiKeys: store must be redisStore(client), memoryStore() or an object with find(id)',
        ],
        [{ prefix: 'acme', file: '' }, 'apiKeys: file must be'],
        [{ prefix: 'acme', file: 'a.json', store: memoryStore() }, 'apiKeys: file must be given without store'],
        [
            { prefix: 'acme', rememberSeconds: 5 },
            'apiKeys: rememberSeconds must be given with a Redis store only',
        ],
        [
            { prefix: 'acme', rememberSeconds: 301 },
            'apiKeys: rememberSeconds must be an integer from 0 to 300 seconds',
        ],
        [{ prefix: 'acme', timeoutMs: 0 }, 'apiKeys: timeoutMs must be an integer from 5 to 10000 milliseconds'],
        [{ prefix: 'acme', hash: 'bcrypt' }, 'apiKeys: unknown option "hash"'],
    ])('%p is refused', (options, message) => {
        expect(() => apiKeys(options)).toThrow(message);
    });
    it.each([['short-pepper'], [[]], [['short-pepper']], [Array(6).fill(PEPPERS[0])], [5], ['x'.repeat(1001)]])('the pepper %p is refused, and not shown', (pepper) => {
        const make = () => apiKeys({ prefix: 'acme', pepper: pepper });
        expect(make).toThrow(/^apiKeys: pepper must be text of 32 to 1000 characters/);
        expect(make).not.toThrow(/short-pepper/);
    });
});
describe('apiKeys', () => {
    const keys = apiKeys({ prefix: 'acme', store: memoryStore() });
    it('keeps a digest, and never the key', async () => {
        const { key, id, record } = await keys.create({ scopes: ['a'], name: 'billing' });
        const kept = await keys.get(id);
        expect(kept).toBe(record);
        expect(kept).toEqual({
            id,
            name: 'billing',
            scopes: ['a'],
            createdAt: expect.any(Number),
            secrets: [{ digest: expect.stringMatching(/^sha256:[\w-]{43}$/), createdAt: expect.any(Number) }],
        });
        const secret = key.slice(18, -6);
        expect(JSON.stringify(kept)).not.toContain(secret);
        expect(Object.isFrozen(kept?.secrets[0])).toBe(true);
        expect(keys.idOf(key)).toBe(id);
        expect(keys.idOf(id)).toBeUndefined();
    });
    it('makes no key twice', async () => {
        const all = await Promise.all(Array.from({ length: 300 }, () => keys.create({ scopes: [] })));
        expect(new Set(all.map(({ key }) => key)).size).toBe(300);
        expect(new Set(all.map(({ id }) => id)).size).toBe(300);
    });
    it.each([
        [{}, 'apiKeys: create: scopes must be an array'],
        [{ scopes: 'a' }, 'apiKeys: create: scopes must be'],
        [{ scopes: ['a b'] }, 'apiKeys: create: scopes must be'],
        [{ scopes: [''] }, 'apiKeys: create: scopes must be'],
        [{ scopes: Array(101).fill('a') }, 'apiKeys: create: scopes must be'],
        [{ scopes: [], tenant: '' }, 'apiKeys: create: tenant must be'],
        [{ scopes: [], tenant: 'a\u0000' }, 'apiKeys: create: tenant must be'],
        [{ scopes: [], expiresAt: nowSeconds() }, 'expiresAt must be in the future, in seconds'],
        [{ scopes: [], expiresAt: Date.now() * 1000 }, 'apiKeys: create: expiresAt must be'],
        [{ scopes: [], expiresAt: '2030-01-01' }, 'apiKeys: create: expiresAt must be'],
        [{ scopes: [], id: 'mine' }, 'apiKeys: create: unknown option "id"'],
        [{ scopes: [], rate_tier: 'x' }, 'Did you mean rateTier?'],
    ])('refuses to make a key of %p', async (facts, message) => {
        await expect(keys.create(facts)).rejects.toThrow(message);
    });
    it('says what is wrong with an id, and never shows one that may be a key', async () => {
        const { key } = await keys.create({ scopes: [] });
        for (const operation of ['disable', 'enable', 'remove', 'get']) {
            for (const id of [key, '__proto__', '', undefined]) {
                const attempt = keys[operation](id);
                await expect(attempt).rejects.toThrow(/^apiKeys: id must be 12 letters and digits: the part of a key between its underscores$/);
            }
            if (operation !== 'get')
                await expect(keys[operation]('000000000000')).rejects.toThrow('apiKeys: there is no key 000000000000');
        }
        await expect(keys.rotate('000000000000', {})).rejects.toThrow('overlapSeconds must be an integer from 0');
        await expect(keys.rotate('000000000000', { overlapSeconds: 0 })).rejects.toThrow('there is no key');
        expect(await keys.get('000000000000')).toBeUndefined();
    });
    it('is one with the keys of the same store value only', async () => {
        const { key } = await keys.create({ scopes: [] });
        expect(await settle(apiKeys({ prefix: 'acme' }), key)).toBe('api_key_unknown');
    });
    it('reads only where the store cannot be written to', async () => {
        const reading = apiKeys({ prefix: 'acme', store: holding(undefined) });
        await expect(reading.create({ scopes: [] })).rejects.toThrow('these keys are only read here');
        await expect(reading.disable('000000000000')).rejects.toThrow('these keys are only read here');
        expect(reading.health()).toEqual({ name: 'apiKeys', status: 'ok' });
        await reading.warmUp();
        await reading.close();
    });
    it('forgets the keys in memory when it is closed', async () => {
        const own = apiKeys({ prefix: 'acme' });
        const { key } = await own.create({ scopes: [] });
        expect(own.health()).toEqual({ name: 'apiKeys', status: 'ok', detail: '1 keys in memory' });
        await own.close();
        expect(await settle(own, key)).toBe('api_key_unknown');
    });
});
describe('with a pepper', () => {
    const [older, newer] = PEPPERS;
    it('keeps another digest, which is worth nothing without it', async () => {
        const keyed = apiKeys({ prefix: 'acme', pepper: older });
        const { key, record } = await keyed.create({ scopes: [] });
        expect(record.secrets[0]?.digest).toMatch(/^hmac-sha256:/);
        expect(await settle(keyed, key)).toBe('accepted');
        expect(await settle(apiKeys({ prefix: 'acme', pepper: newer, store: holding(record) }), key)).toBe('api_key_unknown');
        // A pepper that is missing, or came later, is a fault of ours: 503 and no word that the key is bad.
        expect(await settle(apiKeys({ prefix: 'acme', store: holding(record) }), key)).toBe('503');
        const without = await apiKeys({ prefix: 'acme' }).create({ scopes: [] });
        expect(await settle(apiKeys({ prefix: 'acme', pepper: older, store: holding(without.record) }), without.key)).toBe('503');
    });
    it('changes it while the service runs: the first makes, all are tried', async () => {
        let current = older;
        const keyed = apiKeys({ prefix: 'acme', pepper: () => current });
        const first = await keyed.create({ scopes: [] });
        current = [newer, older];
        const second = await keyed.create({ scopes: [] });
        expect([await settle(keyed, first.key), await settle(keyed, second.key)]).toEqual([
            'accepted',
            'accepted',
        ]);
        current = newer;
        expect([await settle(keyed, first.key), await settle(keyed, second.key)]).toEqual([
            'api_key_unknown',
            'accepted',
        ]);
        for (const bad of ['', undefined, [], Promise.resolve(newer), Promise.reject(new Error('x'))]) {
            current = bad;
            expect(await settle(keyed, second.key)).toBe('503');
            await expect(keyed.create({ scopes: [] })).rejects.toMatchObject({ status: 503 });
        }
        const throwing = apiKeys({
            prefix: 'acme',
            pepper: () => {
                throw new Error('vault sealed');
            },
        });
        expect(await settle(throwing, second.key)).toBe('503');
    });
});
describe('a store that cannot be relied on', () => {
    let key = '';
    let record = {};
    beforeAll(async () => {
        const made = await apiKeys({ prefix: 'acme' }).create({ scopes: ['a'] });
        key = made.key;
        record = { ...made.record };
    });
    const settled = (store) => settle(apiKeys({ prefix: 'acme', store, timeoutMs: 20 }), key);
    it('is told from one that can', async () => {
        expect(await settled(holding(record))).toBe('accepted');
        expect(await settled(holding(Promise.resolve({ ...record })))).toBe('accepted');
        for (const nothing of [undefined, null, Promise.resolve(undefined), Promise.resolve(null)])
            expect(await settled(holding(nothing))).toBe('api_key_unknown');
    });
    const secret = () => record['secrets'][0];
    it.each([
        ['text', () => JSON.stringify(record)],
        ['true', () => true],
        ['an empty object', () => ({})],
        ['an array', () => [record]],
        ['the record of another key', () => ({ ...record, id: '000000000000' })],
        ['a member that nobody knows', () => ({ ...record, allowedAddresses: ['10.0.0.1'] })],
        [
            '__proto__ in place of scopes',
            () => JSON.parse(JSON.stringify({ ...record, scopes: undefined }).replace('{', '{"__proto__":{"scopes":["admin"]},')),
        ],
        ['inherited members', () => Object.create(record)],
        ['no scopes', () => ({ ...record, scopes: undefined })],
        ['scopes as text', () => ({ ...record, scopes: 'a b' })],
        ['scopes that are no text', () => ({ ...record, scopes: [{ toString: () => 'a' }] })],
        ['disabled as text', () => ({ ...record, disabled: 'true' })],
        ['an end in milliseconds', () => ({ ...record, expiresAt: Date.now() + 1e6 })],
        ['an end as text', () => ({ ...record, expiresAt: '2999-01-01' })],
        ['an end that is null', () => ({ ...record, expiresAt: null })],
        ['an end that is NaN', () => ({ ...record, expiresAt: NaN })],
        ['no secrets', () => ({ ...record, secrets: [] })],
        ['too many secrets', () => ({ ...record, secrets: Array(6).fill(secret()) })],
        ['secrets that are no array', () => ({ ...record, secrets: { 0: secret(), length: 1, every: 1 } })],
        [
            'a digest of another kind',
            () => ({ ...record, secrets: [{ ...secret(), digest: `md5:${'A'.repeat(43)}` }] }),
        ],
        ['an empty digest', () => ({ ...record, secrets: [{ ...secret(), digest: '' }] })],
        ['a secret in clear', () => ({ ...record, secrets: [{ ...secret(), secret: 'x' }] })],
        [
            'a cycle',
            () => {
                const it = { ...record };
                it['name'] = it;
                return it;
            },
        ],
        [
            'a getter that throws',
            () => Object.defineProperty({ ...record }, 'tenant', {
                enumerable: true,
                get: () => {
                    throw new Error('x');
                },
            }),
        ],
        ['toJSON that answers nothing', () => ({ ...record, toJSON: () => undefined })],
        ['a rejection', () => Promise.reject(new Error('connection refused'))],
        ['a promise of junk', () => Promise.resolve('junk')],
        [
            'a thenable that throws',
            () => ({
                then: () => {
                    throw new Error('x');
                },
            }),
        ],
        ['no answer in time', () => new Promise(() => undefined)],
    ])('gives %s: 503', async (_what, found) => {
        expect(await settled({ find: found })).toBe('503');
    });
    it('throws: 503, and the caller hears nothing of it', async () => {
        const store = {
            find: () => {
                throw new Error('password=hunter2');
            },
        };
        const keys = apiKeys({ prefix: 'acme', store });
        expect(await settle(keys, key)).toBe('503');
        const { app } = service(authenticate({ verifiers: [apiKeyVerifier({ keys })] }));
        const { status, headers, text } = await request(app).get('/').set('x-api-key', key);
        expect([status, headers['retry-after'], headers['www-authenticate']]).toEqual([503, '1', undefined]);
        expect(text).not.toContain('hunter2');
    });
    it('is asked again, and its changes count, also to an object it gave before', async () => {
        const mutable = structuredClone(record);
        const keys = apiKeys({ prefix: 'acme', store: holding(mutable) });
        expect(await settle(keys, key)).toBe('accepted');
        mutable['disabled'] = true;
        expect(await settle(keys, key)).toBe('api_key_disabled');
    });
    it('refuses a change of what it holds that is no record, and lets that be removed', async () => {
        const own = new Map([['000000000000', { junk: true }]]);
        const keys = apiKeys({
            prefix: 'acme',
            store: {
                find: (id) => own.get(id),
                update: (id, change) => void own.set(id, change(own.get(id))),
            },
        });
        await expect(keys.disable('000000000000')).rejects.toThrow('the record of 000000000000 is malformed');
        await expect(keys.get('000000000000')).rejects.toMatchObject({ status: 503 });
        await keys.remove('000000000000');
        expect(await keys.get('000000000000')).toBeUndefined();
    });
    it('does not call change: rotate says so, for there would be a key that opens nothing', async () => {
        const keys = apiKeys({ prefix: 'acme', store: { find: () => undefined, update: () => undefined } });
        await expect(keys.rotate('000000000000', { overlapSeconds: 0 })).rejects.toThrow('did not call change');
    });
});
describe('comparing', () => {
    afterAll(() => {
        jest.resetModules();
    });
    it('looks at every secret, in constant time, and does the same for a key that is not there', async () => {
        const crypto = await import('node:crypto');
        const timingSafeEqual = jest.fn(crypto.timingSafeEqual);
        jest.unstable_mockModule('node:crypto', () => ({ ...crypto, timingSafeEqual }));
        jest.resetModules();
        const watched = (await import('../../src/authentication/api-keys.js')).apiKeys({ prefix: 'acme' });
        const { id, key } = await watched.create({ scopes: [] });
        await watched.rotate(id, { overlapSeconds: 60 });
        await watched.rotate(id, { overlapSeconds: 60 });
        expect([await settle(watched, key), timingSafeEqual.mock.calls.length]).toEqual(['accepted', 3]);
        await watched.remove(id);
        expect([await settle(watched, key), timingSafeEqual.mock.calls.length]).toEqual(['api_key_unknown', 4]);
        for (const [kept, given] of timingSafeEqual.mock.calls)
            expect(kept.byteLength).toBe(given.byteLength);
    });
});
