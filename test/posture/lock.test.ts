import { describe, expect, it } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import { authenticate } from '../../src/authentication/authenticate.js'
import type { AuthenticateOptions } from '../../src/authentication/authenticate.js'
import { defineGuard } from '../../src/core/guard.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { inspectPosture } from '../../src/posture/inspect-posture.js'
import { compareLocks, lockOf, summariseChanges } from '../../src/posture/lock.js'
import { MAX_LOCK_LENGTH } from '../../src/posture/lock/read.js'
import type { Posture, PostureGuard, PostureRow } from '../../src/posture/model.js'
import { CONTROLS, authenticated, guard, hostile, postureOf, rich, row } from './fixtures.js'

const changesOf = (before: Posture, after: Posture): string[] =>
  compareLocks(lockOf(before), lockOf(after)).map(({ severity, sentence }) => `${severity}: ${sentence}`)
const rowChanges = (before: Partial<PostureRow>, after: Partial<PostureRow>): string[] =>
  changesOf(postureOf([row(before)]), postureOf([row(after)]))
const guardChanges = (before: readonly PostureGuard[], after: readonly PostureGuard[]): string[] =>
  rowChanges({ guards: before }, { guards: after })

const limit = (facts: Record<string, unknown>): PostureGuard =>
  guard({ kind: 'rateLimit', layer: 'traffic', name: 'orders', facts })
const scopes = (facts: Record<string, unknown>): PostureGuard => guard({ name: 'rule', facts })

function realAuthentication(options: Partial<AuthenticateOptions>): unknown {
  return authenticate({
    issuer: 'https://id.test',
    audience: 'https://api.test',
    algorithms: ['EdDSA'],
    jwks: { keys: [PUBLIC_KEY] },
    ...options,
  })
}

const PUBLIC_KEY = {
  kty: 'OKP',
  crv: 'Ed25519',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  kid: 'key-1',
  use: 'sig',
  alg: 'EdDSA',
}

describe('lockOf', () => {
  it('depends neither on the order of routes, nor on files and lines, nor on the order of facts', () => {
    const moved = rich.rows.map((each) => ({
      ...each,
      guards: each.guards.map((given) => ({
        ...given,
        file: 'other.ts',
        line: 1,
        facts: Object.fromEntries(Object.entries(given.facts).reverse()),
      })),
    }))
    expect(lockOf(postureOf(moved.reverse(), { denyByDefault: 'on', services: rich.services }))).toBe(
      lockOf(rich),
    )
  })

  it('is read again by itself, whatever the names are', () => {
    for (const posture of [rich, hostile, postureOf([])])
      expect(compareLocks(lockOf(posture), lockOf(posture))).toEqual([])
  })

  it('is text for a diff: two spaces, a line break at the end, no control characters', () => {
    expect(lockOf(rich)).toMatch(/^\{\n {2}"lockVersion": 1,\n[^]*\}\n$/)
    expect(lockOf(hostile)).not.toMatch(CONTROLS)
  })
})

