import type { IncomingMessage } from 'node:http'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import fc from 'fast-check'
import { onEvent, type OperationalEvent } from '../../src/core/events.js'
import type { Attempt, KeptAnswer } from '../../src/traffic/idempotency/answers.js'
import { fingerprintOf, nameOf } from '../../src/traffic/idempotency/fingerprint.js'
import { decode, encodeAnswer, encodeLease } from '../../src/traffic/idempotency/kept-value.js'
import { parseKey } from '../../src/traffic/idempotency/key.js'
import { MemoryAnswers, type MemoryBounds } from '../../src/traffic/idempotency/memory-answers.js'

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`

describe('the parser of keys', () => {
  it('reads what was written, and nothing that is not', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 255 }), (text) => {
        expect(parseKey(quoted(text))).toBe(text)
        expect(parseKey(text) !== undefined).toBe(/^"(?:[^"\\]|\\["\\])+"$/.test(text))
      }),
      { numRuns: 500 },
    )
  })

  it('never throws, and answers 1 to 255 printable characters or nothing', () => {
    const field = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.string({
        unit: fc.constantFrom('"', '\\', 'a', ' ', '\t', '\n', '\0', '\u00e9', ';', ','),
        maxLength: 20,
      }),
      fc.string({ maxLength: 300 }).map((text) => `"${text}"`),
    )
    fc.assert(
      fc.property(field, (text) => {
        const key = parseKey(text)
        if (key === undefined) return
        expect(key).toMatch(/^[\x20-\x7e]{1,255}$/)
        // One key has one spelling.
        expect(quoted(key)).toBe(text)
      }),
      { numRuns: 3000 },
    )
  })

  it('takes no longer for a key that was made to', () => {
    const begin = performance.now()
    for (const field of [`"${'\\"'.repeat(200_000)}`, `"${'\\'.repeat(500_000)}`, '"'.repeat(500_000)])
      expect(parseKey(field)).toBeUndefined()
    expect(performance.now() - begin).toBeLessThan(500)
  })
})

const requestWith = (body: unknown, rest: object = {}): IncomingMessage =>
  ({
    method: 'POST',
    url: '/',
    headers: { 'content-length': '1' },
    body,
    readableEnded: true,
    ...rest,
  }) as unknown as IncomingMessage
const fingerprint = (body: unknown): string => fingerprintOf(requestWith(body), undefined)

describe('the fingerprint', () => {
  it('is the same for the same JSON, in any order of names, and for nothing else', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 4 }), (one, other) => {
        expect(fingerprint(reversed(one))).toBe(fingerprint(one))
        const isSame = JSON.stringify(sorted(one)) === JSON.stringify(sorted(other))
        expect(fingerprint(one) === fingerprint(other)).toBe(isSame)
      }),
      { numRuns: 500 },
    )
  })

  it('tells apart what looks alike', () => {
    const bodies = [
      ...[
        [],
        {},
        [[]],
        [{}],
        { a: [] },
        null,
        'null',
        0,
        '0',
        false,
        '',
        'a',
        '"a"',
        [1, 2],
        [12],
        ['1,2'],
        { a: 1, b: 2 },
      ],
      ...[
        { a: { b: 2 } },
        { 'a":1,"b': 2 },
        { a: undefined },
        [undefined],
        [null],
        ['undefined'],
        1n,
        '1n',
        ['\ud800'],
        ['\udfff'],
      ],
      ...[
        [new Date(0)],
        ['Date(0)'],
        [Buffer.from('a')],
        Buffer.from('a'),
        Buffer.from('"a"'),
        ['\ufffd'],
        NaN,
        JSON.parse('{"__proto__":1}'),
      ],
    ]
    expect(new Set(bodies.map(fingerprint)).size).toBe(bodies.length)
  })

  it('differs by secret, as names do, and a name is never a fingerprint', () => {
    const all = [undefined, 'a'.repeat(32), 'b'.repeat(32)].flatMap((secret) => [
      fingerprintOf(requestWith({}), secret),
      nameOf(['POST', '/'], secret),
      nameOf(['POST', '/', null], secret),
      nameOf(['POST', '/', ''], secret),
    ])
    expect(new Set(all).size).toBe(12)
    all.forEach((digest) => {
      expect(digest).toMatch(/^[\w-]{43}$/)
    })
  })

  it.each<[string, unknown, string]>([
    ['deep', nested(100), 'body_too_deep'],
    ['far too deep', nested(100_000), 'body_too_deep'],
    ['large', Array(200_000).fill(0), 'body_too_deep'],
    ['foreign', { at: new Map() }, 'guard_order'],
    ['callable', { at: () => 1 }, 'guard_order'],
  ])('refuses a body that is too %s', (_case, body, reason) => {
    expect(() => fingerprint(body)).toThrow(expect.objectContaining({ reason }))
  })

  it('looks at a body that came without a length', () => {
    const without = (body: unknown): string => fingerprintOf(requestWith(body, { headers: {} }), undefined)
    expect(without({ a: 1 })).not.toBe(without({ a: 2 }))
    expect(without({})).toBe(without(undefined))
  })
})

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let index = 0; index < depth; index += 1) value = [value]
  return value
}

