import { describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { z } from 'zod';
import { authenticate } from '../../src/authentication/authenticate.js';
import { principalOf } from '../../src/core/context.js';
import { incoming, outcome, send, service, serviceTrusting, signer, trusting, } from './harness.js';
const key = signer();
const base = trusting(key);
const behind = serviceTrusting(key);
describe('claims', () => {
    const schema = z.object({ tenant: z.string(), level: z.coerce.number().default(1) });
    it('are what the schema makes of them, and typed by it', async () => {
        const auth = authenticate({ ...base, claims: schema });
        const to = service(auth, (req) => {
            const { tenant, level } = auth.principalOf(req).claims;
            return [tenant, level + 1];
        });
        expect((await send(to, key.token({ tenant: 'a', level: '4' }))).body).toEqual(['a', 5]);
        expect((await send(to, key.token({ tenant: 'a' }))).body).toEqual(['a', 2]);
    });
    it('that the schema refuses are 401', async () => {
        await expect(outcome(behind({ claims: schema }), key.token({ tenant: 5 }))).resolves.toEqual([
            401,
            'claim_invalid',
        ]);
    });
    it('may be judged by a schema that takes its time', async () => {
        const slow = schema.refine(async ({ tenant }) => Promise.resolve(tenant === 'a'));
        const to = behind({ claims: slow });
        await send(to, key.token({ tenant: 'a' })).expect(200);
        await send(to, key.token({ tenant: 'b' })).expect(401);
    });
    it('in whose schema something breaks are 500, because that is no fault of the caller', async () => {
        const broken = z.any().transform(() => {
            throw new Error('broken');
        });
        await expect(outcome(behind({ claims: broken }), key.token())).resolves.toEqual([
            500,
            'guard_fault',
        ]);
    });
});
describe('the principal', () => {
    const told = (options) => behind(options, (req) => {
        const { type, subject, clientId, scopes, roles } = principalOf(req);
        return { type, subject, clientId, scopes: [...scopes], roles: [...roles] };
    });
    it.each([
        ['scopes from a text', { scope: 'a b' }, { scopes: ['a', 'b'] }],
        ['scopes from a list', { scope: ['a', 'b c'] }, { scopes: ['a', 'b c'] }],
        ['scopes from "scp" as text', { scp: 'a b' }, { scopes: ['a', 'b'] }],
        ['scopes from "scp" as a list', { scp: ['a', 'b'] }, { scopes: ['a', 'b'] }],
        ['scopes from "scope" where both are there', { scope: 'a', scp: ['b'] }, { scopes: ['a'] }],
        ['no scopes', {}, { scopes: [], roles: [] }],
        ['no scopes from an empty text', { scope: '' }, { scopes: [] }],
        ['scopes separated by spaces only', { scope: 'a,b c\td' }, { scopes: ['a,b', 'c\td'] }],
        ['roles from a list', { roles: ['a', 'b'] }, { roles: ['a', 'b'] }],
        ['roles from a text', { roles: 'a b' }, { roles: ['a', 'b'] }],
    ])('has by default %s', async (_case, claims, expected) => {
        expect((await send(told({}), key.token(claims))).body).toMatchObject(expected);
    });
    it.each([
        ['a path', { roles: 'realm_access.roles' }, { realm_access: { roles: ['clerk'] } }, { roles: ['clerk'] }],
        ['a path that leads nowhere', { roles: 'realm_access.roles' }, { realm_access: 5 }, { roles: [] }],
        ['a path through what objects inherit', { roles: 'constructor.name' }, {}, { roles: [] }],
        [
            'a path to what objects inherit',
            { roles: 'realm_access.constructor' },
            { realm_access: {} },
            { roles: [] },
        ],
        ['a path through a text', { roles: 'sub.length' }, {}, { roles: [] }],
        [
            'a name that has dots of its own',
            { roles: 'https://shop.test/roles' },
            { 'https://shop.test/roles': ['clerk'] },
            { roles: ['clerk'] },
        ],
        [
            'a name, and no longer the default',
            { scopes: 'permissions' },
            { scope: 'a', permissions: ['b'] },
            { scopes: ['b'] },
        ],
        [
            'a function that answers a list',
            { scopes: ({ p }) => p },
            { p: ['a', 'b'] },
            { scopes: ['a', 'b'] },
        ],
        [
            'a function that answers a set',
            { roles: ({ p }) => new Set(p) },
            { p: ['a', 'a'] },
            { roles: ['a'] },
        ],
        [
            'a function that answers text',
            { scopes: ({ p }) => p },
            { p: 'read write' },
            { scopes: ['read', 'write'] },
        ],
        ['a function for the type', { type: () => 'service' }, {}, { type: 'service' }],
    ])('is mapped by %s', async (_case, principal, claims, expected) => {
        expect((await send(told({ principal }), key.token(claims))).body).toMatchObject(expected);
    });
    it('is refused where a mapping finds what is no list of texts', async () => {
        const to = told({ principal: { roles: 'realm_access' } });
        await expect(outcome(to, key.token({ realm_access: { roles: ['clerk'] } }))).resolves.toEqual([
            401,
            'claim_invalid',
        ]);
    });
    it('is a fault of ours where a mapping function throws', async () => {
        const to = told({
            principal: {
                scopes: () => {
                    throw new Error('broken');
                },
            },
        });
        await expect(outcome(to, key.token())).resolves.toEqual([500, 'guard_fault']);
    });
    it.each([
        ['a user', {}, { type: 'user', subject: 'user-1' }],
        ['a service that is its own subject', { sub: 'client-1' }, { type: 'service', subject: 'client-1' }],
        ['a service by "azp"', { client_id: undefined, azp: 'a', sub: 'a' }, { type: 'service', clientId: 'a' }],
        [
            'a service by "appid"',
            { client_id: undefined, appid: 'a', sub: 'a' },
            { type: 'service', clientId: 'a' },
        ],
        [
            'a service in the words of Auth0',
            { gty: 'client-credentials' },
            { type: 'service', subject: 'user-1' },
        ],
        ['a service in the words of Entra', { idtyp: 'app' }, { type: 'service', subject: 'user-1' }],
        ['a user with an empty client', { client_id: '' }, { type: 'user', subject: 'user-1' }],
    ])('is %s', async (_case, claims, expected) => {
        expect((await send(told({}), key.token(claims))).body).toMatchObject(expected);
    });
    it('has a key that no other issuer and subject can have', async () => {
        const keys = new Set();
        for (const [issuer, sub] of [
            ['https://a.test', '","x'],
            ['https://a.test","', 'x'],
            ['https://a.test', 'x'],
            ['x', 'https://a.test'],
        ]) {
            const auth = authenticate({ ...base, issuer });
            keys.add((await auth.verifyRequest(incoming(`Bearer ${key.token({ iss: issuer, sub })}`))).key);
        }
        expect(keys.size).toBe(4);
    });
});
describe('expose', () => {
    it('puts the principal wherever the application wants it, on every request', async () => {
        const to = behind({
            expose: (req, principal) => {
                ;
                req.auth = principal.subject;
            },
        }, (req) => req.auth);
        const token = key.token();
        for (const _attempt of [1, 2])
            expect((await send(to, token)).body).toBe('user-1');
    });
    it('is not called for nobody', async () => {
        let calls = 0;
        const to = behind({ required: false, expose: () => (calls += 1) });
        await request(to.app).get('/').expect(200);
        expect(calls).toBe(0);
    });
    it.each([
        [
            'throws',
            () => {
                throw new Error('broken');
            },
        ],
        ['rejects', async () => Promise.reject(new Error('broken'))],
    ])('refuses the request with 500 where it %s', async (_case, expose) => {
        const to = behind({ expose: expose });
        const token = key.token();
        for (const _attempt of [1, 2])
            await expect(outcome(to, token)).resolves.toEqual([500, 'guard_fault']);
        expect(to.served()).toBe(0);
    });
});
