import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { authenticate } from '../../src/authentication/authenticate.js';
import { askEndpoint } from '../../src/authentication/introspection-verifier/ask-endpoint.js';
import { readAnswer } from '../../src/authentication/introspection-verifier/read-answer.js';
import { settingsOf } from '../../src/authentication/introspection-verifier/policy.js';
import { introspectionVerifier, } from '../../src/authentication/introspection-verifier.js';
import { onEvent } from '../../src/core/events.js';
import { isSecurityProblem } from '../../src/core/problem.js';
import { redisStore } from '../../src/stores/redis.js';
import { startRedis } from '../support/redis.js';
import { describeWith, program } from '../support/requirements.js';
import { serve } from '../support/server.js';
import { forward, releaseClocks, stopClocks } from './clock.js';
import { AUDIENCE, ISSUER, incoming, nowSeconds, signer } from './harness.js';
let server;
let reply;
/** The bodies that were sent, in order. */
let asked = [];
let authorization;
let stopEvents;
let events = [];
let told = [];
beforeAll(async () => {
    server = await serve((req, res) => {
        let body = '';
        authorization = req.headers.authorization;
        req.on('data', (chunk) => (body += chunk.toString()));
        req.on('end', () => {
            asked.push(body);
            reply(req, res);
        });
    });
});
afterAll(() => server.close());
beforeEach(() => {
    stopClocks();
    asked = [];
    events = [];
    told = [];
    stopEvents = onEvent((event) => {
        events.push(event.event);
        told.push(event);
    });
    reply = active();
});
afterEach(() => {
    stopEvents();
    releaseClocks();
});
async function until(holds) {
    while (!holds())
        await new Promise((resolve) => setTimeout(resolve, 2));
}
function json(document, status = 200, type = 'application/json') {
    return (_req, res) => {
        end(res, JSON.stringify(document), status, type);
    };
}
function end(res, text, status = 200, type = 'application/json') {
    res.writeHead(status, { 'content-type': type }).end(text);
}
/** Answers about a good token, with these members changed; one that is `undefined` is left out. */
function active(members = {}) {
    return json(description(members));
}
function description(members = {}) {
    const now = nowSeconds();
    const standard = {
        active: true,
        sub: 'user-1',
        aud: AUDIENCE,
        iat: now,
        exp: now + 300,
        scope: 'orders:read',
    };
    return { ...standard, ...members };
}
function options(changes = {}) {
    const client = { id: 'api', secret: 'secret' };
    return { issuer: ISSUER, endpoint: server.url, audience: AUDIENCE, client, ...changes };
}
function verifying(changes = {}) {
    return authenticate({ verifiers: [introspectionVerifier(options(changes))] });
}
/** What becomes of a token: `200`, or the status and reason of its refusal. */
async function use(auth, token = 'token-1', scheme = 'Bearer') {
    try {
        await auth.verifyRequest(incoming(`${scheme} ${token}`));
        return '200';
    }
    catch (cause) {
        const { status, reason } = cause;
        return `${status} ${reason}`;
    }
}
describe('set-up', () => {
    it.each([
        [{ audience: undefined }, 'introspectionVerifier: audience must be'],
        [{ issuer: undefined }, 'introspectionVerifier: issuer must be'],
        [{ issuer: 'http://id.test', endpoint: undefined }, 'introspectionVerifier: issuer must be an https URL'],
        [{ endpoint: 'http://id.test/introspect' }, 'introspectionVerifier: endpoint must be an https URL'],
        [{ client: undefined }, 'introspectionVerifier: client must be an object'],
        [{ client: { id: 'api' } }, 'introspectionVerifier: client: secret must be'],
        [{ client: { id: 'api', secret: 's', authentication: 'none' } }, 'client: authentication must be'],
        [{ client: { id: 'api', authentication: 'private_key_jwt' } }, 'client: privateKey must be an object'],
        [
            { client: { id: 'api', authentication: 'private_key_jwt', privateKey: {}, algorithm: 'HS256' } },
            'client: algorithm must be',
        ],
        [{ cache: { maxSeconds: 61 } }, 'cache: maxSeconds must be an integer from 1 to 60 seconds, got 61'],
        [{ cache: { maxSeconds: 0 } }, 'cache: maxSeconds must be'],
        [{ cache: true }, 'introspectionVerifier: cache must be false, or an object'],
        [{ store: {} }, 'introspectionVerifier: store must be what redisStore() makes'],
        [{ clockToleranceSeconds: 61 }, 'clockToleranceSeconds must be'],
        [{ clientSecret: 'x' }, 'Did you mean client ({ id, secret })?'],
        [{ tokens: 'jwt' }, 'tokens must be "any" or "opaque"'],
    ])('refuses %p', (changes, message) => {
        expect(() => introspectionVerifier({ ...options(), ...changes })).toThrow(message);
    });
    it('shows facts without a secret, and asks nobody anything', () => {
        const verifier = introspectionVerifier(options({ client: { id: 'api', secret: 'do-not-show' } }));
        expect(verifier.facts).toMatchObject({ issuer: ISSUER, cacheSeconds: 10, cacheStore: 'memory' });
        expect(JSON.stringify(verifier.facts)).not.toContain('do-not-show');
        expect(asked).toEqual([]);
    });
    it('leaves JWTs to another verifier where told to', () => {
        const verifier = introspectionVerifier(options({ tokens: 'opaque' }));
        const recognised = ['abc', 'a.b', 'a.b.c.d', 'a~.b.c', signer().token(), 'a.b.c.d.e'].map((value) => verifier.recognises({ scheme: 'bearer', value }));
        expect(recognised).toEqual([true, true, true, false, false, false]);
        expect(verifier.recognises({ scheme: 'x-api-key', value: 'abc' })).toBe(false);
    });
});
describe('a request to the endpoint', () => {
    it('is the form of RFC 7662, with id and secret form-encoded in Basic', async () => {
        await use(verifying({ client: { id: 'a:b', secret: 'c d+é' } }));
        expect(asked).toEqual(['token=token-1&token_type_hint=access_token']);
        expect(Buffer.from(authorization?.slice(6) ?? '', 'base64').toString()).toBe('a%3Ab:c+d%2B%C3%A9');
    });
    it('takes the secret of the moment from its source', async () => {
        const secrets = ['old', 'new'];
        const client = { id: 'api', authentication: 'post', secret: () => secrets.shift() ?? '' };
        const auth = verifying({ client });
        for (const token of ['a', 'b', 'c'])
            await use(auth, token);
        expect(asked.map((body) => new URLSearchParams(body).get('client_secret'))).toEqual(['old', 'new']);
    });
    it('is one for however many requests with one token', async () => {
        const auth = verifying();
        const all = await Promise.all(Array.from({ length: 50 }, () => use(auth)));
        expect(new Set(all)).toEqual(new Set(['200']));
        expect(asked).toHaveLength(1);
    });
    it('waits for its turn, and is refused where too many wait', async () => {
        const pending = [];
        reply = (_req, res) => pending.push(res);
        const auth = verifying({ maxConcurrent: 2, maxWaiting: 3 });
        const all = Array.from({ length: 10 }, (_, index) => use(auth, `token-${index}`));
        const refused = await Promise.all(all.slice(5));
        expect(refused).toEqual(Array.from({ length: 5 }, () => '503 introspection_unavailable'));
        while (asked.length < 2)
            await new Promise((resolve) => setTimeout(resolve, 5));
        expect(asked).toHaveLength(2);
        reply = active();
        for (const res of pending)
            end(res, JSON.stringify(description()));
        await expect(Promise.all(all.slice(0, 5))).resolves.toEqual(Array.from({ length: 5 }, () => '200'));
        await expect(use(auth)).resolves.toBe('200');
    });
    it('that waited too long is not made', async () => {
        const pending = [];
        reply = (_req, res) => pending.push(res);
        const auth = verifying({ maxConcurrent: 1, timeoutMs: 1000 });
        const [first, second] = [use(auth, 'first'), use(auth, 'second')];
        while (pending.length === 0)
            await new Promise((resolve) => setTimeout(resolve, 5));
        forward(1001);
        end(pending[0], JSON.stringify(description()));
        await expect(first).resolves.toBe('200');
        await expect(second).resolves.toBe('503 introspection_unavailable');
        expect(asked).toHaveLength(1);
    });
});
describe('attacks', () => {
    it.each([
        ['not active', { active: false }, 'token_inactive'],
        ['another issuer', { iss: 'https://evil.test' }, 'issuer_mismatch'],
        ['a list of issuers', { iss: [ISSUER] }, 'issuer_mismatch'],
        ['no audience', { aud: undefined }, 'audience_mismatch'],
        ['another audience', { aud: ['https://other.test'] }, 'audience_mismatch'],
        ['an audience that begins alike', { aud: `${AUDIENCE}.evil.test` }, 'audience_mismatch'],
        ['expired', { exp: 1 }, 'token_expired'],
        ['an expiry in text', { exp: '99999999999' }, 'claim_invalid'],
        ['an expiry of null', { exp: null }, 'claim_invalid'],
        ['not yet valid', { nbf: 99_999_999_999 }, 'token_not_yet_valid'],
        ['no subject', { sub: undefined, client_id: 'client-1' }, 'claim_missing'],
        ['an empty subject', { sub: '' }, 'claim_missing'],
        ['a subject that is no text', { sub: { a: 1 } }, 'claim_invalid'],
        ['scopes that are no text', { scope: { 'orders:read': true } }, 'claim_invalid'],
        ['bound to what nobody knows', { cnf: { kid: 'x' } }, 'confirmation_unsupported'],
        ['a cnf of null', { cnf: null }, 'confirmation_unsupported'],
        [
            'bound to a certificate that did not come',
            { cnf: { 'x5t#S256': 'A'.repeat(43) } },
            'confirmation_mismatch',
        ],
        ['a DPoP token without its key', { token_type: 'DPoP' }, 'confirmation_missing'],
        ['another type', { token_type: 'mac' }, 'token_type_refused'],
        ['a type that is no text', { token_type: ['Bearer'] }, 'claim_invalid'],
        ['a refresh token as Keycloak describes it', { typ: 'Refresh' }, 'token_not_for_access'],
        ['an ID token by its nonce', { nonce: 'x' }, 'token_not_for_access'],
    ])('%s is refused', async (_name, members, reason) => {
        reply = active(members);
        await expect(use(verifying())).resolves.toBe(`401 ${reason}`);
    });
    const nonsense = [
        ['active in text', active({ active: 'true' })],
        ['active as 1', active({ active: 1 })],
        ['no active', active({ active: undefined })],
        ['a list', json([description()])],
        ['null', json(null)],
        [
            'no JSON',
            (_req, res) => {
                end(res, 'active=true');
            },
        ],
        ['another media type', json(description(), 200, 'text/html')],
        ['a JWT', json(description(), 200, 'application/token-introspection+jwt')],
        ['201', json(description(), 201)],
        ['more than 64 KiB', active({ padding: 'x'.repeat(70_000) })],
        ['403', json({}, 403)],
        ['404', json({}, 404)],
    ];
    it.each(nonsense)('%s is 503 with an event, and says nothing of other tokens', async (_name, answer) => {
        reply = answer;
        const auth = verifying();
        for (let index = 0; index < 3; index += 1)
            await expect(use(auth, `token-${index}`)).resolves.toBe('503 introspection_unavailable');
        expect(events.filter((event) => event === 'introspection_unavailable')).toHaveLength(1);
        // Nor is the random token answered.
        await until(() => auth.health().status === 'degraded');
        reply = active();
        await expect(use(auth)).resolves.toBe('200');
        expect(events.at(-1)).toBe('introspection_back');
        expect(auth.health().status).toBe('ok');
    });
    it.each([
        [
            'a redirect',
            (_req, res) => {
                res.writeHead(307, { location: server.url }).end();
            },
        ],
        ['401', json({ error: 'invalid_client' }, 401)],
        ['400 of our client', json({ error: 'invalid_client' }, 400)],
        ['403 of our client', json({ error: 'unauthorized_client' }, 403)],
        ['429', json({}, 429)],
        ['500', json(description(), 500)],
        [
            'a connection that breaks',
            (req) => {
                req.socket.destroy();
            },
        ],
        [
            'a download that breaks',
            (req, res) => {
                res.writeHead(200, { 'content-type': 'application/json' }).write('{', () => req.socket.destroy());
            },
        ],
    ])('%s, also to a random token, is an outage: nobody is asked', async (_name, answer) => {
        reply = answer;
        const auth = verifying();
        for (let index = 0; index < 3; index += 1)
            await expect(use(auth, `token-${index}`)).resolves.toBe('503 introspection_unavailable');
        await until(() => auth.health().status === 'down');
        for (let index = 3; index < 6; index += 1)
            await expect(use(auth, `token-${index}`)).resolves.toBe('503 introspection_unavailable');
        expect(asked).toHaveLength(4);
        expect(events.filter((event) => event === 'introspection_unavailable')).toHaveLength(1);
        forward(1001);
        expect(auth.health().status).toBe('degraded');
        await use(auth, 'not-asked-about');
        forward(1001);
        await use(auth, 'too soon');
        expect(asked).toHaveLength(5);
        reply = active();
        forward(1001);
        await expect(use(auth)).resolves.toBe('200');
        expect(events.at(-1)).toBe('introspection_back');
        expect(auth.health().status).toBe('ok');
    });
    it('a server that hangs is 503 after timeoutMs', async () => {
        reply = () => undefined;
        await expect(use(verifying({ timeoutMs: 100 }))).resolves.toBe('503 introspection_unavailable');
    });
    it('tokens that the server chokes on shut nobody else out', async () => {
        reply = json({ error: 'invalid_request' }, 400);
        const auth = verifying();
        for (let index = 0; index < 5; index += 1)
            await expect(use(auth, `junk-${index}`)).resolves.toBe('503 introspection_unavailable');
        reply = active();
        await expect(use(auth)).resolves.toBe('200');
    });
    it.each([
        ['throws', () => Promise.reject(new Error('vault sealed, token hvs.abc'))],
        ['never answers', () => new Promise(() => undefined)],
        ['has none', () => Promise.resolve('')],
    ])('a source of secrets that %s is 503, and its message goes nowhere', async (_name, secret) => {
        const auth = verifying({ client: { id: 'api', secret }, timeoutMs: 100 });
        const problem = await auth
            .verifyRequest(incoming('Bearer token-1'))
            .catch((cause) => cause);
        expect(problem).toMatchObject({ status: 503, reason: 'introspection_unavailable' });
        const { evidence } = problem;
        expect(JSON.stringify([evidence, auth.health(), told])).not.toContain('vault');
        expect(inspect(problem, { depth: 10, showHidden: true })).not.toContain('vault');
        expect(asked).toEqual([]);
    });
    it.each([
        ['never answers', () => new Promise(() => undefined)],
        ['throws late', () => Promise.reject(new Error('late'))],
    ])('a source of secrets that %s, asked when the time is over already, holds nobody up', async (_name, secret) => {
        const over = jest.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.abort());
        try {
            await expect(use(verifying({ client: { id: 'api', secret } }))).resolves.toBe('503 introspection_unavailable');
        }
        finally {
            over.mockRestore();
        }
    });
    it('a claim named as a part of every object is only a claim', async () => {
        reply = (_req, res) => {
            end(res, JSON.stringify(description()).replace('{', '{"__proto__":{"roles":["admin"]},"constructor":1,'));
        };
        const auth = verifying();
        const principal = await auth.verifyRequest(incoming('Bearer token-1'));
        expect([...principal.roles]).toEqual([]);
    });
    it('a bound token under Bearer is told to come with DPoP’s proof', async () => {
        reply = active({ token_type: 'DPoP', cnf: { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' } });
        await expect(use(verifying())).resolves.toMatch(/^401 (confirmation_unsupported|bound_token_as_bearer)$/);
    });
    it('any JSON whatever is a description or a refusal', () => {
        const { answer: policy } = settingsOf(options());
        const member = fc.oneof(fc.constantFrom('active', 'aud', 'iss', 'sub', 'exp', 'cnf', 'scope', 'token_type'), fc.string());
        const answers = fc.dictionary(member, fc.oneof(fc.jsonValue(), fc.constantFrom(true, AUDIENCE, ISSUER)));
        fc.assert(fc.property(answers, (answer) => {
            try {
                expect(readAnswer(answer, policy).principal.issuer).toBe(ISSUER);
                expect(answer['active']).toBe(true);
            }
            catch (cause) {
                expect(isSecurityProblem(cause) && cause.status).toBe(401);
            }
        }), { numRuns: 5000 });
    });
    it('any text whatever from the server is an answer, or an error without that text', async () => {
        const texts = fc.oneof(fc.json(), fc.string({ unit: 'binary' }));
        await fc.assert(fc.asyncProperty(texts, async (text) => {
            reply = (_req, res) => {
                end(res, text);
            };
            const answer = askEndpoint(server.url, 't', { form: {} }, AbortSignal.timeout(1000));
            await answer.then((found) => {
                expect(typeof found['active']).toBe('boolean');
            }, (cause) => {
                expect(cause).toBeInstanceOf(Error);
            });
        }), { numRuns: 150 });
    });
});
describe('what is remembered', () => {
    it('a good answer, for maxSeconds', async () => {
        const auth = verifying({ cache: { maxSeconds: 30 } });
        for (let second = 0; second < 30; second += 1) {
            await expect(use(auth)).resolves.toBe('200');
            forward(1000);
        }
        expect(asked).toHaveLength(1);
        await use(auth);
        expect(asked).toHaveLength(2);
    });
    it('never past the end of the token', async () => {
        reply = active({ exp: nowSeconds() + 5 });
        const auth = verifying({ cache: { maxSeconds: 60 } });
        await expect(use(auth)).resolves.toBe('200');
        reply = json({ active: false });
        forward(3500);
        await expect(use(auth)).resolves.toBe('200');
        forward(1600);
        await expect(use(auth)).resolves.toBe('401 token_inactive');
    });
    it('a token without end, for maxSeconds; or it is refused where told to', async () => {
        reply = active({ exp: undefined });
        const auth = verifying();
        const principal = await auth.verifyRequest(incoming('Bearer token-1'));
        expect(principal.expiresAt).toBeUndefined();
        forward(9999);
        await use(auth);
        expect(asked).toHaveLength(1);
        forward(2);
        await use(auth);
        expect(asked).toHaveLength(2);
        await expect(use(verifying({ requiredClaims: ['exp'] }))).resolves.toBe('401 claim_missing');
    });
    it('not-before is looked at on every use', async () => {
        reply = active({ nbf: nowSeconds() + 8 });
        const auth = verifying();
        await expect(use(auth)).resolves.toBe('401 token_not_yet_valid');
        forward(4000);
        await expect(use(auth)).resolves.toBe('200');
        expect(asked).toHaveLength(1);
    });
    it('a refusal, for refusedSeconds, in a small memory of its own', async () => {
        reply = json({ active: false });
        const auth = verifying({ cache: { refusedSeconds: 5, maxRefusedEntries: 10 } });
        for (const _ of [1, 2, 3])
            await expect(use(auth)).resolves.toBe('401 token_inactive');
        expect(asked).toHaveLength(1);
        forward(5001);
        reply = active();
        await expect(use(auth)).resolves.toBe('200');
        reply = json({ active: false });
        for (let index = 0; index < 30; index += 1)
            await use(auth, `junk-${index}`);
        asked = [];
        await expect(use(auth)).resolves.toBe('200');
        await use(auth, 'junk-0');
        expect(asked).toEqual(['token=junk-0&token_type_hint=access_token']);
    });
    it('nothing of an outage', async () => {
        reply = json({}, 500);
        const auth = verifying();
        await use(auth);
        reply = active();
        await expect(use(auth)).resolves.toBe('200');
    });
    it('nothing with cache: false, nor after close', async () => {
        const without = verifying({ cache: false });
        for (const _ of [1, 2])
            await use(without);
        expect(asked).toHaveLength(2);
        const auth = verifying();
        await use(auth);
        await auth.close();
        await use(auth);
        expect(asked).toHaveLength(4);
    });
    it('is answered at once, without a promise', async () => {
        const verifier = introspectionVerifier(options());
        const credential = { scheme: 'bearer', value: 'token-1' };
        await verifier.verify(credential, incoming(), undefined);
        expect(verifier.verify(credential, incoming(), undefined)).toMatchObject({
            reason: 'remembered',
        });
    });
    it('is bounded in entries', async () => {
        const auth = verifying({ cache: { maxEntries: 4 } });
        for (let index = 0; index < 20; index += 1)
            await use(auth, `token-${index}`);
        asked = [];
        await use(auth, 'token-19');
        expect(asked).toHaveLength(0);
        await use(auth, 'token-0');
        expect(asked).toHaveLength(1);
    });
});
describeWith(program('redis-server', 'redis-server'), 'answers shared in Redis', () => {
    let redis;
    let client;
    beforeAll(async () => {
        redis = await startRedis();
        client = new Redis(redis.port, '127.0.0.1', { maxRetriesPerRequest: 0 });
        client.on('error', () => undefined);
    });
    afterAll(async () => {
        client.disconnect();
        await redis.stop();
    });
    beforeEach(async () => {
        releaseClocks();
        await client.flushall();
    });
    it('are one request for two instances, and hold no token', async () => {
        const store = redisStore(client, { timeoutMs: 1000 });
        const [one, other] = [verifying({ store }), verifying({ store })];
        await expect(use(one, 'shared-token')).resolves.toBe('200');
        await client.ping();
        await expect(use(other, 'shared-token')).resolves.toBe('200');
        expect(asked).toHaveLength(1);
        const [key = ''] = await client.keys('*');
        expect(key).toContain(createHash('sha256').update('shared-token').digest('base64url'));
        expect(key + ((await client.get(key)) ?? '')).not.toContain('shared-token');
        expect(await client.pttl(key)).toBeLessThanOrEqual(10_000);
    });
    it('are judged by each instance itself', async () => {
        const store = redisStore(client, { timeoutMs: 1000 });
        await expect(use(verifying({ store }))).resolves.toBe('200');
        await client.ping();
        await expect(use(verifying({ store, audience: 'https://other.test' }))).resolves.toBe('401 audience_mismatch');
    });
    it.each([
        '',
        'x',
        'null',
        '[]',
        '{"askedMs":1}',
        '{"askedMs":"x","answer":{}}',
        '{"askedMs":1,"answer":{"active":true}}',
    ])('that are not ours (%p) are the same as none', async (text) => {
        const store = redisStore(client, { timeoutMs: 1000 });
        await use(verifying({ store }));
        await client.ping();
        const [key = ''] = await client.keys('*');
        await client.set(key, text);
        await expect(use(verifying({ store }))).resolves.toBe('200');
        expect(asked).toHaveLength(2);
    });
    it('of a clock that is ahead are believed no longer than others', async () => {
        const store = redisStore(client, { timeoutMs: 1000 });
        await use(verifying({ store }));
        await client.ping();
        const [key = ''] = await client.keys('*');
        const { askedMs, ...rest } = JSON.parse((await client.get(key)) ?? '');
        await client.set(key, JSON.stringify({ ...rest, askedMs: askedMs + 800 }));
        await expect(use(verifying({ store }))).resolves.toBe('200');
        expect(asked).toHaveLength(1);
        await client.set(key, JSON.stringify({ ...rest, askedMs: Date.now() + 9000 }));
        await expect(use(verifying({ store }))).resolves.toBe('200');
        expect(asked).toHaveLength(2);
    });
    it('are as old as the question: what the server did after it may not be in them', async () => {
        stopClocks();
        const store = redisStore(client, { timeoutMs: 1000 });
        const beforeMs = Date.now();
        reply = (req, res) => {
            forward(3000);
            active()(req, res);
        };
        await use(verifying({ store }));
        await client.ping();
        const [key = ''] = await client.keys('*');
        expect(JSON.parse((await client.get(key)) ?? '')).toMatchObject({ askedMs: beforeMs });
    });
    it('that cannot be had are asked of the server', async () => {
        const store = redisStore(client, { timeoutMs: 50 });
        redis.freeze();
        try {
            await expect(use(verifying({ store }))).resolves.toBe('200');
        }
        finally {
            redis.thaw();
        }
    });
});
