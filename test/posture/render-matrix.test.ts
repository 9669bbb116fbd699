import { describe, expect, it } from '@jest/globals'
import { compareLocks, lockOf } from '../../src/posture/lock.js'
import { accessMatrix, renderMatrix } from '../../src/posture/render/matrix.js'
import { authenticated, guard, hostile, postureOf, rich, row } from './fixtures.js'

/** RFC 4180. */
function cellsOf(text: string): string[][] {
  return text
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) =>
      [...`,${line}`.matchAll(/,(?:"((?:[^"]|"")*)"|([^,"]*))/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
      ),
    )
}

describe('renderMatrix', () => {
  it('has a line for each route and a column for each scope and role', () => {
    const [heading, ...lines] = cellsOf(renderMatrix(rich))
    expect(heading?.slice(4)).toEqual([
      'scope orders:admin',
      'scope orders:export',
      'scope orders:read',
      'scope orders:write',
      'role finance',
      'role support',
      'further rules',
    ])
    expect(lines[0]).toEqual([
      'GET',
      '/orders',
      'guarded',
      'with a right',
      'one of',
      '',
      'one of',
      '',
      '',
      '',
      '',
    ])
    expect(lines[3]?.at(-1)).toBe('authorize(order-owner)')
    expect(lines[5]?.slice(0, 4)).toEqual(['GET', '/me', 'guarded', 'any credential'])
    expect(lines[8]?.slice(0, 6)).toEqual([
      'GET',
      '/export',
      'open (report)',
      'anyone',
      '',
      'required (report)',
    ])
  })

  it('begins no cell like a formula, and gives every line the same number of cells', () => {
    const lines = cellsOf(renderMatrix(hostile))
    for (const cells of lines) {
      expect(cells).toHaveLength(lines[0]!.length)
      for (const cell of cells) expect(cell).not.toMatch(/^\s*[=+\-@\t]/)
    }
    expect(lines.map(([, path]) => path)).toContain(
      '/=HYPERLINK("https://evil.example","x") (=HYPERLINK("https://evil.example","x"))',
    )
  })

  it('names the function of a handler', () => {
    const posture = postureOf([
      row({ kind: 'handler', method: 'ALL', path: '/*', handler: 'corsMiddleware', proof: 'unknown' }),
      row({ handler: 'list' }),
    ])
    expect(cellsOf(renderMatrix(posture)).map(([, path]) => path)).toEqual([
      'path',
      '/* (corsMiddleware)',
      '/orders',
    ])
  })

  it('says in its last column what changed since the lock file', () => {
    const changes = compareLocks(lockOf(rich), lockOf(postureOf([row({ proof: 'open', guards: [] })])))
    const lines = cellsOf(renderMatrix(postureOf([row({ proof: 'open' }), row()]), { changes }))
    expect(lines[0]?.at(-1)).toBe('changes')
    expect(lines[1]?.at(-1)).toContain(
      'weaker: GET /orders went from guarded to open; weaker: GET /orders lost',
    )
    expect(lines[2]?.at(-1)).toBe('')
    expect(lines[3]).toEqual([
      ...lines[0]!.slice(1).map(() => ''),
      expect.stringContaining('weaker: The application: deny-by-default went from on to off'),
    ])
    expect(lines.map((cells) => cells.at(-1))).toContain('changed: GET /me is gone: it was guarded')
    expect(cellsOf(renderMatrix(rich, { changes: [] }))[0]?.at(-1)).toBe('changes')
    const every = lines.map((cells) => cells.at(-1)).join('; ')
    for (const { sentence } of changes) expect(every).toContain(sentence)
  })

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1', '\r=1', '%x'])(
    'puts an apostrophe before %j',
    (path) => {
      expect(cellsOf(renderMatrix(postureOf([row({ path })])))[1]?.[1]).toMatch(/^'/)
    },
  )
})

describe('accessMatrix', () => {
  const needs = (...guards: Parameters<typeof guard>[0][]): (string | undefined)[] => [
    ...(accessMatrix(postureOf([row({ guards: [authenticated, ...guards.map(guard)] })])).rows[0]?.needs ??
      []),
  ]

  it.each<[string, Parameters<typeof guard>[0][], (string | undefined)[]]>([
    ['one of a list of one', [{ facts: { any: ['a'] } }], ['required']],
    [
      'enforced beside reported',
      [{ mode: 'report', facts: { all: ['a'] } }, { facts: { any: ['a', 'b'] } }],
      ['one of', 'one of'],
    ],
    ['a list that is none', [{ facts: { all: 'a' } }], []],
    ['another kind of guard', [{ kind: 'constructor', facts: { all: ['a'] } }], []],
  ])('reads %s', (_case, guards, expected) => {
    expect(needs(...guards)).toEqual(expected)
  })

  it('lets nobody without a credential to optional authentication that is refused by default', () => {
    const callers = accessMatrix(
      postureOf([row({ proof: 'optional', refusedByDefault: true }), row({ proof: 'optional' })]),
    ).rows.map(({ caller }) => caller)
    expect(callers).toEqual(['any credential', 'anyone'])
  })

  it('counts a right that is only reported as none', () => {
    const [held] = accessMatrix(postureOf([row({ guards: [authenticated, guard({ mode: 'report' })] })])).rows
    expect(held?.caller).toBe('any credential')
  })
})
