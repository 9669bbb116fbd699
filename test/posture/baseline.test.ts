import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import {
  checkBaseline,
  defineBaseline,
  isBaseline,
  type Baseline,
  type BaselineOptions,
  type BaselineRules,
  type Waiver,
} from '../../src/posture/baseline.js'
import { covers, matches } from '../../src/posture/baseline/pattern.js'
import { RULE_NAMES } from '../../src/posture/baseline/rules.js'
import type { Finding, Posture } from '../../src/posture/model.js'
import {
  TODAY,
  authentication,
  before,
  body,
  limit,
  makeGuard,
  makePosture,
  makeRow,
  probe,
  publicRoute,
  read,
  scopes,
  write,
} from './support-baseline.js'

const STRICT: BaselineRules = {
  issuers: ['https://id.example'],
  algorithms: ['ES256', 'RS256'],
  requireAudience: true,
  maxTokenAgeSeconds: 900,
  maxClockToleranceSeconds: 5,
  requireDenyByDefault: true,
  requireProvenRoutes: true,
  publicRoutes: ['GET /health', 'GET /readyz'],
  maxPublicRoutes: 2,
  requiredMiddlewares: ['auditLog', 'secureHeaders', 'secureErrors', 'notFound'],
  requireRateLimit: true,
  maxRequestsPerMinute: 100,
  requireValidation: true,
  requireScopesOnWrites: true,
  requireAuthorization: true,
  refuseReportMode: true,
}

const ISSUERS: BaselineRules = { issuers: ['https://id.example'] }

const define = (options: Partial<BaselineOptions>): Baseline =>
  defineBaseline({ name: 'service', ...options }, { now: TODAY })
const check = (posture: Posture, options: Partial<BaselineOptions>, now = TODAY): Finding[] =>
  checkBaseline(posture, define(options), { now })
const codes = (findings: readonly Finding[]): string[] => findings.map(({ code }) => code)

const waiver: Waiver = {
  rule: 'requireValidation',
  where: 'POST /orders',
  owner: 'payments',
  reason: 'the partner signs the raw body',
  expires: '2026-06-30',
}
const unvalidated = makePosture({ rows: [write([...before(), scopes])] })