function reversed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(reversed)
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, inner]) => [name, reversed(inner)]),
  )
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? ['-0', '-'] : value
  if (Array.isArray(value)) return value.map(sorted)
  return Object.keys(value)
    .toSorted()
    .map((name) => ({ name, value: sorted((value as Record<string, unknown>)[name]) }))
    .concat({ name: '', value: 'object' })
}

const attempt = (name: string, caller = 'ada', owner = `owner of ${name}`): Attempt => ({
  name,
  caller,
  owner,
  fingerprint: 'f'.repeat(43),
})
const ANSWER: KeptAnswer = {
  status: 201,
  headers: [['link', ['<a>', '<b>']]],
  body: Uint8Array.from([0, 255, 34]),
}

describe('what is kept', () => {
  it('is read as it was written', () => {
    const { fingerprint } = attempt('a')
    expect(decode(encodeLease(attempt('a')))).toEqual({ state: 'under-way', fingerprint })
    expect(decode(encodeAnswer(attempt('a'), undefined))).toEqual({
      state: 'answered',
      fingerprint,
      answer: undefined,
    })
    const read = decode(encodeAnswer(attempt('a'), ANSWER))
    expect(read).toEqual({
      state: 'answered',
      fingerprint,
      answer: { ...ANSWER, body: Buffer.from([0, 255, 34]) },
    })
  })

  it.each<[string, unknown]>([
    ['no text', null],
    ['no JSON', '{'],
    ['a list', '[]'],
    ['of another version', { v: 2 }],
    ['of another state', { state: 'done' }],
    ['of a fingerprint that is none', { fingerprint: 'f' }],
    ['of a status that is none', { status: '201' }],
    ['of a status that ends nothing', { status: 101 }],
    ['of a status that is never kept', { status: 403 }],
    ['a field that is no name', { headers: [['a b', ['c']]] }],
    ['a field whose value ends its line', { headers: [['a', ['b\r\nset-cookie: c']]] }],
    ['a field without lines', { headers: [['a', []]] }],
    ['too many fields', { headers: Array(65).fill(['a', ['b']]) }],
    ['a body that is no Base64', { body: '%%' }],
    ['a body in another alphabet', { body: 'AP-_' }],
    ['no body', { body: undefined }],
    ['one field more', { more: 1 }],
    ['far too long', { body: 'A'.repeat(3_000_000) }],
  ])('is not taken for an answer: %s', (_case, change) => {
    const good = JSON.parse(encodeAnswer(attempt('a'), ANSWER))
    const text =
      typeof change === 'object' && change !== null ? JSON.stringify({ ...good, ...change }) : change
    expect(decode(text)).toBeUndefined()
  })

  it('is never a throw, whatever somebody wrote', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string(), fc.anything()), (value) => {
        expect(decode(value)).toBeUndefined()
      }),
    )
  })
})

