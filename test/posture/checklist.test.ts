import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import cors from 'cors'
import express from 'express'
import { defineBaseline, type Baseline, type Waiver } from '../../src/posture/baseline.js'
import {
  answerChecklist,
  asvsStatuses,
  checklistFails,
  renderChecklist,
  type AnswerStatus,
  type ChecklistAnswer,
  type ChecklistOptions,
  type QuestionId,
} from '../../src/posture/checklist.js'
import { authenticate } from '../../src/authentication/authenticate.js'
import { publicRoute as open } from '../../src/authentication/public-route.js'
import { denyByDefault } from '../../src/authorization/deny-by-default.js'
import { requireScopes } from '../../src/authorization/require-scopes.js'
import { auditLog } from '../../src/audit/audit-log.js'
import { notFound } from '../../src/errors/not-found.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { diagnose } from '../../src/posture/doctor.js'
import { findingsOf } from '../../src/posture/findings.js'
import { inspectPosture } from '../../src/posture/inspect-posture.js'
import { rateLimit } from '../../src/traffic/rate-limit.js'
import { secureHeaders } from '../../src/transport/secure-headers.js'
import { validateBody } from '../../src/validation/validate-body.js'
import { keepingLogger } from '../support/records.js'
import { codeOf } from '../../src/posture/baseline/examine.js'
import { RULE_NAMES } from '../../src/posture/baseline/rules.js'
import { ASVS } from '../../src/posture/checklist/asvs.js'
import { CATALOGUE } from '../../src/posture/catalogue.js'
import { EVIDENCE } from '../../src/posture/catalogue/evidence.js'
import { OWASP } from '../../src/posture/checklist/owasp.js'
import { placeOfFinding } from '../../src/posture/checklist/places.js'
import { QUESTIONS } from '../../src/posture/checklist/questions.js'
import type { Finding, Posture, PostureGuard, PostureRow } from '../../src/posture/model.js'
import {
  TODAY,
  audit,
  authentication,
  before,
  body,
  headers,
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

const page = readFileSync(join(process.cwd(), 'docs/checklist.md'), 'utf8')
const answers = (posture: Posture, options: ChecklistOptions = {}): ChecklistAnswer[] =>
  answerChecklist(posture, { now: TODAY, ...options })
const answerTo = (id: QuestionId, posture: Posture, options: ChecklistOptions = {}): ChecklistAnswer =>
  answers(posture, options).find((answer) => answer.id === id)!
const codes = ({ findings }: ChecklistAnswer): string[] => findings.map(({ code }) => code)
const rows = (...list: PostureRow[]): Posture => makePosture({ rows: list })
const writing = (...guards: PostureGuard[]): Posture => rows(write(guards))
const withAuth = (facts: Readonly<Record<string, unknown>>): Posture =>
  rows(write([...before(authentication(facts)), scopes, body()]))
const only = (guards: readonly PostureGuard[], kind: string): PostureGuard[] =>
  guards.filter((guard) => guard.kind !== kind)
const chain = [...before(), scopes, body()]
const unbounded = { maxTokenLifetimeSeconds: undefined, maxTokenLifetimeMode: undefined }

const tests = ['per-address', 'per-caller'].map((rule) => ({
  rule,
  allowed: 100,
  refused: 20,
  at: '2026-03-01T10:00:00Z',
}))

describe('the checklist', () => {
  it('asks the five questions in the words of the guide', () => {
    expect(answers(makePosture()).map(({ question }) => question)).toEqual([
      'Are all endpoints authenticated or explicitly marked public?',
      'Are tokens short-lived and rotated automatically?',
      'Is input validation schema-driven and enforced centrally?',
      'Are rate limits applied and tested under load?',
      'Do logs avoid secrets and include sufficient context for investigations?',
    ])
  })

  it('finds nothing in a service like the example, and says what it cannot show', () => {
    const given = answers(makePosture())
    expect(given.map(({ status }) => status)).toEqual(['yes', 'yes', 'yes', 'partly', 'yes'])
    expect(given.flatMap(({ findings }) => findings)).toEqual([])
    expect(checklistFails(given)).toBe(false)
    const evidence = given.flatMap((answer) => answer.evidence)
    expect(evidence).toContain('POST /orders guarded by authenticate(https://id.example)')
    expect(evidence).toContain('GET /health public: liveness probe')
    expect(evidence).toContain('rateLimit(per-caller) not tested under load.')
  })

  it.each<[QuestionId, string, Posture, AnswerStatus, string[]]>([
    ['endpoints', 'an open route', rows(makeRow('GET /x', [], { proof: 'open' })), 'no', ['route-open']],
    [
      'endpoints',
      'a refused one',
      rows(makeRow('GET /x', [], { proof: 'open', refusedByDefault: true })),
      'partly',
      ['route-refused'],
    ],
    [
      'endpoints',
      'an unknown route',
      rows(makeRow('GET /x', [], { proof: 'unknown' })),
      'unknown',
      ['route-unknown'],
    ],
    [
      'endpoints',
      'one open among guarded ones',
      rows(read(), makeRow('GET /x', [], { proof: 'open' })),
      'no',
      ['route-open'],
    ],
    [
      'endpoints',
      'an optional route',
      rows(makeRow('GET /x', [], { proof: 'optional' })),
      'no',
      ['route-optional'],
    ],
    [
      'endpoints',
      'an optional route that is public',
      rows(makeRow('GET /x', [publicRoute], { proof: 'optional', publicReason: 'liveness probe' })),
      'yes',
      [],
    ],
    [
      'endpoints',
      'an open route whose publicRoute is void',
      rows(makeRow('GET /x', [publicRoute], { proof: 'open' })),
      'no',
      ['route-open'],
    ],
    [
      'endpoints',
      'a held handler',
      rows(read(), makeRow('ALL /', [], { kind: 'handler', proof: 'held' })),
      'partly',
      [],
    ],
    [
      'endpoints',
      'an open handler',
      rows(makeRow('ALL /', [], { kind: 'handler', proof: 'open' })),
      'no',
      ['handler-open'],
    ],
    [
      'endpoints',
      'a known handler',
      rows(read(), makeRow('ALL /', [], { kind: 'handler', proof: 'known' })),
      'yes',
      [],
    ],
    [
      'endpoints',
      'a hidden application',
      rows(makeRow('ALL /', [], { kind: 'application', proof: 'unknown' })),
      'unknown',
      ['application-unknown'],
    ],
    [
      'endpoints',
      'a fault',
      rows(makeRow('GET /x', chain, { faults: [{ code: 'guard_after_route', message: 'late' }] })),
      'partly',
      [],
    ],
    ['endpoints', 'a write that everybody may', writing(...before()), 'partly', ['route-for-everybody']],
    [
      'endpoints',
      'a scope that is only reported',
      writing(...before(), { ...scopes, mode: 'report' }),
      'partly',
      ['route-for-everybody'],
    ],
    ['endpoints', 'a guard of its own', writing(...before(), makeGuard('ownGuard')), 'yes', []],
    ['endpoints', 'no rows', rows(), 'unknown', ['routes-missing']],
    ['tokens', 'no bound', withAuth(unbounded), 'no', ['token-lifetime-unbounded']],
    [
      'tokens',
      'a bound of a year',
      withAuth({ maxTokenLifetimeSeconds: 31_536_000 }),
      'no',
      ['token-lifetime-long'],
    ],
    ['tokens', 'a bound of an hour', withAuth({ maxTokenLifetimeSeconds: 3600 }), 'yes', []],
    [
      'tokens',
      'an age',
      withAuth({ ...unbounded, maxTokenAgeSeconds: 600, maxTokenAgeMode: 'enforce' }),
      'yes',
      [],
    ],
    [
      'tokens',
      'a bound that only reports',
      withAuth({ maxTokenLifetimeMode: 'report' }),
      'partly',
      ['token-lifetime-reported'],
    ],
    ['tokens', 'keys in the set-up', withAuth({ keys: 'inline' }), 'partly', ['token-keys-inline']],
    ['tokens', 'keys from nobody knows where', withAuth({ keys: undefined }), 'unknown', []],
    ['tokens', 'an adopted caller', rows(read([makeGuard('principalFrom')])), 'unknown', []],
    [
      'tokens',
      'an adopted caller beside a bound',
      rows(read(), read([makeGuard('principalFrom')])),
      'unknown',
      [],
    ],
    ['tokens', 'public routes only', rows(probe), 'unknown', []],
    ['validation', 'no validateBody', writing(...only(chain, 'validateBody')), 'no', ['body-unvalidated']],
    [
      'validation',
      'one that only reports',
      writing(...before(), body({}, { mode: 'report' })),
      'partly',
      ['body-validation-reported'],
    ],
    [
      'validation',
      'one that takes fields off',
      writing(...before(), body({ unknownFields: 'strips-unknown' })),
      'partly',
      ['body-unknown-fields'],
    ],
    ['validation', 'a route for all methods', rows(makeRow('ALL /x', before())), 'no', ['body-unvalidated']],
    [
      'validation',
      'a public POST',
      rows(makeRow('POST /x', [], { proof: 'public' })),
      'no',
      ['body-unvalidated'],
    ],
    ['validation', 'no bodies', rows(read()), 'unknown', []],
    [
      'validation',
      'a hidden application',
      rows(write(), makeRow('ALL /', [], { kind: 'application', proof: 'unknown' })),
      'unknown',
      [],
    ],
    ['limits', 'no limit', writing(...only(chain, 'rateLimit')), 'no', ['limit-missing']],
    [
      'limits',
      'a limit that only reports',
      writing(authentication(), limit('x', 'address', {}, { mode: 'report' })),
      'partly',
      ['limit-reported'],
    ],
    [
      'limits',
      'a limit by principal before authentication',
      writing(limit('x', 'principal'), authentication()),
      'no',
      ['limit-missing'],
    ],
    [
      'limits',
      'a public POST without one',
      rows(makeRow('POST /x', [], { proof: 'public' })),
      'no',
      ['limit-missing'],
    ],
    ['limits', 'a probe without one', rows(probe), 'partly', []],
    ['limits', 'no rows', rows(), 'unknown', []],
    [
      'limits',
      'a limit by principal early, and one by address',
      writing(limit('x', 'principal'), limit('y', 'address'), authentication()),
      'partly',
      ['limit-by-caller-missing'],
    ],
    [
      'endpoints',
      'a reading route that everybody may',
      rows(read(before())),
      'partly',
      ['route-for-everybody'],
    ],
    [
      'logs',
      'no audit',
      makePosture({ services: [makeGuard('secureErrors')], rows: [read([authentication()])] }),
      'no',
      ['audit-missing'],
    ],
    [
      'logs',
      'audit after authentication',
      writing(authentication(), audit, body()),
      'partly',
      ['audit-late'],
    ],
    ['logs', 'audit on one of two rows', rows(write(), read([authentication()])), 'partly', ['audit-late']],
    ['logs', 'headers before audit', writing(headers, audit, authentication()), 'yes', []],
    [
      'logs',
      'messages of errors',
      writing(makeGuard('auditLog', { errorMessages: true }), authentication()),
      'partly',
      ['audit-error-messages'],
    ],
    [
      'logs',
      'settings that are not known',
      writing(makeGuard('auditLog'), authentication()),
      'partly',
      ['audit-error-messages'],
    ],
    [
      'logs',
      'no completions',
      writing(makeGuard('auditLog', { errorMessages: false, completions: 'none' })),
      'partly',
      [],
    ],
    ['logs', 'no secureErrors', makePosture({ services: [audit] }), 'no', ['secure-errors-missing']],
    [
      'logs',
      'secureErrors before another',
      makePosture({ services: [audit, makeGuard('secureErrors'), makeGuard('notFound')] }),
      'partly',
      ['secure-errors-not-last'],
    ],
    ['logs', 'no rows', rows(), 'unknown', []],
  ])('%s with %s', (id, _case, posture, status, expected) => {
    const answer = answerTo(id, posture)
    expect(codes(answer)).toEqual(expected)
    expect(answer.status).toBe(status)
    expect(checklistFails([answer])).toBe(expected.length > 0)
  })

  it('names the route that lost its guard, and where it is', () => {
    const [finding] = answerTo('validation', writing(...before(), scopes)).findings
    expect(finding).toMatchObject({
      where: 'POST /orders',
      file: 'service.js',
      line: 20,
      owasp: ['API3:2023'],
    })
  })

  it('says of a body only that there may be one', () => {
    const [finding] = answerTo('validation', rows(makeRow('POST /x', before()))).findings
    expect(finding?.message).toBe('POST /x may take a body that no validateBody checks.')
  })

  it.each<[string, PostureGuard[], string]>([
    [
      'before authentication',
      [limit('x', 'principal'), authentication()],
      'POST /orders has a rate limit by principal that stands before authentication, where it cannot work.',
    ],
    [
      'without authentication',
      [limit('x', 'principal')],
      'POST /orders has a rate limit by principal and no authentication, so it cannot work.',
    ],
    [
      'before authentication, beside one by address',
      [limit('x', 'principal'), limit('y', 'address'), authentication()],
      'POST /orders has a rate limit by principal that stands before authentication, where it cannot work.',
    ],
  ])('says of a limit by principal %s that it cannot work', (_case, guards, message) => {
    expect(answerTo('limits', writing(...guards)).findings[0]?.message).toBe(message)
  })

  it('says why a route is public where authentication is optional', () => {
    const row = makeRow('GET /x', [...before(), publicRoute], {
      proof: 'optional',
      publicReason: 'a price list',
      why: 'authenticate lets callers without a credential pass',
    })
    expect(answerTo('endpoints', rows(row)).evidence[0]).toBe('GET /x optional, public: a price list')
    const bare = { ...row, guards: [publicRoute] }
    expect(answerTo('limits', rows(bare)).evidence[0]).toContain('is public (a price list), read-only')
  })

  it.each<[string, Partial<PostureGuard>, Partial<Finding>]>([
    ['further up in the same file', { line: 3 }, { file: 'service.js', line: 20 }],
    ['in another file', { file: 'limits.js', line: 99 }, { file: 'limits.js', line: 99 }],
    ['nobody knows where', { file: undefined, line: undefined }, { file: undefined, line: undefined }],
  ])('names the route’s own line where a guard of it was made %s', (_case, made, place) => {
    const shared = limit('new-orders', 'principal', {}, { mounted: 'route', ...made })
    expect(answerTo('validation', writing(...before(), scopes, shared)).findings[0]).toMatchObject(place)
  })

  it('tells of one authentication once, however many routes it stands before', () => {
    const auth = authentication(unbounded)
    const posture = rows(write(before(auth)), read([...before(auth)]))
    expect(codes(answerTo('tokens', posture))).toEqual(['token-lifetime-unbounded'])
  })
})

describe('load tests', () => {
  const posture = rows(write(), read())
  const judged = (rateLimitEvidence: unknown): ChecklistAnswer =>
    answerTo('limits', posture, { rateLimitEvidence } as ChecklistOptions)

  it('of every limit make the answer yes', () => {
    expect(judged(tests)).toMatchObject({ status: 'yes', findings: [] })
  })

  it.each<[string, object]>([
    ['is older than 90 days', { at: '2025-12-01T10:00:00Z' }],
    ['is of tomorrow', { at: '2026-03-11T12:00:01Z' }],
    ['never reached the limit', { refused: 0 }],
    ['let nothing through', { allowed: 0 }],
    ['is of another limit', { rule: 'another' }],
  ])('one that %s does not count', (_case, change) => {
    expect(judged([{ ...tests[0]!, ...change }, tests[1]])).toMatchObject({ status: 'partly', findings: [] })
  })

  it('count by the newest: a failure is not outweighed by what came before', () => {
    const failed = { ...tests[0]!, allowed: 201, at: '2026-03-02T10:00:00+01:00' }
    expect(judged([...tests, failed])).toMatchObject({ status: 'no' })
    expect(codes(judged([failed, ...tests]))).toEqual(['limit-not-kept'])
  })

  it.each<[string, unknown]>([
    ['text', 'yes'],
    ['an object', {}],
    ['a list of text', ['yes']],
    ['a test without numbers', [{ rule: 'per-caller', at: tests[0]!.at }]],
    ['a test with numbers as text', [{ ...tests[0], allowed: '100' }]],
    ['a day without an hour', [{ ...tests[0], at: '2026-03-01' }]],
    ['a moment that there is not', [{ ...tests[0], at: '2026-13-01T10:00:00Z' }]],
    ['another member', [{ ...tests[0], passed: true }]],
  ])('that are %s throw', (_case, given) => {
    expect(() => judged(given)).toThrow(TypeError)
  })
})

describe('findings of others', () => {
  const finding = (code: string, severity: Finding['severity'], where?: string): Finding => ({
    code,
    severity,
    message: 'm',
    consequence: 'c',
    remedy: 'r',
    page: 'p',
    where,
    file: undefined,
    line: undefined,
  })

  it('stand under their question and bound its answer', () => {
    const given = answers(makePosture(), {
      findings: [
        finding('trust-proxy-true', 'error'),
        finding('not-found-missing', 'note'),
        finding('audit-missing', 'warning'),
      ],
    })
    expect(given.map(({ status }) => status)).toEqual(['yes', 'yes', 'yes', 'no', 'partly'])
    expect(codes(given[4]!)).toEqual(['not-found-missing', 'audit-missing'])
  })

  it('that nobody has placed are not lost', () => {
    const given = answers(makePosture(), { findings: [finding('constructor', 'error')] })
    expect(given[0]).toMatchObject({ status: 'no' })
    expect(checklistFails(given)).toBe(true)
  })

  it('that say less of the same than the checklist do not hide it', () => {
    const posture = rows(makeRow('GET /x', [], { proof: 'optional' }))
    const answer = answerTo('endpoints', posture, { findings: [finding('route-optional', 'note', 'GET /x')] })
    expect(answer.findings.map(({ severity }) => severity)).toEqual(['error'])
  })
})

describe('with a baseline', () => {
  const waiver: Waiver = {
    rule: 'requireValidation',
    where: 'POST /orders',
    owner: 'payments',
    reason: 'signed by the partner',
    expires: '2026-03-20',
  }
  const baseline = (waivers: readonly Waiver[]): Baseline =>
    defineBaseline({ name: 'b', rules: { requireValidation: true }, waivers }, { now: TODAY })
  const posture = writing(...before(), scopes)

  it('adds what breaks it', () => {
    expect(codes(answerTo('validation', posture, { baseline: baseline([]) }))).toEqual([
      'baseline-require-validation',
      'body-unvalidated',
    ])
  })

  it('makes a note of what is waived, names the owner, and still does not say yes', () => {
    const given = answers(posture, { baseline: baseline([waiver]) })
    const answer = given.find(({ id }) => id === 'validation')!
    expect(answer).toMatchObject({ status: 'no', findings: [{ code: 'body-unvalidated', severity: 'note' }] })
    expect(answer.findings[0]?.message).toContain('Waived by payments until 2026-03-20')
    expect(checklistFails(given)).toBe(false)
    expect(given.flatMap(({ evidence }) => evidence).join()).toContain('holds until the end of 2026-03-20')
  })

  it.each<[Waiver['rule'], boolean]>([
    ['requireAuthorization', false],
    ['requireScopesOnWrites', true],
  ])('with a waiver of %s for a reading route that everybody may call fails: %s', (rule, fails) => {
    const reading = { ...waiver, rule, where: 'GET /orders/:id' }
    const company = defineBaseline(
      { name: 'b', rules: { requireAuthorization: true }, waivers: [reading] },
      { now: TODAY },
    )
    const given = answers(rows(read(before())), { baseline: company })
    expect(codes(given[0]!)).toContain('route-for-everybody')
    expect(checklistFails(given)).toBe(fails)
  })

  it('fails once the waiver has expired', () => {
    const given = answers(posture, { baseline: baseline([waiver]), now: new Date('2026-03-21T00:00:00Z') })
    const all = given.flatMap(codes)
    expect(all).toEqual(
      expect.arrayContaining(['waiver-expired', 'body-unvalidated', 'baseline-require-validation']),
    )
    expect(checklistFails(given)).toBe(true)
  })

  it('that is none throws', () => {
    expect(() => answers(posture, { baseline: { ...baseline([]) } })).toThrow(TypeError)
  })
})

describe('ASVS', () => {
  const statusOf = (id: string, posture: Posture): string | undefined =>
    asvsStatuses(posture).find((answer) => answer.id === id)?.status

  it('begins with unknown: of an application without rows nothing is said', () => {
    const statuses = new Set(
      asvsStatuses(makePosture({ rows: [], services: [] })).map(({ status }) => status),
    )
    statuses.delete('violated')
    expect([...statuses]).toEqual(['unknown'])
  })

  it.each<[string, string, Posture, string]>([
    ['9.1.1', 'authenticate everywhere', rows(write(), read()), 'enforced'],
    ['9.1.1', 'one row by something else', rows(write(), read([makeGuard('principalFrom')])), 'unknown'],
    ['9.1.1', 'one open row', rows(write(), makeRow('GET /x', [], { proof: 'open' })), 'unknown'],
    ['9.1.1', 'public rows only', rows(probe), 'unknown'],
    ['9.2.2', 'a type that only reports', withAuth({ typesMode: 'report' }), 'unknown'],
    ['8.2.1', 'scopes everywhere', rows(write(), read()), 'enforced'],
    ['8.2.1', 'one row without', rows(write(), read(only(chain, 'requireScopes'))), 'unknown'],
    ['2.2.1', 'validated bodies', rows(write()), 'partly'],
    ['2.2.1', 'a body that is not', writing(...before()), 'violated'],
    ['15.3.3', 'validated bodies', rows(write()), 'enforced'],
    ['3.4.4', 'the field', rows(write()), 'enforced'],
    ['3.4.4', 'another middleware', writing(authentication()), 'unknown'],
    ['3.4.1', 'a year', rows(write()), 'partly'],
    [
      '3.4.1',
      'a day',
      writing(makeGuard('secureHeaders', { hsts: 'max-age=86400; includeSubDomains' })),
      'unknown',
    ],
    ['3.4.3', 'anything', rows(write()), 'unknown'],
    ['16.5.3', 'anything', rows(write()), 'unknown'],
    ['2.4.1', 'limits', rows(write()), 'enforced'],
  ])('%s with %s', (id, _case, posture, status) => {
    expect(statusOf(id, posture)).toBe(status)
  })

  it('knows every id that a question or a finding names', () => {
    const found = [...Object.keys(CATALOGUE), ...RULE_NAMES.map(codeOf)]
    const places = [...QUESTIONS, ...found.map(placeOfFinding)]
    for (const id of places.flatMap(({ asvs }) => asvs))
      expect([id, Object.hasOwn(ASVS, id)]).toEqual([id, true])
    for (const id of places.flatMap(({ owasp }) => owasp))
      expect([id, Object.hasOwn(OWASP, id)]).toEqual([id, true])
  })

  it('stands in the page as in the data', () => {
    const documented = [
      ...page.matchAll(/^\| (\d+\.\d+\.\d+) +\| (\d) +\| ([EVH+]+) +\| `(\w+)` +\| (.*?) +\| (.*?) *\|$/gm),
    ].map(([, ...cells]) => cells)
    const data = Object.entries(ASVS).map(([id, { level, kind, by, evidence, field, part }]) => {
      const shown =
        evidence === 'not checked' ? evidence : `\`${evidence}\`${field === undefined ? '' : ` ${field}`}`
      return [id, String(level), kind, by, shown, part ?? (evidence === 'not checked' ? '' : 'all')]
    })
    expect(documented).toEqual(data)
  })

  it('stands beside the ten risks, each with its title', () => {
    const documented = [...page.matchAll(/^\| (API\d+:2023) +\| (.*?) +\| (.*?) *\|$/gm)].map(
      ([, ...cells]) => cells,
    )
    expect(documented).toEqual(Object.entries(OWASP).map(([id, { title, says }]) => [id, title, says]))
    expect(documented).toHaveLength(10)
  })

  it('and every question and finding has its section', () => {
    for (const title of [...Object.keys(EVIDENCE), ...QUESTIONS.map(({ question }) => question)])
      expect(page.split('\n')).toContain(`### ${title}`)
  })
})

describe('a rendered checklist', () => {
  const nasty = makeRow('GET /\u001b[31m|`<b>@all](http://evil.example)\u202e', [], {
    proof: 'open',
    why: 'a\nb',
  })
  const given = answers(rows(write(), nasty))

  it.each([40, 80, 120])('fits %i columns', (columns) => {
    const text = renderChecklist(given, { format: 'table', columns })
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(columns)
    expect(text).toContain('1.  Are all endpoints')
  })

  it('keeps paths of the application without effect', () => {
    for (const format of ['table', 'markdown', 'json'] as const)
      // eslint-disable-next-line no-control-regex -- what must not be there
      expect(renderChecklist(given, { format })).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
    const markdown = renderChecklist(given, { format: 'markdown' })
    expect(markdown).not.toMatch(/<b>|@all|http:\/\/|\]\(/)
  })

  it('in Markdown shows labels, paths, issuers and code as code, and plain words as they are', () => {
    const markdown = renderChecklist(answers(rows(probe, write(), read([...before(), body()]))), {
      format: 'markdown',
    })
    for (const line of [
      '- `GET /health` public: liveness probe',
      '- `POST /orders` guarded by `authenticate(https://id.example)`',
      '- `rateLimit(per-caller)` not tested under load.',
      '- `GET /health` is public (liveness probe), read-only and has no rate limit.',
      '- `authenticate(https://id.example)` accepts tokens for at most 600 s.',
    ])
      expect(markdown.split('\n')).toContain(line)
    expect(markdown).toContain(
      '- **warning** `route-for-everybody`: `GET /orders/:id` asks who the caller is, and no `requireScopes()` or other',
    )
    expect(markdown).toContain('Put `requireScopes()`, or another guard')
    expect(markdown).toContain('At `service.js:21`. (API5:2023; ASVS 8.2.1, 8.3.1)')
    expect(markdown).not.toContain('&#')
  })

  it.each([
    '/[x](http://evil.example)',
    '/<img src=x onerror=alert(1)>',
    '/@admins and @admins',
    '/`a` [x](javascript:1) `b`',
    '/a`` <b> ``c` @all',
    '/\\`<b>\\`',
    '/**bold** __bold__ ~~gone~~',
    '/#1 GH-1 deadbeefcafe www.evil.example evil.example/a me@evil.example',
    '/&lt;b&gt; &#64;all',
    '/({[ unbalanced "quotes <b> @all',
    '/a\n\n# Title\n- item\n```\n<b>',
    "/' onclick='x <!-- --> <b>",
    '/a | b | c',
    '/:smile: :+1:',
    '/$\\href{http://evil.example}{x}$ <b>',
  ])('in Markdown leaves %j without effect, whoever wrote it', (text) => {
    const path = text.replaceAll(' ', '\u00a0')
    const row = makeRow(`GET ${path}`, [], { proof: 'open', why: text })
    const odd = makeRow('GET /x', [], { proof: 'public', why: text.slice(1) })
    const own = { ...limit(text, 'address', {}, { file: text, kind: text }) }
    const markdown = renderChecklist(answers(rows(row, odd, read([own]))), { format: 'markdown' })
    for (const line of markdown.split('\n')) {
      expect(line).toMatch(/^(?:### \d\. |\*\*(?:yes|no|partly|unknown)\*\* \(|- | {2}- |$)/)
      const prose = line
        .replace(/^- (?:\*\*\w+\*\* )?|^ {2}- |^### \d\. |^\*\*\w+\*\* /, '')
        .replaceAll(/\(?(?:API\d+:2023[,;]? ?)+(?:ASVS [\d., ]+)?\)?/g, '')
        .replaceAll(/`[^`|\\]*`/g, 'CODE')
        .replaceAll(/<code>(?:&#\d+;|<!-- -->|[\p{L}\p{N} ])*<\/code>/gu, 'CODE')
      expect(prose).not.toMatch(/[<>@[\]`*_#~|$&\\/!"={}+]|:\w|\.\w|GH-\d|[0-9a-f]{7}/i)
    }
  })

  it('tells a person of one cause once, and of every route that it is about', () => {
    const many = ['a', 'b', 'c'].map((name) => makeRow(`GET /${name}`, [audit, authentication(), scopes]))
    const elsewhere = makeRow('GET /d', [audit, authentication(), { ...scopes, file: 'other.js', line: 7 }])
    const limits = answers(rows(...many, elsewhere))
    expect(codes(limits[3]!)).toEqual(Array.from({ length: 4 }, () => 'limit-missing'))
    const table = renderChecklist(limits, { format: 'table', columns: 200 })
    expect(table.match(/limit-missing/g)).toHaveLength(1)
    expect(table).toContain('The same: GET /b, GET /c, GET /d (other.js:7).')
    const markdown = renderChecklist(limits, { format: 'markdown' })
    expect(markdown.match(/limit-missing/g)).toHaveLength(1)
    expect(markdown).toContain('  - The same: `GET /b`, `GET /c`, `GET /d` (`other.js:7`).')
    const json = JSON.parse(renderChecklist(limits, { format: 'json' })) as { answers: ChecklistAnswer[] }
    expect(json.answers[3]?.findings.map(({ where }) => where)).toEqual([
      'GET /a',
      'GET /b',
      'GET /c',
      'GET /d',
    ])
  })

  it('tells of two causes twice, and of what is waived apart', () => {
    const one = makeRow('GET /a', [], { proof: 'open', why: 'nothing authenticates' })
    const other = makeRow('GET /b', [], { proof: 'open', why: 'it stands before authenticate' })
    const table = renderChecklist(answers(rows(one, other)), { format: 'table', columns: 200 })
    expect(table.match(/route-open/g)).toHaveLength(2)
    const waivers = [
      { rule: 'requireRateLimit', where: 'GET /a', owner: 'a', reason: 'r', expires: '2026-06-01' } as const,
    ]
    const baseline = defineBaseline({ name: 'b', waivers }, { now: TODAY })
    const given = answers(
      rows(makeRow('GET /a', [authentication()]), makeRow('GET /b', [authentication()])),
      {
        baseline,
      },
    )
    expect(renderChecklist(given, { format: 'table', columns: 200 }).match(/limit-missing/g)).toHaveLength(2)
  })

  it('of a thousand routes with one cause stays short', () => {
    const many = Array.from({ length: 1000 }, (_, at) => makeRow(`GET /${at}`, [authentication(), scopes]))
    const text = renderChecklist(answers(rows(...many)), { format: 'table' })
    expect(text).toMatch(/and 979\s+more,\s+in\s+the\s+JSON/)
    expect(text.split('\n').length).toBeLessThan(200)
  })

  it('is whole in JSON', () => {
    expect(JSON.parse(renderChecklist(given, { format: 'json' }))).toMatchObject({
      schemaVersion: 1,
      answers: [{ id: 'endpoints', status: 'no', findings: [{ code: 'route-open' }] }, {}, {}, {}, {}],
    })
  })

  it('shows a person some of many lines, and says how many are left', () => {
    const many = answers(
      makePosture({
        rows: Array.from({ length: 5000 }, (_, at) => read([...before(), makeGuard(`g${at}`)])),
      }),
    )
    const text = renderChecklist(many, { format: 'table' })
    expect(text.split('\n').length).toBeLessThan(200)
    expect(text).toMatch(/and \d+ more lines, in the JSON/)
  })

  it.each([{ format: 'html' }, {}, { format: 'table', columns: 10 }, { format: 'table', width: 80 }])(
    'with %j throws',
    (options) => {
      expect(() => renderChecklist(given, options as never)).toThrow(TypeError)
    },
  )
})

describe('of a real application', () => {
  const schema = { type: 'object', properties: { sku: { type: 'string' } } } as const
  type Part =
    'audit' | 'headers' | 'limit' | 'caller' | 'authentication' | 'reading' | 'scope' | 'body' | 'errors'

  /** The chain of the example, and copies of it with one part removed. */
  function service(without?: Part): express.Express {
    const app = express()
    denyByDefault(app)
    const part = (name: Part, guard: unknown): express.RequestHandler[] =>
      name === without ? [] : [guard as express.RequestHandler]
    const mount = (name: Part, guard: unknown): void => {
      for (const handler of part(name, guard)) app.use(handler)
    }
    mount('audit', auditLog({ logger: keepingLogger() }))
    mount('headers', secureHeaders())
    app.use(cors({ origin: 'https://shop.example' }))
    app.get('/health', open('liveness probe'), (_req, res) => {
      res.json({})
    })
    mount('limit', rateLimit({ name: 'per-address', limit: 300, windowSeconds: 60, by: 'address' }))
    const accepted = { issuer: 'https://id.example', audience: 'https://orders.example' }
    mount('authentication', authenticate({ ...accepted, maxTokenLifetimeSeconds: 900 }))
    mount('caller', rateLimit({ name: 'per-caller', limit: 100, windowSeconds: 60, by: 'principal' }))
    app.get('/orders/:id', ...part('reading', requireScopes('orders:read')), (_req, res) => {
      res.json({})
    })
    app.post(
      '/orders',
      ...part('scope', requireScopes('orders:write')),
      express.json(),
      ...part('body', validateBody(schema)),
      (_req, res) => {
        res.sendStatus(201)
      },
    )
    app.use(notFound())
    mount('errors', secureErrors())
    return app
  }

  const audited = (app: express.Express): ChecklistAnswer[] => {
    const posture = inspectPosture(app)
    return answers(posture, { findings: [...findingsOf(posture), ...diagnose(app)] })
  }

  it('finds no more than notes in the whole chain', () => {
    const given = audited(service())
    const findings = given.flatMap((answer) => answer.findings)
    expect(findings.filter(({ severity }) => severity !== 'note')).toEqual([])
    expect(given.map(({ status }) => status)).toEqual(['yes', 'yes', 'yes', 'partly', 'yes'])
  })

  it.each<[Part, string, string | undefined]>([
    ['audit', 'audit-missing', undefined],
    ['limit', 'limit-before-authentication-missing', 'POST /orders'],
    ['caller', 'limit-by-caller-missing', 'POST /orders'],
    ['reading', 'route-for-everybody', 'GET /orders/:id'],
    ['authentication', 'route-refused', 'POST /orders'],
    ['scope', 'route-for-everybody', 'POST /orders'],
    ['body', 'body-unvalidated', 'POST /orders'],
    ['errors', 'secure-errors-missing', undefined],
  ])('without %s fails with %s', (part, code, where) => {
    const given = audited(service(part))
    expect(checklistFails(given)).toBe(true)
    expect(given.flatMap(({ findings }) => findings)).toContainEqual(expect.objectContaining({ code, where }))
  })
})
