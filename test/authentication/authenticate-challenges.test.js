import { describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { apiKeyVerifier } from '../../src/authentication/api-key-verifier.js';
import { apiKeys } from '../../src/authentication/api-keys.js';
import { authenticate, } from '../../src/authentication/authenticate.js';
import { introspectionVerifier } from '../../src/authentication/introspection-verifier.js';
import { jwtVerifier } from '../../src/authentication/jwt-verifier.js';
import { SecurityProblem } from '../../src/core/problem.js';
import { memoryStore } from '../../src/stores/memory.js';
import { ORIGIN, boundService, holder, issuer, present } from './dpop-client.js';
import { AUDIENCE, ISSUER, service } from './harness.js';
const jwt = jwtVerifier({ issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [issuer.jwk] } });
const keys = apiKeys({ prefix: 'acme' });
const good = issuer.token();
const bad = issuer.token({ aud: 'https://other.test' });
/** Status and challenge of an answer. */
async function told(to, fields) {
    const { status, headers } = await request(to.app).get('/').set(fields);
    return [status, String(headers['www-authenticate'])];
}
describe('a failure limit', () => {
    const caller = holder();
    const token = caller.token();
    const limited = () => boundService({ nonce: {} }, { failureLimit: { limit: 2, windowSeconds: 60 } });
    it('does not count that a nonce was demanded: every client is told so once in a while', async () => {
        const to = limited();
        const statuses = [];
        for (let turn = 0; turn < 4; turn += 1)
            statuses.push((await present(to, token, caller.proof(token))).status);
        expect(statuses).toEqual([401, 401, 401, 401]);
        const { headers } = await present(to, token, caller.proof(token));
        const nonce = String(headers['dpop-nonce']);
        expect((await present(to, token, caller.proof(token, { nonce }))).status).toBe(200);
    });
    it('counts a bad proof, and a bad token that comes without a nonce', async () => {
        for (const [shown, proof] of [
            [token, holder().proof(token)],
            [caller.token({ aud: 'x' }), caller.proof(token)],
        ]) {
            const to = limited();
            const statuses = [];
            for (let turn = 0; turn < 3; turn += 1)
                statuses.push((await present(to, shown, proof)).status);
            expect(statuses).toEqual([401, 401, 429]);
        }
    });
});
describe('the challenge of a pair of credentials', () => {
    const to = service(authenticate({
        verifiers: [jwt, apiKeyVerifier({ keys })],
        combine: 'accepted',
        dpop: { publicOrigin: ORIGIN, store: memoryStore() },
    }));
    const ofKey = (error) => `ApiKey header="x-api-key", error="${error}"`;
    it.each([
        [
            'a bad key beside a good token',
            () => ({ authorization: `Bearer ${good}`, 'x-api-key': 'acme_nonsense' }),
            401,
            ofKey('invalid_token'),
        ],
        [
            'an empty key beside a good token',
            () => ({ authorization: `Bearer ${good}`, 'x-api-key': '' }),
            401,
            ofKey('invalid_token'),
        ],
        [
            'a bad token beside a good key',
            async () => ({
                authorization: `Bearer ${bad}`,
                'x-api-key': (await keys.create({ scopes: [] })).key,
            }),
            401,
            'Bearer error="invalid_token"',
        ],
        [
            'both bad: the key is looked at first',
            () => ({ authorization: `Bearer ${bad}`, 'x-api-key': 'acme_nonsense' }),
            401,
            ofKey('invalid_token'),
        ],
        [
            'a key that is too long beside a good token',
            () => ({ authorization: `Bearer ${good}`, 'x-api-key': 'x'.repeat(8193) }),
            401,
            ofKey('invalid_token'),
        ],
        [
            'a DPoP token that is too long',
            () => ({ authorization: `DPoP ${'x'.repeat(8193)}` }),
            401,
            'DPoP algs="ES256 ES384 ES512 PS256 PS384 PS512 EdDSA Ed25519", error="invalid_token"',
        ],
    ])('%s', async (_what, fields, status, challenge) => {
        expect(await told(to, await fields())).toEqual([status, challenge]);
        expect(to.served()).toBe(0);
    });
    it('a key in two lines beside a good token', async () => {
        const answer = await request(to.app)
            .get('/')
            .set('authorization', `Bearer ${good}`)
            .set('x-api-key', ['a', 'b']);
        expect([answer.status, answer.headers['www-authenticate']]).toEqual([400, ofKey('invalid_request')]);
    });
});
describe('the challenge of API keys', () => {
    it('says in which header they come, so that nobody sends them as a scheme', async () => {
        const to = service(authenticate({
            verifiers: [apiKeyVerifier({ keys }), apiKeyVerifier({ keys, header: 'X-Partner-Key' })],
        }));
        expect(await told(to, {})).toEqual([401, 'ApiKey header="x-api-key", ApiKey header="x-partner-key"']);
        expect(await told(to, { 'x-partner-key': 'no' })).toEqual([
            401,
            'ApiKey header="x-partner-key", error="invalid_token"',
        ]);
    });
});
describe('the refusal of a verifier of one’s own', () => {
    const refusing = (details) => {
        const own = {
            kind: 'own',
            challenge: 'Own realm="x"',
            facts: {},
            recognises: ({ scheme }) => scheme === 'own',
            verify: () => {
                throw new SecurityProblem('signature_invalid', details);
            },
        };
        return service(authenticate({ verifiers: [own] }));
    };
    it('keeps what it says, and gets its challenge', async () => {
        const to = refusing({
            status: 400,
            code: 'pin_required',
            title: 'A PIN is needed',
            detail: 'Send the PIN too.',
            type: 'https://api.test/problems/pin',
            members: { attempts: 3 },
            headers: { 'x-attempts': '3' },
            evidence: { device: 'd-1' },
        });
        const answer = await request(to.app).get('/').set('authorization', 'Own abc');
        expect(answer.status).toBe(400);
        expect(answer.headers).toMatchObject({
            'www-authenticate': 'Own realm="x", error="pin_required"',
            'x-attempts': '3',
        });
        expect(answer.body).toMatchObject({
            status: 400,
            code: 'pin_required',
            title: 'A PIN is needed',
            detail: 'Send the PIN too.',
            type: 'https://api.test/problems/pin',
            attempts: 3,
        });
        expect(to.decisions.at(-1)).toMatchObject({ reason: 'signature_invalid' });
        expect(JSON.stringify(answer.body)).not.toContain('d-1');
    });
    it('is as it was where it says nothing of its own', async () => {
        const answer = await request(refusing({}).app).get('/').set('authorization', 'Own abc');
        expect(answer.body).toMatchObject({ status: 401, code: 'invalid_token', type: 'about:blank' });
    });
});
describe('set-up', () => {
    const asking = introspectionVerifier({
        issuer: ISSUER,
        endpoint: 'https://id.test/introspect',
        audience: AUDIENCE,
        client: { id: 'api', secret: 's' },
        tokens: 'opaque',
    });
    const bearer = apiKeyVerifier({ keys, scheme: 'bearer' });
    it('refuses an order in which the authorization server would be sent the keys', () => {
        const message = "authenticate: apiKeyVerifier({ scheme: 'bearer' }) must stand before introspectionVerifier(), which would be sent the keys";
        for (const verifiers of [
            [asking, bearer],
            [jwt, asking, bearer],
            [bearer, asking, apiKeyVerifier({ keys: apiKeys({ prefix: 'other' }), scheme: 'bearer' })],
        ])
            expect(() => authenticate({ verifiers })).toThrow(new TypeError(message));
        for (const verifiers of [
            [bearer, asking],
            [bearer, jwt, asking],
            [asking, apiKeyVerifier({ keys })],
        ])
            expect(() => authenticate({ verifiers })).not.toThrow();
    });
    it.each([
        [
            'an issuer beside verifiers',
            () => authenticate({ issuer: ISSUER, verifiers: [jwt] }),
            'authenticate: issuer belongs into jwtVerifier()',
        ],
        [
            'algorithms beside verifiers',
            () => authenticate({ verifiers: [jwt], algorithms: ['ES256'] }),
            'authenticate: algorithms belongs into jwtVerifier()',
        ],
        [
            'a second argument',
            () => jwtVerifier({ issuer: ISSUER }, { issuer: ISSUER }),
            'jwtVerifier: several issuers are given as a list: jwtVerifier([first, second])',
        ],
        [
            'one issuer twice',
            () => jwtVerifier([
                { issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [issuer.jwk] } },
                { issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [issuer.jwk] } },
            ]),
            'jwtVerifier: issuer must be given once, got the same issuer twice',
        ],
        [
            'dpop: true',
            () => authenticate({ verifiers: [jwt], dpop: true }),
            "authenticate: dpop must be an object such as { publicOrigin: 'https://orders.example' }, got true",
        ],
        [
            'nonce: true',
            () => authenticate({
                verifiers: [jwt],
                dpop: { publicOrigin: ORIGIN, nonce: true },
            }),
            'authenticate: dpop: nonce must be an object such as { lifetimeSeconds: 300 }, got true',
        ],
        ...['maxTokenLifetime', 'maxTokenAge'].map((name) => [
            `${name}: 900`,
            () => jwtVerifier({ issuer: ISSUER, audience: AUDIENCE, [name]: 900 }),
            `jwtVerifier: ${name} must be an object such as { seconds: 900, mode: 'report' }, got 900`,
        ]),
        [
            'failureLimit: 20',
            () => authenticate({ verifiers: [jwt], failureLimit: 20 }),
            'authenticate: failureLimit must be an object such as { limit: 20, windowSeconds: 60 }, got 20',
        ],
    ])('%s is told how it must be', (_what, make, message) => {
        expect(make).toThrow(new TypeError(message));
    });
});
