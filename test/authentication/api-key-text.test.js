import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkDigits, isKeyId, isPrefix, newKeyId, newKeyText, readKeyId, } from '../../src/authentication/api-keys/key-text.js';
import { apiKeys } from '../../src/authentication/api-keys.js';
/** The same text with check digits that fit. */
const checked = (text) => text + checkDigits(text);
const SECRET = 'A'.repeat(32);
const good = checked(`acme_0123456789ab_${SECRET}`);
describe('the text of an API key', () => {
    it('is prefix, id, secret and check digits, which a double click selects as one word', () => {
        const key = newKeyText('acme', '0123456789ab');
        expect(key).toMatch(/^acme_0123456789ab_[0-9A-Za-z]{38}$/);
        expect(key).toMatch(/^\w+$/);
        expect(readKeyId('acme', key)).toBe('0123456789ab');
    });
    it('checks with CRC-32 in base62, as others compute it', () => {
        // CRC-32 of "123456789" is 0xcbf43926 (every catalogue of CRCs): 3421780262 in base62.
        expect(checkDigits('123456789')).toBe('3jZRME');
        expect(checkDigits('')).toBe('000000');
    });
    it('draws its letters evenly', () => {
        const counts = new Map();
        for (let made = 0; made < 4000; made += 1) {
            for (const letter of newKeyId())
                counts.set(letter, (counts.get(letter) ?? 0) + 1);
        }
        expect(counts.size).toBe(62);
        // 774 expected, deviation 28: with a remainder of a byte the first eight would come 25 in 100 more often.
        for (const count of counts.values())
            expect(Math.abs(count - 774)).toBeLessThan(170);
    });
    it.each([
        ['acme', true],
        ['a1', true],
        ['abcdefghijklmnop', true],
        ['abcdefghijklmnopq', false],
        ['a', false],
        ['1a', false],
        ['Acme', false],
        ['acme_live', false],
        ['acme\n', false],
        ['', false],
    ])('takes the prefix %j: %p', (prefix, takes) => {
        expect(isPrefix(prefix)).toBe(takes);
    });
    it.each([
        '__proto__',
        'constructor',
        '0123456789a',
        '0123456789abc',
        '0123456789a\n',
        '0123456789é',
        '',
        5,
        null,
    ])('takes no id %p', (id) => {
        expect(isKeyId(id)).toBe(false);
    });
    it.each([
        ['nothing', ''],
        ['the prefix alone', 'acme_'],
        ['another prefix', checked(`acmf_0123456789ab_${SECRET}`)],
        ['a prefix in upper case', checked(`ACME_0123456789ab_${SECRET}`)],
        ['a longer prefix that begins with ours', checked(`acme2_0123456789ab_${SECRET}`)],
        ['a shorter prefix', checked(`acm_0123456789ab_${SECRET}`)],
        ['wrong check digits', `acme_0123456789ab_${SECRET}000000`],
        ['the check digits of another case', good.slice(0, -6) + swapCase(good.slice(-6))],
        ['an id of another case', good.replace('ab_', 'aB_')],
        ['a secret one character short', checked(`acme_0123456789ab_${SECRET.slice(1)}`)],
        ['a secret one character long', checked(`acme_0123456789ab_${SECRET}A`)],
        ['an id cut short', checked(`acme_0123456789a_${SECRET}`)],
        ['__proto__ for an id', checked(`acme___proto___${SECRET}`)],
        ['an underscore in the secret', checked(`acme_0123456789ab_${'A'.repeat(31)}_`)],
        ['Arabic-Indic digits', checked(`acme_٠١٢٣٤٥٦٧٨٩ab_${SECRET}`)],
        ['full-width letters', checked(`acme_0123456789ab_${'Ａ'.repeat(32)}`)],
        ['a line feed at the end', `${good}\n`],
        ['a space before it', ` ${good}`],
        ['two keys joined as Node joins lines', `${good}, ${good}`],
        ['a scheme before it', `Bearer ${good}`],
        ['quotes around it', `"${good}"`],
        ['a null byte', `${good}\0`],
        ['a megabyte', 'acme_0123456789ab_'.padEnd(1_000_000, 'A')],
    ])('is not %s', (_what, key) => {
        expect(readKeyId('acme', key)).toBeUndefined();
    });
    it('is not what random and mutated text is, whatever that is', () => {
        const keys = apiKeys({ prefix: 'acme' });
        const piece = fc.oneof(fc.constantFrom('acme', '_', good, good.slice(5), SECRET, '0123456789ab', '__proto__', ',', ' ', '\u0000'), fc.string({ unit: 'binary', maxLength: 8 }), fc.string({ unit: fc.constantFrom(...Array.from('0Aaz_٠é')), maxLength: 60 }));
        const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
        fc.assert(fc.property(text, (key) => key === good || isRefused(() => keys.match(key), 'api_key_malformed')), { numRuns: 20_000 });
        const edit = fc.tuple(fc.nat(good.length), fc.nat(3), fc.string({ unit: fc.constantFrom(...Array.from('0Aaz_ ')), maxLength: 3 }));
        const mutated = fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) => {
            let key = good;
            for (const [at, remove, insert] of edits)
                key = key.slice(0, at) + insert + key.slice(at + remove);
            return key;
        });
        fc.assert(fc.property(mutated, (key) => key === good || isRefused(() => keys.match(key), 'api_key_malformed')), { numRuns: 20_000 });
    }, 30_000);
});
function isRefused(attempt, reason) {
    try {
        attempt();
        return false;
    }
    catch (problem) {
        return problem.reason === reason;
    }
}
function swapCase(text) {
    return text.replace(/[A-Za-z]/g, (letter) => letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase());
}
