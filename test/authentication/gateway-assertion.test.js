import { createHmac, createPublicKey, generateKeyPairSync, randomUUID, sign, } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { awsAlbOidc, cloudflareAccess, gatewayAssertion, googleIap, } from '../../src/authentication/gateway-assertion.js';
import { forward, releaseClocks, stopClocks } from './clock.js';
import { arriving, keyServer, prove, reasonsOf } from './gateway-assertion-support.js';
import { nowSeconds, segment, signer, unsigned } from './harness.js';
const SECRET = 'what the gateway signs with, 32 bytes or more';
const OTHER_SECRET = 'what it will sign with next, just as long';
const key = signer('gw-1');
const stranger = signer('gw-1');
/** The claims of the assertion that HAProxy makes for GET /orders/1, with these changed. */
function claims(changes = {}) {
    const now = nowSeconds();
    const standard = {
        iss: 'haproxy-edge',
        aud: 'orders',
        iat: now,
        exp: now + 30,
        htm: 'GET',
        path: '/orders/1',
    };
    return { ...standard, sub: 'orders', ...changes };
}
function hs256(payload, secret = SECRET, header = {}) {
    const input = `${segment({ alg: 'HS256', typ: 'gw+jwt', ...header })}.${segment(payload)}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}
const es256 = (payload, header = {}) => key.sign({ alg: 'ES256', kid: 'gw-1', ...header }, payload);
const base = { header: 'X-Gateway-Assertion', issuer: 'haproxy-edge', audience: 'orders' };
const bySecret = (options = {}) => gatewayAssertion({ ...base, secrets: [SECRET, OTHER_SECRET], ...options });
const byKey = (options = {}) => gatewayAssertion({ ...base, jwks: { keys: [key.jwk] }, ...options });
const withAssertion = (token, ...rest) => arriving({ 'X-Gateway-Assertion': token }, ...rest);
beforeEach(stopClocks);
afterEach(releaseClocks);
describe('gatewayAssertion', () => {
    it.each([
        ['a shared secret', bySecret(), () => hs256(claims())],
        ['the next secret, while one replaces the other', bySecret(), () => hs256(claims(), OTHER_SECRET)],
        ['a secret in bytes', bySecret({ secrets: Buffer.from(SECRET) }), () => hs256(claims())],
        ['secrets that a function returns', bySecret({ secrets: () => [SECRET] }), () => hs256(claims())],
        ['a public key', byKey(), () => es256(claims())],
        ['one of several audiences', bySecret({ audience: ['billing', 'orders'] }), () => hs256(claims())],
        [
            'no audience, where none is asked for',
            bySecret({ audience: undefined }),
            () => hs256(claims({ aud: undefined })),
        ],
        ['the asked type', bySecret({ typ: 'GW+JWT' }), () => hs256(claims())],
        [
            'no method and no path, where none is asked for',
            bySecret({ boundTo: [] }),
            () => hs256(claims({ htm: undefined, path: '/other' })),
        ],
        ['a lifetime of a minute', bySecret(), () => hs256(claims({ exp: nowSeconds() + 60 }))],
    ])('proves the hop by %s', async (_what, proof, token) => {
        await expect(prove(proof, withAssertion(token()))).resolves.toMatchObject({ claims: { sub: 'orders' } });
    });
    it('answers at once with a shared secret', () => {
        expect(bySecret().prove(withAssertion(hs256(claims())), { method: 'GET', path: '/orders/1' })).toMatchObject({
            claims: { sub: 'orders' },
        });
    });
    it('gives claims that nobody can change and that have no prototype', async () => {
        const nested = JSON.stringify(claims({ roles: [{ name: 'a' }] })).replace('{', '{"__proto__":{"admin":true},');
        const answer = await prove(bySecret(), withAssertion(hs256(nested)));
        const said = typeof answer === 'object' ? answer.claims : undefined;
        expect(Object.isFrozen(said) && Object.isFrozen(said?.['roles'])).toBe(true);
        expect(said?.['admin']).toBeUndefined();
        expect(said?.['constructor']).toBeUndefined();
    });
    it('proves nothing without an assertion, and says nothing of it', async () => {
        const reasons = await reasonsOf(async () => {
            await expect(prove(bySecret(), arriving({}))).resolves.toBeUndefined();
        });
        expect(reasons).toEqual([]);
    });
    it('names its header, which nobody behind the gateway sees', () => {
        expect(bySecret().headers).toEqual(['x-gateway-assertion']);
        expect(JSON.stringify(bySecret())).not.toContain(SECRET);
    });
    it('says that its keys could not be read, where it has keys', async () => {
        expect(byKey().health?.()).toMatchObject({ name: 'gateway-assertion', status: 'ok' });
        await expect(byKey({ jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }).warmUp?.()).rejects.toThrow('no usable key');
    });
});
describe('attacks on gatewayAssertion', () => {
    const later = (seconds) => nowSeconds() + seconds;
    it.each([
        ['no JWT', () => 'forged.jwt.value', 'token_malformed'],
        ['nothing', () => '', 'token_malformed'],
        [
            'another secret',
            () => hs256(claims(), 'not what the gateway signs with, but as long'),
            'signature_invalid',
        ],
        ['no signature', () => unsigned({ alg: 'HS256' }, claims()), 'signature_invalid'],
        ['a signature cut short', () => hs256(claims()).slice(0, -3), 'signature_invalid'],
        ['alg none', () => `${segment({ alg: 'none' })}.${segment(claims())}.`, 'token_malformed'],
        ['alg none and a signature', () => unsigned({ alg: 'none' }, claims()), 'algorithm_refused'],
        ['another hash', () => hs256(claims(), SECRET, { alg: 'HS512' }), 'algorithm_refused'],
        ['an asymmetric algorithm against a secret', () => es256(claims()), 'algorithm_refused'],
        [
            'a public key used as a secret',
            () => hs256(claims(), JSON.stringify(key.jwk), { kid: 'gw-1' }),
            'algorithm_refused',
            byKey(),
        ],
        [
            'a key that nobody knows',
            () => stranger.sign({ alg: 'ES256', kid: 'gw-1' }, claims()),
            'signature_invalid',
            byKey(),
        ],
        ['a kid that nobody knows', () => es256(claims(), { kid: 'gw-2' }), 'key_unknown', byKey()],
        [
            'a key of its own in the header',
            () => stranger.sign({ alg: 'ES256', jwk: stranger.jwk }, claims()),
            'signature_invalid',
            byKey(),
        ],
        ['crit', () => hs256(claims(), SECRET, { crit: ['b64'], b64: true }), 'token_malformed'],
        ['b64', () => hs256(claims(), SECRET, { b64: false }), 'token_malformed'],
        ['a kid that is no text', () => es256(claims(), { kid: 1 }), 'token_malformed', byKey()],
        ['another type', () => hs256(claims()), 'token_type_refused', bySecret({ typ: 'other+jwt' })],
        ['another issuer', () => hs256(claims({ iss: 'haproxy-edge2' })), 'issuer_mismatch'],
        ['no issuer', () => hs256(claims({ iss: undefined })), 'issuer_mismatch'],
        ['another audience', () => hs256(claims({ aud: 'billing' })), 'audience_mismatch'],
        ['no audience', () => hs256(claims({ aud: undefined })), 'audience_mismatch'],
        ['another method', () => hs256(claims({ htm: 'POST' })), 'confirmation_mismatch'],
        ['the method in small letters', () => hs256(claims({ htm: 'get' })), 'confirmation_mismatch'],
        ['no method', () => hs256(claims({ htm: undefined })), 'claim_missing'],
        ['another path', () => hs256(claims({ path: '/orders/2' })), 'confirmation_mismatch'],
        ['the path with the query', () => hs256(claims({ path: '/orders/1?x=1' })), 'confirmation_mismatch'],
        ['a path that is no text', () => hs256(claims({ path: ['/orders/1'] })), 'confirmation_mismatch'],
        ['no path', () => hs256(claims({ path: undefined })), 'claim_missing'],
        ['its time over', () => hs256(claims({ iat: later(-60), exp: later(-5) })), 'token_expired'],
        ['its time to come', () => hs256(claims({ nbf: later(6) })), 'token_not_yet_valid'],
        ['an iat to come', () => hs256(claims({ iat: later(6) })), 'token_not_yet_valid'],
        ['a longer life than is allowed', () => hs256(claims({ exp: later(61) })), 'token_lifetime_too_long'],
        ['no end', () => hs256(claims({ exp: undefined })), 'claim_missing'],
        ['no iat', () => hs256(claims({ iat: undefined })), 'claim_missing'],
        ['an end that is no number', () => hs256(claims({ exp: '9999999999' })), 'claim_invalid'],
        ['claims that are no object', () => hs256('[]'), 'token_malformed'],
        ['two lines', () => [hs256(claims()), hs256(claims())], 'token_malformed'],
        ['two lines, one empty', () => [hs256(claims()), ''], 'token_malformed'],
        ['two in one line', () => `${hs256(claims())}, ${hs256(claims())}`, 'token_malformed'],
        ['a scheme before it', () => `Bearer ${hs256(claims())}`, 'token_malformed'],
        ['padding', () => `${hs256(claims())}=`, 'token_malformed'],
        ['more than 16 KiB', () => hs256(claims({ more: 'x'.repeat(16_384) })), 'token_too_long'],
    ])('%s is refused, and told', async (_what, token, reason, proof = bySecret()) => {
        const reasons = await reasonsOf(async () => {
            await expect(prove(proof, withAssertion(token()))).resolves.toBe('refused');
        });
        expect(reasons).toEqual([reason]);
    });
    it('is refused when it is sent again after its time', async () => {
        const proof = bySecret();
        const token = hs256(claims());
        await expect(prove(proof, withAssertion(token))).resolves.toBeDefined();
        forward(35_000);
        await expect(prove(proof, withAssertion(token))).resolves.toBe('refused');
    });
    it('is refused on another method or path of the same service', async () => {
        const token = hs256(claims());
        await expect(prove(bySecret(), withAssertion(token, 'DELETE'))).resolves.toBe('refused');
        await expect(prove(bySecret(), withAssertion(token, 'GET', '/orders/2'))).resolves.toBe('refused');
        await expect(prove(bySecret(), withAssertion(token, 'GET', '/orders/1?y=2'))).resolves.toBeDefined();
    });
    it.each([['short'], [[]], [undefined], [['x'.repeat(31)]], ['x'.repeat(31)], ['x'.repeat(32)]])('is a fault, and no proof, where secrets() returns %j', async (secrets) => {
        const proof = bySecret({ secrets: () => secrets });
        await expect(prove(proof, withAssertion(hs256(claims())))).rejects.toMatchObject({
            reason: 'guard_fault',
        });
    });
    it('is a fault, and no proof, where secrets() throws', async () => {
        const proof = bySecret({
            secrets: () => {
                throw new Error('vault');
            },
        });
        await expect(prove(proof, withAssertion(hs256(claims())))).rejects.toThrow('vault');
    });
});
describe('set-up of gatewayAssertion', () => {
    it.each([
        ['no keys', { ...base }],
        ['two kinds of keys', { ...base, secrets: SECRET, jwksUri: 'https://edge.test/keys' }],
        ['a short secret', { ...base, secrets: 'x'.repeat(31) }],
        ['a short secret among others', { ...base, secrets: [SECRET, 'short'] }],
        ['a secret of few characters', { ...base, secrets: 'abcdefg'.repeat(6) }],
        ['a secret of few bytes', { ...base, secrets: Buffer.alloc(32, 7) }],
        ['what documentation writes there', { ...base, secrets: 'put-32-or-more-random-characters-here' }],
        ['a secret that is none', { ...base, secrets: 32 }],
        ['no secret', { ...base, secrets: [] }],
        ['eleven secrets', { ...base, secrets: new Array(11).fill(SECRET) }],
        ['algorithms beside secrets', { ...base, secrets: SECRET, algorithms: ['ES256'] }],
        ['HS256 beside public keys', { ...base, jwks: { keys: [key.jwk] }, algorithms: ['HS256'] }],
        ['no public keys', { ...base, jwks: { keys: [] } }],
        ['a key server without TLS', { ...base, jwksUri: 'http://edge.test/keys' }],
        ['a header with a meaning', { ...base, header: 'Authorization', secrets: SECRET }],
        ['a header that forwards', { ...base, header: 'X-Forwarded-For', secrets: SECRET }],
        ['no header name', { ...base, header: 'x gateway', secrets: SECRET }],
        ['a header that other servers read as another', { ...base, header: 'x_gateway', secrets: SECRET }],
        ['no issuer', { header: 'x-a', secrets: SECRET }],
        ['a long life', { ...base, secrets: SECRET, maxLifetimeSeconds: 301 }],
        ['a binding that it does not know', { ...base, secrets: SECRET, boundTo: ['host'] }],
        ['an unknown option', { ...base, secrets: SECRET, secret: SECRET }],
    ])('refuses %s', (_what, options) => {
        expect(() => gatewayAssertion(options)).toThrow(TypeError);
    });
    it('says of a refused secret how long it is, and never what', () => {
        const made = (secrets) => () => gatewayAssertion({ ...base, secrets });
        expect(made('q7Xy2')).toThrow('got a text of 5 characters');
        expect(made([SECRET, Buffer.from('q7Xy2')])).toThrow('got a list of 2: a text of 45 characters, 5 bytes');
        expect(made('q7Xy2-change-me')).toThrow('with a word in it as placeholders have');
        for (const attempt of [made('q7Xy2'), made([SECRET, 'q7Xy2']), made('q7Xy2-change-me')])
            expect(attempt).not.toThrow(/q7|change-me|what the gateway/);
    });
});
describe('googleIap', () => {
    const AUDIENCE = '/projects/123/global/backendServices/456';
    let server;
    let proof;
    const token = (changes = {}) => es256({
        iss: 'https://cloud.google.com/iap',
        aud: AUDIENCE,
        sub: 'accounts.google.com:1',
        iat: nowSeconds(),
        exp: nowSeconds() + 600,
        ...changes,
    });
    const from = (assertion) => arriving({ 'x-goog-iap-jwt-assertion': assertion });
    beforeAll(async () => {
        server = await keyServer(() => [200, JSON.stringify({ keys: [key.jwk] })]);
        proof = googleIap({ audience: AUDIENCE, jwksUri: `${server.url}/iap` });
    });
    afterAll(() => server.close());
    it('proves the hop, and removes what IAP says unsigned', async () => {
        await expect(prove(proof, from(token()))).resolves.toMatchObject({
            claims: { sub: 'accounts.google.com:1' },
        });
        expect(proof.headers).toEqual([
            'x-goog-iap-jwt-assertion',
            'x-goog-authenticated-user-email',
            'x-goog-authenticated-user-id',
        ]);
    });
    it('takes a health check, which has no assertion, and the unsigned headers alone, as unproven', async () => {
        await expect(prove(proof, arriving({}))).resolves.toBeUndefined();
        await expect(prove(proof, arriving({ 'X-Goog-Authenticated-User-Email': 'accounts.google.com:root@acme.test' }))).resolves.toBeUndefined();
    });
    it.each([
        ['another backend', () => ({ aud: '/projects/123/global/backendServices/457' }), 'audience_mismatch'],
        ['another issuer', () => ({ iss: 'https://accounts.google.com' }), 'issuer_mismatch'],
        ['a life of more than eleven minutes', () => ({ exp: nowSeconds() + 661 }), 'token_lifetime_too_long'],
        [
            'a time that is over for more than thirty seconds',
            () => ({ iat: nowSeconds() - 100, exp: nowSeconds() - 31 }),
            'token_expired',
        ],
        [
            'a time that is to come in more than thirty seconds',
            () => ({ iat: nowSeconds() + 40 }),
            'token_not_yet_valid',
        ],
    ])('refuses %s', async (_what, changes, reason) => {
        expect(await reasonsOf(() => prove(proof, from(token(changes()))))).toEqual([reason]);
    });
    it.each(['orders', '/projects/acme/apps/acme', ''])('refuses the audience %j at set-up', (audience) => {
        expect(() => googleIap({ audience })).toThrow(TypeError);
    });
});
describe('a key server that is out', () => {
    it('is 503, and neither a proof nor none', async () => {
        const server = await keyServer(() => [500, '']);
        const proof = byKey({ jwks: undefined, jwksUri: `${server.url}/keys` });
        await expect(prove(proof, withAssertion(es256(claims())))).rejects.toMatchObject({
            status: 503,
            reason: 'key_set_unavailable',
        });
        await server.close();
    });
});
describe('cloudflareAccess', () => {
    const options = { audience: 'tag-of-the-application', reason: 'reachable through a tunnel alone' };
    it.each([
        ['a team', { team: 'acme' }, 'https://acme.cloudflareaccess.com'],
        ['an issuer', { issuer: 'https://login.acme.test' }, 'https://login.acme.test'],
    ])('takes %s', (_what, who, issuer) => {
        const { facts } = cloudflareAccess({ ...options, ...who });
        expect(facts).toMatchObject({ issuer, isWeak: true, reason: options.reason });
    });
    it.each([
        {},
        { team: 'acme', issuer: 'https://login.acme.test' },
        { team: 'acme.evil.test/' },
        { team: 'acme', reason: undefined },
    ])('refuses %j at set-up', (who) => {
        expect(() => cloudflareAccess({ ...options, ...who })).toThrow(TypeError);
    });
    it('accepts RS256 of this team and this application alone, and not the cookie', async () => {
        const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
        const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'cf-1', alg: 'RS256', use: 'sig' };
        const server = await keyServer(() => [200, JSON.stringify({ keys: [jwk, key.jwk] })]);
        const proof = cloudflareAccess({
            ...options,
            team: 'acme',
            jwksUri: `${server.url}/cdn-cgi/access/certs`,
        });
        const issuer = 'https://acme.cloudflareaccess.com';
        const token = (changes = {}) => rs256(privateKey, {
            iss: issuer,
            aud: [options.audience],
            sub: 'u',
            type: 'app',
            iat: nowSeconds(),
            exp: nowSeconds() + 86_400,
            ...changes,
        });
        const header = 'Cf-Access-Jwt-Assertion';
        await expect(prove(proof, arriving({ [header]: token() }))).resolves.toMatchObject({
            claims: { sub: 'u' },
        });
        await expect(prove(proof, arriving({ cookie: `CF_Authorization=${token()}` }))).resolves.toBeUndefined();
        for (const [forged, reason] of [
            [token({ aud: ['tag-of-another'] }), 'audience_mismatch'],
            [token({ iss: 'https://evil.cloudflareaccess.com' }), 'issuer_mismatch'],
            [token({ exp: nowSeconds() - 6 }), 'token_expired'],
            [es256({ iss: issuer, aud: [options.audience], exp: nowSeconds() + 60 }), 'algorithm_refused'],
        ]) {
            expect(await reasonsOf(() => prove(proof, arriving({ [header]: forged })))).toEqual([reason]);
        }
        await server.close();
    });
});
function rs256(privateKey, payload) {
    const input = `${segment({ alg: 'RS256', kid: 'cf-1' })}.${segment(payload)}`;
    return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`;
}
describe('awsAlbOidc', () => {
    const ARN = 'arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/edge/0123456789abcdef';
    const KID = '12345678-1234-1234-1234-123456789012';
    const alb = signer(KID);
    const pem = createPublicKey(alb.privateKey).export({ format: 'pem', type: 'spki' });
    const settings = { region: 'eu-west-1', loadBalancerArn: ARN, clientId: 'client-1' };
    let server;
    let answer;
    beforeEach(async () => {
        answer = (path) => (path === `/${KID}` ? [200, pem] : [404, '']);
        server = await keyServer((path) => answer(path));
    });
    afterEach(() => server.close());
    const made = (options = {}) => awsAlbOidc({ ...settings, keysUrl: server.url, ...options });
    const from = (assertion) => arriving({ 'x-amzn-oidc-data': assertion });
    const header = (changes = {}) => ({
        typ: 'JWT',
        kid: KID,
        alg: 'ES256',
        iss: 'https://idp.test',
        client: 'client-1',
        signer: ARN,
        exp: nowSeconds() + 120,
        ...changes,
    });
    /** As the load balancer does it: base64url with padding, which is signed along. */
    function padded(head = header(), payload = { sub: 'u', email: 'u@acme.test' }, by = alb) {
        const pad = (value) => {
            const text = segment(value);
            return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
        };
        const input = `${pad(head)}.${pad(payload)}`;
        const signature = sign('sha256', Buffer.from(input), { key: by.privateKey, dsaEncoding: 'ieee-p1363' });
        return `${input}.${signature.toString('base64url')}==`;
    }
    it('proves the hop by a padded assertion, and asks for its key once', async () => {
        const proof = made();
        expect(padded()).toContain('=.');
        for (let count = 0; count < 3; count += 1) {
            await expect(prove(proof, from(padded()))).resolves.toMatchObject({ claims: { sub: 'u' } });
        }
        expect(server.asked).toEqual([`/${KID}`]);
        expect(proof.headers).toEqual(['x-amzn-oidc-data', 'x-amzn-oidc-identity', 'x-amzn-oidc-accesstoken']);
    });
    it('asks once for requests that come together', async () => {
        const proof = made();
        await Promise.all(Array.from({ length: 20 }, () => prove(proof, from(padded()))));
        expect(server.asked).toHaveLength(1);
    });
    it.each([
        [
            'another load balancer of the same region',
            () => padded(header({ signer: `${ARN.slice(0, -1)}0` })),
            'issuer_mismatch',
        ],
        ['no signer', () => padded(header({ signer: undefined })), 'issuer_mismatch'],
        ['another client', () => padded(header({ client: 'client-2' })), 'audience_mismatch'],
        ['its time over', () => padded(header({ exp: nowSeconds() - 5 })), 'token_expired'],
        ['no end', () => padded(header({ exp: undefined })), 'claim_missing'],
        ['an end that is no number', () => padded(header({ exp: '9999999999' })), 'claim_invalid'],
        ['another algorithm', () => padded(header({ alg: 'HS256' })), 'algorithm_refused'],
        ['crit', () => padded(header({ crit: ['x'] })), 'token_malformed'],
        ['a kid that is a path', () => padded(header({ kid: '../../evil' })), 'token_malformed'],
        ['a kid that is an address', () => padded(header({ kid: '@evil.test/' })), 'token_malformed'],
        ['a kid with a query', () => padded(header({ kid: `${KID}?x` })), 'token_malformed'],
        ['no kid', () => padded(header({ kid: undefined })), 'token_malformed'],
        ['three characters of padding', () => padded().replace('.', '=.'), 'token_malformed'],
        ['white space', () => ` ${padded()}`, 'token_malformed'],
        [
            'base64 that is not for URLs',
            () => padded().replace(/\.[^.]*$/, `.${'+/'.repeat(43)}==`),
            'token_malformed',
        ],
    ])('refuses %s, and asks for no key', async (_what, assertion, reason) => {
        expect(await reasonsOf(() => prove(made(), from(assertion())))).toEqual([reason]);
        expect(server.asked).toEqual([]);
    });
    it.each([
        [
            'a signature of somebody else',
            () => padded(header(), { sub: 'root' }, signer(KID)),
            'signature_invalid',
        ],
        ['padding taken away, which is signed', () => padded().replaceAll('=', ''), 'signature_invalid'],
        ['claims that are over', () => padded(header(), { sub: 'u', exp: nowSeconds() - 5 }), 'token_expired'],
        ['a key that the server does not have', () => padded(header({ kid: randomUUID() })), 'key_unknown'],
    ])('refuses %s', async (_what, assertion, reason) => {
        expect(await reasonsOf(() => prove(made(), from(assertion())))).toEqual([reason]);
    });
    it('refuses another identity provider, where one is named', async () => {
        const proof = made({ issuer: 'https://other.test' });
        expect(await reasonsOf(() => prove(proof, from(padded())))).toEqual(['issuer_mismatch']);
    });
    it('lets made-up kids cause five fetches in half a minute, and goes on with what it knows', async () => {
        const proof = made();
        await prove(proof, from(padded()));
        await Promise.all(Array.from({ length: 100 }, () => prove(proof, from(padded(header({ kid: randomUUID() }))))));
        expect(server.asked).toHaveLength(5);
        await expect(prove(proof, from(padded()))).resolves.toBeDefined();
        forward(30_000);
        await prove(proof, from(padded(header({ kid: randomUUID(), exp: nowSeconds() + 600 }))));
        expect(server.asked).toHaveLength(6);
    });
    it.each([0, 3_600_001])('keeps the key in use, %d ms old, when others are pushed in', async (ageMs) => {
        const proof = made();
        const lasting = { exp: nowSeconds() + 200_000 };
        const live = padded(header(lasting));
        await prove(proof, from(live));
        // Keys of other load balancers of the region, which anybody may have.
        answer = () => [200, pem];
        forward(ageMs);
        for (let count = 1; count <= 25; count += 1) {
            await prove(proof, from(padded(header({ ...lasting, kid: randomUUID() }))));
            if (count % 5 !== 0)
                continue;
            // Nothing may be fetched now.
            await expect(prove(proof, from(live))).resolves.toMatchObject({ claims: { sub: 'u' } });
            forward(30_000);
        }
        expect(server.asked.length).toBeGreaterThanOrEqual(25);
    });
    it.each([
        ['is out', [500, '']],
        ['sends elsewhere', [302, '', { location: 'https://evil.test/key' }]],
        ['answers more than a key', [200, 'A'.repeat(5000)]],
        ['answers no key', [200, '<html>']],
        ['answers a private key', [200, alb.privateKey.export({ format: 'pem', type: 'pkcs8' })]],
        ['answers two keys', [200, pem + pem]],
    ])('is 503 where the key server %s', async (_what, wrong) => {
        answer = () => wrong;
        const proof = made();
        await expect(prove(proof, from(padded()))).rejects.toMatchObject({
            status: 503,
            reason: 'key_set_unavailable',
        });
        // It is not asked again at once.
        await expect(prove(proof, from(padded()))).rejects.toMatchObject({ status: 503 });
        expect(server.asked).toHaveLength(1);
        expect(proof.health?.()).toMatchObject({ status: 'degraded' });
    });
    it('goes on for a day with a key that it has, while the key server is out', async () => {
        const proof = made();
        const lasting = padded(header({ exp: nowSeconds() + 200_000 }));
        await prove(proof, from(lasting));
        answer = () => [500, ''];
        forward(3_600_001);
        await expect(prove(proof, from(lasting))).resolves.toBeDefined();
        expect(server.asked).toHaveLength(2);
        forward(86_400_001);
        await expect(prove(proof, from(lasting))).rejects.toMatchObject({ status: 503 });
    });
    it('goes on no longer than that while made-up kids use up its fetches', async () => {
        const proof = made();
        const lasting = { exp: nowSeconds() + 200_000 };
        const known = padded(header(lasting));
        const madeUp = () => padded(header({ ...lasting, kid: randomUUID() }));
        await prove(proof, from(known));
        const useUp = () => Promise.all(Array.from({ length: 6 }, () => prove(proof, from(madeUp()))));
        forward(3_600_001);
        await useUp();
        await expect(prove(proof, from(known))).resolves.toMatchObject({ claims: { sub: 'u' } });
        forward(86_400_001);
        await useUp();
        await expect(prove(proof, from(known))).rejects.toMatchObject({ status: 503 });
    });
    it('forgets a key that the key server has no more', async () => {
        const proof = made();
        const lasting = padded(header({ exp: nowSeconds() + 20_000 }));
        await prove(proof, from(lasting));
        answer = () => [404, ''];
        forward(3_600_001);
        await expect(prove(proof, from(lasting))).resolves.toBe('refused');
    });
    it.each([
        { region: 'eu-west-1.evil.test/' },
        { region: 'us-east-1' },
        { loadBalancerArn: 'edge' },
        { loadBalancerArn: [] },
        { loadBalancerArn: ARN.replace('app', 'net') },
        { keysUrl: 'http://keys.test' },
        { keysUrl: 'https://keys.test?x=' },
        { clientId: '' },
    ])('refuses %j at set-up', (options) => {
        expect(() => awsAlbOidc({ ...settings, ...options })).toThrow(TypeError);
    });
});
