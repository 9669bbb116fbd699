// A team that tightens the life of its tokens sees first who would break: each rule reports by itself, and names them.
import { describe, expect, it } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { auditLog } from '../../src/audit/audit-log.js';
import { authenticate } from '../../src/authentication/authenticate.js';
import { guardMetadataOf } from '../../src/core/metadata.js';
import { secureErrors } from '../../src/errors/secure-errors.js';
import { keepingLogger } from '../support/records.js';
import { nowSeconds, signer, trusting } from './harness.js';
const key = signer();
async function ask(rules, claims, header = {}) {
    const logger = keepingLogger();
    const app = express();
    app.use(auditLog({ logger }));
    app.use(authenticate({ ...trusting(key), ...rules }));
    app.get('/', (_req, res) => {
        res.json({});
    });
    app.use(secureErrors());
    const { status } = await request(app)
        .get('/')
        .auth(key.token({ sub: 'ada', client_id: 'old-app', ...claims }, header), { type: 'bearer' });
    return { status, records: logger.kept.filter(({ record }) => record.event.reason !== undefined) };
}
const now = nowSeconds();
const BREACHES = [
    [
        'maxTokenAge',
        { maxTokenAge: { seconds: 60 } },
        { maxTokenAge: { seconds: 60, mode: 'report' } },
        { iat: now - 120 },
        {},
        'token_too_old',
    ],
    [
        'maxTokenLifetime',
        { maxTokenLifetime: { seconds: 600 } },
        { maxTokenLifetime: { seconds: 600, mode: 'report' } },
        { iat: now, exp: now + 3600 },
        {},
        'token_lifetime_too_long',
    ],
    [
        'typ',
        { typ: 'at+jwt' },
        { typ: { value: 'at+jwt', mode: 'report' } },
        {},
        { typ: 'JWT' },
        'token_type_refused',
    ],
];
describe.each(BREACHES)('%s', (_rule, enforced, reported, claims, header, reason) => {
    it('in mode report lets the token pass, and its record says whose it was', async () => {
        const { status, records } = await ask(reported, claims, header);
        expect(status).toBe(200);
        expect(records).toHaveLength(1);
        expect(records[0]?.record).toMatchObject({
            event: { reason, mode: 'report', outcome: 'failure' },
            rule: { name: 'authenticate', ruleset: 'authenticate' },
            user: { id: 'ada', client_id: 'old-app' },
        });
    });
    it('enforced refuses the same token', async () => {
        const { status, records } = await ask(enforced, claims, header);
        expect([status, records.map(({ record }) => record.event.reason)]).toEqual([401, [reason]]);
    });
    it('in mode report says nothing of a token that keeps the rule', async () => {
        const { status, records } = await ask(reported, { iat: now, exp: now + 300 });
        expect([status, records]).toEqual([200, []]);
    });
    it('in mode report lets nothing else pass: an expired token, another audience, an ID token', async () => {
        for (const bad of [{ exp: now - 60 }, { aud: 'https://other.test' }])
            expect((await ask(reported, { ...claims, ...bad }, header)).status).toBe(401);
        expect((await ask(reported, { ...claims, nonce: 'n' }, { typ: 'JWT' })).status).toBe(401);
    });
});
describe('the rules together', () => {
    const all = Object.assign({}, ...BREACHES.map(([, , reported]) => reported));
    const breaking = { iat: now - 120, exp: now + 3600 };
    it('report each breach of one token', async () => {
        const { status, records } = await ask(all, breaking, { typ: 'JWT' });
        expect(status).toBe(200);
        expect(records.map(({ record }) => record.event.reason).toSorted()).toEqual(BREACHES.map(([, , , , , reason]) => reason).toSorted());
    });
    it('are refused by the one that is enforced, whatever the others report', async () => {
        const { status } = await ask({ ...all, maxTokenAge: { seconds: 60 } }, breaking, { typ: 'JWT' });
        expect(status).toBe(401);
    });
    it('have their modes in the posture, and authenticate itself has none but enforce', () => {
        expect(guardMetadataOf(authenticate({ ...trusting(key), ...all }))).toMatchObject({
            mode: 'enforce',
            facts: { typesMode: 'report', maxTokenAgeMode: 'report', maxTokenLifetimeMode: 'report' },
        });
        expect(() => authenticate({ ...trusting(key), mode: 'report' })).toThrow(TypeError);
    });
});
