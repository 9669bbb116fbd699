import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { compareLocks, lockOf } from '../../src/posture/lock.js'
import { renderJson } from '../../src/posture/render/json.js'
import { CONTROLS, guard, hostile, postureOf, rich, row } from './fixtures.js'

type Schema = Record<string, unknown>

const schema = JSON.parse(readFileSync(join(process.cwd(), 'docs/posture.schema.json'), 'utf8')) as Schema

/** The schema lets later versions add members; this one says what is there today, and nothing else. */
const closed = (part: unknown): unknown => {
  if (typeof part !== 'object' || part === null) return part
  if (Array.isArray(part)) return part.map(closed)
  const entries = Object.entries(part).map(([name, value]) => [name, closed(value)])
  const copy = Object.fromEntries(entries) as Schema
  return 'properties' in copy ? { ...copy, additionalProperties: false } : copy
}

describe('renderJson', () => {
  it.each([
    ['rich', rich],
    ['hostile', hostile],
    ['empty', postureOf([])],
  ])('is what docs/posture.schema.json says: %s', (_name, posture) => {
    const data: unknown = JSON.parse(renderJson(posture))
    for (const given of [schema, closed(schema) as Schema]) {
      const validate = new Ajv2020({ strict: true, allErrors: true }).compile(given)
      validate(data)
      expect(validate.errors ?? []).toEqual([])
    }
  })

  it('has a schema that refuses another shape', () => {
    const validate = new Ajv2020().compile(schema)
    expect(validate({ ...rich, schemaVersion: 2 })).toBe(false)
    expect(validate({ ...rich, rows: [{ method: 'GET' }] })).toBe(false)
  })

  it('puts members in one order and facts in that of their names, whatever order they came in', () => {
    const [one, other] = [
      { limit: 1, by: 'address' },
      { by: 'address', limit: 1 },
    ].map((facts) => renderJson(postureOf([row({ guards: [guard({ facts })] })])))
    expect(one).toBe(other)
    expect(Object.keys(JSON.parse(renderJson(rich)) as object)).toEqual([
      'schemaVersion',
      'application',
      'expressMajor',
      'denyByDefault',
      'services',
      'rows',
    ])
  })

  it('holds what changed since the lock file as its last member, where that is given', () => {
    const changes = compareLocks(lockOf(rich), lockOf(postureOf([row({ path: '/new', proof: 'open' })])))
    const data = JSON.parse(renderJson(rich, { changes }))
    for (const given of [schema, closed(schema) as Schema]) {
      const validate = new Ajv2020({ strict: true, allErrors: true }).compile(given)
      validate(data)
      expect(validate.errors ?? []).toEqual([])
    }
    expect(Object.keys(data as object).at(-1)).toBe('changes')
    expect(data.changes[0]).toEqual({
      severity: 'weaker',
      code: 'default-changed',
      sentence: 'The application: deny-by-default went from on to off',
    })
    expect(JSON.parse(renderJson(rich, { changes: [] })).changes).toEqual([])
  })

  it('indents by two spaces and ends with a line break', () => {
    expect(renderJson(rich)).toMatch(/^\{\n {2}"schemaVersion": 1,\n[^]*\n\}\n$/)
  })

  it('escapes what could repaint a terminal, and loses nothing of it', () => {
    const text = renderJson(hostile)
    expect(text).not.toMatch(CONTROLS)
    expect(JSON.parse(text)).toMatchObject({ application: hostile.application })
    expect(renderJson(postureOf([], { application: 'Grüße 注文' }))).toContain('Grüße 注文')
  })

  it('names what JSON cannot hold, and does not fall over it', () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    const facts = {
      fn: () => 1,
      symbol: Symbol('x'),
      big: 10n,
      nothing: undefined,
      infinite: Number.POSITIVE_INFINITY,
      date: new Date(0),
      broken: new Date(Number.NaN),
      set: new Set(['a']),
      map: new Map([['a', 1]]),
      url: new URL('https://a.example/'),
      cyclic,
      throwing: {
        get secret(): never {
          throw new Error('no')
        },
      },
      long: Array.from({ length: 1500 }, () => 1),
      ['__proto__']: 'own',
    }
    const [read] = JSON.parse(renderJson(postureOf([row({ guards: [guard({ facts })] })]))).rows[0].guards
    expect(read.facts).toMatchObject({
      fn: '[function]',
      symbol: '[symbol]',
      big: '10',
      infinite: 'Infinity',
      date: '1970-01-01T00:00:00.000Z',
      broken: 'Invalid Date',
      set: ['a'],
      map: [['a', 1]],
      url: 'https://a.example/',
      throwing: { secret: '[unreadable]' },
    })
    expect(Object.keys(read.facts as object)).not.toContain('nothing')
    expect(JSON.stringify(read.facts.cyclic)).toContain('[more]')
    expect(read.facts.long).toHaveLength(1001)
    expect(({} as Record<string, unknown>)['own']).toBeUndefined()
  })
})