describe('a baseline', () => {
  it('finds nothing in a service that keeps all of its rules', () => {
    expect(check(makePosture(), { rules: STRICT })).toEqual([])
  })

  it('has a case below for every rule', () => {
    expect(new Set(CASES.map(([rule]) => rule))).toEqual(new Set(RULE_NAMES))
  })

  const CASES: [keyof BaselineRules, string, Posture, string | undefined][] = [
    ['issuers', 'another issuer', withAuth({ issuer: 'https://evil.example' }), 'POST /orders'],
    ['issuers', 'no issuer', withAuth({ issuer: undefined }), 'POST /orders'],
    [
      'issuers',
      'an adopted caller',
      makePosture({ rows: [read([makeGuard('principalFrom')])] }),
      'GET /orders/:id',
    ],
    ['algorithms', 'one algorithm more', withAuth({ algorithms: ['ES256', 'PS256'] }), 'POST /orders'],
    ['algorithms', 'none that is known', withAuth({ algorithms: undefined }), 'POST /orders'],
    ['requireAudience', 'no audience', withAuth({ audience: [] }), 'POST /orders'],
    ['requireAudience', 'an empty audience', withAuth({ audience: [''] }), 'POST /orders'],
    ['maxTokenAgeSeconds', 'no bound', withAuth({ maxTokenLifetimeSeconds: undefined }), 'POST /orders'],
    [
      'maxTokenAgeSeconds',
      'a bound that is too high',
      withAuth({ maxTokenLifetimeSeconds: 901 }),
      'POST /orders',
    ],
    [
      'maxTokenAgeSeconds',
      'a bound that only reports',
      withAuth({ maxTokenLifetimeMode: 'report' }),
      'POST /orders',
    ],
    ['maxClockToleranceSeconds', 'a minute', withAuth({ clockToleranceSeconds: 60 }), 'POST /orders'],
    [
      'maxClockToleranceSeconds',
      'one that is not known',
      withAuth({ clockToleranceSeconds: undefined }),
      'POST /orders',
    ],
    ['requireDenyByDefault', 'it off', makePosture({ denyByDefault: 'off' }), undefined],
    ['requireProvenRoutes', 'an open route', withRow('open'), 'GET /x'],
    ['requireProvenRoutes', 'an open route that is refused', withRow('open', true), 'GET /x'],
    ['requireProvenRoutes', 'a route of which nothing is known', withRow('unknown'), 'GET /x'],
    ['requireProvenRoutes', 'a route that lets everybody pass', withRow('optional'), 'GET /x'],
    ['publicRoutes', 'another public route', withRow('public'), 'GET /x'],
    ['maxPublicRoutes', 'three public routes', makePosture({ rows: [probe, probe, probe] }), undefined],
    [
      'requiredMiddlewares',
      'no secureErrors',
      makePosture({ services: makePosture().services.slice(0, -1) }),
      undefined,
    ],
    [
      'requiredMiddlewares',
      'no audit before a route',
      withWrite([...before().slice(1), scopes, body()]),
      'POST /orders',
    ],
    ['requireRateLimit', 'no limit', withWrite([authentication(), scopes, body()]), 'POST /orders'],
    ['requireRateLimit', 'a limit that only reports', withLimit({ mode: 'report' }), 'POST /orders'],
    [
      'requireRateLimit',
      'a limit by principal before there is one',
      withWrite([limit('early', 'principal'), authentication()]),
      'POST /orders',
    ],
    ['requireRateLimit', 'no limit on what is unknown', withRow('unknown'), 'GET /x'],
    [
      'maxRequestsPerMinute',
      'a higher limit',
      withLimit({ facts: { limit: 101, windowSeconds: 60, by: 'address' } }),
      'POST /orders',
    ],
    [
      'maxRequestsPerMinute',
      'a limit over a second',
      withLimit({ facts: { limit: 2, windowSeconds: 1, by: 'address' } }),
      'POST /orders',
    ],
    [
      'maxRequestsPerMinute',
      'a limit without numbers',
      withLimit({ facts: { by: 'address' } }),
      'POST /orders',
    ],
    ['maxRequestsPerMinute', 'no limit at all', withWrite([authentication(), scopes]), 'POST /orders'],
    ['requireValidation', 'no validateBody', unvalidated, 'POST /orders'],
    [
      'requireValidation',
      'one that only reports',
      withWrite([...before(), scopes, body({}, { mode: 'report' })]),
      'POST /orders',
    ],
    [
      'requireValidation',
      'one that takes unknown fields off',
      withWrite([...before(), scopes, body({ unknownFields: 'strips-unknown' })]),
      'POST /orders',
    ],
    [
      'requireValidation',
      'no validateBody on a route for all methods',
      makePosture({ rows: [makeRow('ALL /x', before())] }),
      'ALL /x',
    ],
    [
      'requireValidation',
      'an application that hides its routes',
      makePosture({ rows: [makeRow('ALL /{hidden}', before(), { kind: 'application', proof: 'unknown' })] }),
      'ALL /{hidden}',
    ],
    [
      'requireScopesOnWrites',
      'no scope on a DELETE',
      makePosture({ rows: [makeRow('DELETE /x', before())] }),
      'DELETE /x',
    ],
    [
      'requireScopesOnWrites',
      'a scope that is only reported',
      withWrite([...before(), { ...scopes, mode: 'report' }]),
      'POST /orders',
    ],
    [
      'requireAuthorization',
      'nothing that says who may read',
      makePosture({ rows: [read(before())] }),
      'GET /orders/:id',
    ],
    [
      'requireAuthorization',
      'a guard of that layer that only reports',
      withWrite([...before(), { ...scopes, mode: 'report' }]),
      'POST /orders',
    ],
    [
      'requireAuthorization',
      'deny-by-default alone',
      withWrite([makeGuard('denyByDefault'), ...before()]),
      'POST /orders',
    ],
    ['requireAuthorization', 'an open route', withRow('open'), 'GET /x'],
    ['requireAuthorization', 'a route that lets everybody pass', withRow('optional'), 'GET /x'],
    [
      'requireAuthorization',
      'an application that hides its routes',
      makePosture({ rows: [makeRow('ALL /{hidden}', before(), { kind: 'application', proof: 'unknown' })] }),
      'ALL /{hidden}',
    ],
    [
      'refuseReportMode',
      'a guard that only reports',
      withWrite([...before(), { ...scopes, mode: 'report' }]),
      'POST /orders',
    ],
    [
      'refuseReportMode',
      'a setting that only reports',
      withAuth({ maxTokenAgeMode: 'report' }),
      'POST /orders',
    ],
  ]
  it.each(CASES)('%s finds %s', (rule, _case, posture, where) => {
    const findings = check(posture, { rules: { [rule]: STRICT[rule] } })
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({ severity: 'error', where })
    expect(findings[0]?.code).toBe(`baseline-${rule.replace(/[A-Z]/g, (x) => `-${x.toLowerCase()}`)}`)
    expect(readFileSync(join(process.cwd(), 'docs/governance.md'), 'utf8')).toMatch(
      new RegExp(`^### ${rule}$`, 'm'),
    )
  })

  it('asks for nothing where it says false', () => {
    expect(check(unvalidated, { rules: { requireValidation: false } })).toEqual([])
  })

  it('names a guard that stands before many routes once, and where it was made', () => {
    const posture = makePosture({
      rows: [write(before(authentication({ issuer: 'x' }))), read(before(authentication({ issuer: 'x' })))],
    })
    const findings = check(posture, { rules: ISSUERS })
    expect(findings).toHaveLength(1)
    expect(findings[0]).toMatchObject({ file: 'service.js', line: 10 })
    expect(findings[0]?.message).toContain('before 2 rows')
  })

  it('names the line of a route’s own guard', () => {
    expect(check(unvalidated, { rules: STRICT })[0]).toMatchObject({ where: 'POST /orders', line: 20 })
  })

  it('lets a route that is public do without a limit and a scope', () => {
    const row = makeRow('POST /login', [publicRoute], { proof: 'public', why: 'no caller yet' })
    expect(
      check(makePosture({ rows: [row] }), {
        rules: { requireRateLimit: true, requireScopesOnWrites: true, requireAuthorization: true },
      }),
    ).toEqual([])
  })

  it.each(['requireTenant', 'requireResource', 'authorize', 'ownGuard'])(
    'takes %s for a guard that says who may',
    (kind) => {
      const posture = makePosture({ rows: [read([...before(), makeGuard(kind)])] })
      expect(check(posture, { rules: { requireAuthorization: true } })).toEqual([])
    },
  )

  it('says of a limit by principal before authentication that it cannot work', () => {
    const posture = withWrite([limit('early', 'principal'), authentication()])
    expect(check(posture, { rules: { requireRateLimit: true } })[0]?.message).toBe(
      'POST /orders has a rate limit by principal that stands before authentication, where it cannot work',
    )
  })

  it('says of a body only that there may be one', () => {
    const [finding] = check(unvalidated, { rules: { requireValidation: true } })
    expect(finding?.message).toMatch(/^POST \/orders may take a body/)
  })

  it('is no proof where there are no rows', () => {
    expect(codes(check(makePosture({ rows: [] }), {}))).toEqual(['baseline-no-rows'])
  })

  it('holds five thousand routes in a second', () => {
    const rows = Array.from({ length: 5000 }, (_, at) => makeRow(`POST /tenants/${at}/orders`, before()))
    const started = performance.now()
    const waivers = Array.from({ length: 50 }, (_, at) => ({ ...waiver, where: `* /**/t${at}*/**/orders` }))
    expect(check(makePosture({ rows }), { rules: STRICT, waivers }).length).toBeGreaterThan(5000)
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

describe('a baseline that extends another', () => {
  const company = define({ name: 'company', rules: STRICT })
  const extending = (rules: BaselineRules) => () => define({ extends: [company], rules })

  it('inherits every rule', () => {
    expect(define({ extends: [company] }).rules).toEqual(STRICT)
  })

  it.each<[keyof BaselineRules, unknown]>([
    ['issuers', ['https://id.example', 'https://other.example']],
    ['algorithms', ['ES256', 'EdDSA']],
    ['requireAudience', false],
    ['maxTokenAgeSeconds', 901],
    ['maxClockToleranceSeconds', 6],
    ['requireDenyByDefault', false],
    ['requireProvenRoutes', false],
    ['publicRoutes', ['GET /health', 'GET /*']],
    ['publicRoutes', ['* /health']],
    ['maxPublicRoutes', 3],
    ['requiredMiddlewares', ['auditLog']],
    ['requireRateLimit', false],
    ['maxRequestsPerMinute', 1000],
    ['requireValidation', false],
    ['requireScopesOnWrites', false],
    ['requireAuthorization', false],
    ['refuseReportMode', false],
  ])('may not loosen %s to %j', (rule, value) => {
    expect(extending({ [rule]: value })).toThrow(
      `defineBaseline "service": ${rule} may only be tightened: "company" says ${JSON.stringify(STRICT[rule])}, this says ${JSON.stringify(value)}`,
    )
  })

  it.each<[keyof BaselineRules, unknown]>([
    ['algorithms', ['ES256']],
    ['maxTokenAgeSeconds', 300],
    ['publicRoutes', []],
    ['publicRoutes', ['GET /readyz']],
    ['maxPublicRoutes', 0],
    ['requireValidation', true],
  ])('may tighten %s to %j', (rule, value) => {
    expect(extending({ [rule]: value })().rules[rule]).toEqual(value)
  })

  it('takes the tighter one of two parents', () => {
    const one = define({
      name: 'one',
      rules: {
        maxTokenAgeSeconds: 300,
        issuers: ['a', 'b'],
        publicRoutes: ['GET /public/*'],
        requireValidation: false,
        requiredMiddlewares: ['auditLog'],
      },
    })
    const two = define({
      name: 'two',
      rules: {
        maxTokenAgeSeconds: 600,
        issuers: ['b', 'c'],
        publicRoutes: ['GET /**'],
        requireValidation: true,
        requiredMiddlewares: ['notFound'],
      },
    })
    expect(define({ extends: [one, two] }).rules).toEqual({
      maxTokenAgeSeconds: 300,
      issuers: ['b'],
      publicRoutes: ['GET /public/*'],
      requireValidation: true,
      requiredMiddlewares: ['auditLog', 'notFound'],
    })
    expect(() => define({ extends: [one, two], rules: { maxTokenAgeSeconds: 400 } })).toThrow(
      '"one" says 300',
    )
  })

  it('throws where two parents leave no issuer', () => {
    const parents = ['a', 'b'].map((name) => define({ name, rules: { issuers: [name] } }))
    expect(() => define({ extends: parents })).toThrow(/issuers must have one value/)
  })

  it('cannot pass for its parent by a copy with other rules', () => {
    const forged = { ...company, rules: {} }
    expect(isBaseline(forged)).toBe(false)
    expect(() => define({ extends: [forged] })).toThrow(TypeError)
    expect(() => checkBaseline(makePosture(), forged)).toThrow(/made by defineBaseline/)
  })

  it('is frozen all the way down', () => {
    const issuers = ['https://id.example']
    const made = define({ rules: { issuers }, waivers: [waiver] })
    issuers.push('https://evil.example')
    expect(made.rules.issuers).toEqual(['https://id.example'])
    for (const part of [made, made.rules, made.rules.issuers, made.waivers, made.waivers[0], made.unwaivable])
      expect(Object.isFrozen(part)).toBe(true)
  })
})

describe('a waiver', () => {
  const rules = { requireValidation: true } as const
  const on = (day: string): Date => new Date(`${day}T10:00:00Z`)

  it('covers what it names, and is said', () => {
    const [only, ...others] = check(unvalidated, { rules, waivers: [waiver] })
    expect(others).toEqual([])
    expect(only).toMatchObject({ code: 'waiver-used', severity: 'note' })
    expect(only?.message).toContain('payments')
  })

  it.each<[string, string[]]>([
    ['2026-06-16', ['waiver-used']],
    ['2026-06-17', ['waiver-expires-soon']],
    ['2026-06-30', ['waiver-expires-soon']],
    ['2026-07-01', ['baseline-require-validation', 'waiver-expired']],
    ['2036-01-01', ['baseline-require-validation', 'waiver-expired']],
  ])('on %s: %j', (day, expected) => {
    expect(codes(check(unvalidated, { rules, waivers: [waiver] }, on(day)))).toEqual(expected)
  })

  it('fails once it has expired, with the owner, although nothing is left for it to allow', () => {
    const [finding] = check(makePosture(), { waivers: [waiver] }, on('2026-07-01'))
    expect(finding).toMatchObject({ code: 'waiver-expired', severity: 'error' })
    expect(finding?.message).toContain('payments')
  })

  it.each<[string, Partial<Waiver>]>([
    ['another route', { where: 'POST /orders/:id' }],
    ['another method', { where: 'PUT /orders' }],
    ['a longer path', { where: 'POST /orders/**' }],
    ['the application', { where: 'application' }],
    ['another rule', { rule: 'requireRateLimit' }],
  ])('for %s covers nothing, and is unused', (_case, change) => {
    const findings = check(unvalidated, { rules, waivers: [{ ...waiver, ...change }] })
    expect(codes(findings)).toEqual(['baseline-require-validation', 'waiver-unused'])
    expect(findings[1]?.severity).toBe('warning')
  })

  it('for the application covers what is about no row, and a guard before many', () => {
    const about = { ...waiver, where: 'application' }
    const off = makePosture({ denyByDefault: 'off' })
    const denying: Waiver = { ...about, rule: 'requireDenyByDefault' }
    expect(codes(check(off, { rules: { requireDenyByDefault: true }, waivers: [denying] }))).toEqual([
      'waiver-used',
    ])
    const issuing: Waiver = { ...about, rule: 'issuers' }
    const foreign = withAuth({ issuer: 'https://evil.example' })
    expect(codes(check(foreign, { rules: ISSUERS, waivers: [issuing] }))).toEqual(['waiver-used'])
  })

  it.each<[string, Partial<Record<keyof Waiver, unknown>>]>([
    ['no owner', { owner: '' }],
    ['an owner of spaces', { owner: '  ' }],
    ['no reason', { reason: undefined }],
    ['a day that there is not', { expires: '2026-02-30' }],
    ['a moment', { expires: '2026-06-30T00:00:00Z' }],
    ['a number', { expires: 20260630 }],
    ['no day', { expires: undefined }],
    ['a day too far away', { expires: '2027-03-11' }],
    ['a rule that there is not', { rule: 'constructor' }],
    ['everything', { where: '* /**' }],
    ['every path', { where: 'POST /*/*' }],
    ['no method', { where: '/orders' }],
    ['a line break', { where: 'POST /orders\nx' }],
  ])('with %s is refused', (_case, change) => {
    expect(() => define({ waivers: [{ ...waiver, ...change } as Waiver] })).toThrow(TypeError)
  })

  it('may last a year', () => {
    expect(define({ waivers: [{ ...waiver, expires: '2027-03-10' }] }).waivers).toHaveLength(1)
  })

  it.each<[string, (waivers: readonly Waiver[]) => Baseline]>([
    ['in the baseline itself', (waivers) => define({ waivers, unwaivable: ['requireValidation'] })],
    [
      'in a service',
      (waivers) => define({ waivers, extends: [define({ unwaivable: ['requireValidation'] })] }),
    ],
    [
      'in one of two parents',
      (waivers) => define({ extends: [define({ waivers }), define({ unwaivable: ['requireValidation'] })] }),
    ],
    [
      'two generations later',
      (waivers) =>
        define({ waivers, extends: [define({ extends: [define({ unwaivable: ['requireValidation'] })] })] }),
    ],
  ])('of a rule that may not be waived throws, %s', (_case, make) => {
    expect(() => make([waiver])).toThrow(/requireValidation may not be waived/)
    expect(() => make([{ ...waiver, rule: 'requireRateLimit' }])).not.toThrow()
  })
})

describe('options of a baseline', () => {
  it.each<[string, unknown]>([
    ['no name', { rules: {} }],
    ['an unknown rule', { name: 'x', rules: { requireValidaton: true } }],
    ['an unknown option', { name: 'x', rule: {} }],
    ['a number as text', { name: 'x', rules: { maxTokenAgeSeconds: '600' } }],
    ['null', { name: 'x', rules: { requireValidation: null } }],
    ['no issuers', { name: 'x', rules: { issuers: [] } }],
    ['a public route without method', { name: 'x', rules: { publicRoutes: ['/health'] } }],
    ['a parent that is none', { name: 'x', extends: [{ name: 'y', rules: {} }] }],
    ['nothing', undefined],
  ])('with %s throw', (_case, options) => {
    expect(() => defineBaseline(options as BaselineOptions)).toThrow(TypeError)
  })

  it('name what was probably meant', () => {
    expect(() => define({ rules: { requireValidaton: true } as BaselineRules })).toThrow(
      'defineBaseline "service": unknown rule "requireValidaton". Did you mean requireValidation? Known rules: issuers,',
    )
    expect(() => define({ rules: { maxTokenAge: 900 } as BaselineRules })).toThrow(
      'defineBaseline "service": unknown rule "maxTokenAge". Did you mean maxTokenAgeSeconds?',
    )
    expect(() => define({ rules: { 'unknown option "x': 1 } as BaselineRules })).toThrow(
      'defineBaseline "service": unknown rule "unknown option "x".',
    )
  })

  it('of a rule with an impossible value are told as they are', () => {
    expect(() => define({ rules: { maxTokenAgeSeconds: 0 } })).toThrow(
      'defineBaseline "service": maxTokenAgeSeconds must be an integer',
    )
  })

  it('refuse a day that is none', () => {
    expect(() => checkBaseline(makePosture(), define({}), { now: new Date('x') })).toThrow(TypeError)
  })
})

describe('a pattern', () => {
  it.each<[string, string, boolean]>([
    ['GET /health', 'GET /health', true],
    ['GET /health', 'GET /healthz', false],
    ['GET /health', 'POST /health', false],
    ['* /health', 'POST /health', true],
    ['GET /public/*', 'GET /public/a', true],
    ['GET /public/*', 'GET /public/a/b', false],
    ['GET /public/**', 'GET /public/a/b', true],
    ['GET /public/**', 'GET /private/a', false],
    ['GET *', 'GET /a', false],
    ['GET /files/*splat', 'GET /files/*splat', true],
    ['GET /a.b', 'GET /axb', false],
    ['GET /(a+)+', 'GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', false],
  ])('%s and %s: %s', (pattern, label, expected) => {
    expect(matches(pattern, label)).toBe(expected)
  })

  it.each<[string, string, boolean]>([
    ['GET /public/*', 'GET /public/a', true],
    ['GET /public/*', 'GET /public/*', true],
    ['GET /public/*', 'GET /public/a*', true],
    ['GET /public/*', 'GET /public/**', false],
    ['GET /*/*', 'GET /**', false],
    ['GET /**', 'GET /*/a/**', true],
    ['GET /a', 'GET /*', false],
    ['* /a', 'GET /a', true],
    ['GET /a', '* /a', false],
  ])('%s names all that %s names: %s', (wide, narrow, expected) => {
    expect(covers(wide, narrow)).toBe(expected)
  })

  it('of many wildcards takes no longer than its length asks', () => {
    const started = performance.now()
    expect(matches(`GET /${'**a'.repeat(90)}`, `GET /${'a'.repeat(2000)}b`)).toBe(false)
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

function withAuth(changes: Readonly<Record<string, unknown>>): Posture {
  return makePosture({ rows: [write([...before(authentication(changes)), scopes, body()])] })
}

function withWrite(guards: Parameters<typeof write>[0]): Posture {
  return makePosture({ rows: [write(guards)] })
}

function withLimit(others: Parameters<typeof limit>[3]): Posture {
  return withWrite([authentication(), limit('only', 'address', {}, others), scopes, body()])
}

function withRow(proof: 'open' | 'unknown' | 'optional' | 'public', refusedByDefault = false): Posture {
  return makePosture({ rows: [makeRow('GET /x', [], { proof, refusedByDefault, why: 'so it is' })] })
}
