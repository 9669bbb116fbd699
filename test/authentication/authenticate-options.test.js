import { describe, expect, it } from '@jest/globals';
import { authenticate } from '../../src/authentication/authenticate.js';
import { guardMetadataOf } from '../../src/core/metadata.js';
import { AUDIENCE, ISSUER, incoming, signer } from './harness.js';
const jwks = { keys: [signer().jwk] };
const good = { issuer: ISSUER, audience: AUDIENCE };
function made(options) {
    return () => authenticate(options);
}
function messageOf(make) {
    try {
        make();
    }
    catch (cause) {
        expect(cause.name).toBe('TypeError');
        return cause.message;
    }
    throw new Error('nothing was thrown');
}
const URL_RULE = 'an https URL (http only for a loopback host), without user name or password';
const TEXT_RULE = 'a non-empty string of at most 1000 characters';
const YEAR = 31_536_000;
describe('the options of authenticate', () => {
    it.each([[undefined], [null], ['https://id.test'], [[]], [5]])('must be an object, not %p', (options) => {
        expect(messageOf(made(options))).toContain('authenticate: options must be an object');
    });
    it.each([
        ['issuer', undefined, TEXT_RULE, 'undefined'],
        ['issuer', '', TEXT_RULE, '""'],
        ['issuer', 5, TEXT_RULE, '5'],
        ['issuer', ['https://id.test'], TEXT_RULE, '["https://id.test"]'],
        ['issuer', 'x'.repeat(1001), TEXT_RULE, `"${'x'.repeat(60)}"`],
        [
            'audience',
            undefined,
            `${TEXT_RULE}, or a non-empty array, each item ${TEXT_RULE}, or an object`,
            'undefined',
        ],
        ['audience', '', `${TEXT_RULE}, or a non-empty array, each item ${TEXT_RULE}, or an object`, '""'],
        ['audience', [], `${TEXT_RULE}, or a non-empty array, each item ${TEXT_RULE}, or an object`, '[]'],
        ['audience', [''], `${TEXT_RULE}, or a non-empty array, each item ${TEXT_RULE}, or an object`, '[""]'],
        ['audience', false, `${TEXT_RULE}, or a non-empty array, each item ${TEXT_RULE}, or an object`, 'false'],
        ['jwksUri', 'http://id.test/jwks', URL_RULE, '"http://id.test/jwks"'],
        ['jwksUri', 'http://127.0.0.1.id.test/jwks', URL_RULE, '"http://127.0.0.1.id.test/jwks"'],
        ['jwksUri', 'file:///etc/jwks.json', URL_RULE, '"file:///etc/jwks.json"'],
        ['jwksUri', 'data:application/json,{"keys":[]}', URL_RULE, '"data:application/json,{\\"keys\\":[]}"'],
        ['jwksUri', '/jwks', URL_RULE, '"/jwks"'],
        ['jwksUri', 'https://user:secret@id.test/jwks', URL_RULE, '"https://[credentials]@id.test/jwks"'],
        ['jwks', 'keys', 'an object', '"keys"'],
        ['jwks', [], 'an object', '[]'],
        ['jwks', {}, 'a key set with at least one key', 'an object'],
        ['jwks', { keys: [] }, 'a key set with at least one key', 'an object'],
        ['jwks', { keys: {} }, 'a key set with at least one key', 'an object'],
        ['clockToleranceSeconds', -1, 'an integer from 0 to 60 seconds', '-1'],
        ['clockToleranceSeconds', 61, 'an integer from 0 to 60 seconds', '61'],
        ['clockToleranceSeconds', 0.5, 'an integer from 0 to 60 seconds', '0.5'],
        ['clockToleranceSeconds', NaN, 'an integer from 0 to 60 seconds', 'NaN'],
        ['clockToleranceSeconds', '5', 'an integer from 0 to 60 seconds', '"5"'],
        ['maxTokenAgeSeconds', 0, `an integer from 1 to ${YEAR} seconds`, '0'],
        ['maxTokenAgeSeconds', Infinity, `an integer from 1 to ${YEAR} seconds`, 'Infinity'],
        ['maxTokenAge', 600, "an object such as { seconds: 900, mode: 'report' }", '600'],
        ['maxTokenLifetimeSeconds', '1h', `an integer from 1 to ${YEAR} seconds`, '"1h"'],
        ['maxTokenLifetime', 600, "an object such as { seconds: 900, mode: 'report' }", '600'],
        ['requiredClaims', 'sub', `a non-empty array, each item ${TEXT_RULE}`, '"sub"'],
        ['requiredClaims', [], `a non-empty array, each item ${TEXT_RULE}`, '[]'],
        ['requiredClaims', [1], `a non-empty array, each item ${TEXT_RULE}`, '[1]'],
        ['maxTokenLength', 255, 'an integer from 256 to 65536 characters', '255'],
        ['maxTokenLength', 65_537, 'an integer from 256 to 65536 characters', '65537'],
        ['principal', 'roles', 'an object', '"roles"'],
        ['claims', {}, 'a Standard Schema', 'an object'],
        ['claims', () => true, 'a Standard Schema', 'a function'],
        ['required', 'false', 'true or false', '"false"'],
        ['required', 0, 'true or false', '0'],
        ['expose', 'auth', 'a function', '"auth"'],
        ['failureLimit', 10, 'an object such as { limit: 20, windowSeconds: 60 }', '10'],
        ['jwksTimeoutMs', 99, 'an integer from 100 to 30000 milliseconds', '99'],
        ['jwksTimeoutMs', 30_001, 'an integer from 100 to 30000 milliseconds', '30001'],
        ['jwksCooldownMs', 999, 'an integer from 1000 to 3600000 milliseconds', '999'],
        ['jwksMaxAgeMs', 86_400_001, 'an integer from 1000 to 86400000 milliseconds', '86400001'],
        ['jwksStaleMs', -1, 'an integer from 0 to 86400000 milliseconds', '-1'],
        ['jwksStaleMs', 86_400_001, 'an integer from 0 to 86400000 milliseconds', '86400001'],
        ['verifiedTokens', true, 'false, or an object', 'true'],
        ['name', '', 'a name of 1 to 64 letters, digits, ".", "_", ":", "/" or "-"', '""'],
        ['name', 'two words', 'a name of 1 to 64 letters, digits, ".", "_", ":", "/" or "-"', '"two words"'],
        ['mode', 'report', '"enforce": a middleware that only reported here would let everybody in', '"report"'],
    ])('refuse %s: %p', (option, value, rule, shown) => {
        expect(messageOf(made({ ...good, [option]: value }))).toBe(`authenticate: ${option} must be ${rule}, got ${shown}`);
    });
    it.each([
        ['no item', []],
        ['a name, not a list', 'RS256'],
        ['no signature at all', ['none']],
        ['a shared secret', ['HS256']],
        ['a shared secret beside a key', ['RS256', 'HS256']],
        ['another case', ['rs256']],
        ['a curve that jose no longer has', ['ES256K']],
        ['an encryption', ['RSA-OAEP']],
    ])('refuse algorithms with %s', (_case, algorithms) => {
        expect(messageOf(made({ ...good, algorithms }))).toMatch(/^authenticate: algorithms must be a non-empty array, each item "RS256" or .* "Ed25519", got /);
    });
    it.each([
        ['an empty type', '', 'authenticate: typ must be'],
        ['no type', [], 'authenticate: typ must be'],
        ['any type at all', false, 'authenticate: typ must be'],
        ['a rule without a value', { mode: 'report' }, 'authenticate: typ: value must be'],
        [
            'a mode that does not exist',
            { value: 'JWT', mode: 'warn' },
            'authenticate: typ: mode must be "enforce" or "report"',
        ],
        ['another name for the value', { type: 'JWT' }, 'authenticate: typ: unknown option "type"'],
    ])('refuse typ with %s', (_case, typ, message) => {
        expect(messageOf(made({ ...good, typ }))).toContain(message);
    });
    it.each([
        ['audience', { claim: 'client_id' }, 'authenticate: audience: value must be'],
        ['audience', { value: 'orders' }, 'authenticate: audience: claim must be'],
        [
            'audience',
            { claim: 'client_id', value: 'orders', or: 1 },
            'authenticate: audience: unknown option "or"',
        ],
        ['maxTokenAge', {}, 'authenticate: maxTokenAge: seconds must be'],
        ['maxTokenAge', { seconds: 0 }, 'authenticate: maxTokenAge: seconds must be'],
        ['maxTokenAge', { seconds: 60, mode: 'off' }, 'authenticate: maxTokenAge: mode must be'],
        ['maxTokenLifetime', { seconds: 60, unit: 's' }, 'authenticate: maxTokenLifetime: unknown option "unit"'],
        ['failureLimit', { limit: 0, windowSeconds: 60 }, 'authenticate: failureLimit: limit must be'],
        ['failureLimit', { limit: 5 }, 'authenticate: failureLimit: windowSeconds must be'],
        ['failureLimit', { limit: 5, windowMs: 1 }, 'authenticate: failureLimit: unknown option "windowMs"'],
        ['verifiedTokens', { maxEntries: 1 }, 'authenticate: verifiedTokens: maxEntries must be'],
        ['verifiedTokens', { maxBytes: 65_535 }, 'authenticate: verifiedTokens: maxBytes must be'],
        ['verifiedTokens', { max: 5 }, 'authenticate: verifiedTokens: unknown option "max"'],
        ['principal', { scopes: 5 }, 'authenticate: principal: scopes must be'],
        ['principal', { roles: '' }, 'authenticate: principal: roles must be'],
        ['principal', { type: 'user' }, 'authenticate: principal: type must be a function'],
        ['principal', { scope: 'scp' }, 'authenticate: principal: unknown option "scope". Did you mean scopes?'],
    ])('refuse inside %s: %j', (option, value, message) => {
        expect(messageOf(made({ ...good, [option]: value }))).toContain(message);
    });
    it.each([
        [
            'two lengths of one age',
            { maxTokenAgeSeconds: 60, maxTokenAge: { seconds: 60 } },
            'maxTokenAge must be left out',
        ],
        [
            'two lengths of one life',
            { maxTokenLifetimeSeconds: 60, maxTokenLifetime: { seconds: 60 } },
            'maxTokenLifetime must be left out where maxTokenLifetimeSeconds is given',
        ],
        [
            'two places of the keys',
            { jwks, jwksUri: 'https://id.test/jwks' },
            'jwksUri must be left out where jwks is given',
        ],
        ['an issuer that cannot be asked', { issuer: 'http://id.test' }, 'issuer must be an https URL'],
        ['an issuer that is no URL', { issuer: 'id.test' }, 'issuer must be an https URL'],
        ['an issuer with a query', { issuer: 'https://id.test/?tenant=1' }, 'issuer must be an https URL'],
        ['an issuer with a fragment', { issuer: 'https://id.test/#a' }, 'issuer must be an https URL'],
    ])('refuse %s', (_case, options, message) => {
        expect(messageOf(made({ ...good, ...options }))).toContain(`authenticate: ${message}`);
    });
    it.each([
        ['an issuer that is no URL, where keys are given', { issuer: 'id.test', jwks }],
        ['an http issuer, where keys are given', { issuer: 'http://id.test', jwks }],
        [
            'an http issuer, where the address of the keys is given',
            { issuer: 'http://id', jwksUri: 'https://id.test/jwks' },
        ],
        ['http to an IPv4 loopback address', { issuer: 'http://127.0.0.1:8080' }],
        ['http to an IPv6 loopback address', { issuer: 'http://[::1]:8080/realms/one' }],
        ['http to localhost', { jwksUri: 'http://localhost:8080/jwks' }],
        [
            'what stands for "not given"',
            Object.fromEntries(['jwks', 'typ', 'claims', 'expose'].map((name) => [name, undefined])),
        ],
        ['the one mode there is', { mode: 'enforce' }],
    ])('accept %s', (_case, options) => {
        expect(made({ ...good, ...options })).not.toThrow();
    });
    it.each([
        ['jose', 'clockTolerance', 'clockToleranceSeconds (seconds)'],
        ['jose', 'maxTokenAgeSecond', 'maxTokenAgeSeconds'],
        ['jose', 'cooldownDuration', 'jwksCooldownMs (milliseconds)'],
        ['jose', 'timeoutDuration', 'jwksTimeoutMs (milliseconds)'],
        ['jose', 'cacheMaxAge', 'jwksMaxAgeMs (milliseconds)'],
        ['jwks-rsa', 'cacheMaxAgeFallback', 'jwksStaleMs (milliseconds)'],
        ['jwks-rsa', 'timeout', 'jwksTimeoutMs (milliseconds)'],
        ['express-jwt', 'secret', 'jwks (this library takes public keys only)'],
        ['express-jwt', 'credentialsRequired', 'required'],
        ['express-jwt', 'requestProperty', 'expose'],
        ['jsonwebtoken', 'maxAge', 'maxTokenAgeSeconds (seconds)'],
        ['express-oauth2-jwt-bearer', 'issuerBaseURL', 'issuer'],
        ['express-oauth2-jwt-bearer', 'tokenSigningAlg', 'algorithms'],
        ['express-oauth2-jwt-bearer', 'authRequired', 'required'],
        ['express-oauth2-jwt-bearer', 'strict', 'typ'],
        ['fast-jwt', 'checkTyp', 'typ'],
        ['aws-jwt-verify', 'graceSeconds', 'clockToleranceSeconds'],
        ['a claim', 'aud', 'audience'],
        ['a claim', 'iss', 'issuer'],
        ['metadata', 'jwks_uri', 'jwksUri'],
        ['a slip', 'audiance', 'audience'],
        ['a slip', 'Algorithms', 'algorithms'],
    ])('name what %s calls %s', (_library, unknown, meant) => {
        expect(messageOf(made({ ...good, [unknown]: 'value' }))).toMatch(new RegExp(`^authenticate: unknown option "${unknown}"\\. Did you mean ${meant.replace(/[()]/g, '\\$&')}\\? Known options: `));
    });
    it('offer nothing for a word that is like none of theirs', () => {
        expect(messageOf(made({ ...good, session: true }))).toMatch(/^authenticate: unknown option "session"\. Known options: /);
    });
    it('are read once: what the caller changes later changes nothing', async () => {
        const key = signer();
        const keys = { keys: [{ ...key.jwk }] };
        const audience = [AUDIENCE];
        const algorithms = ['ES256'];
        const requiredClaims = ['sub'];
        const typ = ['at+jwt'];
        const auth = authenticate({ issuer: ISSUER, audience, jwks: keys, algorithms, requiredClaims, typ });
        keys.keys[0] = { ...signer('key-2').jwk };
        audience[0] = 'https://other.test';
        algorithms[0] = 'RS256';
        typ[0] = 'other';
        requiredClaims.push('email');
        const verified = auth.verifyRequest(incoming(`Bearer ${key.token()}`));
        await expect(verified).resolves.toMatchObject({ subject: 'user-1' });
    });
    it.each(['audience', 'algorithms', 'types'])('are shown to readers of the guard: %s cannot be changed', (fact) => {
        const facts = guardMetadataOf(authenticate({ ...good, jwks }))?.facts;
        expect(facts?.[fact]).not.toHaveLength(0);
        expect(Object.isFrozen(facts?.[fact])).toBe(true);
    });
    it('are told to readers of the guard: how long tokens last, and where the keys come from', () => {
        const factsOf = (options) => guardMetadataOf(authenticate(options))?.facts;
        expect(factsOf({ ...good, jwks })).toMatchObject({
            typesMode: 'enforce',
            clockToleranceSeconds: 5,
            maxTokenAgeSeconds: undefined,
            maxTokenLifetimeSeconds: undefined,
            keys: 'inline',
            failureLimit: undefined,
        });
        const strict = {
            ...good,
            typ: { value: 'JWT', mode: 'report' },
            clockToleranceSeconds: 0,
            maxTokenAgeSeconds: 600,
            maxTokenLifetime: { seconds: 900, mode: 'report' },
            failureLimit: { limit: 10, windowSeconds: 60 },
        };
        expect(factsOf(strict)).toMatchObject({
            typesMode: 'report',
            clockToleranceSeconds: 0,
            maxTokenAgeSeconds: 600,
            maxTokenAgeMode: 'enforce',
            maxTokenLifetimeSeconds: 900,
            maxTokenLifetimeMode: 'report',
            keys: 'remote',
            failureLimit: 10,
        });
    });
});
