import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import request from 'supertest';
import { authenticate, } from '../../src/authentication/authenticate.js';
import { onEvent } from '../../src/core/events.js';
import { localIssuer } from '../../src/testing/local-issuer.js';
import { serve } from '../support/server.js';
import { forward, releaseClocks, stopClocks } from './clock.js';
import { AUDIENCE, ISSUER, accessClaims, incoming, outcome, service, signer, unsigned, } from './harness.js';
const HOUR_MS = 3_600_000;
const cleanUp = [];
beforeEach(stopClocks);
afterEach(async () => {
    releaseClocks();
    for (const undo of cleanUp.splice(0))
        await undo();
});
async function startIssuer(options) {
    const issuer = await localIssuer(options);
    cleanUp.push(() => issuer.stop());
    return issuer;
}
/** A server that answers as the test says, at first with these keys. */
async function startKeyServer(...keys) {
    const asked = [];
    const running = await serve((req, res) => {
        asked.push(req.url ?? '');
        server.reply(req, res);
    });
    cleanUp.push(() => running.close());
    const server = { ...running, jwksUri: `${running.url}/jwks`, asked, reply: json({ keys }) };
    return server;
}
function json(document, status = 200) {
    return (_req, res) => {
        res.statusCode = status;
        res.end(JSON.stringify(document));
    };
}
function eventsOf() {
    const events = [];
    cleanUp.push(onEvent((event) => events.push(event)));
    return events;
}
function failuresOf() {
    const failures = [];
    const note = (event) => {
        if (event.event === 'key_set_unavailable')
            failures.push(event);
    };
    cleanUp.push(onEvent(note));
    return failures;
}
/** How many times the keys themselves were asked for. */
function keyFetches(issuer) {
    return issuer.requests.get('/jwks') ?? 0;
}
function using(server, options = {}) {
    const base = { issuer: ISSUER, audience: AUDIENCE, jwksUri: server.jwksUri };
    return authenticate({ ...base, ...options });
}
/** What becomes of a token: `200` with how it was found good, or the status and reason of its refusal. */
async function use(auth, token) {
    const req = incoming(`Bearer ${token}`);
    try {
        await auth.verifyRequest(req);
        return '200';
    }
    catch (cause) {
        const { status, reason } = cause;
        return `${status} ${reason}`;
    }
}
async function eventually(condition) {
    for (let attempt = 0; attempt < 400; attempt += 1) {
        if (await condition())
            return;
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
    throw new Error('it did not come to pass');
}
describe('the first load of a key set', () => {
    it('happens with the first request, not before', async () => {
        const issuer = await startIssuer();
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
        expect(issuer.requests.size).toBe(0);
        await expect(use(auth, await issuer.token())).resolves.toBe('200');
        expect(Object.fromEntries(issuer.requests)).toEqual({
            '/.well-known/openid-configuration': 1,
            '/jwks': 1,
        });
    });
    it('or with warmUp(), and then no request waits for it', async () => {
        const issuer = await startIssuer();
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
        await auth.warmUp();
        expect(keyFetches(issuer)).toBe(1);
        await use(auth, await issuer.token());
        await auth.warmUp();
        expect(keyFetches(issuer)).toBe(1);
    });
    it('is one load, however many requests wait for it', async () => {
        const issuer = await startIssuer();
        const to = service(authenticate({ issuer: issuer.issuer, audience: AUDIENCE }));
        const running = await serve(to.app);
        cleanUp.push(() => running.close());
        const tokens = await Promise.all(Array.from({ length: 50 }, (_, index) => issuer.token({ sub: `user-${index}` })));
        const answers = await Promise.all(tokens.map((token) => fetch(running.url, { headers: { authorization: `Bearer ${token}` } })));
        expect(answers.map(({ status }) => status)).toEqual(tokens.map(() => 200));
        expect(Object.fromEntries(issuer.requests)).toEqual({
            '/.well-known/openid-configuration': 1,
            '/jwks': 1,
        });
    });
    it('is one load for all middlewares of the process that agree on when to load', async () => {
        const issuer = await startIssuer();
        const options = { issuer: issuer.issuer, audience: AUDIENCE };
        const several = [
            authenticate(options),
            authenticate({ ...options, name: 'second', maxTokenAgeSeconds: 600 }),
            authenticate({ ...options, name: 'third', required: false, jwksCooldownMs: 30_000 }),
        ];
        const token = await issuer.token();
        expect(await Promise.all(several.map((auth) => use(auth, token)))).toEqual(['200', '200', '200']);
        expect(keyFetches(issuer)).toBe(1);
        await use(authenticate({ ...options, jwksCooldownMs: 5000 }), token);
        expect(keyFetches(issuer)).toBe(2);
    });
    it.each([['RS256'], ['PS256'], ['ES256'], ['EdDSA']])('serves %s', async (algorithm) => {
        const issuer = await startIssuer({ algorithm: algorithm });
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
        await expect(use(auth, await issuer.token())).resolves.toBe('200');
    });
});
describe('an unknown key name', () => {
    it('costs one load more within the cool-down of 30 s, and then none', async () => {
        const issuer = await startIssuer();
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
        await auth.warmUp();
        const unknown = (kid) => unsigned({ alg: 'ES256', typ: 'at+jwt', kid }, accessClaims({ iss: issuer.issuer }));
        await expect(use(auth, unknown('a'))).resolves.toBe('401 key_unknown');
        expect(keyFetches(issuer)).toBe(2);
        forward(29_999);
        await expect(use(auth, unknown('b'))).resolves.toBe('401 key_unknown');
        expect(keyFetches(issuer)).toBe(2);
        forward(1);
        await expect(use(auth, unknown('c'))).resolves.toBe('401 key_unknown');
        expect(keyFetches(issuer)).toBe(3);
    });
    it('is believed unknown for as long as jwksCooldownMs says', async () => {
        const key = signer();
        const server = await startKeyServer(key.jwk);
        const auth = using(server, { jwksCooldownMs: 1000 });
        await auth.warmUp();
        await use(auth, key.token({}, { kid: 'a' }));
        await use(auth, key.token({}, { kid: 'b' }));
        expect(server.asked).toHaveLength(2);
        forward(1000);
        await use(auth, key.token({}, { kid: 'c' }));
        expect(server.asked).toHaveLength(3);
    });
    it('of a key that was just added is found at once, by all who ask together', async () => {
        const issuer = await startIssuer();
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
        await expect(use(auth, await issuer.token())).resolves.toBe('200');
        await issuer.rotate();
        const tokens = await Promise.all(Array.from({ length: 50 }, (_, index) => issuer.token({ sub: `user-${index}` })));
        expect(await Promise.all(tokens.map((token) => use(auth, token)))).toEqual(tokens.map(() => '200'));
        expect(keyFetches(issuer)).toBe(2);
    });
    it('that nobody has does not lock out the key that is added a moment later', async () => {
        const issuer = await startIssuer();
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
        await auth.warmUp();
        forward(31_000);
        const forged = unsigned({ alg: 'ES256', typ: 'at+jwt', kid: 'forged' }, accessClaims({ iss: issuer.issuer }));
        await expect(use(auth, forged)).resolves.toBe('401 key_unknown');
        await issuer.rotate();
        await expect(use(auth, await issuer.token())).resolves.toBe('200');
        await expect(use(auth, forged)).resolves.toBe('401 key_unknown');
        expect(keyFetches(issuer)).toBe(3);
    });
    it('is 503, not 401, while the last load failed: the key may well exist', async () => {
        const issuer = await startIssuer();
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
        const known = await issuer.token();
        await auth.warmUp();
        await issuer.rotate();
        issuer.outage(true);
        const rotated = await issuer.token();
        await expect(use(auth, rotated)).resolves.toBe('503 key_set_unavailable');
        await expect(use(auth, rotated)).resolves.toBe('503 key_set_unavailable');
        await expect(use(auth, known)).resolves.toBe('200');
        issuer.outage(false);
        forward(1000);
        await expect(use(auth, rotated)).resolves.toBe('200');
    });
});
describe('while the key server is out', () => {
    it('answers 503 with Retry-After and no challenge, and asks once for 50 requests', async () => {
        const issuer = await startIssuer();
        issuer.outage(true);
        const to = service(authenticate({ issuer: issuer.issuer, audience: AUDIENCE, jwksUri: `${issuer.issuer}/jwks` }));
        const token = await issuer.token();
        for (let attempt = 0; attempt < 50; attempt += 1) {
            const answer = await request(to.app).get('/').set('Authorization', `Bearer ${token}`);
            expect(answer.status).toBe(503);
            expect(answer.headers['retry-after']).toBe('1');
            expect(answer.headers).not.toHaveProperty('www-authenticate');
            expect(answer.headers['content-type']).toBe('application/problem+json');
            expect(to.lastReason()).toBe('key_set_unavailable');
        }
        expect(to.decisions.every(({ outcome }) => outcome === 'fault')).toBe(true);
        expect(to.served()).toBe(0);
        expect(keyFetches(issuer)).toBe(1);
    });
    it('tells the caller nothing of the server or of what went wrong with it', async () => {
        const server = await startKeyServer();
        server.reply = json({ secret: 'internal-detail' }, 500);
        const to = service(using(server));
        const answer = await request(to.app).get('/').set('Authorization', `Bearer ${signer().token()}`);
        const shown = JSON.stringify([answer.headers, answer.body]);
        expect(answer.status).toBe(503);
        for (const detail of ['jwks', '127.0.0.1', 'internal-detail', 'answered'])
            expect(shown).not.toContain(detail);
    });
    it('waits longer from time to time, up to a minute', async () => {
        const server = await startKeyServer();
        server.reply = json({}, 503);
        const auth = using(server);
        const token = signer().token();
        const attempts = [];
        for (let elapsed = 0; elapsed <= 300_000; elapsed += 250) {
            const before = server.asked.length;
            await expect(use(auth, token)).resolves.toBe('503 key_set_unavailable');
            if (server.asked.length > before)
                attempts.push(elapsed);
            forward(250);
        }
        const waits = attempts.slice(1).map((at, index) => at - attempts[index]);
        const longest = [1000, 2000, 4000, 8000, 16_000, 32_000];
        expect(waits.length).toBeGreaterThanOrEqual(8);
        waits.forEach((wait, index) => {
            const most = longest[index] ?? 60_000;
            expect(wait).toBeGreaterThanOrEqual(most * 0.75);
            expect(wait).toBeLessThanOrEqual(most + 250);
        });
    });
    it('says so once for each attempt, and when it is back', async () => {
        const events = eventsOf();
        const key = signer();
        const server = await startKeyServer(key.jwk);
        const keys = server.reply;
        server.reply = json({}, 503);
        const auth = using(server);
        for (const _attempt of [1, 2, 3])
            await use(auth, key.token());
        expect(events).toMatchObject([
            { event: 'key_set_unavailable', severity: 'error', facts: { address: server.jwksUri, failures: 1 } },
        ]);
        server.reply = keys;
        forward(1000);
        await expect(use(auth, key.token())).resolves.toBe('200');
        expect(events.at(-1)).toMatchObject({ event: 'key_set_back', severity: 'info' });
    });
    it('begins its waits anew after a success', async () => {
        const key = signer();
        const server = await startKeyServer(key.jwk);
        const keys = server.reply;
        const auth = using(server, { jwksStaleMs: 0 });
        for (const _outage of [1, 2]) {
            server.reply = json({}, 503);
            forward(601_000);
            await expect(use(auth, key.token())).resolves.toBe('503 key_set_unavailable');
            server.reply = keys;
            forward(1000);
            await expect(use(auth, key.token())).resolves.toBe('200');
        }
    });
    it('serves the last good keys for an hour past their ten minutes, by default, and then 503', async () => {
        const issuer = await startIssuer();
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
        const exp = Math.floor(Date.now() / 1000) + 100_000;
        const remembered = await issuer.token({ exp });
        const fresh = [await issuer.token({ exp, sub: 'a' }), await issuer.token({ exp, sub: 'b' })];
        await expect(use(auth, remembered)).resolves.toBe('200');
        issuer.outage(true);
        forward(599_999);
        await expect(use(auth, remembered)).resolves.toBe('200');
        expect(keyFetches(issuer)).toBe(1);
        forward(HOUR_MS);
        await expect(use(auth, remembered)).resolves.toBe('200');
        await expect(use(auth, fresh[0])).resolves.toBe('200');
        await eventually(() => auth.health().status === 'degraded');
        forward(2000);
        await expect(use(auth, remembered)).resolves.toBe('503 key_set_unavailable');
        await expect(use(auth, fresh[1])).resolves.toBe('503 key_set_unavailable');
        expect(auth.health().status).toBe('down');
        issuer.outage(false);
        forward(60_000);
        await expect(use(auth, remembered)).resolves.toBe('200');
        expect(auth.health().status).toBe('ok');
    });
    it('serves no old keys at all where jwksStaleMs is 0', async () => {
        const key = signer();
        const server = await startKeyServer(key.jwk);
        const auth = using(server, { jwksMaxAgeMs: 1000, jwksStaleMs: 0 });
        const token = key.token();
        await expect(use(auth, token)).resolves.toBe('200');
        server.reply = json({}, 503);
        forward(1001);
        await expect(use(auth, token)).resolves.toBe('503 key_set_unavailable');
    });
    it('does not forget a good set for a failed load, whatever the answer was', async () => {
        const events = failuresOf();
        const key = signer();
        const server = await startKeyServer(key.jwk);
        const auth = using(server);
        await expect(use(auth, key.token({ sub: 'a' }))).resolves.toBe('200');
        for (const [index, document] of [
            {},
            { keys: [] },
            { keys: [{ kty: 'oct', k: 'AAAA' }] },
            null,
            [],
        ].entries()) {
            server.reply = json(document);
            forward(index === 0 ? 601_000 : 60_000);
            await expect(use(auth, key.token({ sub: `b${index}` }))).resolves.toBe('200');
            await eventually(() => events.length === index + 1);
        }
    });
    it('refreshes in the background with one load for all who use the old keys', async () => {
        const key = signer();
        const server = await startKeyServer(key.jwk);
        const auth = using(server);
        const token = key.token({ exp: Math.floor(Date.now() / 1000) + 100_000 });
        await use(auth, token);
        let release = () => undefined;
        const keys = server.reply;
        server.reply = (req, res) => {
            release = () => {
                keys(req, res);
            };
        };
        forward(601_000);
        const answers = await Promise.all(Array.from({ length: 50 }, () => use(auth, token)));
        expect(new Set(answers)).toEqual(new Set(['200']));
        await eventually(() => server.asked.length === 2);
        release();
        await eventually(async () => (await use(auth, token)) === '200');
        expect(server.asked).toHaveLength(2);
    });
    it('lets warmUp() reject, and the next one try again', async () => {
        const issuer = await startIssuer();
        issuer.outage(true);
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
        expect(auth.health().status).toBe('degraded');
        await expect(auth.warmUp()).rejects.toMatchObject({ status: 503, reason: 'key_set_unavailable' });
        expect(auth.health().status).toBe('down');
        issuer.outage(false);
        forward(1000);
        // No longer refused untried: a probe that keeps requests away while it is down must not keep it down.
        expect(auth.health().status).toBe('degraded');
        await auth.warmUp();
        expect(auth.health().status).toBe('ok');
    });
});
describe('a key that was removed', () => {
    it('is no longer trusted once the set was loaded again, for remembered tokens neither', async () => {
        const issuer = await startIssuer();
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
        const token = await issuer.token({ exp: Math.floor(Date.now() / 1000) + 10_000 });
        await expect(use(auth, token)).resolves.toBe('200');
        await issuer.rotate({ dropOld: true });
        forward(600_001);
        await expect(use(auth, token)).resolves.toBe('200');
        await eventually(async () => (await use(auth, token)) === '401 key_unknown');
        await expect(use(auth, await issuer.token())).resolves.toBe('200');
    });
    it('is no longer trusted from the moment another request made us load the set', async () => {
        const issuer = await startIssuer();
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
        const old = await issuer.token();
        await expect(use(auth, old)).resolves.toBe('200');
        await issuer.rotate({ dropOld: true });
        await expect(use(auth, await issuer.token())).resolves.toBe('200');
        await expect(use(auth, old)).resolves.toBe('401 key_unknown');
    });
    it('is not trusted for its name: another key of the same name verifies what it remembered anew', async () => {
        const [first, second] = [signer('key'), signer('key')];
        const server = await startKeyServer(first.jwk);
        const auth = using(server);
        const token = first.token({ exp: Math.floor(Date.now() / 1000) + 10_000 });
        await expect(use(auth, token)).resolves.toBe('200');
        server.reply = json({ keys: [second.jwk] });
        forward(600_001);
        await use(auth, token);
        await eventually(async () => (await use(auth, token)) === '401 signature_invalid');
        await expect(use(auth, second.token())).resolves.toBe('200');
    });
    it('stays trusted under another name, because it is the same key', async () => {
        const key = signer('old-name');
        const server = await startKeyServer(key.jwk);
        const to = service(using(server));
        const token = key.token({ exp: Math.floor(Date.now() / 1000) + 10_000 });
        const send = () => request(to.app).get('/').set('Authorization', `Bearer ${token}`);
        await send().expect(200);
        server.reply = json({ keys: [{ ...key.jwk, kid: 'new-name' }] });
        forward(600_001);
        await send().expect(200);
        await request(to.app)
            .get('/')
            .set('Authorization', `Bearer ${key.token({}, { kid: 'new-name' })}`)
            .expect(200);
        await send().expect(200);
        expect(to.lastReason()).toBe('remembered');
    });
    it('does not get a token remembered whose verification began before', async () => {
        const [first, second] = [signer('first'), signer('second')];
        const server = await startKeyServer(first.jwk, second.jwk);
        let open = () => undefined;
        const gate = new Promise((resolve) => {
            open = resolve;
        });
        let waiting = false;
        const slowOnce = {
            '~standard': {
                version: 1,
                vendor: 'test',
                validate: async (value) => {
                    if (value.slow === true && !waiting) {
                        waiting = true;
                        await gate;
                    }
                    return { value };
                },
            },
        };
        const auth = using(server, { claims: slowOnce });
        const to = service(auth);
        const token = first.token({ slow: true });
        const verification = outcome(to, token);
        await eventually(() => waiting);
        const both = server.reply;
        server.reply = json({ keys: [second.jwk] });
        await expect(use(auth, second.token({}, { kid: 'not-there' }))).resolves.toBe('401 key_unknown');
        expect(server.asked).toHaveLength(2);
        open();
        await expect(verification).resolves.toEqual([200, 'verified']);
        await expect(use(auth, first.token())).resolves.toBe('401 key_unknown');
        // Were it remembered all the same, it would be known again the moment the key is back.
        server.reply = both;
        forward(31_000);
        await expect(use(auth, first.token({ sub: 'another' }))).resolves.toBe('200');
        await expect(outcome(to, token)).resolves.toEqual([200, 'verified']);
    });
});
describe('an answer of the key server that is refused', () => {
    const key = signer();
    const stream = (piece, everyMs) => (_req, res) => {
        const timer = setInterval(() => res.write(piece), everyMs);
        res.on('close', () => {
            clearInterval(timer);
        });
    };
    it.each([
        ['status 204', () => json(undefined, 204)],
        ['status 304', () => json({ keys: [key.jwk] }, 304)],
        ['status 404', () => json({ keys: [key.jwk] }, 404)],
        ['status 500', () => json({ keys: [key.jwk] }, 500)],
        ['a page', () => (_req, res) => res.end('<!doctype html><title>Sign in</title>')],
        ['nothing', () => (_req, res) => res.end()],
        ['half an answer', () => (_req, res) => res.end('{"keys":[')],
        ['what is no set', () => json({ key: key.jwk })],
        ['keys that are no list', () => json({ keys: { a: key.jwk } })],
        ['an empty set', () => json({ keys: [] })],
        ['a set without a usable key', () => json({ keys: [{ kty: 'oct', k: 'AAAA', kid: 'key-1' }] })],
        ['a list', () => json([key.jwk])],
        ['null', () => json(null)],
        [
            'a broken connection',
            () => (_req, res) => {
                res.destroy();
            },
        ],
        [
            'a broken connection in the middle',
            () => (_req, res) => {
                res.setHeader('content-length', 1000);
                res.write('{"keys":[');
                setTimeout(() => res.destroy(), 10);
            },
        ],
        ['more than 1 MiB', () => json({ keys: [key.jwk], padding: 'x'.repeat(1024 * 1024) })],
    ])('is %s', async (_case, reply) => {
        const server = await startKeyServer();
        server.reply = reply(server);
        await expect(use(using(server), key.token())).resolves.toBe('503 key_set_unavailable');
        expect(server.asked).toHaveLength(1);
    });
    it('is not one of almost 1 MiB', async () => {
        const server = await startKeyServer();
        server.reply = json({ keys: [key.jwk], padding: 'x'.repeat(1024 * 1024 - 1000) });
        await expect(use(using(server), key.token())).resolves.toBe('200');
    });
    it('is given up as soon as it is too long', async () => {
        const server = await startKeyServer();
        let closed = false;
        server.reply = (req, res) => {
            res.on('close', () => (closed = true));
            stream('x'.repeat(256 * 1024), 1)(req, res);
        };
        await expect(use(using(server), key.token())).resolves.toBe('503 key_set_unavailable');
        await eventually(() => closed);
    });
    it.each([301, 302, 303, 307, 308])('is a redirect, and nobody follows it: %i', async (status) => {
        const elsewhere = await startKeyServer(key.jwk);
        const server = await startKeyServer();
        server.reply = (_req, res) => {
            res.writeHead(status, { location: elsewhere.jwksUri });
            res.end(JSON.stringify({ keys: [key.jwk] }));
        };
        await expect(use(using(server), key.token())).resolves.toBe('503 key_set_unavailable');
        expect(elsewhere.asked).toEqual([]);
    });
    it.each([
        ['does not come', () => undefined],
        ['comes byte by byte', stream(' ', 5)],
    ])('is one that %s: after jwksTimeoutMs it is 503', async (_case, reply) => {
        const server = await startKeyServer();
        server.reply = reply;
        const auth = using(server, { jwksTimeoutMs: 100 });
        const started = process.hrtime.bigint();
        await expect(use(auth, key.token())).resolves.toBe('503 key_set_unavailable');
        const tookMs = Number(process.hrtime.bigint() - started) / 1e6;
        expect(tookMs).toBeGreaterThanOrEqual(90);
        expect(tookMs).toBeLessThan(2000);
    });
    it('is waited for 5 s by default, metadata and keys together', async () => {
        const issuer = await startIssuer();
        const timeout = jest.spyOn(AbortSignal, 'timeout');
        await authenticate({ issuer: issuer.issuer, audience: AUDIENCE }).warmUp();
        expect(timeout.mock.calls).toEqual([[5000]]);
    });
    it('comes from an issuer that hangs: each of the requests that wait gets 503', async () => {
        const issuer = await startIssuer();
        issuer.outage('hang');
        const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE, jwksTimeoutMs: 100 });
        const token = await issuer.token();
        const answers = await Promise.all(Array.from({ length: 20 }, () => use(auth, token)));
        expect(new Set(answers)).toEqual(new Set(['503 key_set_unavailable']));
        expect(issuer.requests.get('/.well-known/openid-configuration')).toBe(1);
    });
});
describe('the metadata of an issuer', () => {
    const key = signer();
    async function publishing(documents, path = '') {
        const server = await startKeyServer();
        const issuer = `${server.url}${path}`;
        server.reply = (req, res) => {
            const document = { '/jwks': { keys: [key.jwk] }, ...documents(server.url) }[req.url ?? ''];
            json(document ?? {}, document === undefined ? 404 : 200)(req, res);
        };
        const auth = authenticate({ issuer, audience: AUDIENCE });
        return { server, issuer, check: () => use(auth, key.token({ iss: issuer })) };
    }
    it.each([
        [
            'of OpenID Connect',
            '',
            '/.well-known/openid-configuration',
            ['/.well-known/openid-configuration', '/jwks'],
        ],
        [
            'of OpenID Connect, below a path',
            '/realms/one',
            '/realms/one/.well-known/openid-configuration',
            ['/realms/one/.well-known/openid-configuration', '/jwks'],
        ],
        [
            'of RFC 8414',
            '',
            '/.well-known/oauth-authorization-server',
            ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server', '/jwks'],
        ],
        [
            'of RFC 8414, which puts its name before the path',
            '/realms/one',
            '/.well-known/oauth-authorization-server/realms/one',
            [
                '/realms/one/.well-known/openid-configuration',
                '/.well-known/oauth-authorization-server/realms/one',
                '/jwks',
            ],
        ],
        [
            'of OpenID Connect, of an issuer that ends in a slash',
            '/realms/one/',
            '/realms/one/.well-known/openid-configuration',
            ['/realms/one/.well-known/openid-configuration', '/jwks'],
        ],
    ])('is found where the standards put it: %s', async (_case, path, address, asked) => {
        const metadata = await publishing((url) => ({ [address]: { issuer: `${url}${path}`, jwks_uri: `${url}/jwks` } }), path);
        await expect(metadata.check()).resolves.toBe('200');
        expect(metadata.server.asked).toEqual(asked);
    });
    const at = '/.well-known/openid-configuration';
    it.each([
        ['names another issuer', (url) => ({ issuer: 'https://evil.test', jwks_uri: `${url}/jwks` })],
        ['names the issuer with a slash more', (url) => ({ issuer: `${url}/`, jwks_uri: `${url}/jwks` })],
        ['names the issuer in another case', (url) => ({ issuer: url.toUpperCase(), jwks_uri: `${url}/jwks` })],
        ['names the issuer in a list', (url) => ({ issuer: [url], jwks_uri: `${url}/jwks` })],
        ['names no issuer', (url) => ({ jwks_uri: `${url}/jwks` })],
        ['names no keys', (url) => ({ issuer: url })],
        ['has keys at plain http', (url) => ({ issuer: url, jwks_uri: 'http://keys.test/jwks' })],
        ['has keys in a file', (url) => ({ issuer: url, jwks_uri: 'file:///etc/jwks.json' })],
        ['has keys in itself', (url) => ({ issuer: url, jwks_uri: 'data:application/json,{"keys":[]}' })],
        ['has keys at a relative address', (url) => ({ issuer: url, jwks_uri: '/jwks' })],
        [
            'has keys behind a password',
            (url) => ({ issuer: url, jwks_uri: `${url.replace('//', '//user:secret@')}/jwks` }),
        ],
        ['has an address that is no text', (url) => ({ issuer: url, jwks_uri: [`${url}/jwks`] })],
        ['is null', () => null],
        ['is a list', () => []],
    ])('is refused, and no key asked for, where it %s', async (_case, document) => {
        const metadata = await publishing((url) => ({ [at]: document(url) }));
        await expect(metadata.check()).resolves.toBe('503 key_set_unavailable');
        expect(metadata.server.asked).toEqual([at, '/.well-known/oauth-authorization-server']);
    });
    it('is not asked for where the keys have an address of their own', async () => {
        const server = await startKeyServer(key.jwk);
        await expect(use(using(server), key.token())).resolves.toBe('200');
        expect(server.asked).toEqual(['/jwks']);
    });
    it('is asked for again after a failure, because the keys may have moved', async () => {
        let place = 'gone';
        const metadata = await publishing((url) => ({ [at]: { issuer: url, jwks_uri: `${url}/${place}` } }));
        await expect(metadata.check()).resolves.toBe('503 key_set_unavailable');
        place = 'jwks';
        forward(1000);
        await expect(metadata.check()).resolves.toBe('200');
    });
});
describe('a key that must not be used', () => {
    const good = signer('good');
    const ec = (changes) => ({ ...signer('bad').jwk, ...changes });
    const rsa = (bits, publicExponent = 65_537) => generateKeyPairSync('rsa', { modulusLength: bits, publicExponent }).publicKey.export({ format: 'jwk' });
    const sound = rsa(2048);
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const edwards = generateKeyPairSync('ed25519');
    it.each([
        [
            'a symmetric one',
            'symmetric',
            { kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url'), alg: 'HS256' },
        ],
        ['a private EC one', 'private', ec({ d: 'AAAA' })],
        ['a private RSA one', 'private', pair.privateKey.export({ format: 'jwk' })],
        ['a private Edwards one', 'private', edwards.privateKey.export({ format: 'jwk' })],
        ['RSA of 1024 bits', 'modulus too short', rsa(1024)],
        [
            'RSA of 2047 bits',
            'modulus too short',
            { ...sound, n: Buffer.from(`7f${'ff'.repeat(255)}`, 'hex').toString('base64url') },
        ],
        [
            'RSA of 1024 bits, padded to look longer',
            'modulus too short',
            { ...sound, n: `${'A'.repeat(200)}${rsa(1024).n ?? ''}` },
        ],
        [
            'RSA of 16,384 bits',
            'modulus too long',
            { ...sound, n: Buffer.alloc(2048, 0xff).toString('base64url') },
        ],
        ['RSA with the exponent 1', 'exponent is even or one', { ...sound, e: 'AQ' }],
        ['RSA with the exponent 0', 'exponent is even or one', { ...sound, e: 'AA' }],
        ['RSA with an even exponent', 'exponent is even or one', { ...sound, e: 'AQAA' }],
        ['RSA with an exponent that takes long', 'exponent too long', { ...sound, e: '_____wE' }],
        ['RSA without a modulus', 'not importable', { kty: 'RSA', e: 'AQAB' }],
        [
            'a point that is not on its curve',
            'not importable',
            ec({ x: Buffer.alloc(32, 1).toString('base64url') }),
        ],
        ['a curve that is not its own', 'not importable', ec({ crv: 'P-384', alg: 'ES384' })],
        ['a curve that nobody signs with here', 'unsupported', ec({ crv: 'secp256k1', alg: 'ES256K' })],
        ['an algorithm of another curve', 'unsupported', ec({ alg: 'ES512' })],
        ['an algorithm of another type', 'unsupported', ec({ alg: 'RS256' })],
        ['a symmetric algorithm', 'unsupported', ec({ alg: 'HS256' })],
        ['an algorithm that is no text', 'unsupported', ec({ alg: ['ES256'] })],
        [
            'a key for agreements',
            'unsupported',
            { kty: 'OKP', crv: 'X25519', x: edwards.publicKey.export({ format: 'jwk' }).x },
        ],
        ['a type that does not exist', 'unsupported', { kty: 'AKP' }],
        ['no type', 'unsupported', {}],
        ['a use that is none', 'use', ec({ use: 'tls' })],
        ['a use that is no text', 'use', ec({ use: ['sig'] })],
        ['operations without the one that counts', 'key_ops', ec({ key_ops: ['encrypt'] })],
        ['operations that are no list', 'key_ops', ec({ key_ops: 'verify' })],
        ['a name that is no text', 'kid is no string', ec({ kid: 5 })],
        ['a text', 'not a key', 'key'],
        ['null', 'not a key', null],
    ])('is skipped with an event, and the rest of the set works: %s', async (_case, reason, bad) => {
        const events = eventsOf();
        const server = await startKeyServer();
        server.reply = json({
            keys: [typeof bad === 'object' && bad !== null ? { kid: 'bad', ...bad } : bad, good.jwk],
        });
        const auth = using(server);
        await expect(use(auth, good.token())).resolves.toBe('200');
        expect(events).toMatchObject([{ event: 'key_skipped', severity: 'warn', facts: { reason } }]);
        await expect(use(auth, good.token({}, { kid: 'bad' }))).resolves.toBe('401 key_unknown');
    });
    it('is passed over in silence where it is for encryption', async () => {
        const events = eventsOf();
        const server = await startKeyServer({ ...signer('enc').jwk, use: 'enc', alg: 'ECDH-ES' }, good.jwk);
        await expect(use(using(server), good.token())).resolves.toBe('200');
        expect(events).toEqual([]);
    });
    it('has its name made harmless in the event', async () => {
        const events = eventsOf();
        const server = await startKeyServer({ kty: 'oct', k: 'AAAA', kid: `a\r\n\u001b[2J${'x'.repeat(100)}` }, good.jwk);
        await use(using(server), good.token());
        expect(events[0]?.facts['kid']).toMatch(/^a\ufffd{3}\[2Jx{57}$/);
    });
    it('is skipped also where the keys are given', async () => {
        const events = eventsOf();
        const jwks = { keys: [{ kty: 'oct', k: 'AAAA' }, good.jwk] };
        const auth = authenticate({ issuer: ISSUER, audience: AUDIENCE, jwks });
        await expect(use(auth, good.token())).resolves.toBe('200');
        expect(events).toMatchObject([{ event: 'key_skipped', facts: { reason: 'symmetric' } }]);
    });
    it.each([
        ['one that names no algorithm', { alg: undefined }, '200'],
        ['one that names no use', { use: undefined }, '200'],
        ['one that may verify', { key_ops: ['verify'], use: undefined }, '200'],
        ['one that has a certificate', { x5c: ['MIIB'], x5t: 'AAAA' }, '200'],
    ])('is not %s', async (_case, changes, answer) => {
        const server = await startKeyServer({ ...good.jwk, ...changes });
        await expect(use(using(server), good.token())).resolves.toBe(answer);
    });
});
describe('the same service twice', () => {
    it('keeps the key sets of two addresses apart, though they name their keys alike', async () => {
        const [a, b] = [await startIssuer(), await startIssuer()];
        const services = [a, b].map(({ issuer }) => service(authenticate({ issuer, audience: AUDIENCE })));
        const tokens = [await a.token(), await b.token()];
        const status = async (to, token) => (await request(to.app).get('/').set('Authorization', `Bearer ${token}`)).status;
        for (const [mine, to] of services.entries()) {
            for (const [theirs, token] of tokens.entries()) {
                await expect(status(to, token)).resolves.toBe(mine === theirs ? 200 : 401);
            }
        }
    });
});
