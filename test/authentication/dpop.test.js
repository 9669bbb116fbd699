import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SignJWT, calculateJwkThumbprint, exportJWK } from 'jose';
import request from 'supertest';
import { authenticate } from '../../src/authentication/authenticate.js';
import { principalOf } from '../../src/core/context.js';
import { guardMetadataOf } from '../../src/core/metadata.js';
import { memoryStore } from '../../src/stores/memory.js';
import { redisStore } from '../../src/stores/redis.js';
import { forward, releaseClocks, stopClocks } from './clock.js';
import { ORIGIN, authenticateBound, boundService, carrying, checked, holder, issuer, outcomeOf, present, proofClaims, proofsOf, } from './dpop-client.js';
import { service, trusting } from './harness.js';
const caller = holder();
const token = caller.token();
// The key of all examples of RFC 9449, as it stands in the header of each.
const RFC_JKT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I';
const RFC_HEADER = 'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo' +
    'RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19';
describe('the examples of RFC 9449', () => {
    afterEach(releaseClocks);
    it('section 7.1: the proof at the resource is accepted as written, once', async () => {
        stopClocks();
        jest.setSystemTime(1_562_262_620_000);
        const proof = `${RFC_HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9w` +
            'cm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.' +
            '2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA';
        const accessToken = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU';
        const proofs = proofsOf({ publicOrigin: 'https://resource.example.org' });
        const ask = () => checked(proofs, carrying(proof, { originalUrl: '/protectedresource?page=2' }), accessToken, RFC_JKT);
        expect(await ask()).toBe('accepted');
        expect(await ask()).toBe('dpop_proof_replayed');
        jest.setSystemTime(1_562_262_618_000 + 66_000);
        expect(await ask()).toBe('dpop_proof_expired too old');
    });
    // Those of a token endpoint have no `ath`. That it is the first thing to be missed says that key and signature are good.
    it.each([
        [
            'section 4.1',
            'eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.' +
                '2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg',
        ],
        [
            'section 5, refresh',
            'eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjY1Mjk2fQ.' +
                'pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA',
        ],
    ])('%s: key and signature of the proof at the token endpoint are good', async (_where, rest) => {
        const asked = checked(proofsOf(), carrying(`${RFC_HEADER}.${rest}`), token, RFC_JKT);
        expect(await asked).toBe('dpop_proof_malformed ath');
        const forged = `${RFC_HEADER}.${rest.replace(/\.(?:.{4})/, '.AAAA')}`;
        expect(await checked(proofsOf(), carrying(forged), token, RFC_JKT)).toBe('dpop_proof_invalid');
    });
    it('sections 7.1 and 9: the challenges', async () => {
        const to = boundService({ algorithms: ['ES256', 'PS256'], nonce: {} });
        const without = await request(to.app).get('/');
        expect(without.headers['www-authenticate']).toBe('Bearer, DPoP algs="ES256 PS256"');
        const wanting = await present(to, token, caller.proof(token));
        expect(wanting.status).toBe(401);
        expect(wanting.headers['www-authenticate']).toBe('DPoP algs="ES256 PS256", error="use_dpop_nonce"');
        expect(wanting.headers['dpop-nonce']).toMatch(/^[\w-]{32}$/);
        expect(wanting.headers['cache-control']).toBe('no-store');
    });
});
describe('a token that is bound to a key', () => {
    it('is accepted with a proof by that key, and says so', async () => {
        const to = boundService({}, {}, (req) => ({ subject: principalOf(req).subject }));
        const answer = await present(to, token, caller.proof(token));
        expect([answer.status, answer.body]).toEqual([200, { subject: 'user-1' }]);
        expect(answer.headers['dpop-nonce']).toBeUndefined();
    });
    it('is accepted again with a new proof, also when it is remembered', async () => {
        const to = boundService();
        for (let time = 0; time < 3; time += 1) {
            expect((await present(to, token, caller.proof(token))).status).toBe(200);
        }
    });
    it('has a proof per method and URL, without query, wherever the service is mounted', async () => {
        const to = boundService();
        const claims = { htm: 'POST', htu: `${ORIGIN}/orders/7` };
        const answer = await request(to.app)
            .post('/orders/7?page=2')
            .set('Authorization', `DPoP ${token}`)
            .set('DPoP', caller.proof(token, claims));
        expect(answer.status).toBe(200);
    });
    it('may come to any of several public origins', async () => {
        const proofs = proofsOf({ publicOrigin: [ORIGIN, 'http://localhost:3000'] });
        const ask = (htu) => checked(proofs, carrying(caller.proof(token, { htu })), token, caller.jkt);
        expect(await ask('http://localhost:3000')).toBe('accepted');
        expect(await ask('https://localhost:3000')).toBe('dpop_proof_mismatch url');
    });
    it.each(['ES256', 'ES384', 'ES512', 'PS256', 'EdDSA', 'Ed25519', 'RS256'])('may be bound to a key of %s', async (alg) => {
        const { publicKey, privateKey } = keyPairFor(alg);
        const jwk = await exportJWK(publicKey);
        const proof = await new SignJWT(proofClaims(token))
            .setProtectedHeader({ typ: 'dpop+jwt', alg, jwk })
            .sign(privateKey);
        const jkt = await calculateJwkThumbprint(jwk);
        const options = alg === 'RS256' ? { algorithms: ['RS256'] } : {};
        expect(await checked(proofsOf(options), carrying(proof), token, jkt)).toBe('accepted');
    });
});
function keyPairFor(alg) {
    const namedCurve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[alg];
    if (namedCurve !== undefined)
        return generateKeyPairSync('ec', { namedCurve });
    if (alg.startsWith('Ed'))
        return generateKeyPairSync('ed25519');
    return generateKeyPairSync('rsa', { modulusLength: 2048 });
}
describe('a second authenticate on the way of one request', () => {
    it.each([
        ['with the memory of the process', undefined],
        ['with one memory', memoryStore()],
    ])('takes its proof for the same, and a repeated request for a replay, %s', async (_how, store) => {
        const [first, second] = ['first', 'second'].map((name) => authenticate({ ...trusting(issuer), name, dpop: { publicOrigin: ORIGIN, ...(store && { store }) } }));
        const to = service([first, second]);
        const proof = caller.proof(token);
        expect(await outcomeOf(to, token, proof)).toEqual([200, 'confirmed']);
        expect(await outcomeOf(to, token, proof)).toEqual([401, 'dpop_proof_replayed']);
        const elsewhere = service(second);
        expect(await outcomeOf(elsewhere, token, proof)).toEqual([401, 'dpop_proof_replayed']);
    });
    it('with a memory of its own remembers the proof too', async () => {
        const second = authenticateBound();
        const to = service([authenticateBound(), second]);
        const proof = caller.proof(token);
        expect(await outcomeOf(to, token, proof)).toEqual([200, 'confirmed']);
        expect(await outcomeOf(service(second), token, proof)).toEqual([401, 'dpop_proof_replayed']);
    });
});
describe('nonces', () => {
    const secrets = 'a-secret-that-two-processes-have-in-common';
    beforeEach(stopClocks);
    afterEach(releaseClocks);
    const nonceFrom = async (to) => {
        const answer = await present(to, token, caller.proof(token));
        expect([answer.status, to.lastReason()]).toEqual([401, 'dpop_nonce_required']);
        return String(answer.headers['dpop-nonce']);
    };
    it('are demanded, taken, renewed before they end, and refused after', async () => {
        const to = boundService({ nonce: { lifetimeSeconds: 100 } }, { maxTokenLength: 8192 });
        jest.setSystemTime(Math.ceil(Date.now() / 100_000) * 100_000);
        const bound = caller.token();
        const nonce = await nonceFrom(to);
        const withNonce = () => present(to, bound, caller.proof(bound, { nonce }));
        const early = await withNonce();
        expect([early.status, early.headers['dpop-nonce']]).toEqual([200, undefined]);
        forward(60_000);
        const late = await withNonce();
        expect(late.status).toBe(200);
        expect(late.headers['cache-control']).toBe('no-store');
        const next = late.headers['dpop-nonce'];
        expect(next).not.toBe(nonce);
        forward(40_000);
        const over = await withNonce();
        expect([over.status, to.lastReason()]).toEqual([401, 'dpop_nonce_required']);
        expect((await present(to, bound, caller.proof(bound, { nonce: next }))).status).toBe(200);
    });
    it('of one process are taken by another with the same secret, and by none with another', async () => {
        const nonce = await nonceFrom(boundService({ nonce: { secrets } }));
        const status = async (dpop) => (await present(boundService(dpop), token, caller.proof(token, { nonce }))).status;
        expect(await status({ nonce: { secrets: [secrets] } })).toBe(200);
        expect(await status({ nonce: { secrets: [`new ${secrets}`, secrets] } })).toBe(200);
        expect(await status({ nonce: { secrets: () => [`new ${secrets}`, secrets] } })).toBe(200);
        expect(await status({ nonce: { secrets: `new ${secrets}` } })).toBe(401);
        expect(await status({ nonce: {} })).toBe(401);
    });
    it('survive the rotation of their secret once', async () => {
        let current = secrets;
        const to = boundService({ nonce: { secrets: () => current } });
        const nonce = await nonceFrom(to);
        const statuses = [];
        for (const list of [
            [`2 ${secrets}`, secrets],
            [`3 ${secrets}`, `2 ${secrets}`],
        ]) {
            current = list;
            statuses.push((await present(to, token, caller.proof(token, { nonce }))).status);
        }
        expect(statuses).toEqual([200, 401]);
    });
    it('of a process whose clock is a little ahead are taken', async () => {
        const nonce = { secrets, lifetimeSeconds: 100 };
        jest.setSystemTime(Math.ceil(Date.now() / 100_000) * 100_000 + 1000);
        const ahead = await nonceFrom(boundService({ nonce }));
        jest.setSystemTime(Date.now() - 3000);
        const to = boundService({ nonce });
        expect((await present(to, token, caller.proof(token, { nonce: ahead }))).status).toBe(200);
        jest.setSystemTime(Date.now() - 10_000);
        expect((await present(to, token, caller.proof(token, { nonce: ahead }))).status).toBe(401);
    });
    it.each([
        ['nothing', () => undefined],
        ['an empty secret', () => ''],
        ['a short one', () => ['short']],
        ['an empty list', () => []],
        ['a promise', () => Promise.resolve(secrets)],
        ['a rejected promise', () => Promise.reject(new Error('down'))],
        [
            'an error',
            () => {
                throw new Error('down');
            },
        ],
    ])('whose secrets are %s let nobody in', async (_what, source) => {
        const to = boundService({ nonce: { secrets: source } });
        const answer = await present(to, token, caller.proof(token, { nonce: 'A'.repeat(32) }));
        expect([answer.status, to.lastReason()]).toEqual([500, 'guard_fault']);
        expect(JSON.stringify(answer.body)).not.toContain('secret');
    });
    it('are not looked at where none are demanded', async () => {
        const to = boundService();
        expect((await present(to, token, caller.proof(token, { nonce: 'of another server' }))).status).toBe(200);
    });
    it.each([
        ['empty', ''],
        ['too short', 'A'.repeat(31)],
        ['of the right length', 'A'.repeat(32)],
        ['long', 'A'.repeat(4000)],
        ['of other characters', '\u00e9'.repeat(32)],
        ['of zeros', '\u0000'.repeat(32)],
    ])('that are made up, %s, get a real one', async (_what, nonce) => {
        const to = boundService({ nonce: {} });
        const answer = await present(to, token, caller.proof(token, { nonce }));
        expect([answer.status, to.lastReason()]).toEqual([401, 'dpop_nonce_required']);
    });
});
describe('options', () => {
    const proofs = (options) => proofsOf(options);
    it.each([
        [{ publicOrigin: undefined }, 'dpop: publicOrigin must be an https origin'],
        [{ publicOrigin: 'orders.example' }, 'dpop: publicOrigin must be an https origin'],
        [{ publicOrigin: 'http://orders.example' }, 'dpop: publicOrigin must be an https origin'],
        [{ publicOrigin: 'https://orders.example/api' }, 'without a path'],
        [{ publicOrigin: 'https://orders.example?x' }, 'without a path'],
        [{ publicOrigin: 'https://orders.example/#x' }, 'without a path'],
        [{ publicOrigin: 'https://user:password@orders.example' }, 'got "https://[credentials]@orders.example"'],
        [{ publicOrigin: [] }, 'a non-empty array'],
        [{ publicOrigin: [ORIGIN, 'ftp://orders.example'] }, 'a non-empty array'],
        [{ algorithms: ['HS256'] }, 'dpop: algorithms must be a non-empty array'],
        [{ algorithms: ['none'] }, 'dpop: algorithms must be a non-empty array'],
        [{ proofMaxAgeSeconds: 0 }, 'dpop: proofMaxAgeSeconds must be an integer from 1 to 600 seconds, got 0'],
        [{ clockToleranceSeconds: 61 }, 'dpop: clockToleranceSeconds must be an integer from 0 to 60 seconds'],
        [{ store: {} }, 'dpop: store must be redisStore(client) or memoryStore(), got an object'],
        [{ maxProofs: 0 }, 'dpop: maxProofs must be an integer from 1 to 10000000, got 0'],
        [{ maxProofs: 10, maxProofsPerKey: 11 }, 'dpop: maxProofsPerKey must be at most maxProofs (10), got 11'],
        [{ nonce: true }, 'dpop: nonce must be an object such as { lifetimeSeconds: 300 }, got true'],
        [{ nonce: { secret: 'x' } }, 'Did you mean secrets?'],
        [{ nonce: { lifetimeSeconds: 9 } }, 'dpop: nonce: lifetimeSeconds must be an integer from 10 to 86400'],
        [{ iatOffset: 300 }, 'Did you mean proofMaxAgeSeconds?'],
        [{ required: true }, 'Did you mean senderConstrained (of authenticate)?'],
        [{ mode: 'report' }, 'unknown option "mode"'],
    ])('%j throw', (options, message) => {
        expect(() => proofs(options)).toThrow(message);
    });
    it.each([['short'], [['a'.repeat(32), 'short']], [[]]])('secrets %j throw and are not shown', (secrets) => {
        expect(() => proofs({ nonce: { secrets } })).toThrow('at least 32 characters');
        expect(() => proofs({ nonce: { secrets } })).not.toThrow(/short/);
    });
    it('of memory, and nonces without a secret, throw where the store is shared', () => {
        const store = redisStore({ defineCommand: () => undefined });
        expect(() => proofs({ store, maxProofs: 5 })).toThrow('dpop: maxProofs must be left out');
        expect(() => proofs({ store, maxProofsPerKey: 5 })).toThrow('dpop: maxProofsPerKey must be left out');
        expect(() => proofs({ store, nonce: {} })).toThrow('dpop: nonce: secrets must be a secret of at least 32');
        expect(() => proofs({ store, nonce: { secrets: 'a'.repeat(32) } })).not.toThrow();
    });
    it('are told to the posture, without secrets', () => {
        const guard = authenticateBound({ nonce: { secrets: 'x'.repeat(32) } });
        expect(guardMetadataOf(guard)?.facts['dpop']).toEqual({
            publicOrigin: [ORIGIN],
            algorithms: ['ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'EdDSA', 'Ed25519'],
            proofMaxAgeSeconds: 60,
            clockToleranceSeconds: 5,
            store: 'memory',
            maxProofs: 200_000,
            maxProofsPerKey: 5000,
            nonce: true,
            nonceLifetimeSeconds: 300,
        });
    });
    it('that are changed afterwards change nothing', async () => {
        const algorithms = ['ES256'];
        const proofs = proofsOf({ algorithms });
        algorithms[0] = 'PS256';
        expect(proofs.challenge).toBe('DPoP algs="ES256"');
        expect(await checked(proofs, carrying(caller.proof(token)), token, caller.jkt)).toBe('accepted');
    });
});
