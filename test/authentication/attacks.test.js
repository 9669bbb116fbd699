import { createHmac, createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { auditLog } from '../../src/audit/audit-log.js';
import { authenticate } from '../../src/authentication/authenticate.js';
import { requireScopes } from '../../src/authorization/require-scopes.js';
import { principalOf } from '../../src/core/context.js';
import { secureErrors } from '../../src/errors/secure-errors.js';
import { localIssuer } from '../../src/testing/local-issuer.js';
import { keepingLogger } from '../support/records.js';
import { rawRequest, sendRaw, serve } from '../support/server.js';
import { AUDIENCE, ISSUER, accessClaims, incoming, nowSeconds, segment, send, service, serviceTrusting, signer, trusting, unsigned, } from './harness.js';
const key = signer();
const base = trusting(key);
const behind = serviceTrusting(key);
const header = { alg: 'ES256', kid: 'key-1', typ: 'at+jwt' };
async function refusedAs(reason, token, options = {}) {
    const to = behind(options);
    const answer = await send(to, token);
    expect([answer.status, to.lastReason()]).toEqual([401, reason]);
    expect(to.served()).toBe(0);
}
describe('a token without a signature', () => {
    const NONE = ['none', 'None', 'NONE', 'nOnE', 'noNE', 'none ', ''];
    it.each(NONE)('is refused with the algorithm "%s" and no third segment', async (alg) => {
        await refusedAs('token_malformed', unsigned({ ...header, alg }, accessClaims(), ''));
    });
    it.each(NONE)('is refused with the algorithm "%s" and a third segment', async (alg) => {
        await refusedAs('algorithm_refused', unsigned({ ...header, alg }, accessClaims()));
    });
    it.each([[undefined], [null], [['ES256']], [{ toString: 'ES256' }], [true], [0]])('is refused with the algorithm %p', async (alg) => {
        await refusedAs('algorithm_refused', key.sign({ ...header, alg }, accessClaims()));
    });
    it.each(['es256', 'ES256 ', 'ES256\u0000', 'ЕS256', 'ES-256'])('and one with a good signature are refused where the algorithm is spelt "%s"', async (alg) => {
        await refusedAs('algorithm_refused', key.sign({ ...header, alg }, accessClaims()));
    });
});
describe('a token signed with the public key as a shared secret', () => {
    const pem = createPublicKey({ key: key.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const secrets = {
        'the PEM text': pem,
        'the PEM text, with white space before it': `\n ${pem}`,
        'the JWK as JSON': JSON.stringify(key.jwk),
        'the coordinates': Buffer.from(`${key.jwk.x ?? ''}${key.jwk.y ?? ''}`, 'base64url'),
        nothing: '',
    };
    it.each(Object.entries(secrets))('is refused: %s', async (_case, secret) => {
        for (const alg of ['HS256', 'HS384', 'HS512']) {
            const input = `${segment({ ...header, alg })}.${segment(accessClaims())}`;
            const mac = createHmac(`sha${alg.slice(2)}`, secret)
                .update(input)
                .digest('base64url');
            await refusedAs('algorithm_refused', `${input}.${mac}`);
        }
    });
});
describe('a token of another issuer', () => {
    let trusted;
    let stranger;
    beforeAll(async () => {
        trusted = await localIssuer();
        stranger = await localIssuer();
    });
    afterAll(async () => {
        await Promise.all([trusted.stop(), stranger.stop()]);
    });
    it('costs nobody a request, ours or theirs', async () => {
        const to = service(authenticate({ issuer: trusted.issuer, audience: AUDIENCE }));
        for (const iss of [
            stranger.issuer,
            `${trusted.issuer}/`,
            `${trusted.issuer}@id.test`,
            '',
            undefined,
            null,
            5,
        ]) {
            const answer = await send(to, await stranger.token({ iss }));
            expect([answer.status, to.lastReason()]).toEqual([401, 'issuer_mismatch']);
        }
        expect(trusted.requests.size + stranger.requests.size).toBe(0);
    });
    it.each([
        ['a list with the right one', (iss) => [iss]],
        ['a list with the right one first', (iss) => [iss, 'https://evil.test']],
        ['an object', (iss) => ({ iss })],
    ])('is refused also where it names its issuer in %s', async (_case, wrap) => {
        const to = service(authenticate({ issuer: trusted.issuer, audience: AUDIENCE }));
        const answer = await send(to, await trusted.token({ iss: wrap(trusted.issuer) }));
        expect([answer.status, to.lastReason()]).toEqual([401, 'issuer_mismatch']);
        expect(trusted.requests.size).toBe(0);
    });
    it('is refused where it claims to be of the right one', async () => {
        const to = service(authenticate({ issuer: trusted.issuer, audience: AUDIENCE }));
        const answer = await send(to, await stranger.token({ iss: trusted.issuer }));
        expect([answer.status, to.lastReason()]).toEqual([401, 'signature_invalid']);
        expect(stranger.requests.size).toBe(0);
    });
});
describe('keys that a token brings with it', () => {
    let keyServer;
    let asked = 0;
    const attacker = signer('attacker');
    beforeAll(async () => {
        keyServer = await serve((_req, res) => {
            asked += 1;
            res.end(JSON.stringify({ keys: [attacker.jwk] }));
        });
    });
    afterAll(async () => {
        await keyServer.close();
    });
    it.each([
        ['jwk', () => ({ jwk: attacker.jwk })],
        ['jku', () => ({ jku: `${keyServer.url}/jwks` })],
        ['x5u', () => ({ x5u: `${keyServer.url}/cert` })],
        ['x5c', () => ({ x5c: ['MIIB'] })],
        ['all of them', () => ({ jwk: attacker.jwk, jku: keyServer.url, x5u: keyServer.url, x5c: ['MIIB'] })],
    ])('are never used, and nobody is asked: %s', async (_case, parameters) => {
        await refusedAs('key_unknown', attacker.token({}, parameters()));
        await refusedAs('signature_invalid', attacker.token({}, { ...parameters(), kid: 'key-1' }));
        await refusedAs('signature_invalid', attacker.token({}, { ...parameters(), kid: undefined }));
        expect(asked).toBe(0);
    });
    it('do not hurt a token that is good without them', async () => {
        await send(behind(), key.token({}, { jku: keyServer.url, jwk: attacker.jwk })).expect(200);
        expect(asked).toBe(0);
    });
});
describe('the name of a key', () => {
    it.each([
        '../../../../dev/null',
        "' OR 1=1 --",
        'key-1\u0000',
        'key-1 ',
        'KEY-1',
        '__proto__',
        'constructor',
        'toString',
        '0',
        '',
        'k'.repeat(256),
    ])('is only compared: "%s"', async (kid) => {
        await refusedAs('key_unknown', key.token({}, { kid }));
    });
    it.each([[null], [1], [true], [['key-1']], [{ kid: 'key-1' }], ['k'.repeat(257)]])('is refused, and no key looked for, where it is %p', async (kid) => {
        await refusedAs('token_malformed', key.token({}, { kid }));
    });
    it('is neutralised in the record of whatever happens', async () => {
        const logger = keepingLogger();
        const log = auditLog({ logger });
        const to = service([log, authenticate(base)]);
        await send(to, key.token({}, { kid: 'x\r\nforged: line\u001b[2J' })).expect(401);
        await log.close();
        const written = JSON.stringify(logger.kept);
        expect(written).toContain('x\ufffd\ufffdforged: line\ufffd[2J');
        expect(to.decisions.at(-1)?.evidence).toEqual({ claimed: 'x\ufffd\ufffdforged: line\ufffd[2J' });
        expect(written).not.toMatch(/\\r|\\n|u001b/);
    });
    it('cannot make a service fetch keys again and again: 10,000 unknown names', async () => {
        const issuer = await localIssuer();
        try {
            const auth = authenticate({ issuer: issuer.issuer, audience: AUDIENCE });
            const claims = accessClaims({ iss: issuer.issuer });
            await auth.verifyRequest(incoming(`Bearer ${await issuer.token()}`));
            let refused = 0;
            for (let batch = 0; batch < 100; batch += 1) {
                const attempts = Array.from({ length: 100 }, (_, index) => {
                    const token = unsigned({ ...header, kid: `unknown-${batch}-${index}` }, claims);
                    return auth.verifyRequest(incoming(`Bearer ${token}`)).catch((problem) => {
                        if (problem.reason === 'key_unknown')
                            refused += 1;
                    });
                });
                await Promise.all(attempts);
            }
            expect(refused).toBe(10_000);
            expect([...issuer.requests.values()].reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(3);
            await expect(auth.verifyRequest(incoming(`Bearer ${await issuer.token()}`))).resolves.toMatchObject({
                subject: 'user-1',
            });
        }
        finally {
            await issuer.stop();
        }
    });
});
describe('extensions that must be understood', () => {
    it.each([
        ['an extension that nobody knows', { crit: ['x-policy'], 'x-policy': true }],
        ['an extension that is not there', { crit: ['exp'] }],
        ['no extension', { crit: [] }],
        ['what is no list', { crit: 'x-policy' }],
        ['null', { crit: null }],
        ['an unencoded payload', { crit: ['b64'], b64: false }],
    ])('refuse a token that names %s', async (_case, parameters) => {
        await refusedAs('token_malformed', key.token({}, parameters));
    });
    it('refuse an unencoded payload also where its bytes are what was signed', async () => {
        const protectedHeader = segment({ ...header, crit: ['b64'], b64: false });
        const token = key.sign({ ...header, crit: ['b64'], b64: false }, accessClaims());
        expect(token.startsWith(protectedHeader)).toBe(true);
        await refusedAs('token_malformed', token);
        await refusedAs('token_malformed', key.token({}, { b64: false }));
    });
});
describe('what is no compact signed token', () => {
    const good = key.token();
    const [protectedHeader, payload, signature] = good.split('.');
    it.each([
        ['an encrypted token', `${segment({ alg: 'dir', enc: 'A256GCM' })}..AAAA.AAAA.AAAA`],
        [
            'an encrypted token that asks for much work',
            `${segment({ alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', p2c: 2e9 })}.AAAA.AAAA.AAAA.AAAA`,
        ],
        [
            'an encrypted token that unpacks to much',
            `${segment({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' })}..AAAA.AAAA.AAAA`,
        ],
        ['a signed token with segments to spare', `${good}.AAAA.AAAA`],
        ['one segment', protectedHeader],
        ['two segments', `${protectedHeader}.${payload}`],
        ['no header', `.${payload}.${signature}`],
        ['no payload', `${protectedHeader}..${signature}`],
        ['no signature', `${protectedHeader}.${payload}.`],
        ['dots', '..'],
        ['a header that is no JSON', `AAAA.${payload}.${signature}`],
        ['a header that is a list', `${segment('[]')}.${payload}.${signature}`],
        ['a header that is null', `${segment('null')}.${payload}.${signature}`],
        ['a payload that is a text', key.sign(header, '"text"')],
        ['a payload that is a list', key.sign(header, '[]')],
        ['a payload that is no JSON', key.sign(header, 'It is a dangerous business')],
        ['an empty payload that is signed', key.sign(header, '')],
        ['a payload with a byte order mark', key.sign(header, `\ufeff${JSON.stringify(accessClaims())}`)],
    ])('is refused: %s', async (_case, token) => {
        await refusedAs('token_malformed', token);
    });
    it.each([
        ['flattened', JSON.stringify({ protected: protectedHeader, payload, signature })],
        ['general', JSON.stringify({ payload, signatures: [{ protected: protectedHeader, signature }] })],
    ])('is refused: the %s JSON serialisation', async (_case, token) => {
        await refusedAs('token_malformed', token);
    });
});
describe('another spelling of a token', () => {
    const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    /** The same bytes, with other bits where a decoder does not look. */
    function withStrayBits(part) {
        const last = ALPHABET.indexOf(part.slice(-1));
        return `${part.slice(0, -1)}${ALPHABET.charAt(last + 1)}`;
    }
    /** A token each of whose segments has bits that carry nothing. */
    function tokenWithRoom() {
        for (let size = 0; size < 9; size += 1) {
            const token = key.token({ padding: 'x'.repeat(size % 3) }, { padding: 'x'.repeat(Math.floor(size / 3)) });
            if (token.split('.').every((part) => part.length % 4 !== 0))
                return token;
        }
        throw new Error('there is always one');
    }
    const token = tokenWithRoom();
    const [first, second, third] = token.split('.');
    const spellings = [
        ['stray bits in the header', [withStrayBits(first), second, third].join('.')],
        ['stray bits in the payload', [first, withStrayBits(second), third].join('.')],
        ['stray bits in the signature', [first, second, withStrayBits(third)].join('.')],
        ['padding', `${token}=`],
        ['padding inside', [`${first}=`, second, third].join('.')],
        ['the other alphabet', [first, second, third.replaceAll('-', '+').replaceAll('_', '/')].join('.')],
        ['a character that decoders skip', [first, `${second.slice(0, 4)}~${second.slice(4)}`, third].join('.')],
    ];
    it('has bytes that a decoder cannot tell from the right one', () => {
        const decoded = (part) => Buffer.from(part, 'base64url').toString('hex');
        for (const part of [first, second, third])
            expect(decoded(withStrayBits(part))).toBe(decoded(part));
    });
    it.each(spellings.filter(([, spelling]) => spelling !== token))('is refused: %s', async (_case, spelling) => {
        const to = behind();
        expect((await send(to, spelling)).status).toBe(401);
        await send(to, token).expect(200);
        await send(to, token).expect(200);
        expect(to.lastReason()).toBe('remembered');
        expect((await send(to, spelling)).status).toBe(401);
        expect(to.lastReason()).toBe('token_malformed');
    });
    it.each([
        ['a space', ' '],
        ['a tab', '\t'],
    ])('is refused: %s inside', async (_case, blank) => {
        const to = behind();
        await send(to, token).expect(200);
        await send(to, [first, `${second.slice(0, 8)}${blank}${second.slice(8)}`, third].join('.')).expect(400);
    });
});
describe('the size of a token', () => {
    it('is looked at before anything is decoded', async () => {
        const auth = authenticate(base);
        for (const size of [8193, 100_000, 8_000_000]) {
            const started = performance.now();
            const sent = auth.verifyRequest(incoming(`Bearer ${'a'.repeat(size)}`));
            await expect(sent).rejects.toMatchObject({ status: 401, reason: 'token_too_long' });
            expect(performance.now() - started).toBeLessThan(500);
        }
    });
    it('does not matter to Node before it matters to us: 8 KiB arrive', async () => {
        const to = behind();
        await send(to, `${'a'.repeat(4000)}.${'a'.repeat(4000)}.aaaa`).expect(401);
        expect(to.lastReason()).toBe('token_malformed');
    });
    it('bounds how deep claims can be, and what is too deep is refused and recorded', async () => {
        const logger = keepingLogger();
        const log = auditLog({ logger });
        const to = service([log, authenticate(base)]);
        const deep = `${'['.repeat(2500)}${']'.repeat(2500)}`;
        const payload = JSON.stringify(accessClaims()).replace('}', `,"deep":${deep}}`);
        const answer = await send(to, key.sign(header, payload));
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(to.served()).toBe(0);
        expect(logger.kept.length).toBeGreaterThan(0);
        await log.close();
    });
});
describe('JSON that two readers may read differently', () => {
    it('is read as one reader reads it, signature and claims alike: the last of two members counts', async () => {
        const claims = JSON.stringify(accessClaims()).slice(1);
        await refusedAs('issuer_mismatch', key.sign(header, `{"iss":"${ISSUER}",${claims.replace(ISSUER, 'https://evil.test')}`));
        await refusedAs('algorithm_refused', key.sign(`{"alg":"ES256","alg":"none","kid":"key-1","typ":"at+jwt"}`, `{${claims}`));
        const to = behind();
        await send(to, key.sign(`{"alg":"none","alg":"ES256","kid":"key-1","typ":"at+jwt"}`, `{"sub":"admin",${claims}`)).expect(200);
    });
    it.each(['__proto__', 'constructor', 'hasOwnProperty', 'toString'])('may have a claim named %s, which is only a claim', async (name) => {
        let answer;
        const to = service(authenticate(base), (req) => {
            const { claims } = principalOf(req);
            answer = [
                Object.getPrototypeOf(claims),
                Object.hasOwn(claims, name),
                claims.polluted,
            ];
            return null;
        });
        const payload = `{"${name}":{"polluted":true},${JSON.stringify(accessClaims()).slice(1)}`;
        await send(to, key.sign(header, payload)).expect(200);
        expect(answer).toEqual([null, true, undefined]);
        expect({}.polluted).toBeUndefined();
    });
    it.each([
        '{"__proto__":{"alg":"ES256","kid":"key-1","typ":"at+jwt"}}',
        '{"__proto__":{"alg":"ES256"},"kid":"key-1","typ":"at+jwt"}',
    ])('takes nothing from what a header calls its prototype: %s', async (text) => {
        const answer = await send(behind(), key.sign(text, accessClaims()));
        expect(answer.status).toBe(401);
    });
    it('takes no claim from what a payload calls its prototype', async () => {
        await refusedAs('issuer_mismatch', key.sign(header, `{"__proto__":${JSON.stringify(accessClaims())}}`));
        const { exp: _exp, ...rest } = accessClaims();
        const payload = `{"__proto__":{"exp":9999999999},${JSON.stringify(rest).slice(1)}`;
        await refusedAs('claim_missing', key.sign(header, payload));
    });
    it.each(['scope', 'roles', 'cnf', 'nonce'])('takes no %s from what a payload calls its prototype', async (name) => {
        let held;
        const to = service(authenticate(base), (req) => {
            const { scopes, roles } = principalOf(req);
            held = [...scopes, ...roles];
            return null;
        });
        const payload = `{"__proto__":{"${name}":["admin"]},${JSON.stringify(accessClaims()).slice(1)}`;
        await send(to, key.sign(header, payload)).expect(200);
        expect(held).toEqual([]);
    });
});
describe('dates that are no dates', () => {
    const now = nowSeconds();
    const VALUES = [
        ['a text', `"${now + 300}"`],
        ['an ISO date', '"2999-01-01T00:00:00Z"'],
        ['null', 'null'],
        ['true', 'true'],
        ['a list', `[${now + 300}]`],
        ['an object', '{}'],
        ['more than a number can be', '1e400'],
        ['less than a number can be', '-1e400'],
    ];
    const signed = (claim, value) => {
        const { [claim]: _replaced, ...rest } = accessClaims();
        return key.sign(header, `{"${claim}":${value},${JSON.stringify(rest).slice(1)}`);
    };
    it.each(['exp', 'nbf', 'iat'].flatMap((claim) => VALUES.map(([title, value]) => [claim, title, value])))('refuse a token whose "%s" is %s', async (claim, _title, value) => {
        await refusedAs('claim_invalid', signed(claim, value));
    });
    it.each([
        ['zero', '0', 401],
        ['below zero', '-1', 401],
        ['the least number', '5e-324', 401],
        ['a fraction that is to come', `${now + 300}.5`, 200],
        ['very far away', '1e308', 200],
    ])('are compared as numbers where "exp" is %s', async (_case, exp, status) => {
        await send(behind(), signed('exp', exp)).expect(status);
    });
    it('are bounded where a longest life is set', async () => {
        await refusedAs('token_lifetime_too_long', signed('exp', '1e308'), { maxTokenLifetimeSeconds: 3600 });
    });
    it('cannot be made to overflow into the past', async () => {
        await refusedAs('token_not_yet_valid', signed('nbf', '1e308'));
        await refusedAs('token_not_yet_valid', signed('iat', '1e308'), { maxTokenAgeSeconds: 600 });
    });
});
describe('the Authorization field', () => {
    let running;
    let to;
    const good = key.token();
    beforeAll(async () => {
        to = behind();
        running = await serve(to.app);
    });
    afterAll(async () => {
        await running.close();
    });
    async function statusOf(...lines) {
        const answer = await sendRaw(running.port, rawRequest('GET', '/', lines));
        return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0);
    }
    it.each([
        ['a good token', [`Authorization: Bearer ${good}`], 200, undefined],
        ['a scheme in another case', [`authorization: bEARER ${good}`], 200, undefined],
        ['white space around the value', [`Authorization:  \tBearer ${good} \t`], 200, undefined],
        ['no space after the colon', [`Authorization:Bearer ${good}`], 200, undefined],
        ['two spaces', [`Authorization: Bearer  ${good}`], 400, 'authorization_malformed'],
        ['a tab', [`Authorization: Bearer\t${good}`], 400, 'authorization_malformed'],
        ['a space and a tab', [`Authorization: Bearer \t${good}`], 400, 'authorization_malformed'],
        ['a scheme alone', ['Authorization: Bearer'], 400, 'authorization_malformed'],
        ['a scheme alone, in another case', ['Authorization: bearer'], 400, 'authorization_malformed'],
        ['a scheme and a space', ['Authorization: Bearer '], 400, 'authorization_malformed'],
        ['nothing', ['Authorization:'], 400, 'authorization_malformed'],
        ['two words', [`Authorization: Bearer ${good} ${good}`], 400, 'authorization_malformed'],
        ['a parameter', [`Authorization: Bearer ${good}, realm="x"`], 400, 'authorization_malformed'],
        ['a good token and a comma', [`Authorization: Bearer ${good},`], 401, 'token_malformed'],
        ['two tokens and a comma', [`Authorization: Bearer ${good},${good}`], 401, 'token_malformed'],
        ['two credentials in one line', [`Authorization: Basic eDp5, Bearer ${good}`], 401, 'scheme_unsupported'],
        ['the token alone', [`Authorization: ${good}`], 401, 'scheme_unsupported'],
        ['the token in quotes', [`Authorization: Bearer "${good}"`], 401, 'token_malformed'],
        ['the token as a parameter', [`Authorization: Bearer token=${good}`], 401, 'token_malformed'],
        ['a colon after the scheme', [`Authorization: Bearer: ${good}`], 400, 'authorization_malformed'],
        ['a scheme in quotes', [`Authorization: "Bearer" ${good}`], 400, 'authorization_malformed'],
        ['a longer scheme', [`Authorization: Bearers ${good}`], 401, 'scheme_unsupported'],
        ['the scheme of bound tokens', [`Authorization: DPoP ${good}`], 401, 'scheme_unsupported'],
        ['a password', ['Authorization: Basic dXNlcjpwYXNz'], 401, 'scheme_unsupported'],
        ['a byte that is no ASCII', [`Authorization: Bearer ${good}\u00e9`], 401, 'token_malformed'],
        ['a space that is no ASCII', [`Authorization: Bearer\u00a0${good}`], 400, 'authorization_malformed'],
        [
            'two lines, the first good',
            [`Authorization: Bearer ${good}`, 'Authorization: Bearer x'],
            400,
            'authorization_repeated',
        ],
        [
            'two lines, the last good',
            ['Authorization: Bearer x', `Authorization: Bearer ${good}`],
            400,
            'authorization_repeated',
        ],
        [
            'two lines that are alike',
            [`Authorization: Bearer ${good}`, `Authorization: Bearer ${good}`],
            400,
            'authorization_repeated',
        ],
        [
            'two lines in different case',
            [`Authorization: Bearer ${good}`, `AUTHORIZATION: Basic eDp5`],
            400,
            'authorization_repeated',
        ],
        [
            'two lines far apart',
            [`Authorization: Bearer ${good}`, 'X-A: 1', 'X-B: 2', 'Authorization: '],
            400,
            'authorization_repeated',
        ],
    ])('with %s', async (_case, lines, status, reason) => {
        const servedBefore = to.served();
        await expect(statusOf(...lines)).resolves.toBe(status);
        if (reason !== undefined)
            expect(to.lastReason()).toBe(reason);
        expect(to.served() - servedBefore).toBe(status === 200 ? 1 : 0);
    });
    it.each([
        ['inside the token', [`Authorization: Bearer ${good.slice(0, 40)}`, ` ${good.slice(40)}`]],
        ['before the token', ['Authorization: Bearer', ` ${good}`]],
        ['before the scheme', ['Authorization:', ` Bearer ${good}`]],
        ['after the token', [`Authorization: Bearer ${good}`, '\tx']],
    ])('folded over two lines %s is 400: such a request reaches nobody', async (_case, lines) => {
        const servedBefore = to.served();
        await expect(statusOf(...lines)).resolves.toBe(400);
        expect(to.served()).toBe(servedBefore);
    });
    it('is the only place: a token in the query, the body, a cookie or another field is nobody', async () => {
        const app = express();
        app.use(express.json(), express.urlencoded({ extended: false }));
        app.use(authenticate(base));
        app.use(secureErrors());
        await request(app).get(`/?access_token=${good}`).expect(401);
        await request(app).post('/').type('form').send({ access_token: good }).expect(401);
        await request(app).post('/').send({ access_token: good }).expect(401);
        await request(app).get('/').set('Cookie', `access_token=${good}`).expect(401);
        await request(app).get('/').set('Proxy-Authorization', `Bearer ${good}`).expect(401);
        await request(app)
            .get('/')
            .set('X-Access-Token', good)
            .set('X-Authorization', `Bearer ${good}`)
            .expect(401);
    });
});
describe('an optional credential', () => {
    it.each([
        ['a forged one', `Bearer ${signer().token()}`],
        ['an unsigned one', `Bearer ${unsigned({ ...header, alg: 'none' }, accessClaims())}`],
        ['one of another scheme', 'Basic dXNlcjpwYXNz'],
        ['a broken one', 'Bearer'],
    ])('that is bad is never nobody: %s', async (_case, authorization) => {
        const to = behind({ required: false });
        const { status } = await request(to.app).get('/').set('Authorization', authorization);
        expect([400, 401]).toContain(status);
        expect(to.served()).toBe(0);
    });
    it('is not made optional by anything a request says', async () => {
        const to = behind();
        for (const path of ['/?required=false', '/health', '/.well-known/x', '//', '/%2e%2e/public']) {
            await request(to.app)
                .get(path)
                .set('X-Original-Url', '/health')
                .set('X-Forwarded-Uri', '/health')
                .expect(401);
        }
        await request(to.app)
            .post('/')
            .set('X-Http-Method-Override', 'OPTIONS')
            .send({ required: false })
            .expect(401);
        expect(to.served()).toBe(0);
    });
});
describe('a token that was made for something else', () => {
    const ANY = { typ: ['JWT', 'at+jwt'] };
    const logout = { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } };
    it.each([
        ['an ID token with a nonce', { nonce: 'n-0S6' }],
        ['an ID token with a nonce of nothing', { nonce: null }],
        ['an ID token with the hash of an access token', { at_hash: 'x' }],
        ['an ID token with the hash of a code', { c_hash: 'x' }],
        ['an ID token whose audience is its client', { azp: AUDIENCE }],
        ['an ID token whose only audience is its client', { aud: [AUDIENCE], azp: AUDIENCE }],
        ['a logout token', logout],
    ])('is refused by its shape where its type says nothing: %s', async (_case, claims) => {
        await refusedAs('token_not_for_access', key.token(claims, { typ: 'JWT' }), ANY);
        await refusedAs('token_not_for_access', key.token(claims, { typ: 'JWT' }), {
            typ: { value: 'at+jwt', mode: 'report' },
        });
        await refusedAs('token_type_refused', key.token(claims, { typ: 'JWT' }));
        await refusedAs('token_type_refused', key.token(claims, { typ: undefined }));
    });
    it.each([
        'logout+jwt',
        'dpop+jwt',
        'secevent+jwt',
        'oauth-authz-req+jwt',
        'id_token+jwt',
        'at+jwt+x',
        'xat+jwt',
        'application/application/at+jwt',
    ])('is refused by its type: %s', async (typ) => {
        await refusedAs('token_type_refused', key.token({}, { typ }), ANY);
    });
    it('does not hurt an access token that has an "azp" of its own', async () => {
        await send(behind(ANY), key.token({ azp: 'client-1' }, { typ: 'JWT' })).expect(200);
        await send(behind(ANY), key.token({ aud: [AUDIENCE, 'client-1'], azp: 'client-1' }, { typ: 'JWT' })).expect(200);
    });
    it('is told only where the type leaves it open: an access token may say "nonce"', async () => {
        await send(behind(), key.token({ nonce: 'n-0S6' })).expect(200);
    });
});
describe('a bound token', () => {
    it('to a certificate is refused where none came', async () => {
        const cnf = { 'x5t#S256': 'v68ffgcPn6jdYpBfFY2nP4ShE2Yk-6_Mk5PI9yh6aes' };
        await refusedAs('confirmation_mismatch', key.token({ cnf }));
    });
    it.each([
        ['to a DPoP key', { jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I' }],
        ['to a key that is no thumbprint', { jkt: 'short' }],
        ['to a list', ['jkt']],
        [
            'to a certificate and what nobody knows',
            { 'x5t#S256': 'v68ffgcPn6jdYpBfFY2nP4ShE2Yk-6_Mk5PI9yh6aes', kid: 'a' },
        ],
        ['to what nobody knows', { 'x-new': 1 }],
        ['to nothing', {}],
        ['to null', null],
    ])('sent as if it were free is refused: %s', async (_case, cnf) => {
        await refusedAs('confirmation_unsupported', key.token({ cnf }));
    });
});
describe('what an attacker learns', () => {
    const CASES = [
        ['algorithm_refused', unsigned({ ...header, alg: 'HS256' }, accessClaims())],
        ['audience_mismatch', key.token({ aud: 'x' })],
        ['claim_invalid', key.token({ sub: 5 })],
        ['claim_missing', key.token({ exp: undefined })],
        ['confirmation_unsupported', key.token({ cnf: {} })],
        ['issuer_mismatch', key.token({ iss: 'x' })],
        ['key_unknown', key.token({}, { kid: 'x' })],
        ['signature_invalid', signer().token()],
        ['token_expired', key.token({ exp: 5 })],
        ['token_malformed', 'x'],
        ['token_not_yet_valid', key.token({ nbf: 9_999_999_999 })],
        ['token_too_long', 'x'.repeat(8193)],
        ['token_type_refused', key.token({}, { typ: 'JWT' })],
    ];
    it('is that a token was refused, and never why: every 401 is the same but for its request id', async () => {
        const answers = new Set();
        for (const [reason, token] of CASES) {
            const to = behind();
            const { status, headers, body } = await send(to, token);
            expect([status, to.lastReason()]).toEqual([401, reason]);
            const { requestId, ...rest } = body;
            expect(requestId).toMatch(/^[\w-]{36}$/);
            const { date: _date, ...fields } = headers;
            answers.add(JSON.stringify([fields, rest]));
            expect(JSON.stringify([fields, rest])).not.toContain(reason);
        }
        expect(answers.size).toBe(1);
        expect([...answers][0]).toContain('Bearer error=\\"invalid_token\\"');
    });
    it('is nothing of the token, its claims or the keys, in the record neither', async () => {
        const logger = keepingLogger();
        const log = auditLog({ logger });
        const to = service([log, authenticate(base)]);
        for (const [, token] of CASES) {
            const answer = await send(to, token);
            if (token.length > 20)
                expect(JSON.stringify([answer.headers, answer.body])).not.toContain(token.slice(0, 20));
        }
        await send(to, key.token({ email: 'secret@user.test', exp: 5 }));
        await log.close();
        const written = JSON.stringify(logger.kept);
        expect(logger.kept.length).toBeGreaterThan(CASES.length);
        expect(written).not.toContain('secret@user.test');
        for (const [, token] of CASES)
            if (token.length > 20)
                expect(written).not.toContain(token.slice(-20));
    });
    it.each([
        ['the key name', {}, { kid: 'x"\r\nSet-Cookie: a=b' }],
        ['the type', {}, { typ: 'x"\r\nSet-Cookie: a=b' }],
        ['the issuer', { iss: 'x"\r\nSet-Cookie: a=b' }, {}],
        ['the scope', { scope: 'x"\r\nSet-Cookie: a=b' }, {}],
    ])('cannot put a word into a challenge through %s', async (_case, claims, parameters) => {
        const to = service([authenticate(base), requireScopes('orders:write')]);
        const { headers } = await send(to, key.token(claims, parameters));
        expect(headers).not.toHaveProperty('set-cookie');
        expect([
            'Bearer error="invalid_token"',
            'Bearer error="insufficient_scope", scope="orders:write"',
        ]).toContain(headers['www-authenticate']);
    });
    it('is the same where no error handler of ours is mounted, with the stack of nothing', async () => {
        const app = express();
        app.use(authenticate(base));
        const answer = await request(app)
            .get('/')
            .set('Authorization', `Bearer ${key.token({ exp: 5 })}`);
        expect(answer.status).toBe(401);
        expect(answer.headers['www-authenticate']).toBe('Bearer error="invalid_token"');
        expect(answer.text).not.toMatch(/expired|node_modules|\.ts|\.js|at /);
    });
});
describe('scopes', () => {
    it.each([
        ['the scope itself', 'read', 200],
        ['the scope among others', 'write read', 200],
        ['a scope that contains it', 'thread_admin reader', 403],
        ['a scope in another case', 'READ', 403],
        ['scopes separated by a comma', 'write,read', 403],
        ['scopes separated by a tab', 'write\tread', 403],
        ['one scope with a space, in a list', ['write read'], 403],
        ['an object with the scope as a member', { read: true }, 401],
    ])('are compared whole: %s', async (_case, scope, status) => {
        const to = service([authenticate(base), requireScopes('read')]);
        await send(to, key.token({ scope })).expect(status);
    });
});
describe('the request', () => {
    it('cannot be authenticated by what other code left on it', async () => {
        const forge = (req, _res, next) => {
            Object.assign(req, {
                auth: { sub: 'admin' },
                user: { id: 'admin' },
                principal: { subject: 'admin' },
            });
            next();
        };
        const to = service([forge, authenticate(base)]);
        await request(to.app).get('/').expect(401);
    });
});