describe('compareLocks', () => {
  it.each<[string, readonly PostureGuard[], readonly PostureGuard[], string[]]>([
    [
      'a lost guard',
      [authenticated, guard()],
      [authenticated],
      ['weaker: GET /orders lost requireScopes(orders:write)'],
    ],
    ['a gained guard', [], [guard()], ['stronger: GET /orders gained requireScopes(orders:write)']],
    [
      'a gained guard that only reports',
      [],
      [guard({ mode: 'report' })],
      ['changed: GET /orders gained requireScopes(orders:write) [report]'],
    ],
    [
      'one of two alike lost',
      [guard(), guard()],
      [guard()],
      ['weaker: GET /orders lost requireScopes(orders:write)'],
    ],
    [
      'enforce to report',
      [guard()],
      [guard({ mode: 'report' })],
      ['weaker: GET /orders: requireScopes(orders:write) went from enforce to report'],
    ],
    [
      'report to enforce',
      [guard({ mode: 'report' })],
      [guard()],
      ['stronger: GET /orders: requireScopes(orders:write) went from report to enforce'],
    ],
    [
      'another scope',
      [guard()],
      [guard({ name: 'orders:read', facts: { all: ['orders:read'] } })],
      [
        'weaker: GET /orders lost requireScopes(orders:write)',
        'stronger: GET /orders gained requireScopes(orders:read)',
      ],
    ],
    [
      'all of the scopes in place of any',
      [guard({ name: 'a|b', facts: { any: ['a', 'b'] } })],
      [guard({ name: 'a b', facts: { all: ['a', 'b'] } })],
      ['stronger: GET /orders: requireScopes(a b) went from any of a, b to all of a, b'],
    ],
    [
      'any of the scopes in place of all',
      [guard({ name: 'rule', facts: { all: ['a', 'b'] } })],
      [guard({ name: 'rule', facts: { any: ['b', 'a'] } })],
      ['weaker: GET /orders: requireScopes(rule) went from all of a, b to any of b, a'],
    ],
    [
      'all of some more scopes in place of any',
      [guard({ name: 'rule', facts: { any: ['a', 'b'] } })],
      [guard({ name: 'rule', facts: { all: ['b', 'c'] } })],
      ['stronger: GET /orders: requireScopes(rule) went from any of a, b to all of b, c'],
    ],
    [
      'all of other scopes in place of any',
      [guard({ name: 'rule', facts: { any: ['a', 'b'] } })],
      [guard({ name: 'rule', facts: { all: ['c', 'd'] } })],
      ['weaker: GET /orders: requireScopes(rule) went from any of a, b to all of c, d'],
    ],
    [
      'all of one scope in place of any of it',
      [guard({ name: 'a', facts: { any: ['a'] } })],
      [guard({ name: 'a', facts: { all: ['a'] } })],
      ['changed: GET /orders: requireScopes(a) went from any of a to all of a'],
    ],
    [
      'the same scopes in another order',
      [guard({ name: 'a b', facts: { all: ['a', 'b'] } })],
      [guard({ name: 'b a', facts: { all: ['b', 'a'] } })],
      ['changed: GET /orders: requireScopes(b a) all stands in another order'],
    ],
    [
      'another name',
      [guard()],
      [guard({ name: 'writers' })],
      ['changed: GET /orders: requireScopes orders:write is now called writers'],
    ],
    [
      'another order',
      [authenticated, guard()],
      [guard(), authenticated],
      ['changed: GET /orders runs its guards in another order: requireScopes(orders:write), authenticate'],
    ],
    [
      'a higher limit',
      [limit({ limit: 10 })],
      [limit({ limit: 100 })],
      ['weaker: GET /orders: rateLimit(orders) limit went from 10 to 100'],
    ],
    [
      'a lower limit',
      [limit({ limit: 10 })],
      [limit({ limit: 1 })],
      ['stronger: GET /orders: rateLimit(orders) limit went from 10 to 1'],
    ],
    [
      'a limit that is gone',
      [limit({ limit: 10 })],
      [limit({})],
      ['weaker: GET /orders: rateLimit(orders) limit is gone: it was 10'],
    ],
    [
      'a shorter window',
      [limit({ windowSeconds: 60 })],
      [limit({ windowSeconds: 1 })],
      ['weaker: GET /orders: rateLimit(orders) windowSeconds went from 60 to 1'],
    ],
    [
      'another key',
      [limit({ by: 'principal' })],
      [limit({ by: 'address' })],
      ['changed: GET /orders: rateLimit(orders) by went from principal to address'],
    ],
    [
      'unknown fields',
      [guard({ facts: { unknownFields: 'refused' } })],
      [guard({ facts: { unknownFields: 'strips-unknown' } })],
      ['weaker: GET /orders: requireScopes(orders:write) unknownFields went from refused to strips-unknown'],
    ],
    [
      'unknown fields in words of later versions',
      [guard({ facts: { unknownFields: 'strips-unknown' } })],
      [guard({ facts: { unknownFields: 'kept' } })],
      ['weaker: GET /orders: requireScopes(orders:write) unknownFields went from strips-unknown to kept'],
    ],
    [
      'a scope less',
      [scopes({ all: ['a', 'b'] })],
      [scopes({ all: ['a'] })],
      ['weaker: GET /orders: requireScopes(rule) all lost b'],
    ],
    [
      'a scope more',
      [scopes({ all: ['a'] })],
      [scopes({ all: ['a', 'b'] })],
      ['stronger: GET /orders: requireScopes(rule) all gained b'],
    ],
    [
      'one more that is enough',
      [scopes({ any: ['a'] })],
      [scopes({ any: ['a', 'b'] })],
      ['weaker: GET /orders: requireScopes(rule) any gained b'],
    ],
    [
      'another issuer',
      [scopes({ issuer: 'https://a' })],
      [scopes({ issuer: 'https://b' })],
      ['weaker: GET /orders: requireScopes(rule) issuer went from https://a to https://b'],
    ],
    [
      'no longer required',
      [scopes({ required: true })],
      [scopes({ required: false })],
      ['weaker: GET /orders: requireScopes(rule) required went from true to false'],
    ],
    [
      'a fact of unknown meaning',
      [scopes({ flavour: 'a' })],
      [scopes({ flavour: 'b' })],
      ['changed: GET /orders: requireScopes(rule) flavour went from a to b'],
    ],
    [
      'a fact with a name of every object',
      [scopes({})],
      [scopes({ ['__proto__']: 'x', constructor: 'y' })],
      [
        'changed: GET /orders: requireScopes(rule) __proto__ is new: x',
        'changed: GET /orders: requireScopes(rule) constructor is new: y',
      ],
    ],
  ])('says of %s', (_case, before, after, sentences) => {
    expect(guardChanges(before, after)).toEqual(sentences)
  })

  it.each<[string, Partial<PostureRow>, Partial<PostureRow>, string[]]>([
    [
      'guarded to public',
      {},
      { proof: 'public', why: 'a price list' },
      ['weaker: GET /orders went from guarded to public: a price list'],
    ],
    [
      'public to guarded',
      { proof: 'public', why: 'x' },
      {},
      ['stronger: GET /orders went from public to guarded'],
    ],
    ['guarded to unknown', {}, { proof: 'unknown' }, ['weaker: GET /orders went from guarded to unknown']],
    [
      'open to unknown',
      { proof: 'open' },
      { proof: 'unknown' },
      ['changed: GET /orders went from open to unknown'],
    ],
    [
      'another reason',
      { proof: 'public', why: 'a' },
      { proof: 'public', why: 'b' },
      ['changed: GET /orders is public for another reason: b'],
    ],
    [
      'no longer refused',
      { proof: 'open', refusedByDefault: true },
      { proof: 'open' },
      ['weaker: GET /orders is no longer refused by default'],
    ],
    [
      'refused now',
      { proof: 'open' },
      { proof: 'open', refusedByDefault: true },
      ['stronger: GET /orders is refused by default now'],
    ],
    [
      'guarded to open and refused: nothing became stronger',
      {},
      { proof: 'open', refusedByDefault: true },
      ['weaker: GET /orders went from guarded to open, and refused by default'],
    ],
    [
      'open and refused to guarded: nothing became weaker',
      { proof: 'open', refusedByDefault: true },
      {},
      ['stronger: GET /orders went from open to guarded'],
    ],
    [
      'open and refused to public',
      { proof: 'open', refusedByDefault: true },
      { proof: 'public', why: 'x' },
      [
        'weaker: GET /orders is no longer refused by default',
        'stronger: GET /orders went from open to public: x',
      ],
    ],
    [
      'optional and refused to optional and public',
      { proof: 'optional', refusedByDefault: true },
      { proof: 'optional', publicReason: 'a catalogue' },
      [
        'weaker: GET /orders is no longer refused by default',
        'changed: GET /orders says that it is public now: a catalogue',
      ],
    ],
    [
      'optional and public to optional',
      { proof: 'optional', publicReason: 'a catalogue' },
      { proof: 'optional' },
      ['changed: GET /orders no longer says that it is public'],
    ],
    [
      'a new fault',
      {},
      { faults: [{ code: 'guard_order', message: '' }] },
      ['weaker: GET /orders has a new fault: guard_order'],
    ],
    [
      'a fault less',
      { faults: [{ code: 'guard_order', message: '' }] },
      {},
      ['stronger: GET /orders no longer has the fault guard_order'],
    ],
  ])('says of a row that went from %s', (_case, before, after, sentences) => {
    expect(rowChanges(before, after)).toEqual(sentences)
  })

  it.each<[string, Partial<AuthenticateOptions>, Partial<AuthenticateOptions>, string[]]>([
    [
      'a bound that only reports now',
      { maxTokenAgeSeconds: 600 },
      { maxTokenAge: { seconds: 600, mode: 'report' } },
      ['weaker maxTokenAgeMode went from enforce to report'],
    ],
    [
      'a bound that is enforced now',
      { maxTokenLifetime: { seconds: 600, mode: 'report' } },
      { maxTokenLifetime: { seconds: 600, mode: 'enforce' } },
      ['stronger maxTokenLifetimeMode went from report to enforce'],
    ],
    [
      'a lost bound',
      { maxTokenAgeSeconds: 600 },
      {},
      ['weaker maxTokenAgeMode is gone: it was enforce', 'weaker maxTokenAgeSeconds is gone: it was 600'],
    ],
    [
      'a lost bound that only reported',
      { maxTokenAge: { seconds: 600, mode: 'report' } },
      {},
      ['changed maxTokenAgeMode is gone: it was report', 'changed maxTokenAgeSeconds is gone: it was 600'],
    ],
    [
      'a new bound that only reports',
      {},
      { maxTokenAge: { seconds: 600, mode: 'report' } },
      ['changed maxTokenAgeMode is new: report', 'changed maxTokenAgeSeconds is new: 600'],
    ],
    [
      'token types that only report now',
      { typ: 'at+jwt' },
      { typ: { value: 'at+jwt', mode: 'report' } },
      ['weaker typesMode went from enforce to report'],
    ],
    [
      'a failure limit that is gone',
      { failureLimit: { limit: 5, windowSeconds: 60 } },
      {},
      ['weaker failureLimit is gone: it was 5'],
    ],
    [
      'a higher failure limit',
      { failureLimit: { limit: 5, windowSeconds: 60 } },
      { failureLimit: { limit: 500, windowSeconds: 60 } },
      ['weaker failureLimit went from 5 to 500'],
    ],
  ])('says of the facts of a real authenticate(): %s', (_case, before, after, expected) => {
    const guarded = (options: Partial<AuthenticateOptions>): PostureGuard =>
      guard({ ...authenticated, facts: guardMetadataOf(realAuthentication(options))?.facts ?? {} })
    const prefix = 'GET /orders: authenticate '
    const said = compareLocks(
      lockOf(postureOf([row({ guards: [guarded(before)] })])),
      lockOf(postureOf([row({ guards: [guarded(after)] })])),
    )
      .map(({ severity, sentence }) => `${severity} ${sentence.slice(prefix.length)}`)
      // What becomes of the window is the middleware's to tell.
      .filter((text) => !text.includes('indowSeconds'))
    expect(said).toEqual(expect.arrayContaining(expected))
    expect(said).toHaveLength(expected.length)
  })

  it('sees a change behind the cut of a long list', () => {
    const lockFor = (clients: readonly string[]): string => {
      const app = express()
      const services = defineGuard({
        kind: 'requireService',
        layer: 'authorization',
        name: 'services',
        facts: { clients },
        check: () => ({ reason: 'passed' }),
      })
      app.get('/x', services as RequestHandler, (_req, res) => {
        res.end()
      })
      return lockOf(inspectPosture(app))
    }
    const clients = Array.from({ length: 120 }, (_, at) => `client-${at}`)
    const [change] = compareLocks(lockFor(clients), lockFor([...clients.slice(0, 119), 'evil']))
    expect(change?.severity).toBe('weaker')
    expect(change?.sentence).toMatch(/ clients lost \[20 more, SHA-256 .* and gained \[20 more, SHA-256 /)
    expect(compareLocks(lockFor(clients), lockFor([...clients]))).toEqual([])
  })

  it.each<[Partial<PostureRow>, string]>([
    [{ proof: 'open' }, 'weaker: GET /x is new: open'],
    [{ proof: 'unknown' }, 'weaker: GET /x is new: unknown'],
    [{ proof: 'unknown', refusedByDefault: true }, 'weaker: GET /x is new: unknown'],
    [{ proof: 'public', why: 'a probe' }, 'weaker: GET /x is new: public: a probe'],
    [{ proof: 'open', refusedByDefault: true }, 'changed: GET /x is new: open, and refused by default'],
    [{ proof: 'guarded' }, 'changed: GET /x is new: guarded'],
    [{ proof: 'optional' }, 'weaker: GET /x is new: optional'],
    [{ proof: 'optional', publicReason: 'a catalogue' }, 'weaker: GET /x is new: optional: a catalogue'],
    [
      { proof: 'optional', refusedByDefault: true },
      'changed: GET /x is new: optional, and refused by default without a credential',
    ],
    [
      { kind: 'handler', proof: 'held', handler: 'serveStatic' },
      'changed: GET /x (handler serveStatic) is new: held',
    ],
  ])('says of a new row %j', (given, sentence) => {
    expect(changesOf(rich, postureOf([...rich.rows, row({ path: '/x', ...given })], rich))).toEqual([])
    expect(changesOf(postureOf([]), postureOf([row({ path: '/x', ...given })]))).toEqual([sentence])
    expect(changesOf(postureOf([row({ path: '/x', ...given })]), postureOf([]))[0]).toContain(
      ' is gone: it was ',
    )
  })

  it('sees a route that was put before another of the same path', () => {
    const twin = row({ guards: [authenticated] })
    expect(changesOf(postureOf([twin]), postureOf([row({ proof: 'open' }), twin]))).toEqual([
      'weaker: GET /orders went from guarded to open',
      'weaker: GET /orders lost authenticate',
      'changed: GET /orders is new: guarded',
    ])
  })

  it('says once that deny-by-default was switched off, and what the application lost', () => {
    const rows = [row({ proof: 'open', refusedByDefault: true })]
    const open = [row({ proof: 'open' })]
    const strict = postureOf(rows, {
      denyByDefault: 'strict',
      services: [guard({ kind: 'auditLog', name: 'auditLog' })],
    })
    expect(changesOf(strict, postureOf(open))).toEqual([
      'weaker: The application: deny-by-default went from strict to off',
      'weaker: The application lost auditLog',
    ])
    expect(changesOf(postureOf(open), postureOf(rows, { denyByDefault: 'on' }))).toEqual([
      'stronger: The application: deny-by-default went from off to on',
    ])
  })

  it('says everything in harmless text', () => {
    for (const sentence of changesOf(postureOf([]), hostile)) expect(sentence).not.toMatch(CONTROLS)
  })
})

describe('a lock file from outside', () => {
  const good = JSON.parse(lockOf(rich)) as Record<string, any[]> // eslint-disable-line @typescript-eslint/no-explicit-any
  const firstRow = good['rows']![0] as Record<string, unknown>
  const read = (text: string) => () => compareLocks(text, lockOf(rich))
  const withRow = (given: Record<string, unknown>): string =>
    JSON.stringify({ ...good, rows: [{ ...firstRow, ...given }] })

  it.each<[string, string, string]>([
    ['nothing', '', 'the file is not JSON'],
    ['the marks of a merge', '<<<<<<< HEAD\n{}', 'the file is not JSON'],
    ['a list', '[]', 'the file must be an object'],
    ['null', 'null', 'the file must be an object'],
    ['another version', '{"lockVersion":2}', 'lockVersion must be 1'],
    ['no version', '{}', 'lockVersion must be 1'],
    ['a missing member', '{"lockVersion":1}', 'application is missing'],
    ['an unknown member', JSON.stringify({ ...good, ignore: true }), 'ignore is not known'],
    ['a __proto__ member', `{"__proto__":{},${JSON.stringify(good).slice(1)}`, '__proto__ is not known'],
    ['rows that are none', JSON.stringify({ ...good, rows: {} }), 'rows must be a list'],
    ['a row that is none', JSON.stringify({ ...good, rows: [1] }), 'rows[0] must be an object'],
    ['another proof', withRow({ proof: 'surely' }), 'rows[0].proof must be one of guarded'],
    ['a proof of every object', withRow({ proof: 'constructor' }), 'rows[0].proof must be one of'],
    ['a path that is none', withRow({ path: 7 }), 'rows[0].path must be a text'],
    ['a long path', withRow({ path: 'x'.repeat(5000) }), 'rows[0].path must be a text of at most'],
    [
      'a nested fact',
      withRow({ guards: [{ kind: 'a', name: 'a', mode: 'enforce', facts: { a: { b: 1 } } }] }),
      'rows[0].guards[0].facts.a must be a text',
    ],
    [
      'facts that are none',
      withRow({ guards: [{ kind: 'a', name: 'a', mode: 'enforce', facts: [] }] }),
      'facts must be an object',
    ],
    [
      'too many guards',
      withRow({ guards: Array.from({ length: 501 }, () => ({})) }),
      'must be a list of at most 500',
    ],
    ['a flag that is none', withRow({ refusedByDefault: 1 }), 'refusedByDefault must be true or false'],
    ['deep nesting', '['.repeat(200_000), 'the file is not JSON'],
    ['too long a text', ' '.repeat(MAX_LOCK_LENGTH + 1), 'is longer than 64 MiB'],
  ])('is refused with its place: %s', (_case, text, message) => {
    expect(read(text)).toThrow(TypeError)
    expect(read(text)).toThrow(message)
    expect(read(text)).toThrow('the earlier posture.lock')
  })

  it('repeats no control character of it in its message', () => {
    const text = JSON.stringify({ ...good, '\u001b[2J': 1 })
    expect(read(text)).not.toThrow(CONTROLS)
  })

  it('may begin with a byte order mark', () => {
    expect(compareLocks(`\ufeff${lockOf(rich)}`, lockOf(rich))).toEqual([])
  })

  it('compares 5,000 routes in good time', () => {
    const many = postureOf(
      Array.from({ length: 5000 }, (_, at) => ({ ...rich.rows[at % 14]!, path: `/${at}` })),
    )
    const start = performance.now()
    compareLocks(lockOf(many), lockOf(many))
    expect(performance.now() - start).toBeLessThan(8000)
  })
})

describe('summariseChanges', () => {
  const routes = (count: number, guards: readonly PostureGuard[], more: Partial<PostureRow> = {}): string =>
    lockOf(
      postureOf(Array.from({ length: count }, (_, at) => row({ path: `/r${100 + at}`, guards, ...more }))),
    )
  const summaryOf = (before: string, after: string): string[] =>
    summariseChanges(compareLocks(before, after)).map(({ severity, sentence }) => `${severity}: ${sentence}`)

  it('says once what 500 routes lost alike, and leaves every change in what it was given', () => {
    const before = routes(500, [authenticated])
    const after = routes(500, [], {
      proof: 'open',
      faults: [{ code: 'guard_order', message: 'no authentication runs before it' }],
    })
    expect(summaryOf(before, after)).toEqual([
      'weaker: GET /r100 and 499 more routes went from guarded to open',
      'weaker: GET /r100 and 499 more routes lost authenticate',
      'weaker: GET /r100 and 499 more routes have a new fault: guard_order',
    ])
    expect(compareLocks(before, after)).toHaveLength(1500)
  })

  it('names up to three', () => {
    expect(summaryOf(routes(3, [authenticated]), routes(3, []))).toEqual([
      'weaker: GET /r100 lost authenticate',
      'weaker: GET /r101 lost authenticate',
      'weaker: GET /r102 lost authenticate',
    ])
  })

  it('keeps apart what is not alike: another guard, another severity', () => {
    const before = lockOf(
      postureOf([
        ...['/a', '/b', '/c', '/d'].map((path) => row({ path, guards: [authenticated, guard()] })),
        row({ path: '/e', guards: [authenticated] }),
      ]),
    )
    const after = lockOf(postureOf(['/a', '/b', '/c', '/d', '/e'].map((path) => row({ path, guards: [] }))))
    expect(summaryOf(before, after)).toEqual([
      'weaker: GET /a and 4 more routes lost authenticate',
      'weaker: GET /a and 3 more routes lost requireScopes(orders:write)',
    ])
  })

  it('lists new routes and those that are gone one by one', () => {
    const [none, five] = [lockOf(postureOf([])), routes(5, [], { proof: 'open' })]
    expect(summaryOf(none, five)).toHaveLength(5)
    expect(summaryOf(five, none)).toHaveLength(5)
  })

  it('says rows where not all are routes', () => {
    const before = routes(5, [authenticated], { kind: 'handler', handler: 'serveStatic' })
    const after = routes(5, [], { kind: 'handler', handler: 'serveStatic' })
    expect(summaryOf(before, after)).toEqual([
      'weaker: GET /r100 (handler serveStatic) and 4 more rows lost authenticate',
    ])
  })
})
