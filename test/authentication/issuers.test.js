// docs/issuers.md, read as a test: each token on it is accepted with the options beside it, and refused without them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { authenticate } from '../../src/authentication/authenticate.js';
import { optionalPrincipalOf } from '../../src/core/context.js';
import { nowSeconds, send, service, signer, trusting } from './harness.js';
const CALLERS = {
    'Microsoft Entra ID, v2.0': [
        ['user', 'a1b2c3d4-0000-4111-8222-333344445555', ['orders.read', 'orders.write'], ['Clerk']],
        ['service', 'a1b2c3d4-0000-4111-8222-333344445555', [], ['Orders.Read.All']],
    ],
    'Microsoft Entra ID, v1.0': [['user', 'a1b2c3d4-0000-4111-8222-333344445555', ['orders.read'], []]],
    Auth0: [
        ['user', 'my_client_id', ['openid', 'profile', 'orders:read'], ['clerk']],
        ['service', 'my_client_id', ['orders:read'], []],
    ],
    'Amazon Cognito': [
        ['user', 'xxxxxxxxxxxxexample', ['openid', 'orders/read'], ['clerk']],
        ['service', 'xxxxxxxxxxxxexample', ['orders/read'], []],
    ],
    Keycloak: [
        ['user', 'web', ['profile', 'email', 'orders:read'], ['clerk', 'offline_access']],
        ['service', 'billing', ['orders:read'], ['clerk']],
    ],
    Okta: [
        ['user', 'nmdP1fcyvdVO11AL7ECm', ['openid', 'orders:read'], ['clerk']],
        ['service', 'nmdP1fcyvdVO11AL7ECm', ['orders.read'], []],
    ],
};
const page = readFileSync(join(process.cwd(), 'docs/issuers.md'), 'utf8');
const key = signer();
const documented = page
    .split(/^## /m)
    .slice(1)
    .map((section) => {
    const code = /```ts\n(.*?)```/s.exec(section)?.[1] ?? '';
    // What stands on the page is what is run.
    // eslint-disable-next-line @typescript-eslint/no-implied-eval
    const read = new Function('authenticate', `return ${code}`);
    return {
        issuer: section.slice(0, section.indexOf('\n')),
        options: read((options) => options),
        tokens: [...section.matchAll(/^(An? [^\n]*) token:\n\n```json\n(.*?)```/gms)].map(([, whose = '', json = '']) => ({
            whose,
            ...JSON.parse(json),
        })),
    };
});
/** A token as it is documented, issued now, and signed by a key of this test. */
function issue({ header, claims }, changes = {}) {
    const now = nowSeconds();
    const signed = { ...header, alg: 'ES256', kid: key.jwk.kid };
    return key.sign(signed, { ...claims, iat: now, nbf: now, exp: now + 3600, ...changes });
}
const CASES = documented.flatMap((each) => each.tokens.map((token, index) => ({ ...each, token, index })));
describe('docs/issuers.md', () => {
    it('has the issuers that are tested here, each with a token', () => {
        expect(documented.map(({ issuer, tokens }) => [issuer, tokens.length])).toEqual(Object.entries(CALLERS).map(([issuer, callers]) => [issuer, callers.length]));
    });
    it('has a row for each in its table', () => {
        const rows = [...page.matchAll(/^\| ([^|]*?) +\|/gm)].map(([, name]) => name ?? '');
        for (const { issuer } of documented)
            expect(rows.some((row) => row.startsWith(issuer))).toBe(true);
    });
});
describe.each(CASES)('$issuer: $token.whose token', ({ issuer, options, token, index }) => {
    const { jwks } = trusting(key);
    const behind = (given) => service(authenticate({ ...given, jwks }), (req) => {
        const principal = optionalPrincipalOf(req);
        return [principal?.type, principal?.clientId ?? null, principal?.scopes, principal?.roles];
    });
    it('is accepted with the options of the page, and says who it is', async () => {
        const answer = await send(behind(options), issue(token));
        expect([answer.status, answer.body]).toEqual([200, CALLERS[issuer]?.[index]]);
    });
    it('is refused without them', async () => {
        const plain = { issuer: options.issuer, audience: token.claims['aud'] ?? token.claims['client_id'] };
        await send(behind(plain), issue(token)).expect(401);
    });
    it.each(Object.keys(options).filter((name) => name === 'typ' || name === 'audience'))('is refused with another %s', async (name) => {
        const other = name === 'typ' ? 'at+jwt' : 'https://other.example';
        await send(behind({ ...options, [name]: other }), issue(token)).expect(401);
    });
    it.each([
        ['another tenant', { iss: `${options.issuer.replace(/\/$/, '')}x` }],
        [
            'another slash at the end',
            { iss: options.issuer.endsWith('/') ? options.issuer.slice(0, -1) : `${options.issuer}/` },
        ],
        ['another service', { aud: 'https://other.example', client_id: 'other' }],
        ['nobody', { sub: undefined }],
        ['an ID token with a nonce', { nonce: 'n' }],
        ['an ID token with a hash of its token', { at_hash: 'h' }],
        ['a logout token', { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }],
        ['an ID token, by its audience', { aud: 'app', azp: 'app' }],
    ])('is refused as that of %s', async (_case, changes) => {
        await send(behind(options), issue(token, changes)).expect(401);
    });
});
