import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { authenticate } from '../../src/authentication/authenticate.js';
import { secureErrors } from '../../src/errors/secure-errors.js';
import { forward, releaseClocks, stopClocks } from './clock.js';
import { incoming, outcome, send, service, serviceTrusting, signer, trusting, } from './harness.js';
const key = signer();
const base = trusting(key);
const behind = serviceTrusting(key);
describe('verifiedTokens', () => {
    it('false remembers nothing', async () => {
        const to = behind({ verifiedTokens: false });
        const token = key.token();
        for (const _attempt of [1, 2])
            await expect(outcome(to, token)).resolves.toEqual([200, 'verified']);
    });
    it('remembers no more than its bound of entries, the latest used', async () => {
        const to = behind({ verifiedTokens: { maxEntries: 2 } });
        const [a, b, c] = ['a', 'b', 'c'].map((sub) => key.token({ sub }));
        for (const token of [a, b, c])
            await expect(outcome(to, token)).resolves.toEqual([200, 'verified']);
        await expect(outcome(to, c)).resolves.toEqual([200, 'remembered']);
        await expect(outcome(to, a)).resolves.toEqual([200, 'verified']);
    });
    it('goes on remembering what goes on being used', async () => {
        const to = behind({ verifiedTokens: { maxEntries: 4 } });
        const used = key.token({ sub: 'used' });
        await expect(outcome(to, used)).resolves.toEqual([200, 'verified']);
        for (let index = 0; index < 12; index += 1) {
            await send(to, key.token({ sub: `passing-${index}` })).expect(200);
            await expect(outcome(to, used)).resolves.toEqual([200, 'remembered']);
        }
    });
    it('remembers no more than its bound of bytes', async () => {
        const to = behind({ verifiedTokens: { maxBytes: 65_536 } });
        const large = (sub) => key.token({ sub, padding: 'x'.repeat(5000) });
        const tokens = ['a', 'b', 'c', 'd'].map(large);
        for (const token of tokens)
            await expect(outcome(to, token)).resolves.toEqual([200, 'verified']);
        await expect(outcome(to, tokens[3])).resolves.toEqual([200, 'remembered']);
        await expect(outcome(to, tokens[0])).resolves.toEqual([200, 'verified']);
    });
    it('never remembers a refused token', async () => {
        const to = behind({ requiredClaims: ['tenant'] });
        const token = key.token();
        for (const _attempt of [1, 2])
            await expect(outcome(to, token)).resolves.toEqual([401, 'claim_missing']);
    });
    it('belongs to one middleware: what one accepted means nothing to another', async () => {
        const token = key.token();
        await expect(outcome(behind(), token)).resolves.toEqual([200, 'verified']);
        await expect(outcome(behind({ audience: 'https://other.test' }), token)).resolves.toEqual([
            401,
            'audience_mismatch',
        ]);
    });
    it('forgets with close()', async () => {
        const auth = authenticate(base);
        const to = service(auth);
        const token = key.token();
        await expect(outcome(to, token)).resolves.toEqual([200, 'verified']);
        await auth.close();
        await expect(outcome(to, token)).resolves.toEqual([200, 'verified']);
    });
});
describe('failureLimit', () => {
    beforeEach(stopClocks);
    afterEach(releaseClocks);
    const limited = () => behind({ failureLimit: { limit: 2, windowSeconds: 60 } });
    it('refuses an address that was answered 401 too often, also with a good token, until the window ends', async () => {
        const to = limited();
        const good = key.token();
        await expect(outcome(to, good)).resolves.toEqual([200, 'verified']);
        await expect(outcome(to, 'x')).resolves.toEqual([401, 'token_malformed']);
        await expect(outcome(to, 'x')).resolves.toEqual([401, 'token_malformed']);
        const answer = await send(to, good);
        expect(answer.status).toBe(429);
        expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
        expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(62);
        expect(to.lastReason()).toBe('limit_exceeded');
        forward(62_000);
        await expect(outcome(to, good)).resolves.toEqual([200, 'remembered']);
    });
    it('counts no success, no 400 and no 500', async () => {
        const to = behind({
            failureLimit: { limit: 1, windowSeconds: 60 },
            principal: {
                roles: ({ roles }) => {
                    if (roles === undefined)
                        throw new Error('broken');
                    return [];
                },
            },
        });
        for (const _attempt of [1, 2, 3]) {
            await expect(outcome(to, key.token())).resolves.toEqual([500, 'guard_fault']);
            await request(to.app).get('/').set('Authorization', 'Bearer').expect(400);
            await expect(outcome(to, key.token({ roles: [] }))).resolves.toEqual([200, expect.any(String)]);
        }
    });
    it('counts each address for itself', async () => {
        const app = express();
        app.set('trust proxy', 'loopback');
        app.use(authenticate({ ...base, failureLimit: { limit: 1, windowSeconds: 60 } }));
        app.use(secureErrors());
        const from = (address) => request(app).get('/').set('X-Forwarded-For', address);
        await from('192.0.2.1').expect(401);
        await from('192.0.2.1').expect(429);
        await from('192.0.2.2').expect(401);
        await from('2001:db8::1').expect(401);
        await from('2001:db8::2').expect(429);
    });
    it('is 500 where there is no address to count', async () => {
        const auth = authenticate({ ...base, failureLimit: { limit: 1, windowSeconds: 60 } });
        const req = Object.assign(incoming(`Bearer ${key.token()}`), { socket: {} });
        await expect(auth.verifyRequest(req)).rejects.toMatchObject({
            status: 500,
            reason: 'limiter_key_missing',
        });
    });
    it('is off by default', async () => {
        const to = behind();
        for (let attempt = 0; attempt < 30; attempt += 1)
            await send(to, 'x').expect(401);
    });
    it('forgets with close()', async () => {
        const auth = authenticate({ ...base, failureLimit: { limit: 1, windowSeconds: 60 } });
        const to = service(auth);
        await send(to, 'x').expect(401);
        await send(to, 'x').expect(429);
        await auth.close();
        await send(to, 'x').expect(401);
    });
});
