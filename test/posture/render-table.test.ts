import { describe, expect, it } from '@jest/globals'
import { renderTable } from '../../src/posture/render/table.js'
import { widthOf, wrap } from '../../src/posture/render/table/layout.js'
import { CONTROLS, guard, hostile, postureOf, rich, row } from './fixtures.js'

const linesOf = (text: string): string[] => text.split('\n')

describe('renderTable', () => {
  it('shows every row on one line where the terminal is wide', () => {
    const text = renderTable(rich, { columns: 200 })
    expect(linesOf(text)[0]).toBe('orders-service (Express 5, deny-by-default on)')
    expect(text).toMatch(
      /^POST +\/orders +guarded +authenticate, requireScopes\(orders:write\), rateLimit\(orders\), validateBody +src\/orders\.ts:15$/m,
    )
    expect(text).toMatch(/^GET +\/export +open \(report\) +requireScopes\(orders:export\) \[report\]/m)
  })

  it('names the function of a handler, and no place of a guard that stands before a row', () => {
    const lines = linesOf(renderTable(rich, { columns: 200 }))
    expect(lines.find((line) => line.includes('/assets'))).toMatch(
      /^ALL +\/assets \(serveStatic\) +held +- +-$/,
    )
    expect(lines.find((line) => line.includes('/me'))).toMatch(/^GET +\/me +guarded +authenticate +-$/)
  })

  it('says why callers without a credential get through, or that they do not', () => {
    const text = (given: Parameters<typeof row>[0]) =>
      renderTable(postureOf([row({ proof: 'optional', why: 'it is lenient', ...given })]))
    expect(text({ publicReason: 'a catalogue' })).toContain('  > it is lenient (public: a catalogue)')
    expect(text({ refusedByDefault: true })).toContain('(refused by default without a credential)')
    expect(text({})).toMatch(/ {2}> it is lenient$/m)
  })

  it('ends with what runs for all requests and the counts', () => {
    expect(linesOf(renderTable(rich, { columns: 200 })).slice(-3)).toEqual([
      'For all requests: auditLog, secureErrors',
      '11 routes, 2 handlers, 1 hidden application: 6 guarded, 1 public, 1 optional, 2 open, 2 unknown, 1 held, 1 known',
      '',
    ])
  })

  it('says below a row why it is open, public or unknown, and what is wrong with it', () => {
    const lines = linesOf(renderTable(rich, { columns: 120 }))
    const at = lines.findIndex((line) => line.startsWith('PUT'))
    expect(lines.slice(at + 1, at + 3)).toEqual([
      '  > nothing authenticates (refused by default)',
      '  ! guard_after_route: requireScopes(settings:write) is mounted after this route',
    ])
    expect(lines).toContain('  > load balancer probe')
    expect(lines.join('\n')).not.toContain('authenticate runs before the handler')
  })

  it.each([40, 60, 79, 80, 100, 140, 300])('keeps within %i columns, whatever the names are', (columns) => {
    for (const posture of [rich, hostile]) {
      for (const line of linesOf(renderTable(posture, { columns })))
        expect(widthOf(line)).toBeLessThanOrEqual(columns)
    }
  })

  it.each([undefined, 0, -1, Number.NaN, Number.POSITIVE_INFINITY])('takes any width: %p', (columns) => {
    expect(renderTable(rich, { columns })).toContain('/orders')
  })

  it('lets no escape sequence, control or bidirectional character out', () => {
    expect(renderTable(hostile)).not.toMatch(CONTROLS)
    const sequences = renderTable(hostile, { color: true }).replace(
      // eslint-disable-next-line no-control-regex -- the sequences of this library
      /\u001b\[(?:0|1|2|31|32|33|36)m/g,
      '',
    )
    expect(sequences).not.toMatch(CONTROLS)
    expect(sequences).toBe(renderTable(hostile))
  })

  it('colours only where it is asked to', () => {
    expect(renderTable(rich)).not.toContain('\u001b')
    expect(renderTable(rich, { color: true })).toContain('\u001b[32mguarded\u001b[0m')
  })

  it('cuts a path that nobody could read and shows that it did', () => {
    const text = renderTable(hostile, { columns: 400 })
    expect(text).not.toContain('very-long/end')
    expect(text).toContain('...')
  })

  it('says so where there is no route', () => {
    expect(renderTable(postureOf([]))).toBe('orders-service (Express 5, deny-by-default off)\n\nNo routes.\n')
  })

  it('names an Express of unknown version, and one of each', () => {
    const text = renderTable(
      postureOf([row(), row({ kind: 'handler', proof: 'known', guards: [guard({ file: undefined })] })], {
        expressMajor: 'unknown',
      }),
    )
    expect(text).toContain('Express of unknown version')
    expect(text).toContain('1 route, 1 handler: 1 guarded, 1 known')
  })
})

describe('wrap', () => {
  it.each<[string, number, string[]]>([
    ['one two three', 7, ['one two', 'three']],
    ['src/posture/render', 12, ['src/posture/', 'render']],
    ['unbroken', 3, ['unb', 'rok', 'en']],
    ['', 5, ['']],
    ['\u6ce8\u6587\u66f8', 4, ['\u6ce8\u6587', '\u66f8']],
  ])('breaks %j at %i', (text, width, lines) => {
    expect(wrap(text, width)).toEqual(lines)
  })
})
