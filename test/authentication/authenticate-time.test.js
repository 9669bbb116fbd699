import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { forward, releaseClocks, stopClocks } from './clock.js';
import { nowSeconds, outcome, send, serviceTrusting, signer } from './harness.js';
const key = signer();
const behind = serviceTrusting(key);
describe('time', () => {
    beforeEach(stopClocks);
    afterEach(releaseClocks);
    it.each([
        ['5 s after expiry less a second, by default', undefined, { exp: -4 }, 200],
        ['5 s after expiry, by default', undefined, { exp: -5 }, 401],
        ['5 s before its beginning, by default', undefined, { nbf: 5 }, 200],
        ['6 s before its beginning, by default', undefined, { nbf: 6 }, 401],
        ['its last second, without tolerance', 0, { exp: 1 }, 200],
        ['its expiry, without tolerance', 0, { exp: 0 }, 401],
        ['its beginning, without tolerance', 0, { nbf: 0 }, 200],
        ['a second before its beginning, without tolerance', 0, { nbf: 1 }, 401],
        ['59 s after expiry, with all the tolerance there is', 60, { exp: -59 }, 200],
        ['60 s after expiry, with all the tolerance there is', 60, { exp: -60 }, 401],
    ])('judges a token at %s', async (_case, clockToleranceSeconds, offsets, status) => {
        const claims = Object.fromEntries(Object.entries(offsets).map(([claim, offset]) => [claim, nowSeconds() + offset]));
        const to = behind(clockToleranceSeconds === undefined ? {} : { clockToleranceSeconds });
        await send(to, key.token(claims)).expect(status);
    });
    it('is looked at each time a remembered token is used', async () => {
        const to = behind({ maxTokenAgeSeconds: 600 });
        const short = key.token({ exp: nowSeconds() + 60 });
        const long = key.token({ exp: nowSeconds() + 6000 });
        await expect(outcome(to, short)).resolves.toEqual([200, 'verified']);
        await expect(outcome(to, long)).resolves.toEqual([200, 'verified']);
        forward(65_000);
        await expect(outcome(to, short)).resolves.toEqual([401, 'token_expired']);
        await expect(outcome(to, long)).resolves.toEqual([200, 'remembered']);
        forward(541_000);
        await expect(outcome(to, long)).resolves.toEqual([401, 'token_too_old']);
    });
    it.each([
        ['the greatest age and its tolerance', { iat: -605 }, 'verified'],
        ['more than that', { iat: -606 }, 'token_too_old'],
        ['no time of issue', { iat: undefined }, 'claim_missing'],
        ['a time of issue to come, beyond the tolerance', { iat: 6 }, 'token_not_yet_valid'],
    ])('since issue is bounded by maxTokenAgeSeconds: %s', async (_case, { iat }, reason) => {
        const token = key.token({ iat: iat === undefined ? undefined : nowSeconds() + iat });
        const status = reason === 'verified' ? 200 : 401;
        await expect(outcome(behind({ maxTokenAgeSeconds: 600 }), token)).resolves.toEqual([status, reason]);
        await expect(outcome(behind({ maxTokenAge: { seconds: 600 } }), token)).resolves.toEqual([status, reason]);
        const reporting = behind({ maxTokenAge: { seconds: 600, mode: 'report' } });
        await expect(outcome(reporting, token)).resolves.toEqual([200, 'verified']);
        const reports = reporting.decisions.filter(({ mode }) => mode === 'report');
        expect(reports.map((report) => report.reason)).toEqual(reason === 'verified' ? [] : [reason]);
    });
    it.each([
        ['the longest life', { iat: 0, exp: 600 }, 'verified'],
        ['a second more', { iat: 0, exp: 601 }, 'token_lifetime_too_long'],
        ['no time of issue', { iat: undefined, exp: 60 }, 'claim_missing'],
    ])('from issue to expiry is bounded by maxTokenLifetimeSeconds: %s', async (_case, { iat, exp = 0 }, reason) => {
        const token = key.token({
            iat: iat === undefined ? undefined : nowSeconds() + iat,
            exp: nowSeconds() + exp,
        });
        const status = reason === 'verified' ? 200 : 401;
        await expect(outcome(behind({ maxTokenLifetimeSeconds: 600 }), token)).resolves.toEqual([
            status,
            reason,
        ]);
        await expect(outcome(behind({ maxTokenLifetime: { seconds: 600 } }), token)).resolves.toEqual([
            status,
            reason,
        ]);
        const reporting = behind({ maxTokenLifetime: { seconds: 600, mode: 'report' } });
        for (const passed of ['verified', 'remembered']) {
            reporting.decisions.length = 0;
            await expect(outcome(reporting, token)).resolves.toEqual([200, passed]);
            const reports = reporting.decisions.filter(({ mode }) => mode === 'report');
            expect(reports.map((report) => report.reason)).toEqual(reason === 'verified' ? [] : [reason]);
        }
    });
    it('since issue and to expiry is unbounded by default, and needs no time of issue', async () => {
        await send(behind(), key.token({ iat: undefined, exp: nowSeconds() + 9_000_000 })).expect(200);
        await send(behind(), key.token({ iat: nowSeconds() - 9_000_000 })).expect(200);
    });
    it('that passes reports one token once for each request that it would have refused', async () => {
        const to = behind({ maxTokenAge: { seconds: 60, mode: 'report' } });
        const token = key.token();
        await send(to, token).expect(200);
        expect(to.decisions).toHaveLength(1);
        forward(120_000);
        await send(to, token).expect(200);
        expect(to.decisions.map(({ mode, reason }) => [mode, reason])).toEqual([
            ['enforce', 'verified'],
            ['report', 'token_too_old'],
            ['enforce', 'remembered'],
        ]);
    });
});
