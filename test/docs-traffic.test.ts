import { readFileSync, readdirSync } from 'node:fs'
import { join, sep } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { PROBLEMS, type ProblemFace } from '../src/core/catalogue.js'
import * as library from '../src/index.js'

const read = (file: string): string => readFileSync(join(process.cwd(), file), 'utf8')

describe('docs/errors.md', () => {
  const page = read('docs/errors.md')

  it('has every event that something here publishes', () => {
    const sources = readdirSync(join(process.cwd(), 'src'), { recursive: true })
      .map(String)
      .filter((file) => file.endsWith('.ts'))
      .map((file) => read(`src${sep}${file}`))
    const published = sources.flatMap((source) => [
      ...source.matchAll(/(?:publishEvent\(\s*'(?:info|warn|error)',|warnOnce\()\s*'([a-z_]+)'/g),
    ])
    const names = new Set(published.map(([, name]) => name))
    expect(names.size).toBeGreaterThan(20)
    const events = page.slice(page.indexOf('## Events'))
    const rows = [...events.matchAll(/^\|([^|]*)\|/gm)].map(([, names]) => names).join()
    for (const name of names) expect(rows).toContain(`\`${String(name)}\``)
  })

  it('has every type that a problem has, with its code and status', () => {
    const typed = Object.entries<ProblemFace>(PROBLEMS).filter(([, { type }]) => type !== undefined)
    const rows = [...page.matchAll(/^\| `\.\.\.(#[a-z-]+)` +\| `([a-z_]+)`, (\d+) /gm)]
    expect(rows.map(([, type, code, status]) => `${String(code)} ${String(status)} ${String(type)}`)).toEqual(
      typed.map(([code, { status, type }]) => `${code} ${status} ${String(type).replace(/.*#/, '#')}`),
    )
  })
})

describe('README', () => {
  it('shows limits that compile: test/types/readme-limits.ts is README’s, to the letter', () => {
    const shown = /## How fast, how much, how often\s+```ts\n(.*?)```/s.exec(read('README.md'))?.[1]
    expect(read('test/types/readme-limits.ts').split('// ---\n')[1]).toBe(shown)
  })
})

describe('docs/migrating-limits.md', () => {
  const makers = [
    ['rateLimit', library.rateLimit],
    ['penalise', library.penalise],
    ['slowDown', library.slowDown],
    ['concurrencyLimit', library.concurrencyLimit],
    ['loadShed', library.loadShed],
    ['requestTimeout', library.requestTimeout],
    ['idempotency', library.idempotency],
    ['redisStore', (options: never) => library.redisStore({ defineCommand: () => undefined }, options)],
  ] as const
  const optionsOf = (make: (options: never) => unknown): string[] => {
    try {
      make({ noSuchOption: 1 } as never)
    } catch (error) {
      return /Known options: (.*)\.$/.exec((error as Error).message)?.[1]?.split(', ') ?? []
    }
    return []
  }
  const here = new Map(makers.map(([name, make]) => [name as string, optionsOf(make)]))

  /** What stands in the second column, and the middleware that heads it: `| there | \`rateLimit\` | ...`. */
  function* named(): Generator<readonly [string, string]> {
    let middleware = ''
    const lines = read('docs/migrating-limits.md').split('\n')
    for (const [index, line] of lines.entries()) {
      if (!line.startsWith('|') || line.startsWith('| -')) continue
      const codes = [...(line.split('|')[2] ?? '').matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '')
      if (lines[index + 1]?.startsWith('| -') === true) middleware = codes[0] ?? ''
      else for (const code of codes) yield [middleware, code]
    }
  }

  it('names only options and functions that there are', () => {
    let seen = 0
    for (const [middleware, code] of named()) {
      const word = /^([A-Za-z]+)(?:$|[:(])/.exec(code)?.[1]
      if (word === undefined) continue
      seen += 1
      expect([...(here.get(middleware) ?? []), ...Object.keys(library)]).toContain(word)
    }
    expect(seen).toBeGreaterThan(60)
  })
})
