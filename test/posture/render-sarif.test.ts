import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { Ajv } from 'ajv'
import formats from 'ajv-formats'
import { findingsOf } from '../../src/posture/findings.js'
import type { LockChange } from '../../src/posture/lock.js'
import type { Finding } from '../../src/posture/model.js'
import { renderSarif } from '../../src/posture/render/sarif.js'
import { hostile, postureOf, rich, row, guard } from './fixtures.js'

const folder = createRequire(join(process.cwd(), 'package.json')).resolve(
  '@microsoft/jest-sarif/package.json',
)
// Draft 4: its only word that later drafts read otherwise is `id`.
const {
  id: _id,
  $schema: _draft,
  ...schema
} = JSON.parse(readFileSync(join(folder, '../lib/schemas/sarif-2.1.0-rtm.5.json'), 'utf8')) as Record<
  string,
  unknown
>
// One of its patterns holds a stray bracket, which the flag `u` does not take.
const ajv = new Ajv({ strict: false, allErrors: true, unicodeRegExp: false })
formats.default(ajv)
const validate = ajv.compile(schema)

const finding = (given: Partial<Finding> = {}): Finding => ({
  code: 'route-open',
  severity: 'error',
  message: 'POST /orders is open.',
  consequence: 'Anybody can call it.',
  remedy: 'Put authenticate() before it.',
  page: 'docs/doctor.md#route-open',
  where: 'POST /orders',
  file: 'src/orders.ts',
  line: 12,
  ...given,
})
const runOf = (findings: readonly Finding[]) =>
  JSON.parse(renderSarif(findings, { version: '1.2.3' })).runs[0]
const resultOf = (given: Partial<Finding>) => runOf([finding(given)]).results[0]
const uriOf = (given: Partial<Finding>): unknown =>
  resultOf(given).locations[0].physicalLocation.artifactLocation.uri

