import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { calculateJwkThumbprint } from 'jose';
import request from 'supertest';
import { rawRequest, sendRaw, serve } from '../support/server.js';
import { releaseClocks, stopClocks } from './clock.js';
import { ORIGIN, boundService, carrying, checked, holder, issuer, outcomeOf, present, proofClaims, proofsOf, sha256, } from './dpop-client.js';
import { nowSeconds, outcome, segment, send, serviceTrusting } from './harness.js';
const caller = holder();
const stranger = holder();
const token = caller.token();
const otherToken = caller.token({ sub: 'user-2' });
const REASONS = ['malformed', 'invalid', 'mismatch', 'expired', 'replayed'];
const proofs = proofsOf();
/** One attack: refused for this reason, and what the record says of it. */
async function refused(proof, as, jkt = caller.jkt, presented = token) {
    expect(REASONS).toContain(as.split(' ', 1)[0]);
    expect(await checked(proofs, carrying(proof), presented, jkt)).toBe(`dpop_proof_${as}`);
}
describe('a stolen token', () => {
    const to = boundService();
    it('sent as Bearer is 401 with the challenge of the scheme it needs', async () => {
        const answer = await send(to, token);
        expect([answer.status, to.lastReason()]).toEqual([401, 'bound_token_as_bearer']);
        expect(answer.headers['www-authenticate']).toMatch(/^DPoP algs="ES256 [^"]+", error="invalid_token"$/);
    });
    it('sent as Bearer beside a good proof is refused too', async () => {
        const answer = await send(to, token).set('DPoP', caller.proof(token));
        expect([answer.status, to.lastReason()]).toEqual([401, 'bound_token_as_bearer']);
    });
    it('sent as DPoP without a proof is refused', async () => {
        const answer = await request(to.app).get('/').set('Authorization', `DPoP ${token}`);
        expect([answer.status, to.lastReason()]).toEqual([401, 'dpop_proof_missing']);
        expect(answer.headers['www-authenticate']).toMatch(/error="invalid_dpop_proof"$/);
    });
    it('with a proof by another key is refused', async () => {
        expect(await outcomeOf(to, token, stranger.proof(token))).toEqual([401, 'dpop_proof_mismatch']);
        await refused(stranger.proof(token), 'mismatch key');
    });
    it('with a proof that shows its key and is signed by another is refused', async () => {
        await refused(stranger.proof(token, {}, { jwk: caller.jwk }), 'invalid');
    });
    it('is refused where no proofs are accepted at all, whatever the scheme', async () => {
        const without = serviceTrusting(issuer)();
        expect(await outcome(without, token)).toEqual([401, 'confirmation_unsupported']);
        expect(await outcomeOf(without, token, caller.proof(token))).toEqual([401, 'scheme_unsupported']);
    });
    it('and nobody was served', () => {
        expect(to.served()).toBe(0);
    });
});
describe('a token that is bound to nothing', () => {
    const to = boundService();
    const unbound = issuer.token();
    it('is refused under the scheme DPoP, with a proof that is good otherwise', async () => {
        expect(await outcomeOf(to, unbound, caller.proof(unbound))).toEqual([401, 'confirmation_missing']);
    });
    it('is refused as Bearer where binding is demanded', async () => {
        const strict = boundService({}, { senderConstrained: 'required' });
        expect((await send(strict, unbound)).status).toBe(401);
        expect(strict.lastReason()).toBe('confirmation_missing');
        expect((await send(to, unbound)).status).toBe(200);
    });
});
describe('a stolen proof', () => {
    it('is good once', async () => {
        const to = boundService();
        const proof = caller.proof(token);
        expect(await outcomeOf(to, token, proof)).toEqual([200, 'verified']);
        expect(await outcomeOf(to, token, proof)).toEqual([401, 'dpop_proof_replayed']);
        expect(to.served()).toBe(1);
    });
    it('is good for one of twenty requests at the same time', async () => {
        const to = boundService();
        const server = await serve(to.app);
        const headers = { authorization: `DPoP ${token}`, dpop: caller.proof(token) };
        const answers = await Promise.all(Array.from({ length: 20 }, () => fetch(server.url, { headers })));
        expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(19).fill(401)]);
        expect(to.served()).toBe(1);
        await server.close();
    });
    it('signed anew with the same id is no new proof', async () => {
        const to = boundService();
        const claims = { jti: 'the-same', iat: nowSeconds() - 5 };
        expect(await outcomeOf(to, token, caller.proof(token, claims))).toEqual([200, 'verified']);
        const again = { jti: 'the-same' };
        expect(await outcomeOf(to, token, caller.proof(token, again))).toEqual([401, 'dpop_proof_replayed']);
    });
    it('of one caller does not use up the id of another', async () => {
        const to = boundService();
        const others = stranger.token();
        expect(await outcomeOf(to, token, caller.proof(token, { jti: 'x' }))).toEqual([200, 'verified']);
        expect(await outcomeOf(to, others, stranger.proof(others, { jti: 'x' }))).toEqual([200, 'verified']);
    });
    it('that is refused uses nothing up', async () => {
        const to = boundService();
        const jti = 'tried-first-with-something-wrong';
        for (const wrong of [{ htm: 'PUT' }, { htu: `${ORIGIN}/x` }, { ath: 'x' }, { iat: 1 }]) {
            expect((await present(to, token, caller.proof(token, { jti, ...wrong }))).status).toBe(401);
        }
        const forged = caller.proof(token, { jti }).replace(/.{4}$/, 'AAAA');
        expect((await present(to, token, forged)).status).toBe(401);
        expect((await present(to, token, caller.proof(token, { jti }))).status).toBe(200);
    });
    it('does not go with another token of the same caller', async () => {
        await refused(caller.proof(otherToken), 'mismatch token');
        await refused(caller.proof(token), 'mismatch token', caller.jkt, otherToken);
    });
    it.each(['POST', 'HEAD', 'get', 'GET ', 'GET,POST', ''])('does not go with another method: %j', async (htm) => {
        await refused(caller.proof(token, { htm }), 'mismatch method');
    });
    it.each([
        [`${ORIGIN}/other`],
        [`${ORIGIN}//`],
        [`${ORIGIN}.evil.example/`],
        ['https://evil.example/'],
        [`https://evil.example/${ORIGIN}/`],
        [`https://evil.example@orders.example/`],
        [`https://orders.example@evil.example/`],
        [`https://orders.example@evil.example/../`],
        [`https://orders.example\\evil.example/../`],
        [`https://orders.example:443@evil.example/./`],
        [`https://orders.example\\@evil.example/`],
        ['https://orders.example:8443/'],
        ['https://orders.example:443:443/'],
        ['https://orders.example./'],
        ['http://orders.example/'],
        ['https:/orders.example/'],
        ['https:orders.example/'],
        ['https:\\\\orders.example/'],
        ['//orders.example/'],
        ['/'],
        [''],
        [` ${ORIGIN}/`],
        [`${ORIGIN}/ `],
        [`ht\ttps://orders.example/`],
        ['https://orders%2eexample/'],
        ['https://ordеrs.example/'],
        ['https://orders.example\u0000/'],
        ['https://orders.example/%2f'],
        ['urn:orders'],
    ])('does not go with another URL: %j', async (htu) => {
        await refused(caller.proof(token, { htu }), 'mismatch url');
    });
});
describe('what the caller says about the host', () => {
    let to;
    let server;
    beforeAll(async () => {
        to = boundService();
        server = await serve(to.app);
    });
    afterAll(() => server.close());
    const status = async (path, claims, ...lines) => {
        const fields = [`Authorization: DPoP ${token}`, `DPoP: ${caller.proof(token, claims)}`, ...lines];
        const answer = await sendRaw(server.port, rawRequest('GET', path, fields));
        return answer.slice(9, 12);
    };
    const forEvil = { htu: 'https://evil.example/' };
    it.each([
        ['Forwarded: host=evil.example;proto=https'],
        ['X-Forwarded-Host: evil.example'],
        ['X-Original-Host: evil.example'],
        ['X-Forwarded-Proto: https'],
    ])('makes no proof for another host good: %s', async (line) => {
        expect(await status('/', forEvil, line)).toBe('401');
        expect(await status('/', {}, line)).toBe('200');
    });
    it('makes no proof for another host good: Host', async () => {
        for (const [claims, expected] of [
            [forEvil, '401'],
            [{}, '200'],
        ]) {
            const proof = caller.proof(token, claims);
            const text = `GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nAuthorization: DPoP ${token}\r\nDPoP: ${proof}\r\n\r\n`;
            expect((await sendRaw(server.port, text)).slice(9, 12)).toBe(expected);
        }
    });
    it.each([
        ['an absolute URI of another host', 'http://evil.example/', forEvil],
        ['an absolute URI of this one', `${ORIGIN}/`, {}],
        ['a path that looks like a host', '//evil.example/', forEvil],
        ['a user name', '/@evil.example/', { htu: 'https://evil.example/' }],
        ['dot segments', '/a/../', {}],
        ['escaped dot segments', '/a/%2e%2E/', {}],
        ['an escaped slash', '/a%2Fb', { htu: `${ORIGIN}/a/b` }],
        ['a backslash', '/a\\b', { htu: `${ORIGIN}/a/b` }],
        ['a fragment', '/a#b', { htu: `${ORIGIN}/a` }],
        ['another path, the right one in the query', '/b?/a', { htu: `${ORIGIN}/a` }],
    ])('%s in the request line is not what the proof is compared with', async (_what, path, claims) => {
        expect(['400', '401']).toContain(await status(path, claims));
    });
    it.each([
        ['//evil.example/', `${ORIGIN}//evil.example/`],
        ['/a?b=c', `${ORIGIN}/a`],
        ['/%7euser/%c3%a9', `HTTPS://ORDERS.example:443/~user/%C3%A9`],
        ['/a', `${ORIGIN}/x/../a?page=2#top`],
    ])('%s is for %s', async (path, htu) => {
        expect(await status(path, { htu })).toBe('200');
    });
    it.each([
        ['two proofs', [`DPoP: ${caller.proof(token)}`, `DPoP: ${caller.proof(token)}`]],
        ['one proof twice', Array(2).fill(`DPoP: ${caller.proof(token)}`)],
        ['an empty line beside it', ['DPoP:', `dpop: ${caller.proof(token)}`]],
    ])('%s are 400', async (_what, lines) => {
        const text = rawRequest('GET', '/', [`Authorization: DPoP ${token}`, ...lines]);
        expect((await sendRaw(server.port, text)).slice(9, 12)).toBe('400');
        expect(to.lastReason()).toBe('credential_repeated');
    });
    it('a proof in the query or in a cookie is none', async () => {
        const proof = caller.proof(token);
        const text = rawRequest('GET', `/?dpop=${proof}`, [
            `Authorization: DPoP ${token}`,
            `Cookie: dpop=${proof}`,
        ]);
        expect((await sendRaw(server.port, text)).slice(9, 12)).toBe('401');
    });
});
describe('time', () => {
    afterEach(releaseClocks);
    it.each([
        ['at the oldest', -65, 'accepted'],
        ['a second older', -66, 'dpop_proof_expired too old'],
        ['at the newest', 5, 'accepted'],
        ['a second newer', 6, 'dpop_proof_expired from the future'],
        ['of the year 1970', -1e10, 'dpop_proof_expired too old'],
        ['of a far future', 1e300, 'dpop_proof_expired from the future'],
        ['of a far past', -1e300, 'dpop_proof_expired too old'],
    ])('a proof %s', async (_when, offset, expected) => {
        stopClocks();
        jest.setSystemTime(1_700_000_000_000);
        const proof = caller.proof(token, { iat: 1_700_000_000 + offset });
        expect(await checked(proofsOf(), carrying(proof), token, caller.jkt)).toBe(expected);
    });
    it('a proof from the future cannot be used a second time for as long as it is good', async () => {
        stopClocks();
        jest.setSystemTime(1_700_000_000_000);
        const mine = proofsOf();
        const proof = caller.proof(token, { iat: 1_700_000_005 });
        const ask = () => checked(mine, carrying(proof), token, caller.jkt);
        expect(await ask()).toBe('accepted');
        for (const seconds of [1, 59, 10]) {
            jest.advanceTimersByTime(seconds * 1000);
            expect(await ask()).toBe('dpop_proof_replayed');
        }
        jest.advanceTimersByTime(1000);
        expect(await ask()).toBe('dpop_proof_expired too old');
    });
    it('a clock that is put back makes no proof good again', async () => {
        stopClocks();
        const mine = proofsOf();
        const proof = caller.proof(token);
        expect(await checked(mine, carrying(proof), token, caller.jkt)).toBe('accepted');
        const before = Date.now();
        jest.setSystemTime(before + 3_600_000);
        await checked(mine, carrying(caller.proof(token)), token, caller.jkt);
        jest.setSystemTime(before);
        expect(await checked(mine, carrying(proof), token, caller.jkt)).toBe('dpop_proof_replayed');
    });
    it('of `exp` and `nbf`, where there are any, holds too', async () => {
        await refused(caller.proof(token, { exp: nowSeconds() - 10 }), 'expired exp');
        await refused(caller.proof(token, { nbf: nowSeconds() + 10 }), 'expired nbf');
    });
});
describe('a claim that is not what it must be', () => {
    it.each([
        ['jti', undefined],
        ['jti', ''],
        ['jti', 7],
        ['jti', ['x']],
        ['jti', {}],
        ['jti', 'x'.repeat(257)],
        ['jti', 'é'.repeat(129)],
        ['htm', undefined],
        ['htm', ['GET']],
        ['htu', undefined],
        ['htu', [`${ORIGIN}/`]],
        ['iat', undefined],
        ['iat', String(nowSeconds())],
        ['iat', null],
        ['iat', [nowSeconds()]],
        ['ath', undefined],
        ['ath', null],
        ['ath', [sha256(token)]],
        ['nonce', 7],
        ['exp', 'never'],
        ['nbf', null],
    ])('%s: %j', async (name, value) => {
        await refused(caller.proof(token, { [name]: value }), `malformed ${name}`);
    });
    it.each([['x'.repeat(256)], ['é'.repeat(128)], ['\u0000'], ['__proto__'], ['\ud800']])('and an odd id (%#) is one all the same, once', async (jti) => {
        const proof = caller.proof(token, { jti });
        expect(await checked(proofs, carrying(proof), token, caller.jkt)).toBe('accepted');
        await refused(proof, 'replayed');
    });
    it.each(['', 'x', sha256(token).slice(1), `${sha256(token)}=`, sha256(token).toLowerCase(), token])('a wrong hash of the token (%#)', async (ath) => {
        await refused(caller.proof(token, { ath }), 'mismatch token');
    });
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: caller.jwk };
    const text = JSON.stringify(proofClaims(token));
    it.each([
        ['members of a prototype', `{"__proto__":${text}}`],
        ['members of a constructor', `{"constructor":{"prototype":${text}}}`],
    ])('%s are no claims', async (_what, payload) => {
        await refused(caller.sign(header, payload), 'malformed jti');
    });
    it.each([
        ['a list', `[${text}]`],
        ['text', '"x"'],
        ['nothing', ''],
        ['null', 'null'],
        ['no JSON', text.slice(1)],
        ['two documents', text + text],
    ])('%s is no claims', async (_what, payload) => {
        await refused(caller.sign(header, payload), 'malformed token_malformed');
    });
    it('an own `__proto__` beside the claims changes nothing', async () => {
        const proof = caller.sign(header, text.replace('{', '{"__proto__":{"isAdmin":true},'));
        expect(await checked(proofs, carrying(proof), token, caller.jkt)).toBe('accepted');
        expect({}.isAdmin).toBeUndefined();
    });
});
describe('a header that is not what it must be', () => {
    it.each([
        ['type of a token', { typ: 'JWT' }, 'typ'],
        ['type of an access token', { typ: 'at+jwt' }, 'typ'],
        ['no type', { typ: undefined }, 'typ'],
        ['type in a list', { typ: ['dpop+jwt'] }, 'typ'],
        ['algorithm none', { alg: 'none' }, 'alg'],
        ['algorithm None', { alg: 'None' }, 'alg'],
        ['no algorithm', { alg: undefined }, 'alg'],
        ['algorithms in a list', { alg: ['ES256'] }, 'alg'],
        ['symmetric algorithm', { alg: 'HS256' }, 'alg'],
        ['algorithm that is not accepted', { alg: 'RS256' }, 'alg'],
        ['algorithm of another curve', { alg: 'ES384' }, 'jwk'],
        ['algorithm of another kind of key', { alg: 'PS256' }, 'jwk'],
        ['algorithm of a prototype', { alg: 'constructor' }, 'alg'],
        ['no key', { jwk: undefined }, 'jwk'],
        ['the name of a key', { jwk: undefined, kid: 'key-1' }, 'jwk'],
        ['an address of keys', { jwk: undefined, jku: 'https://evil.example/jwks' }, 'jwk'],
        ['a certificate', { jwk: undefined, x5c: ['MIIB'] }, 'jwk'],
        ['a key that is text', { jwk: JSON.stringify(caller.jwk) }, 'jwk'],
        ['a list of keys', { jwk: [caller.jwk] }, 'jwk'],
        ['a set of keys', { jwk: { keys: [caller.jwk] } }, 'jwk'],
        ['null for a key', { jwk: null }, 'jwk'],
        ['the private key', { jwk: caller.privateJwk }, 'jwk'],
        ['an empty private member', { jwk: { ...caller.jwk, d: '' } }, 'jwk'],
        ['a key for encryption', { jwk: { ...caller.jwk, use: 'enc' } }, 'jwk'],
        ['a key of another algorithm', { jwk: { ...caller.jwk, alg: 'ES384' } }, 'jwk'],
        ['a symmetric key', { jwk: { kty: 'oct', k: 'AAAA' } }, 'jwk'],
        ['a key of no kind', { jwk: { kty: 'none' } }, 'jwk'],
        [
            'a key in the prototype of a key',
            { jwk: JSON.parse(`{"__proto__":${JSON.stringify(caller.jwk)}}`) },
            'jwk',
        ],
        ['a point that is on no curve', { jwk: { ...caller.jwk, x: caller.jwk['y'] } }, 'jwk'],
        ['a parameter that must be understood', { crit: ['exp'], exp: 1 }, 'crit'],
        ['an empty list of such', { crit: [] }, 'crit'],
        ['an unencoded payload', { crit: ['b64'], b64: false }, 'crit'],
    ])('%s', async (_what, header, problem) => {
        await refused(caller.proof(token, {}, header), `malformed ${problem}`);
    });
    it('a key that is signed with as a shared secret', async () => {
        const input = `${segment({ typ: 'dpop+jwt', alg: 'HS256', jwk: caller.jwk })}.${segment(proofClaims(token))}`;
        const mac = createHmac('sha256', JSON.stringify(caller.jwk)).update(input).digest('base64url');
        await refused(`${input}.${mac}`, 'malformed alg');
    });
    it('a symmetric key whose thumbprint a token is bound to', async () => {
        const jwk = { kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url') };
        const input = `${segment({ typ: 'dpop+jwt', alg: 'HS256', jwk })}.${segment(proofClaims(token))}`;
        const mac = createHmac('sha256', Buffer.alloc(32, 1)).update(input).digest('base64url');
        await refused(`${input}.${mac}`, 'malformed alg', await calculateJwkThumbprint(jwk));
    });
    it.each([
        ['of 1024 bits', 1024, 65_537],
        ['with the exponent 1', 2048, 1],
    ])('an RSA key %s that a token is bound to', async (_what, modulusLength, exponent) => {
        const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength });
        const exported = publicKey.export({ format: 'jwk' });
        const jwk = exponent === 1 ? { ...exported, e: 'AQ' } : exported;
        const input = `${segment({ typ: 'dpop+jwt', alg: 'PS256', jwk })}.${segment(proofClaims(token))}`;
        const signature = sign('sha256', Buffer.from(input), { key: privateKey, padding: 6, saltLength: 32 });
        const jkt = await calculateJwkThumbprint(jwk);
        await refused(`${input}.${signature.toString('base64url')}`, 'malformed jwk', jkt);
    });
    it('an algorithm that is not among those accepted here', async () => {
        const only = proofsOf({ algorithms: ['PS256'] });
        const answer = await checked(only, carrying(caller.proof(token)), token, caller.jkt);
        expect(answer).toBe('dpop_proof_malformed alg');
    });
});
describe('text that is no proof', () => {
    const good = caller.proof(token);
    const [header = '', payload = '', signature = ''] = good.split('.');
    it.each([
        ['nothing', ''],
        ['white space', '   '],
        ['the token', token],
        ['two segments', `${header}.${payload}`],
        ['no signature', `${header}.${payload}.`],
        ['four segments', `${good}.x`],
        ['five, as an encrypted token has', `${header}.${payload}.${signature}.AAAA.AAAA`],
        ['a detached payload', `${header}..${signature}`],
        ['padding', `${good}=`],
        ['a comma', `${good},${good}`],
        ['white space before', ` ${good}`],
        ['a line end', `${good}\n`],
        [
            'another spelling of the signature',
            `${header}.${payload}.${signature.slice(0, -1)}${after(signature)}`,
        ],
        ['JSON serialization', JSON.stringify({ protected: header, payload, signature })],
        ['a flipped bit in the payload', `${header}.${payload.replace(/^./, 'f')}.${signature}`],
        ['a signature of zeros', `${header}.${payload}.${'A'.repeat(86)}`],
        ['a short signature', `${header}.${payload}.AAAA`],
        ['a signature in DER', `${header}.${payload}.${derOf(`${header}.${payload}`)}`],
    ])('%s', async (_what, text) => {
        const said = await checked(proofs, carrying(text), token, caller.jkt);
        expect(said).toMatch(/^dpop_proof_(malformed|invalid)/);
    });
    it.each([8193, 100_000, 10_000_000])('%i characters, which are not even looked at', async (length) => {
        const startedMs = performance.now();
        await refused(`${header}.${'A'.repeat(length - good.length + payload.length)}.${signature}`, 'malformed length');
        expect(performance.now() - startedMs).toBeLessThan(1000);
    });
    it('a proof with much in it, within the bound, is read as one', async () => {
        const proof = caller.proof(token, { extra: 'x'.repeat(4500) });
        expect(await checked(proofs, carrying(proof), token, caller.jkt)).toBe('accepted');
    });
    it('deep JSON', async () => {
        const deep = `${'['.repeat(2500)}${']'.repeat(2500)}`;
        const proof = caller.sign({ typ: 'dpop+jwt', alg: 'ES256', jwk: caller.jwk }, deep);
        await refused(proof, 'malformed token_malformed');
    });
    it('is never sent back', async () => {
        const to = boundService();
        const marked = caller.proof(token, { htu: 'https://marked.example/' });
        const answer = await present(to, token, marked);
        const seen = JSON.stringify([answer.body, answer.headers, to.decisions]);
        expect(seen).not.toContain('marked');
        expect(seen).not.toContain(marked);
        expect(seen).not.toContain(token);
    });
});
/** The next character of the alphabet: other bits that carry nothing. */
function after(signature) {
    return String.fromCharCode(signature.charCodeAt(signature.length - 1) + 1);
}
function derOf(input) {
    return sign('sha256', Buffer.from(input), caller.privateKey).toString('base64url');
}
