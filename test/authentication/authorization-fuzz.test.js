import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { authenticate } from '../../src/authentication/authenticate.js';
import { AUDIENCE, ISSUER, accessClaims, incoming, segment, signer } from './harness.js';
const key = signer();
const auth = authenticate({ issuer: ISSUER, audience: AUDIENCE, jwks: { keys: [key.jwk] } });
const good = key.token();
const [goodHeader, goodPayload, goodSignature] = good.split('.');
const CHALLENGES = {
    400: ['Bearer error="invalid_request"'],
    401: ['Bearer', 'Bearer error="invalid_token"'],
};
/** The one way to be let in: the scheme in any case, one space, this very token. */
function isGood(value) {
    return value.slice(0, 7).toLowerCase() === 'bearer ' && value.slice(7) === good;
}
/** Whatever a client can put into the field is refused with 400 or 401 and a challenge that does not quote it. */
async function isRefused(value) {
    if (isGood(value))
        return;
    const refused = auth.verifyRequest(incoming(value)).then(() => 'allowed', (problem) => problem);
    const { status, headers } = (await refused);
    expect(CHALLENGES[status]).toContain(headers['www-authenticate']);
}
const runs = (numRuns) => ({ numRuns, endOnFailure: true });
// What Node lets through in a field: latin1 without controls, but for the tab.
const fieldText = fc.string({
    unit: fc
        .integer({ min: 32, max: 255 })
        .filter((code) => code !== 127)
        .map((code) => String.fromCharCode(code)),
    maxLength: 200,
});
const scheme = fc.constantFrom('Bearer', 'bearer', 'BEARER', 'Basic', 'DPoP', 'Bearer\t', 'Bearer:', ' Bearer', '');
const separator = fc.constantFrom(' ', '  ', '\t', '', ',', ' ,', '\u00a0', '=');
const base64url = fc.string({ unit: fc.constantFrom(...Array.from('ABCDwxyz0189-_')), maxLength: 60 });
describe('whatever stands in the Authorization field', () => {
    it('as any text, is refused with 400 or 401', async () => {
        await fc.assert(fc.asyncProperty(fieldText, isRefused), runs(6000));
    }, 30_000);
    it('as anything like a bearer token, is refused with 400 or 401', async () => {
        const segments = fc
            .array(fc.oneof(base64url, fieldText), { maxLength: 6 })
            .map((parts) => parts.join('.'));
        const value = fc
            .tuple(scheme, separator, segments, fc.constantFrom('', ' ', ',', '=', '.'))
            .map((parts) => parts.join(''));
        await fc.assert(fc.asyncProperty(value, isRefused), runs(6000));
    }, 30_000);
    it('as a good token with a few characters changed, is refused with 400 or 401', async () => {
        const at = fc.nat({ max: good.length });
        const edit = fc.record({
            at,
            remove: fc.nat({ max: 3 }),
            insert: fc.string({ unit: fc.constantFrom(...Array.from('AQgwz09-_.=~+/ ')), maxLength: 3 }),
        });
        const value = fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) => {
            let token = good;
            for (const { at: start, remove, insert } of edits) {
                token = token.slice(0, start) + insert + token.slice(start + remove);
            }
            return `Bearer ${token}`;
        });
        await fc.assert(fc.asyncProperty(value, isRefused), runs(4000));
    }, 30_000);
    it('as a token with any header, is refused with 400 or 401', async () => {
        const parameter = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('ES256', 'none', 'HS256', 'key-1', 'at+jwt', 'JWT', 'b64'));
        const header = fc.dictionary(fc.constantFrom('alg', 'kid', 'typ', 'crit', 'b64', 'jwk', 'jku', 'x5c', 'x5u', 'enc', 'zip', '__proto__'), parameter);
        const likeOurs = header.map((parameters) => ({
            alg: 'ES256',
            kid: 'key-1',
            typ: 'at+jwt',
            ...parameters,
        }));
        const value = fc
            .tuple(fc.oneof(header, likeOurs), fc.constantFrom(goodSignature, 'AAAA', ''))
            .map(([parameters, signature]) => `Bearer ${segment(parameters)}.${goodPayload}.${signature}`);
        await fc.assert(fc.asyncProperty(value, isRefused), runs(3000));
    }, 30_000);
    it('as a token with any claims that nobody signed, is refused with 400 or 401', async () => {
        const claims = fc
            .dictionary(fc.constantFrom('iss', 'aud', 'exp', 'nbf', 'iat', 'sub', 'cnf', 'scope', 'roles'), fc.jsonValue({ maxDepth: 3 }))
            .map((changes) => accessClaims(changes));
        const value = claims.map((changed) => `Bearer ${goodHeader}.${segment(changed)}.${goodSignature}`);
        await fc.assert(fc.asyncProperty(value, isRefused), runs(2000));
    }, 30_000);
    it('as a token with any claims that the issuer signed, is never a fault of ours', async () => {
        const name = fc.constantFrom('iss', 'aud', 'exp', 'nbf', 'iat', 'sub', 'client_id', 'jti', 'scope', 'roles', 'azp', '__proto__');
        const claims = fc.dictionary(name, fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constant(AUDIENCE)));
        const property = fc.asyncProperty(claims, async (changes) => {
            const token = key.sign({ alg: 'ES256', kid: 'key-1', typ: 'at+jwt' }, { ...accessClaims(), ...changes });
            const outcome = await auth
                .verifyRequest(incoming(`Bearer ${token}`))
                .catch((problem) => problem);
            const { status = 200 } = outcome;
            expect([200, 401]).toContain(status);
        });
        await fc.assert(property, { numRuns: 1500 });
    }, 30_000);
    it('and is good, is let in: the rest of this page is about something', async () => {
        await expect(auth.verifyRequest(incoming(`Bearer ${good}`))).resolves.toMatchObject({ subject: 'user-1' });
    });
});
