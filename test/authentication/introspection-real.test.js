import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { authenticate } from '../../src/authentication/authenticate.js';
import { introspectionVerifier, } from '../../src/authentication/introspection-verifier.js';
import { principalOf } from '../../src/core/context.js';
import { opaqueAuthorizationServer } from '../support/authorization-server.js';
import { AUDIENCE, outcome, send, service, signer } from './harness.js';
const SECRET = 'a secret: with + and / and % in it, longer than 32 characters';
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const privateJwk = { ...privateKey.export({ format: 'jwk' }), kid: 'api-key-1' };
const CLIENTS = {
    basic: { id: 'api:basic', secret: SECRET },
    post: { id: 'api-post', secret: () => Promise.resolve(SECRET), authentication: 'post' },
    'private_key_jwt with a KeyObject': {
        id: 'api-signed',
        authentication: 'private_key_jwt',
        privateKey,
        algorithm: 'ES256',
        keyId: 'api-key-1',
    },
    'private_key_jwt with a JWK from a source': {
        id: 'api-signed',
        authentication: 'private_key_jwt',
        privateKey: () => privateJwk,
        algorithm: 'ES256',
    },
};
let server;
beforeAll(async () => {
    server = await opaqueAuthorizationServer(AUDIENCE, [
        { client_id: 'api:basic', client_secret: SECRET },
        { client_id: 'api-post', client_secret: SECRET, token_endpoint_auth_method: 'client_secret_post' },
        {
            client_id: 'api-signed',
            token_endpoint_auth_method: 'private_key_jwt',
            jwks: {
                keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'api-key-1', alg: 'ES256', use: 'sig' }],
            },
        },
        { client_id: 'caller', client_secret: SECRET },
    ]);
});
afterAll(() => server.close());
function verifying(options = {}) {
    const base = { issuer: server.issuer, audience: AUDIENCE, client: CLIENTS['basic'] };
    const auth = authenticate({ verifiers: [introspectionVerifier({ ...base, ...options })] });
    return service(auth, (req) => {
        const { subject, issuer, clientId, type, scopes, authenticatedBy } = principalOf(req);
        return { subject, issuer, clientId, type, scopes: [...scopes], authenticatedBy };
    });
}
const userToken = (facts = {}) => server.mint({ model: 'AccessToken', clientId: 'caller', accountId: 'user-1', ...facts });
describe('introspectionVerifier with oidc-provider', () => {
    it.each(Object.entries(CLIENTS))('accepts an opaque token, as a client by %s', async (_name, client) => {
        const to = verifying({ client });
        const { body, status } = await send(to, await userToken());
        expect([status, to.lastReason()]).toEqual([200, 'verified']);
        expect(body).toEqual({
            subject: 'user-1',
            issuer: server.issuer,
            clientId: 'caller',
            type: 'user',
            scopes: ['orders:read', 'orders:write'],
            authenticatedBy: 'introspection',
        });
    });
    it('answers 503, never 401, where the server does not know this service', async () => {
        const to = verifying({ client: { id: 'api:basic', secret: 'another secret' } });
        const answer = await send(to, await userToken());
        expect([answer.status, to.lastReason()]).toEqual([503, 'introspection_unavailable']);
        expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    });
    it('refuses what the server does not know', async () => {
        await expect(outcome(verifying(), 'junk')).resolves.toEqual([401, 'token_inactive']);
    });
    it('refuses a revoked token, at once where nothing is remembered', async () => {
        const to = verifying({ cache: false });
        const token = await userToken();
        await expect(outcome(to, token)).resolves.toEqual([200, 'verified']);
        await server.revoke(token);
        await expect(outcome(to, token)).resolves.toEqual([401, 'token_inactive']);
    });
    it('refuses a token for another audience', async () => {
        const token = await userToken({ audience: 'https://other.test' });
        await expect(outcome(verifying(), token)).resolves.toEqual([401, 'audience_mismatch']);
    });
    it('refuses a JWT, of which the server says that it has none', async () => {
        await expect(outcome(verifying(), signer().token())).resolves.toEqual([401, 'token_inactive']);
    });
    it('refuses a token without subject, unless told that it is its client’s', async () => {
        const token = await server.mint({ model: 'ClientCredentials', clientId: 'caller' });
        await expect(outcome(verifying(), token)).resolves.toEqual([401, 'claim_missing']);
        const { body } = await send(verifying({ withoutSubject: 'client' }), token);
        expect(body).toMatchObject({ subject: 'caller', clientId: 'caller', type: 'service' });
    });
    it.each([
        ['a key', { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' }, 'confirmation_unsupported'],
        ['a certificate', { 'x5t#S256': 'v68ffgcPn6jdYpBfFY2nP4ShE2Yk-6_Mk5PI9yh6aes' }, 'confirmation_mismatch'],
    ])('refuses a token bound to %s without its proof', async (_to, binding, reason) => {
        await expect(outcome(verifying(), await userToken(binding))).resolves.toEqual([401, reason]);
    });
    it('finds the endpoint in the metadata before the first request, where asked to', async () => {
        const options = { issuer: server.issuer, audience: AUDIENCE, client: CLIENTS['basic'] };
        const auth = authenticate({ verifiers: [introspectionVerifier(options)] });
        await auth.warmUp();
        expect(auth.health().status).toBe('ok');
        const nobody = introspectionVerifier({ ...options, issuer: 'http://127.0.0.1:1' });
        await expect(nobody.warmUp?.()).rejects.toMatchObject({ reason: 'introspection_unavailable' });
    });
});
