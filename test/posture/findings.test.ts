import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { findingsOf } from '../../src/posture/findings.js'
import { ROUTES } from '../../src/posture/catalogue/routes.js'
import { CONTROLS, guard, hostile, postureOf, rich, row } from './fixtures.js'

const codesOf = (given: Parameters<typeof row>[0]): string[] =>
  findingsOf(postureOf([row(given)])).map(({ code, severity }) => `${severity} ${code}`)

describe('findingsOf', () => {
  it.each<[Parameters<typeof row>[0], string[]]>([
    [{ proof: 'guarded' }, []],
    [{ proof: 'public' }, []],
    [{ kind: 'handler', proof: 'held' }, []],
    [{ kind: 'handler', proof: 'known' }, []],
    [{ proof: 'optional' }, ['note route-optional']],
    [{ proof: 'optional', publicReason: 'a catalogue' }, []],
    [{ faults: [{ code: 'validate_before_parser', message: 'x' }] }, ['error validate-before-parser']],
    [{ proof: 'open' }, ['error route-open']],
    [{ proof: 'open', refusedByDefault: true }, ['warning route-refused']],
    [{ proof: 'unknown' }, ['warning route-unknown']],
    [{ kind: 'handler', proof: 'open' }, ['error handler-open']],
    [{ kind: 'handler', proof: 'unknown' }, ['warning handler-unknown']],
    [{ kind: 'application', proof: 'unknown' }, ['error application-unknown']],
    [{ kind: 'application', proof: 'open' }, ['error application-unknown']],
    [{ faults: [{ code: 'guard_after_route', message: 'x' }] }, ['error guard-after-route']],
    [{ faults: [{ code: 'wrapped_guard', message: 'x' }] }, ['warning wrapped-guard']],
    [{ faults: [{ code: 'report_mode', message: 'x' }] }, ['warning report-mode']],
    [{ faults: [{ code: 'something_new', message: 'x' }] }, ['error something-new']],
    [{ faults: [{ code: 'constructor', message: 'x' }] }, ['error constructor']],
    [{ faults: [{ code: '!', message: 'x' }] }, ['error fault']],
    [{ guards: [guard({ mode: 'report' })] }, ['warning report-mode']],
    [
      { guards: [guard({ mode: 'report' })], faults: [{ code: 'report_mode', message: 'x' }] },
      ['warning report-mode'],
    ],
  ])('of %j', (given, codes) => {
    expect(codesOf(given)).toEqual(codes)
  })

  it('names a guard that only reports once, however many routes it stands before', () => {
    const reporting = guard({ mode: 'report', file: 'src/app.ts', line: 3, mounted: 'before' })
    const rows = ['/a', '/b', '/c', '/d'].map((path) => row({ path, guards: [reporting] }))
    expect(findingsOf(postureOf(rows))).toMatchObject([
      {
        code: 'report-mode',
        where: undefined,
        file: 'src/app.ts',
        line: 3,
        message:
          'requireScopes(orders:write) of src/app.ts:3 is in report mode, on 4 routes: GET /a, GET /b, GET /c and 1 more.',
      },
    ])
  })

  it('says of optional authentication what happens to callers without a credential', () => {
    const consequence = (refusedByDefault: boolean) =>
      findingsOf(postureOf([row({ proof: 'optional', refusedByDefault })]))[0]?.consequence
    expect(consequence(false)).toContain('reach the handler')
    expect(consequence(true)).toContain('answers 403 to callers without a credential')
  })

  it('says where the place is not in the route itself', () => {
    const placed = (mounted: 'before' | 'route') =>
      findingsOf(postureOf([row({ proof: 'unknown', guards: [guard({ mounted })] })]))[0]
    expect(placed('before')?.placed).toBe('requireScopes(orders:write), mounted before it')
    expect(placed('route')).not.toHaveProperty('placed')
  })

  it('looks at what is mounted for all requests too', () => {
    expect(findingsOf(postureOf([], { services: [guard({ mode: 'report' })] }))).toHaveLength(1)
  })

  it('says of each what is so, what happens, what to do and where to read on', () => {
    for (const found of findingsOf(rich)) {
      expect(found.page).toBe(`docs/doctor.md#${found.code}`)
      for (const text of [found.message, found.consequence, found.remedy]) expect(text).toMatch(/\.$/)
      expect(found.code).toMatch(/^[a-z]+(?:-[a-z]+)*$/)
    }
    expect(Object.keys(ROUTES).every((code) => /^[a-z-]+$/.test(code))).toBe(true)
  })

  it('says it in harmless text, of bounded length', () => {
    for (const { message, where = '', code } of findingsOf(hostile)) {
      for (const text of [message, where, code]) expect(text).not.toMatch(CONTROLS)
      expect(message.length).toBeLessThan(1100)
    }
  })
})

describe('docs/posture-formats.md', () => {
  it('has a row for every code, with the level that it has', () => {
    const page = readFileSync(join(process.cwd(), 'docs/posture-formats.md'), 'utf8')
    const rows = [...page.matchAll(/^\| `([a-z-]+)` +\| (error|warning|note) +\|/gm)].map(
      ([, code, level]) => [code, level],
    )
    expect(rows).toEqual(Object.entries(ROUTES).map(([code, { severity }]) => [code, severity]))
  })
})
