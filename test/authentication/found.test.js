import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { apiKeyVerifier } from '../../src/authentication/api-key-verifier.js';
import { apiKeys } from '../../src/authentication/api-keys.js';
import { authenticate } from '../../src/authentication/authenticate.js';
import { readAnswer } from '../../src/authentication/introspection-verifier/read-answer.js';
import { settingsOf } from '../../src/authentication/introspection-verifier/policy.js';
import { introspectionVerifier, } from '../../src/authentication/introspection-verifier.js';
import { jwtVerifier } from '../../src/authentication/jwt-verifier.js';
import { replaysOf } from '../../src/authentication/binding/replay/replays.js';
import { revocation } from '../../src/authentication/revocation.js';
import { onEvent } from '../../src/core/events.js';
import { memoryStore } from '../../src/stores/memory.js';
import { serve } from '../support/server.js';
import { forward, releaseClocks, stopClocks } from './clock.js';
import { AUDIENCE, ISSUER, accessClaims, incoming, nowSeconds, segment, service, signer } from './harness.js';
const issuer = signer();
const jwt = jwtVerifier({ issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [issuer.jwk] } });
const keys = apiKeys({ prefix: 'acme' });
let key = '';
let server;
let asked = [];
/** What the authorization server does with a token that is not one of the good ones. */
let reply;
beforeAll(async () => {
    ;
    ({ key } = await keys.create({ scopes: ['orders:read'], subject: 'svc' }));
    server = await serve((req, res) => {
        let body = '';
        req.on('data', (chunk) => (body += chunk.toString()));
        req.on('end', () => {
            const token = new URLSearchParams(body).get('token') ?? '';
            asked.push(token);
            reply(res, token, req);
        });
    });
});
afterAll(() => server.close());
beforeEach(() => {
    asked = [];
});
function json(res, document, status = 200) {
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document));
}
function described(members = {}) {
    return { active: true, sub: 'user-1', aud: AUDIENCE, exp: nowSeconds() + 300, ...members };
}
function introspecting(changes = {}) {
    const client = { id: 'api', secret: 'secret' };
    return introspectionVerifier({
        issuer: ISSUER,
        endpoint: server.url,
        audience: AUDIENCE,
        client,
        timeoutMs: 100,
        ...changes,
    });
}
async function use(auth, token) {
    try {
        await auth.verifyRequest(incoming(`Bearer ${token}`));
        return '200';
    }
    catch (cause) {
        const { status, reason } = cause;
        return `${String(status)} ${String(reason)}`;
    }
}
describe('attack: one caller opens the circuit of introspection for everybody', () => {
    const html = (res) => {
        res.writeHead(403, { 'content-type': 'text/html' }).end('<h1>blocked</h1>');
    };
    const faults = [
        ['a firewall refuses', '../../../../etc/passwd', html],
        [
            'is described in more than 64 KiB',
            'big',
            (res) => {
                json(res, described({ padding: 'p'.repeat(70_000) }));
            },
        ],
        [
            'has "active" in text',
            'text',
            (res) => {
                json(res, described({ active: 'true' }));
            },
        ],
        [
            'is answered without JSON',
            'no-json',
            (res) => {
                res.writeHead(200, { 'content-type': 'application/json' }).end('<html>');
            },
        ],
        [
            'makes the server fail',
            'e500',
            (res) => {
                json(res, {}, 500);
            },
        ],
        ['is never answered', 'slow', () => undefined],
        [
            'breaks the connection',
            'reset',
            (_res, req) => {
                req.socket.destroy();
            },
        ],
    ];
    it.each(faults)('with tokens about which it %s', async (_name, junk, fault) => {
        reply = (res, token, req) => {
            if (token.startsWith(junk))
                fault(res, req);
            else
                json(res, token.startsWith('good') ? described({ sub: token }) : { active: false });
        };
        const verifier = introspecting();
        const auth = authenticate({ verifiers: [verifier] });
        await expect(use(auth, 'good-before')).resolves.toBe('200');
        for (let round = 0; round < 2; round += 1) {
            const attack = ['0', '1', '2', '3', '4'].map((index) => use(auth, `${junk}${round}${index}`));
            await expect(Promise.all(attack)).resolves.toEqual(Array(5).fill('503 introspection_unavailable'));
            await expect(use(auth, `good-victim-${round}`)).resolves.toBe('200');
            expect(verifier.health?.().status).toBe('ok');
        }
    });
    it('with one such token again and again', async () => {
        reply = (res) => {
            json(res, {}, 500);
        };
        const auth = authenticate({ verifiers: [introspecting()] });
        for (let index = 0; index < 6; index += 1)
            await use(auth, 'e500');
        expect(asked).toEqual(Array(6).fill('e500'));
    });
    it('or takes the probe of a server that is well again', async () => {
        reply = (res) => {
            json(res, {}, 500);
        };
        const verifier = introspecting();
        const auth = authenticate({ verifiers: [verifier] });
        stopClocks();
        for (let index = 0; index < 3; index += 1)
            await use(auth, `token-${index}`);
        while (verifier.health?.().status !== 'down')
            await new Promise((resolve) => setTimeout(resolve, 2));
        reply = (res, token) => {
            if (token.startsWith('e500'))
                json(res, {}, 500);
            else
                json(res, described());
        };
        forward(1001);
        await expect(use(auth, 'e500')).resolves.toBe('503 introspection_unavailable');
        await expect(use(auth, 'victim')).resolves.toBe('200');
        releaseClocks();
    });
    it('and cannot close it, either, or let others wait, while the server is out', async () => {
        reply = (res) => {
            json(res, {}, 503);
        };
        const verifier = introspecting();
        const auth = authenticate({ verifiers: [verifier] });
        for (let index = 0; index < 3; index += 1)
            await use(auth, `token-${index}`);
        while (verifier.health?.().status !== 'down')
            await new Promise((resolve) => setTimeout(resolve, 2));
        const count = asked.length;
        await expect(use(auth, 'another')).resolves.toBe('503 introspection_unavailable');
        expect(asked).toHaveLength(count);
    });
    it('the token that is asked about in their place is nobody’s', async () => {
        reply = (res) => {
            json(res, {}, 500);
        };
        const events = [];
        const stop = onEvent((event) => events.push(JSON.stringify(event)));
        const auth = authenticate({ verifiers: [introspecting()] });
        for (let index = 0; index < 3; index += 1)
            await use(auth, `token-${index}`);
        while (asked.length < 4)
            await new Promise((resolve) => setTimeout(resolve, 2));
        stop();
        expect(asked[3]).toMatch(/^[\w-]{43}$/);
        expect(events.join()).not.toContain(asked[3]);
    });
    it('a token that is over, which the server calls active, is asked about once', async () => {
        reply = (res) => {
            json(res, described({ exp: nowSeconds() - 60 }));
        };
        const auth = authenticate({ verifiers: [introspecting()] });
        for (let index = 0; index < 5; index += 1)
            await expect(use(auth, 'over')).resolves.toBe('401 token_expired');
        expect(asked).toEqual(['over']);
    });
});
describe('attack: one API key for both that combine asks for', () => {
    const app = (options) => service(authenticate(options), () => ({})).app;
    const statusOf = async (to, fields) => (await request(to).get('/').set(fields)).status;
    it.each(['refused', 'accepted', 'required'])('under the scheme ApiKey, beside a header of that name, %s', async (combine) => {
        const to = app({ verifiers: [jwt, apiKeyVerifier({ keys, header: 'apikey' })], combine });
        const asScheme = { authorization: `ApiKey ${key}` };
        await expect(statusOf(to, asScheme)).resolves.toBe(401);
        await expect(statusOf(to, { ...asScheme, apikey: key })).resolves.toBe(401);
        const both = { authorization: `Bearer ${issuer.token()}`, apikey: key };
        await expect(statusOf(to, both)).resolves.toBe(combine === 'refused' ? 400 : 200);
        await expect(statusOf(to, { apikey: key })).resolves.toBe(combine === 'required' ? 401 : 200);
    });
    it.each(['accepted', 'required'])('as bearer and in its header, %s', async (combine) => {
        const verifiers = [apiKeyVerifier({ keys, scheme: 'bearer' }), jwt, apiKeyVerifier({ keys })];
        const to = app({ verifiers, combine });
        await expect(statusOf(to, { authorization: `Bearer ${key}`, 'x-api-key': key })).resolves.toBe(400);
        const both = { authorization: `Bearer ${issuer.token()}`, 'x-api-key': key };
        await expect(statusOf(to, both)).resolves.toBe(200);
    });
    it('in two headers', async () => {
        const verifiers = [jwt, apiKeyVerifier({ keys }), apiKeyVerifier({ keys, header: 'x-other-key' })];
        const to = app({ verifiers, combine: 'required' });
        await expect(statusOf(to, { 'x-api-key': key, 'x-other-key': key })).resolves.toBe(400);
    });
    it.each(['bearer', 'Bearer', 'dpop', 'certificate', 'basic', 'authorization', 'cookie'])('a header named %s is refused at set-up', (header) => {
        expect(() => apiKeyVerifier({ keys, header })).toThrow(TypeError);
        const own = { ...apiKeyVerifier({ keys }), header: header.toLowerCase() };
        expect(() => authenticate({ verifiers: [jwt, own] })).toThrow('authenticate: verifiers must be');
    });
    it('so is one named as the scheme of another verifier, or in capitals', () => {
        const gnap = { ...jwt, kind: 'gnap', challenge: 'GNAP realm="x"' };
        for (const header of ['gnap', 'X-Key'])
            expect(() => authenticate({ verifiers: [gnap, { ...apiKeyVerifier({ keys }), header }] })).toThrow('authenticate: verifiers must be');
    });
});
describe('attack: a token that exhausts the stack', () => {
    const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);
    const strange = (claims, header = segment({ alg: 'ES256', typ: 'at+jwt' })) => `${header}.${segment(claims)}.AAAA`;
    const two = jwtVerifier([
        { issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [issuer.jwk] } },
        { issuer: 'https://other.test', audience: AUDIENCE, jwks: { keys: [issuer.jwk] } },
    ]);
    it.each([65, 3000, 24_000])('with arrays in arrays, %i deep, is a refused token', async (depth) => {
        for (const verifier of [jwt, two]) {
            const auth = authenticate({ verifiers: [verifier], maxTokenLength: 65_536 });
            for (const claims of [
                `{"iss":${nested(depth)}}`,
                `{"iss":"${ISSUER}","aud":${nested(depth)}}`,
                nested(depth),
            ])
                await expect(use(auth, strange(claims))).resolves.toMatch(/^401 /);
            await expect(use(auth, strange('{}', segment(`{"x":${nested(depth)}}`)))).resolves.toMatch(/^401 /);
        }
    });
    it('wherever the stack ends', async () => {
        const auth = authenticate({ verifiers: [two] });
        const token = strange(`{"iss":${nested(3000)}}`);
        const results = [];
        const down = async (levels) => {
            if (levels > 0)
                return down(levels - 1);
            results.push(await use(auth, token));
        };
        for (const levels of [10, 1000, 4000])
            await down(levels);
        expect(new Set(results)).toEqual(new Set(['401 token_malformed']));
    });
    it('a signed one with reasonable claims still passes', async () => {
        const deep = JSON.parse(`${'{"a":'.repeat(20)}1${'}'.repeat(20)}`);
        const auth = authenticate({ verifiers: [jwt] });
        await expect(use(auth, issuer.token({ deep }))).resolves.toBe('200');
    });
    it('a function for the principal that finds no end is the token’s fault', async () => {
        const endless = () => {
            throw new RangeError('Maximum call stack size exceeded');
        };
        const verifier = jwtVerifier({
            issuer: ISSUER,
            audience: AUDIENCE,
            jwks: { keys: [issuer.jwk] },
            principal: { type: endless },
        });
        await expect(use(authenticate({ verifiers: [verifier] }), issuer.token())).resolves.toBe('401 token_malformed');
        reply = (res) => {
            json(res, described());
        };
        const asking = introspecting({ principal: { type: endless } });
        await expect(use(authenticate({ verifiers: [asking] }), 'token')).resolves.toBe('401 token_malformed');
    });
    it('a described one is a refused token too', () => {
        const { answer: policy } = settingsOf({
            issuer: ISSUER,
            endpoint: 'https://id.test/introspect',
            audience: AUDIENCE,
            client: { id: 'api', secret: 's' },
        });
        for (const member of ['iss', 'aud', 'sub', 'x']) {
            const answer = JSON.parse(JSON.stringify({ ...accessClaims(), active: true, [member]: 0 }).replace(`"${member}":0`, `"${member}":${nested(20_000)}`));
            expect(() => readAnswer(answer, policy)).toThrow(expect.objectContaining({ status: 401 }));
        }
    });
});
describe('attack: a second spelling of a JWT, for a server that reads it all the same', () => {
    const list = revocation();
    /** As many servers read tokens: whatever Node’s decoder makes of it. */
    const sloppy = () => {
        reply = (res, token) => {
            const [, payload = ''] = token.split('.');
            json(res, { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), active: true });
        };
    };
    it.each([
        ['"=" at its end', (token) => `${token}=`],
        ['"~" at its end', (token) => `${token}~`],
        ['"+" for "-"', (token) => token.replace(/\.([^.]*)$/, (end) => end.replace(/[-_A]/, '+'))],
        ['"/" for "_"', (token) => token.replace(/\.([^.]*)$/, (end) => end.replace(/[_A-Z]/, '/'))],
        ['"/" in its header', (token) => `/${token}`],
        ['a dot at its end', (token) => `${token}.`],
        ['parts after its end', (token) => `${token}.a.b.c`],
        ['two dots at its end', (token) => `${token}..`],
    ])('with %s is the affair of jwtVerifier, and refused', async (_name, respell) => {
        sloppy();
        const auth = authenticate({ verifiers: [jwt, introspecting()], revocation: list });
        const token = issuer.token({ jti: 'gone' });
        await list.revokeToken({ issuer: ISSUER, jti: 'gone' });
        await expect(use(auth, token)).resolves.toBe('401 token_revoked');
        await expect(use(auth, respell(token))).resolves.toBe('401 token_malformed');
        const opaque = introspecting({ tokens: 'opaque' });
        expect(opaque.recognises({ scheme: 'bearer', value: respell(token) })).toBe(false);
        expect(asked).toEqual([]);
    });
    it.each(['opaque', 'a.b', 'a.b.c.d', 'v4.public', '.a.b', `${segment({ v: 1 })}.x`])('%s is left to introspection', (value) => {
        expect(jwt.recognises({ scheme: 'bearer', value })).toBe(false);
        expect(introspecting({ tokens: 'opaque' }).recognises({ scheme: 'bearer', value })).toBe(true);
    });
});
describe('attack: a used proof once more, where another middleware takes older ones', () => {
    const policy = (store, proofMaxAgeSeconds, clockToleranceSeconds) => ({
        store,
        proofMaxAgeSeconds,
        clockToleranceSeconds,
        maxProofs: 10,
        maxProofsPerKey: 10,
    });
    const proof = () => ({ name: 'p', key: 'k', request: {} });
    beforeEach(stopClocks);
    afterEach(releaseClocks);
    it('is kept for the longest of their windows', () => {
        const store = memoryStore();
        const short = replaysOf(policy(store, 10, 60));
        const long = replaysOf(policy(store, 600, 0));
        expect(short.use(proof())).toBe(true);
        // Made as late as the clock of the first allows, good for the second for so long.
        forward((600 + 60) * 1000);
        expect(long.use(proof())).toBe(false);
        forward(3000);
        expect(long.use(proof())).toBe(true);
    });
    it('in Redis too, for what one process set up', async () => {
        const ends = [];
        const redis = {
            kind: 'redis',
            prefix: 'found-windows',
            dialect: 'ioredis',
            run: (work) => work(),
            client: {
                call: (...command) => {
                    ends.push(command.at(-1) ?? '');
                    return Promise.resolve('OK');
                },
            },
        };
        const short = replaysOf(policy(redis, 60, 5));
        replaysOf(policy({ ...redis }, 600, 60));
        await short.use(proof());
        expect(ends).toEqual(['721']);
    });
});
describe('an application', () => {
    it('answers 401, never 500, to junk on any router', async () => {
        const app = express();
        const router = express.Router();
        router.use(authenticate({ verifiers: [jwt] }));
        app.use(router);
        const deep = `${segment({})}.${segment(`{"iss":${'['.repeat(2500)}${']'.repeat(2500)}}`)}.AA`;
        app.use(((error, _req, res, _next) => {
            res.status(error.status ?? 500).end();
        }));
        const { status } = await request(app).get('/').set('authorization', `Bearer ${deep}`);
        expect(status).toBe(401);
    });
});
