import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { checkOptions, enforceOnly, integer, listOf, oneOf, required, text } from '../../src/core/options.js'

const rules = {
  limit: required(integer(1, 10, 'requests')),
  name: text(5),
  mode: oneOf('enforce', 'report'),
  tags: listOf(text()),
}

describe('checkOptions', () => {
  it('accepts what the rules allow, and takes undefined as not given', () => {
    expect(() => {
      checkOptions('thing', { limit: 3, name: undefined, tags: ['a'] }, rules)
    }).not.toThrow()
  })

  it.each<[string, unknown, string]>([
    ['a missing essential', {}, 'thing: limit must be an integer from 1 to 10 requests, got undefined'],
    ['a number as text', { limit: '3' }, 'thing: limit must be an integer from 1 to 10 requests, got "3"'],
    ['NaN', { limit: NaN }, 'thing: limit must be an integer from 1 to 10 requests, got NaN'],
    ['null', { limit: null }, 'thing: limit must be an integer from 1 to 10 requests, got null'],
    ['a fraction', { limit: 1.5 }, 'thing: limit must be an integer from 1 to 10 requests, got 1.5'],
    [
      'a text too long',
      { limit: 1, name: 'abcdef' },
      'thing: name must be a non-empty string of at most 5 characters, got "abcdef"',
    ],
    [
      'a word not on the list',
      { limit: 1, mode: 'off' },
      'thing: mode must be "enforce" or "report", got "off"',
    ],
    [
      'an empty list',
      { limit: 1, tags: [] },
      'thing: tags must be a non-empty array, each item a non-empty string of at most 1000 characters, got []',
    ],
    ['options that are no object', 'x', 'thing: options must be an object, got "x"'],
    ['options that are an array', [], 'thing: options must be an object, got []'],
  ])('refuses %s in one style', (_case, options, message) => {
    expect(() => {
      checkOptions('thing', options, rules)
    }).toThrow(new TypeError(message))
  })

  it.each([
    ['limits', 'Did you mean limit?'],
    ['LIMIT', 'Did you mean limit?'],
    ['max', 'Did you mean limit (requests)?'],
    ['frobnicate', 'Known options'],
    ['__proto__x', 'Known options'],
  ])('names the option that %s was probably meant to be', (name, hint) => {
    expect(() => {
      checkOptions('thing', { limit: 1, [name]: 1 }, rules, { max: 'limit (requests)' })
    }).toThrow(hint)
  })

  it('does not guess wildly', () => {
    expect(() => {
      checkOptions('thing', { limit: 1, frobnicate: 1 }, rules)
    }).toThrow('thing: unknown option "frobnicate". Known options: limit, name, mode, tags.')
  })

  it('never shows a password that stands in a URL, nor the content of objects', () => {
    const message = (value: unknown): string => {
      try {
        checkOptions('thing', { limit: value }, rules)
      } catch (error) {
        return (error as Error).message
      }
      return ''
    }
    expect(message('https://user:hunter2@id.example')).not.toContain('hunter2')
    expect(message({ secret: 'hunter2' })).toContain('got an object')
  })

  it('refuses control characters in what it shows', () => {
    expect(() => {
      checkOptions('thing', { limit: 'a\u001b[31m\n' }, rules)
    }).toThrow('got "a\ufffd[31m\ufffd"')
  })

  it('says why a middleware cannot only report', () => {
    expect(() => {
      checkOptions('door', { mode: 'report' }, { mode: enforceOnly })
    }).toThrow(
      'door: mode must be "enforce": a middleware that only reported here would let everybody in, got "report"',
    )
  })
})

it('a middleware that was mounted without being called says so', () => {
  const request = new IncomingMessage(new Socket())
  expect(() => {
    checkOptions('auditLog', request, {})
  }).toThrow('auditLog: got a request as its options: mount it called, app.use(auditLog(...))')
})
