import { describe, expect, it } from '@jest/globals';
import { AUDIENCE, outcome, send, serviceTrusting, signer } from './harness.js';
const key = signer();
const behind = serviceTrusting(key);
describe('audience', () => {
    it.each([
        ['one name, named alone', AUDIENCE, AUDIENCE, 200],
        ['one name, named among others', AUDIENCE, ['https://other.test', AUDIENCE], 200],
        ['several names, one of them named', [AUDIENCE, 'https://second.test'], 'https://second.test', 200],
        ['several names, none of them named', [AUDIENCE, 'https://second.test'], 'https://other.test', 401],
        ['a name of which the token has the beginning', AUDIENCE, AUDIENCE.slice(0, -1), 401],
        ['a name in another case', AUDIENCE, AUDIENCE.toUpperCase(), 401],
        ['names joined by a space', AUDIENCE, `https://other.test ${AUDIENCE}`, 401],
    ])('may be %s', async (_case, audience, aud, status) => {
        await send(behind({ audience: audience }), key.token({ aud })).expect(status);
    });
    it.each([
        ['the claim names this service', { aud: undefined, client_id: 'orders' }, 200],
        ['the claim names another service', { aud: undefined, client_id: 'shop' }, 401],
        ['the claim is missing, though "aud" names this service', { aud: 'orders', client_id: undefined }, 401],
    ])('may be another claim: %s', async (_case, claims, status) => {
        const to = behind({ audience: { claim: 'client_id', value: 'orders' } });
        await send(to, key.token(claims)).expect(status);
    });
});
describe('typ', () => {
    it.each(['at+jwt', 'application/at+jwt', 'AT+JWT', 'Application/At+Jwt'])('takes %s by default', async (typ) => {
        await send(behind(), key.token({}, { typ })).expect(200);
    });
    it.each([
        ['a type of its own', 'JWT', 'jwt', 200],
        ['a type with its prefix', 'application/JWT', 'JWT', 200],
        ['a list', ['JWT', 'at+jwt'], 'at+jwt', 200],
        ['a list without the type', ['JWT', 'at+jwt'], 'dpop+jwt', 401],
        ['a type, and no longer the default', 'JWT', 'at+jwt', 401],
        ['a rule with the default mode', { value: 'JWT' }, 'at+jwt', 401],
        ['a type, and still not a token without one', 'JWT', undefined, 401],
        ['none at all', 'absent', undefined, 200],
        ['none at all, or the default', ['absent', 'at+jwt'], 'at+jwt', 200],
        ['none at all, and then not just any', 'absent', 'JWT', 401],
    ])('may be %s', async (_case, typ, given, status) => {
        await send(behind({ typ: typ }), key.token({}, { typ: given })).expect(status);
    });
    it('in mode report lets the token pass and records whom it would have refused', async () => {
        const to = behind({ typ: { value: 'at+jwt', mode: 'report' } });
        const token = key.token({}, { typ: 'JWT' });
        for (const reason of ['verified', 'remembered']) {
            to.decisions.length = 0;
            await send(to, token).expect(200);
            expect(to.decisions).toMatchObject([
                { mode: 'report', outcome: 'refuse', reason: 'token_type_refused', rule: 'authenticate' },
                { mode: 'enforce', outcome: 'allow', reason },
            ]);
        }
    });
    it('in mode report says nothing of a token that is right', async () => {
        const to = behind({ typ: { value: 'at+jwt', mode: 'report' } });
        await send(to, key.token()).expect(200);
        expect(to.decisions.map(({ mode }) => mode)).toEqual(['enforce']);
    });
});
describe('requiredClaims', () => {
    it.each([
        ['that are there', { email: 'a@b.test', tenant: 0 }, 200],
        ['of which one is missing', { email: 'a@b.test' }, 401],
        ['that are there, if only to say no', { email: false, tenant: 0 }, 200],
        ['of which one is null', { email: 'a@b.test', tenant: null }, 401],
        ['of which one is empty', { email: '', tenant: 1 }, 401],
    ])('ask for claims %s', async (_case, claims, status) => {
        await send(behind({ requiredClaims: ['email', 'tenant'] }), key.token(claims)).expect(status);
    });
    it('are not satisfied by what every object inherits', async () => {
        const to = behind({ requiredClaims: ['constructor'] });
        await expect(outcome(to, key.token())).resolves.toEqual([401, 'claim_missing']);
    });
});
describe('algorithms', () => {
    it('refuses what it does not list, also where a key would do', async () => {
        const to = behind({ algorithms: ['RS256'] });
        await expect(outcome(to, key.token())).resolves.toEqual([401, 'algorithm_refused']);
    });
    it('accepts what it lists', async () => {
        await send(behind({ algorithms: ['ES256'] }), key.token()).expect(200);
    });
});
describe('keys in a token without "kid"', () => {
    const keys = ['a', 'b', 'c', 'd', 'e'].map((kid) => signer(kid));
    const jwks = { keys: keys.map(({ jwk }) => jwk) };
    it.each([
        [0, 200],
        [3, 200],
        [4, 401],
    ])('are tried in the order of the set, four of them: key %i', async (index, status) => {
        await send(behind({ jwks }), keys[index].token({}, { kid: undefined })).expect(status);
    });
    it('are all found by name', async () => {
        for (const each of keys)
            await send(behind({ jwks }), each.token()).expect(200);
    });
    it('are not tried where the name is that of another key', async () => {
        await send(behind({ jwks }), keys[0].token({}, { kid: 'b' })).expect(401);
    });
    it('are refused as ambiguous where one name has two', async () => {
        const twins = { keys: [signer('twin').jwk, signer('twin').jwk] };
        const to = behind({ jwks: twins });
        await expect(outcome(to, key.token({}, { kid: 'twin' }))).resolves.toEqual([401, 'key_ambiguous']);
    });
});
describe('maxTokenLength', () => {
    // Base64url has no segment of every length: the header takes what the payload cannot.
    function ofLength(length) {
        for (let more = 0; more < 4; more += 1) {
            const padded = (characters) => key.token({ padding: 'x'.repeat(characters) }, { padding: 'x'.repeat(more) });
            let characters = Math.floor(((length - padded(0).length) * 3) / 4) - 4;
            while (padded(characters).length < length)
                characters += 1;
            if (padded(characters).length === length)
                return padded(characters);
        }
        throw new Error(`no token of ${length} characters`);
    }
    it.each([
        ['8192 by default', {}, 8192, 200],
        ['8192 by default, and not one more', {}, 8193, 401],
        ['what it says', { maxTokenLength: 1024 }, 1024, 200],
        ['what it says, and not one more', { maxTokenLength: 1024 }, 1025, 401],
    ])('is %s', async (_case, options, length, status) => {
        const token = ofLength(length);
        expect(token).toHaveLength(length);
        const to = behind(options);
        await send(to, token).expect(status);
        if (status === 401)
            expect(to.lastReason()).toBe('token_too_long');
    });
});