describe('renderSarif', () => {
  it.each<[string, readonly Finding[]]>([
    ['rich', findingsOf(rich)],
    ['hostile', findingsOf(hostile)],
    ['none', []],
  ])('is valid by the schema of SARIF 2.1.0: %s', (_name, findings) => {
    validate(JSON.parse(renderSarif(findings)))
    expect(validate.errors ?? []).toEqual([])
  })

  it('is held to a schema that refuses other shapes', () => {
    const log = JSON.parse(renderSarif([finding()]))
    delete log.runs[0].results[0].message
    expect(validate(log)).toBe(false)
  })

  it('has all that GitHub asks of a result and of a rule', () => {
    const { tool, results } = runOf(findingsOf(rich))
    for (const rule of tool.driver.rules) {
      for (const text of ['shortDescription', 'fullDescription', 'help']) expect(rule[text].text).not.toBe('')
      expect(Number(rule.properties['security-severity'])).toBeGreaterThan(0)
    }
    for (const result of results) {
      expect(tool.driver.rules[result.ruleIndex].id).toBe(result.ruleId)
      expect(result.message.text).not.toBe('')
      expect(result.locations).toHaveLength(1)
      expect(result.locations[0].physicalLocation.region.startLine).toBeGreaterThan(0)
      expect(result.partialFingerprints.primaryLocationLineHash).toMatch(/^[0-9a-f]{32}:\d+$/)
    }
  })

  it('names tool, version, rule, level and place', () => {
    const { tool, results, columnKind, originalUriBaseIds } = runOf([finding()])
    expect(tool.driver).toMatchObject({ name: 'express-bulwark', version: '1.2.3' })
    expect(tool.driver.rules[0]).toMatchObject({ id: 'route-open', name: 'RouteOpen' })
    expect(tool.driver.rules[0]).not.toHaveProperty('helpUri')
    expect(tool.driver.rules[0].help.text).toContain('docs/doctor.md#route-open')
    expect(results[0]).toMatchObject({ ruleId: 'route-open', level: 'error' })
    expect(results[0].locations[0].physicalLocation).toEqual({
      artifactLocation: { uri: 'src/orders.ts', uriBaseId: '%SRCROOT%' },
      region: { startLine: 12 },
    })
    expect(columnKind).toBe('utf16CodeUnits')
    expect(Object.keys(originalUriBaseIds as object)).toEqual(['%SRCROOT%'])
  })

  it.each<[string, string]>([
    ['src/a b.ts', 'src/a%20b.ts'],
    ['src/ü#?%.ts', 'src/%C3%BC%23%3F%25.ts'],
    ['./src//a.ts', 'src/a.ts'],
    ['src\\a.ts', 'src/a.ts'],
    ['src/\ud800.ts', 'src/%EF%BF%BD.ts'],
  ])('encodes %j', (file, uri) => {
    expect(uriOf({ file })).toBe(uri)
  })

  it.each([
    undefined,
    '',
    '/etc/passwd',
    '../x.ts',
    'src/../../x.ts',
    'C:\\x.ts',
    'file:///x.ts',
    'https://evil.example/x',
    '\\\\host\\x',
    '.',
  ])('points at package.json for %j, and says so', (file) => {
    expect(uriOf({ file })).toBe('package.json')
    expect(resultOf({ file }).message.text).toContain('this points at package.json')
    expect(resultOf({ file }).locations[0].physicalLocation.region.startLine).toBe(1)
  })

  it('keeps fingerprints when lines move or words change, and tells routes and repeated findings apart', () => {
    const print = (given: Partial<Finding>): string =>
      resultOf(given).partialFingerprints.primaryLocationLineHash as string
    expect(print({ line: 99, message: 'Other words.' })).toBe(print({}))
    expect(print({ where: 'GET /orders' })).not.toBe(print({}))
    expect(print({ code: 'route-unknown' })).not.toBe(print({}))
    const [one, other] = runOf([finding(), finding()]).results
    expect(one.partialFingerprints).not.toEqual(other.partialFingerprints)
  })

  it('makes no link of brackets', () => {
    expect(resultOf({ message: 'See [here](1).' }).message.text).toContain('See \\[here\\](1).')
  })

  it('gives a rule the highest level that any of its results has', () => {
    const { tool } = runOf([finding({ severity: 'note' }), finding({ severity: 'error' })])
    expect(tool.driver.rules[0].defaultConfiguration.level).toBe('error')
  })

  it('says where the place is not in the route itself', () => {
    expect(resultOf({ placed: 'authenticate, mounted before it' }).message.text).toMatch(
      / This points at authenticate, mounted before it\.$/,
    )
  })

  it('has a result for each weakening since the lock file, and for no other change', () => {
    const changes: LockChange[] = [
      {
        severity: 'weaker',
        code: 'guard-lost',
        where: 'GET /a',
        sentence: 'GET /a lost requireScopes(a)',
      },
      { severity: 'weaker', code: 'fact-changed', where: 'GET /a', sentence: 'GET /a: [x](1) limit is gone' },
      { severity: 'weaker', code: 'guard-lost', where: undefined, sentence: 'The application lost auditLog' },
      { severity: 'changed', code: 'row-gone', where: 'GET /b', sentence: 'GET /b is gone' },
      { severity: 'stronger', code: 'guard-gained', where: 'GET /c', sentence: 'GET /c gained authenticate' },
    ]
    const text = renderSarif([finding()], { changes, lockFile: 'posture.lock' })
    validate(JSON.parse(text))
    expect(validate.errors ?? []).toEqual([])
    const { tool, results } = JSON.parse(text).runs[0]
    expect(results.map((one: Record<string, unknown>) => [one['ruleId'], one['level']])).toEqual([
      ['route-open', 'error'],
      ...Array.from({ length: 3 }, () => ['posture-weaker', 'error']),
    ])
    expect(tool.driver.rules.map(({ id }: { id: string }) => id)).toEqual(['posture-weaker', 'route-open'])
    expect(results[1].message.text).toContain('GET /a lost requireScopes(a). ')
    expect(results[1].message.text).toMatch(/ This points at the lock file\.$/)
    expect(results[1].locations[0].physicalLocation).toMatchObject({
      artifactLocation: { uri: 'posture.lock' },
      region: { startLine: 1 },
    })
    expect(results[2].message.text).toContain('\\[x\\](1)')
    const prints = results.map(
      (one: { partialFingerprints: Record<string, string> }) => one.partialFingerprints['expressBulwark/v1'],
    )
    expect(new Set(prints).size).toBe(4)
    expect(JSON.parse(renderSarif([], { changes })).runs[0].results[0].message.text).toContain('package.json')
  })

  it('places a result at the guard nearest to the handler', () => {
    const [found] = findingsOf(
      postureOf([
        row({ proof: 'unknown', guards: [guard({ mounted: 'before', file: 'src/app.ts' }), guard()] }),
      ]),
    )
    expect(found).toMatchObject({ file: 'src/orders.ts', line: 12 })
  })
})
