import { describe, expect, it } from '@jest/globals'
import { findingsOf } from '../../src/posture/findings.js'
import { compareLocks, lockOf } from '../../src/posture/lock.js'
import { renderMarkdown } from '../../src/posture/render/markdown.js'
import { HOSTILE_TEXTS, hostile, postureOf, rich, row } from './fixtures.js'

const tableLines = (text: string): string[] => text.split('\n').filter((line) => line.startsWith('|'))
/** What stands outside code spans, where Markdown and HTML mean something. */
const outsideCode = (text: string): string => text.replace(/`[^`\n]*`/g, '')

describe('renderMarkdown', () => {
  it('is a table with a line for each row', () => {
    const lines = tableLines(renderMarkdown(rich))
    expect(lines).toHaveLength(rich.rows.length + 2)
    expect(lines[2]).toBe(
      '| `GET` | `/orders` | **guarded** | `authenticate`, `requireScopes(orders:read)` | `src/orders.ts:12` |',
    )
    expect(lines[7]).toMatch(/\| `authenticate` \| {2}\|$/)
    expect(lines[13]).toContain('| `/assets (serveStatic)` |')
    expect(lines[11]).toContain(
      '**open**: nothing authenticates<br>refused by default<br>`guard_after_route`: ',
    )
  })

  it('puts the changes above the table and the findings below it', () => {
    const changes = compareLocks(
      lockOf(rich),
      lockOf(postureOf([...rich.rows, row({ path: '/new', proof: 'open' })], rich)),
    )
    const text = renderMarkdown(rich, { changes, findings: findingsOf(rich) })
    expect(text.indexOf('#### Changed')).toBeLessThan(text.indexOf('| Method |'))
    expect(text.indexOf('#### Findings')).toBeGreaterThan(text.indexOf('| Method |'))
    expect(text).toContain('- **warning** `report-mode`: ')
  })

  it('keeps every hostile text in its cell', () => {
    for (const line of tableLines(renderMarkdown(hostile))) {
      // Neither code spans nor character references hold a pipe, so each one is a border.
      expect(line.split('|')).toHaveLength(7)
    }
    expect(tableLines(renderMarkdown(hostile))).toHaveLength(hostile.rows.length + 2)
  })

  it.each(HOSTILE_TEXTS)('lets %j be neither HTML nor a link nor a mention', (text) => {
    const posture = postureOf(
      [row({ path: text, why: text, proof: 'open', faults: [{ code: text, message: text }] })],
      {
        application: text,
      },
    )
    const changes = [{ severity: 'weaker', code: 'row-new', where: text, sentence: text }] as const
    const page = renderMarkdown(posture, { changes, findings: findingsOf(posture) })
    const loose = outsideCode(page)
      .replace(/<\/?code>|<br>|<!-- -->/g, '')
      .replace(/&#\d+;/g, '')
    expect(loose).not.toMatch(/[<>`@[\]]|https?:|www\.|<script/)
    expect(page.split('\n').filter((line) => line.startsWith('|'))).toHaveLength(3)
  })

  it('says so where there is no route', () => {
    expect(renderMarkdown(postureOf([]))).toContain('No routes.')
  })
})
