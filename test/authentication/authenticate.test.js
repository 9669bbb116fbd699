import { request as httpRequest } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import cors from 'cors';
import express from 'express';
import request from 'supertest';
import { z } from 'zod';
import { authenticate } from '../../src/authentication/authenticate.js';
import { requireScopes } from '../../src/authorization/require-scopes.js';
import { optionalPrincipalOf, principalOf } from '../../src/core/context.js';
import { rawRequest, sendRaw, serve } from '../support/server.js';
import { AUDIENCE, ISSUER, incoming, nowSeconds, outcome, send, service, serviceTrusting, signer, trusting, } from './harness.js';
const key = signer();
const base = trusting(key);
const behind = serviceTrusting(key);
describe('a caller with a valid token', () => {
    it('becomes the principal of the request', async () => {
        const expiresAt = nowSeconds() + 300;
        let principal;
        const to = behind({}, (req) => {
            principal = principalOf(req);
        });
        await send(to, key.token({ exp: expiresAt, scope: 'orders:read orders:write', roles: ['clerk'] })).expect(200);
        expect(principal).toMatchObject({
            type: 'user',
            key: JSON.stringify([ISSUER, 'user-1']),
            subject: 'user-1',
            issuer: ISSUER,
            clientId: 'client-1',
            authenticatedBy: 'jwt',
            credentialId: 'token-1',
            expiresAt,
            binding: undefined,
        });
        expect([...(principal?.scopes ?? [])]).toEqual(['orders:read', 'orders:write']);
        expect([...(principal?.roles ?? [])]).toEqual(['clerk']);
        expect(principal?.claims['aud']).toBe(AUDIENCE);
    });
    it('is recorded as verified, and as remembered the second time', async () => {
        const to = behind();
        const token = key.token();
        await expect(outcome(to, token)).resolves.toEqual([200, 'verified']);
        await expect(outcome(to, token)).resolves.toEqual([200, 'remembered']);
        expect(to.decisions[0]).toMatchObject({
            layer: 'authentication',
            guard: 'authenticate',
            rule: 'authenticate',
            outcome: 'allow',
            mode: 'enforce',
        });
    });
    it('may spell the scheme in any case', async () => {
        const to = behind();
        for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
            await request(to.app).get('/').set('Authorization', `${scheme} ${key.token()}`).expect(200);
        }
    });
    it('leaves nothing on the request but the context', async () => {
        const seen = [];
        const app = express();
        app.use((req, _res, next) => {
            seen.push(Object.keys(req));
            next();
        });
        app.use(authenticate(base));
        app.use((req, res) => {
            seen.push(Object.keys(req));
            res.json({});
        });
        await request(app).get('/').set('Authorization', `Bearer ${key.token()}`).expect(200);
        expect(seen[1]?.filter((name) => !seen[0]?.includes(name))).toEqual([]);
    });
    it('cannot be changed by a handler, for this request or a later one', async () => {
        const to = behind({}, (req) => {
            const { scopes, claims } = principalOf(req);
            expect(() => (claims.admin = true)).toThrow();
            expect(() => scopes.add('admin')).toThrow();
            return [...scopes];
        });
        const token = key.token({ scope: 'read' });
        for (const _attempt of [1, 2])
            expect((await send(to, token)).body).toEqual(['read']);
    });
});
describe('what a caller is told', () => {
    const scoped = (options = {}) => service([authenticate({ ...base, ...options }), requireScopes('orders:write')]);
    it.each([
        ['no credential', undefined, behind(), 401, 'Bearer', 'credential_missing'],
        ['another scheme', 'Basic dXNlcjpwYXNz', behind(), 401, 'Bearer', 'scheme_unsupported'],
        [
            'a malformed field',
            'Bearer',
            behind(),
            400,
            'Bearer error="invalid_request"',
            'authorization_malformed',
        ],
        ['a malformed token', 'Bearer x', behind(), 401, 'Bearer error="invalid_token"', 'token_malformed'],
        [
            'an expired token',
            `Bearer ${key.token({ exp: 1 })}`,
            behind(),
            401,
            'Bearer error="invalid_token"',
            'token_expired',
        ],
        [
            'a forged token',
            `Bearer ${signer().token()}`,
            behind(),
            401,
            'Bearer error="invalid_token"',
            'signature_invalid',
        ],
        [
            'too little scope',
            `Bearer ${key.token({ scope: 'orders:read' })}`,
            scoped(),
            403,
            'Bearer error="insufficient_scope", scope="orders:write"',
            'scope_missing',
        ],
        [
            'nobody, where somebody is needed',
            undefined,
            scoped({ required: false }),
            401,
            'Bearer',
            'principal_missing',
        ],
    ])('for %s', async (_case, authorization, to, status, challenge, reason) => {
        const sent = request(to.app).get('/');
        const answer = await (authorization === undefined ? sent : sent.set('Authorization', authorization));
        expect(answer.status).toBe(status);
        expect(answer.headers['www-authenticate']).toBe(challenge);
        expect(answer.headers['content-type']).toBe('application/problem+json');
        expect(answer.headers['cache-control']).toBe('no-store');
        expect(answer.body.status).toBe(status);
        expect(to.lastReason()).toBe(reason);
        expect(to.served()).toBe(0);
    });
    it('is 500 where a guard that needs a caller stands before authentication', async () => {
        const to = service([requireScopes('orders:write'), authenticate(base)]);
        const answer = await send(to, key.token({ scope: 'orders:write' }));
        expect(answer.status).toBe(500);
        expect(answer.headers).not.toHaveProperty('www-authenticate');
        expect(to.lastReason()).toBe('guard_order');
    });
    it('has no body on HEAD, and the same status and challenge', async () => {
        const running = await serve(behind().app);
        const answer = await sendRaw(running.port, rawRequest('HEAD', '/'));
        await running.close();
        expect(answer).toMatch(/^HTTP\/1\.1 401 /);
        expect(answer).toMatch(/\r\nwww-authenticate: Bearer\r\n/i);
        expect(answer).toMatch(/\r\n\r\n$/);
    });
});
describe('a token that is refused', () => {
    it.each([
        ['issuer_mismatch', 'another issuer', () => key.token({ iss: 'https://other.test' })],
        ['issuer_mismatch', 'the issuer with a slash', () => key.token({ iss: `${ISSUER}/` })],
        ['issuer_mismatch', 'the issuer in another case', () => key.token({ iss: ISSUER.toUpperCase() })],
        ['issuer_mismatch', 'no issuer', () => key.token({ iss: undefined })],
        ['audience_mismatch', 'another audience', () => key.token({ aud: 'https://other.test' })],
        ['audience_mismatch', 'no audience', () => key.token({ aud: undefined })],
        ['audience_mismatch', 'an empty list of audiences', () => key.token({ aud: [] })],
        ['audience_mismatch', 'a list with something else in it', () => key.token({ aud: [AUDIENCE, 5] })],
        ['audience_mismatch', 'an object as audience', () => key.token({ aud: { [AUDIENCE]: true } })],
        ['claim_missing', 'no expiry', () => key.token({ exp: undefined })],
        ['token_expired', 'an expiry that is over', () => key.token({ exp: nowSeconds() - 60 })],
        ['token_not_yet_valid', 'a beginning that is to come', () => key.token({ nbf: nowSeconds() + 60 })],
        [
            'claim_missing',
            'neither subject nor client',
            () => key.token({ sub: undefined, client_id: undefined }),
        ],
        ['claim_invalid', 'a number as subject', () => key.token({ sub: 5 })],
        ['claim_invalid', 'an object as client', () => key.token({ client_id: {} })],
        ['claim_invalid', 'a list as token id', () => key.token({ jti: ['a'] })],
        ['claim_invalid', 'a number as scope', () => key.token({ scope: 5 })],
        ['claim_invalid', 'a list of numbers as roles', () => key.token({ roles: [5] })],
        ['token_type_refused', 'no type', () => key.token({}, { typ: undefined })],
        ['token_type_refused', 'the type of any JWT', () => key.token({}, { typ: 'JWT' })],
        ['token_type_refused', 'a type that is no text', () => key.token({}, { typ: ['at+jwt'] })],
        ['key_unknown', 'a key that the set does not have', () => key.token({}, { kid: 'key-2' })],
        ['key_unknown', 'an algorithm that the key is not for', () => key.token({}, { alg: 'RS256' })],
        ['algorithm_refused', 'an algorithm that nobody allows', () => key.token({}, { alg: 'HS256' })],
        ['signature_invalid', 'a signature of another key', () => signer().token()],
    ])('as %s: %s', async (reason, _case, token) => {
        const to = behind();
        await expect(outcome(to, token())).resolves.toEqual([401, reason]);
        expect(to.served()).toBe(0);
    });
});
describe('methods', () => {
    const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace'];
    it.each(METHODS)('are all guarded: %s without a credential is 401', async (method) => {
        const to = behind();
        await request(to.app)[method]('/').expect(401);
        expect(to.served()).toBe(0);
    });
    it.each(METHODS.filter((method) => method !== 'head'))('are all served with a credential: %s', async (method) => {
        const to = behind();
        await request(to.app)[method]('/').set('Authorization', `Bearer ${key.token()}`).expect(200);
    });
    it('get no free way as a preflight, whatever header the preflight asks for', async () => {
        const to = behind();
        await request(to.app)
            .options('/')
            .set('Origin', 'https://shop.test')
            .set('Access-Control-Request-Method', 'POST')
            .set('Access-Control-Request-Headers', 'authorization')
            .expect(401);
        expect(to.served()).toBe(0);
    });
    it('pass as a preflight to a CORS handler that stands before authentication', async () => {
        const to = service([cors({ origin: 'https://shop.test' }), authenticate(base)]);
        const preflight = await request(to.app)
            .options('/')
            .set('Origin', 'https://shop.test')
            .set('Access-Control-Request-Method', 'POST');
        expect(preflight.status).toBe(204);
        expect(to.served()).toBe(0);
    });
});
describe('required: false', () => {
    const optional = () => behind({ required: false }, (req) => optionalPrincipalOf(req)?.subject ?? 'nobody');
    it('lets a request without a credential pass as nobody', async () => {
        const to = optional();
        expect((await request(to.app).get('/')).body).toBe('nobody');
        expect(to.decisions).toMatchObject([{ outcome: 'allow', reason: 'anonymous' }]);
    });
    it('lets a good credential pass as its principal', async () => {
        expect((await send(optional(), key.token())).body).toBe('user-1');
    });
    it.each([
        ['a forged token', `Bearer ${signer().token()}`, 401],
        ['an expired token', `Bearer ${key.token({ exp: 1 })}`, 401],
        ['no token at all', 'Bearer x', 401],
        ['a scheme without a token', 'Bearer', 400],
        ['another scheme', 'Basic dXNlcjpwYXNz', 401],
        ['another scheme, alone', 'Negotiate', 401],
        ['an empty field', '', 400],
    ])('still refuses %s', async (_case, authorization, status) => {
        const to = optional();
        await request(to.app).get('/').set('Authorization', authorization).expect(status);
        expect(to.served()).toBe(0);
    });
});
describe('verifyRequest', () => {
    async function upgrade(authorization) {
        const auth = authenticate(base);
        const running = await serve(() => undefined);
        running.server.on('upgrade', (req, socket) => {
            auth.verifyRequest(req).then((principal) => {
                const said = `${principal.subject} ${String(principal === principalOf(req))}`;
                socket.end(`HTTP/1.1 101 Switching\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n${said}`);
            }, (cause) => {
                const { status, headers } = cause;
                const challenge = `WWW-Authenticate: ${headers['www-authenticate'] ?? ''}`;
                socket.end(`HTTP/1.1 ${status} Refused\r\n${challenge}\r\nConnection: close\r\n\r\n`);
            });
        });
        try {
            return await new Promise((resolve, reject) => {
                const headers = {
                    Connection: 'Upgrade',
                    Upgrade: 'echo',
                    ...(authorization === undefined ? {} : { authorization }),
                };
                const sent = httpRequest({ port: running.port, host: '127.0.0.1', headers });
                sent.on('upgrade', (_response, socket, head) => {
                    let text = head.toString();
                    socket.on('data', (chunk) => (text += chunk.toString()));
                    socket.on('end', () => {
                        socket.end();
                        resolve(text);
                    });
                });
                sent.on('response', (response) => {
                    response.resume();
                    resolve(`${response.statusCode ?? 0} ${response.headers['www-authenticate'] ?? ''}`);
                });
                sent.on('error', reject);
                sent.end();
            });
        }
        finally {
            await running.close();
        }
    }
    it('answers an upgrade that never reaches Express', async () => {
        await expect(upgrade(`Bearer ${key.token()}`)).resolves.toBe('user-1 true');
    });
    it.each([
        ['without a credential', undefined, '401 Bearer'],
        ['with a forged token', `Bearer ${signer().token()}`, '401 Bearer error="invalid_token"'],
        ['with a malformed field', 'Bearer', '400 Bearer error="invalid_request"'],
    ])('refuses an upgrade %s', async (_case, authorization, answer) => {
        await expect(upgrade(authorization)).resolves.toBe(answer);
    });
    it('rejects nobody even where a credential is not required', async () => {
        const auth = authenticate({ ...base, required: false });
        await expect(auth.verifyRequest(incoming())).rejects.toMatchObject({
            status: 401,
            reason: 'credential_missing',
        });
    });
    it('answers the same principal again for the same request', async () => {
        const auth = authenticate(base);
        const req = incoming(`Bearer ${key.token()}`);
        const first = await auth.verifyRequest(req);
        await expect(auth.verifyRequest(req)).resolves.toBe(first);
    });
});
describe('a second authentication of one request', () => {
    it('by the same middleware verifies nothing again', async () => {
        let looks = 0;
        const auth = authenticate({
            ...base,
            verifiedTokens: false,
            claims: z.any().refine(() => (looks += 1) > 0),
        });
        const to = service([auth, auth]);
        await send(to, key.token()).expect(200);
        expect(looks).toBe(1);
        expect(to.decisions.map(({ reason }) => reason)).toEqual(['verified', 'confirmed']);
    });
    it('by the same middleware leaves nobody nobody', async () => {
        const auth = authenticate({ ...base, required: false });
        const to = service([auth, auth]);
        await request(to.app).get('/').expect(200);
        expect(to.decisions.map(({ reason }) => reason)).toEqual(['anonymous', 'anonymous']);
    });
    it('by another middleware may confirm the same caller', async () => {
        const to = service([
            authenticate(base),
            authenticate({ ...base, name: 'strict', maxTokenAgeSeconds: 600 }),
        ]);
        await send(to, key.token()).expect(200);
        expect(to.decisions.map(({ rule, reason }) => [rule, reason])).toEqual([
            ['authenticate', 'verified'],
            ['strict', 'confirmed'],
        ]);
    });
    it('by another middleware may still refuse', async () => {
        const to = service([authenticate(base), authenticate({ ...base, requiredClaims: ['tenant'] })]);
        await expect(outcome(to, key.token())).resolves.toEqual([401, 'claim_missing']);
    });
    it('by another middleware may not find another caller', async () => {
        const changed = (req, _res, next) => {
            req.headers.authorization = `Bearer ${key.token({ sub: 'user-2' })}`;
            next();
        };
        const to = service([authenticate(base), changed, authenticate({ ...base, name: 'second' })]);
        await expect(outcome(to, key.token())).resolves.toEqual([500, 'principal_conflict']);
        expect(to.served()).toBe(0);
    });
    it('after an optional one may require a caller', async () => {
        const to = service([authenticate({ ...base, required: false }), authenticate(base)]);
        await request(to.app).get('/').expect(401);
    });
    it('keeps the claims of the first, so that only the first may type them', async () => {
        const first = authenticate(base);
        const second = authenticate({ ...base, name: 'second', claims: z.object({ tenant: z.string() }) });
        const to = service([first, second], (req) => {
            expect(first.principalOf(req).subject).toBe('user-1');
            return second.principalOf(req);
        });
        await send(to, key.token({ tenant: 'a' })).expect(500);
        expect(to.lastReason()).toBe('guard_order');
    });
});
describe('name', () => {
    it('is the rule of each decision', async () => {
        const to = behind({ name: 'partners' });
        await send(to, 'x').expect(401);
        expect(to.decisions.at(-1)?.rule).toBe('partners');
    });
});
describe('health', () => {
    it('of a middleware with given keys is ok, under its name', async () => {
        const auth = authenticate({ ...base, name: 'partners' });
        expect(auth.health()).toMatchObject({ name: 'partners', status: 'ok' });
        await auth.warmUp();
        const { status, detail } = auth.health();
        expect([status, detail]).toEqual(['ok', `keys of ${ISSUER}: 1 usable, from the options`]);
    });
    it('is down, and warmUp() rejects, where not one of the given keys can be used', async () => {
        const auth = authenticate({ ...base, jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } });
        await expect(auth.warmUp()).rejects.toThrow('no usable key');
        expect(auth.health().status).toBe('down');
    });
});