describe('the memory of answers', () => {
  let now = 1_000_000
  const bounds: MemoryBounds = {
    leaseSeconds: 60,
    ttlSeconds: 3600,
    maxBodyBytes: 1000,
    maxEntries: 20,
    maxBytes: 1e6,
  }
  const withClock = (): MemoryAnswers => {
    jest.spyOn(performance, 'now').mockImplementation(() => now)
    return new MemoryAnswers()
  }
  afterEach(() => {
    jest.restoreAllMocks()
  })

  it('lets one begin, and tells the others', () => {
    const memory = withClock()
    expect(memory.begin(attempt('a'), bounds)).toEqual({ state: 'begun' })
    expect(memory.begin(attempt('a', 'ada', 'other'), bounds)).toMatchObject({ state: 'under-way' })
    memory.release(attempt('a', 'ada', 'other'))
    expect(memory.finish(attempt('a', 'ada', 'other'), ANSWER, bounds)).toBe(false)
    expect(memory.begin(attempt('a'), bounds)).toMatchObject({ state: 'under-way' })
    expect(memory.finish(attempt('a'), ANSWER, bounds)).toBe(true)
    expect(memory.begin(attempt('a'), bounds)).toMatchObject({ state: 'answered', answer: ANSWER })
  })

  it('keeps a lease and an answer for as long as each is kept, and no longer', () => {
    const memory = withClock()
    memory.begin(attempt('crashed'), bounds)
    memory.begin(attempt('done'), bounds)
    memory.finish(attempt('done'), ANSWER, bounds)
    now += 59_999
    expect(memory.begin(attempt('crashed'), bounds).state).toBe('under-way')
    now += 1
    expect(memory.begin(attempt('crashed', 'ada', 'second'), bounds).state).toBe('begun')
    expect(memory.finish(attempt('crashed'), ANSWER, bounds)).toBe(false)
    now += 3_540_000 - 1
    expect(memory.begin(attempt('done'), bounds).state).toBe('answered')
    now += 1
    expect(memory.begin(attempt('done', 'ada', 'new'), bounds).state).toBe('begun')
    now += 60_000
    memory.begin(attempt('last'), bounds)
    expect(memory.size).toBe(1)
    memory.release(attempt('last'))
    expect([memory.size, memory.bytes]).toEqual([0, 0])
  })

  it('keeps what was done where its lease had ended and nobody took its name', () => {
    const memory = withClock()
    memory.begin(attempt('slow'), bounds)
    now += 61_000
    expect(memory.finish(attempt('slow'), ANSWER, bounds)).toBe(true)
    expect(memory.begin(attempt('slow'), bounds).state).toBe('answered')
  })

  it('forgets none before its time: it refuses the next, first of the caller who has a tenth', () => {
    const events: OperationalEvent[] = []
    const stop = onEvent((event) => events.push(event))
    const memory = withClock()
    const full = (which: string): object =>
      expect.objectContaining({
        reason: 'store_unavailable',
        evidence: expect.objectContaining({ full: which }),
        headers: { 'retry-after': '60' },
      })
    for (const name of ['a', 'b']) memory.begin(attempt(name), bounds)
    expect(() => memory.begin(attempt('c'), bounds)).toThrow(full('caller'))
    for (let index = 0; index < 18; index += 1) memory.begin(attempt(`x${index}`, `caller ${index}`), bounds)
    for (const who of ['eve', 'mallory'])
      expect(() => memory.begin(attempt('y', who), bounds)).toThrow(full('all'))
    expect(memory.begin(attempt('a'), bounds).state).toBe('under-way')
    expect(memory.finish(attempt('a'), ANSWER, bounds)).toBe(true)
    now += 60_000
    expect(memory.begin(attempt('y', 'eve'), bounds).state).toBe('begun')
    stop()
    expect(events.map(({ event }) => event)).toEqual(['idempotency_store_full'])
  })

  it('has room for the answer of each that began, and counts bytes', () => {
    const memory = withClock()
    const tight = { ...bounds, maxEntries: 1000, maxBytes: 65_536 }
    let begun = 0
    for (let index = 0; index < 100; index += 1) {
      try {
        memory.begin(attempt(`a${index}`, `caller ${index}`), tight)
        begun += 1
      } catch {
        break
      }
    }
    expect(begun).toBe(32)
    for (let index = 0; index < begun; index += 1)
      memory.finish(attempt(`a${index}`, `caller ${index}`), { ...ANSWER, body: new Uint8Array(900) }, tight)
    expect(memory.bytes).toBeLessThanOrEqual(65_536)
  })
})
