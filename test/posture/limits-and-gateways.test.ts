import { describe, expect, it } from '@jest/globals'
import express, { type Express, type RequestHandler } from 'express'
import { auditLog } from '../../src/audit/audit-log.js'
import { principalFrom } from '../../src/authentication/principal-from.js'
import { publicRoute } from '../../src/authentication/public-route.js'
import { internalOnly } from '../../src/authorization/internal-only.js'
import { requireAuthnLevel } from '../../src/authorization/require-authn-level.js'
import { defineGuard, type Guard } from '../../src/core/guard.js'
import { checkBaseline, defineBaseline } from '../../src/posture/baseline.js'
import { answerChecklist, asvsStatuses, type ChecklistAnswer } from '../../src/posture/checklist.js'
import { diagnose, type DiagnoseOptions } from '../../src/posture/doctor.js'
import { inspectPosture } from '../../src/posture/inspect-posture.js'
import { compareLocks, lockOf } from '../../src/posture/lock.js'
import type { Posture, PostureRow } from '../../src/posture/model.js'
import { renderHtml } from '../../src/posture/render/html.js'
import { renderMarkdown } from '../../src/posture/render/markdown.js'
import { renderMatrix } from '../../src/posture/render/matrix.js'
import { renderTable } from '../../src/posture/render/table.js'
import { rateLimit, type LimitPolicy } from '../../src/traffic/rate-limit.js'
import { gateway } from '../../src/transport/gateway.js'
import { nginx } from '../../src/transport/gateway/profiles/nginx.js'
import { audit, authentication, limit, makePosture, makeRow } from './support-baseline.js'

const as = (guard: Guard): RequestHandler => guard as RequestHandler
const authenticated = () => as(principalFrom(() => undefined, { name: 'session' }))
const handler: RequestHandler = (_req, res) => {
  res.end()
}
let made = 0
/** Limiters of one name must be alike in one process. */
const limited = (...policies: readonly Partial<LimitPolicy>[]): RequestHandler =>
  limitedAs(undefined, ...policies)
const limitedAs = (
  name: string | undefined,
  ...policies: readonly Partial<LimitPolicy>[]
): RequestHandler => {
  made += 1
  const list = policies.map((policy, at) => ({
    name: `limit-${made}-${at}`,
    limit: 60,
    by: 'address' as const,
    ...(policy.period === undefined ? { windowSeconds: 60 } : {}),
    ...policy,
  })) as readonly LimitPolicy[]
  return as(rateLimit({ policies: list, ...(name === undefined ? {} : { name }) }))
}
const custom = (
  kind: string,
  layer: 'traffic' | 'transport',
  facts: Readonly<Record<string, unknown>> = {},
) => as(defineGuard({ kind, layer, name: kind, facts, check: () => ({ reason: 'passed' }) }))

function postureOf(mount: (app: Express) => void): Posture {
  const app = express()
  mount(app)
  return inspectPosture(app)
}
const routed = (...guards: readonly RequestHandler[]): Posture =>
  postureOf((app) => {
    app.post('/orders', ...guards, handler)
  })
const rowIn = (posture: Posture): PostureRow => posture.rows.at(-1)!
const faults = (posture: Posture): string[] =>
  rowIn(posture).faults.map(({ code, message }) => `${code}: ${message}`)
const limitsOf = (posture: Posture, options = {}): ChecklistAnswer =>
  answerChecklist(posture, options).find(({ id }) => id === 'limits')!
const codes = ({ findings }: ChecklistAnswer): string[] => findings.map(({ code }) => code)

describe('several limits in one rateLimit', () => {
  it('are guards of their own, with names, modes and facts', () => {
    const posture = routed(
      authenticated(),
      limited(
        { name: 'burst', by: 'principal', algorithm: 'gcra', burst: 10 },
        { name: 'quota', by: ['tenant', 'route'], period: 'day', limit: 1000 },
        { name: 'trial', by: 'client', mode: 'report', cost: () => 2 },
      ),
    )
    const guards = rowIn(posture).guards.filter(({ kind }) => kind === 'rateLimit')
    expect(guards.map(({ name, mode, facts }) => [name, mode, facts])).toEqual([
      [
        'burst',
        'enforce',
        {
          limit: 60,
          algorithm: 'gcra',
          windowSeconds: 60,
          burst: 10,
          by: 'principal',
          store: 'memory',
          onOutage: 'local',
        },
      ],
      [
        'quota',
        'enforce',
        {
          limit: 1000,
          algorithm: 'fixed',
          period: 'day',
          by: ['tenant', 'route'],
          store: 'memory',
          onOutage: 'local',
        },
      ],
      [
        'trial',
        'report',
        {
          limit: 60,
          algorithm: 'sliding',
          windowSeconds: 60,
          by: 'client',
          cost: 'function',
          store: 'memory',
          onOutage: 'local',
        },
      ],
    ])
    expect(faults(posture)).toEqual(['report_mode: rateLimit "trial" only reports'])
    for (const text of [
      renderTable(posture, { columns: 200 }),
      renderMarkdown(posture),
      renderHtml(posture),
      lockOf(posture),
    ])
      for (const name of ['burst', 'quota', 'trial']) expect(text).toContain(name)
    expect(renderTable(posture, { columns: 200 })).toContain('rateLimit(quota), rateLimit(trial) [report]')
  })

  it.each<[string, readonly RequestHandler[], readonly string[]]>([
    [
      'address and caller, where each can work',
      [limited({}), authenticated(), limited({ by: ['tenant', 'route'] })],
      [],
    ],
    [
      'a client among several',
      [limited({}), authenticated(), limited({ by: 'route' }, { by: 'client' })],
      [],
    ],
    [
      'callers alone',
      [authenticated(), limited({ by: ['api-key', 'route'] })],
      ['limit-before-authentication-missing'],
    ],
    ['anybody alone', [limited({ by: 'route' }, {}), authenticated()], ['limit-by-caller-missing']],
    [
      'an address behind authentication',
      [limited({}), authenticated(), limited({ by: ['address', 'route'] })],
      ['limit-by-caller-missing'],
    ],
    [
      'one that only reports',
      [limited({ mode: 'report' }, { by: 'route', mode: 'report' }), authenticated()],
      ['limit-reported'],
    ],
    [
      'callers before authentication',
      [limited({ by: ['tenant', 'route'] }), authenticated()],
      ['limit-missing'],
    ],
    ['a function for both', [limited({ by: () => 'a' }), authenticated(), limited({ by: () => 'b' })], []],
  ])('answer question 4 by %s', (_case, guards, expected) => {
    expect(codes(limitsOf(routed(...guards)))).toEqual(expected)
  })

  it('have windows that a person reads', () => {
    const line = limitsOf(
      routed(
        limited(
          { name: 'a', by: 'address', limit: 100, period: 'day' },
          { name: 'b', limit: () => 3, by: ['address', 'route'] },
        ),
        limited({ name: 'c', algorithm: 'gcra', burst: 5 }),
      ),
    ).evidence[0]
    expect(line).toContain('rateLimit(a: 100 a day by address)')
    expect(line).toContain('rateLimit(b: as many as a function says in 60 s by address and route)')
    expect(line).toContain('rateLimit(c: 60 in 60 s, 5 at once by address)')
  })

  it.each<[string, Readonly<Record<string, unknown>>, string | undefined]>([
    ['minute', { limit: 10, period: 'minute' }, undefined],
    ['hour', { limit: 600, period: 'hour' }, undefined],
    ['hour', { limit: 601, period: 'hour' }, 'lets 10.02 requests a minute through'],
    ['month', { limit: 403_200, period: 'month' }, undefined],
    ['month', { limit: 500_000, period: 'month' }, 'lets 12.4 requests a minute through'],
    ['century', { limit: 1, period: 'century' }, 'lets requests that a limit of unknown size counts through'],
    [
      'function',
      { limit: 'function', windowSeconds: 60 },
      'lets requests that a limit of unknown size counts through',
    ],
  ])('are held against a baseline by the %s', (_window, facts, says) => {
    const guards = [authentication(), limit('x', 'principal', { windowSeconds: undefined, ...facts })]
    const posture = makePosture({ rows: [makeRow('GET /orders', guards)] })
    const rules = { maxRequestsPerMinute: 10 }
    const found = checkBaseline(posture, defineBaseline({ name: 'company', rules })).map(
      ({ message }) => message,
    )
    if (says === undefined) expect(found).toEqual([])
    else expect(found.join()).toContain(says)
  })

  it('count only where a load test can tell', () => {
    const at = '2026-03-01T10:00:00Z'
    const tested = (
      facts: Readonly<Record<string, unknown>>,
      allowed: number,
    ): readonly [string[], string] => {
      const guards = [audit, limit('x', 'address', facts), authentication()]
      const posture = makePosture({ rows: [makeRow('GET /orders', guards)] })
      const rateLimitEvidence = [{ rule: 'x', allowed, refused: 5, at }]
      const answer = limitsOf(posture, { rateLimitEvidence, now: new Date('2026-03-10T00:00:00Z') })
      return [codes(answer).filter((code) => code === 'limit-not-kept'), answer.evidence.join(' ')]
    }
    expect(tested({ limit: 'function' }, 50)).toEqual([
      [],
      expect.stringContaining('a function answers the limit'),
    ])
    expect(tested({ limit: 10, burst: 40 }, 50)[0]).toEqual([])
    expect(tested({ limit: 10, burst: 40 }, 51)[0]).toEqual(['limit-not-kept'])
    expect(tested({ limit: 10 }, 21)[0]).toEqual(['limit-not-kept'])
  })

  it('are compared one by one in the lock', () => {
    const lockWith = (...policies: readonly Partial<LimitPolicy>[]): string =>
      lockOf({ ...routed(authenticated(), limited(...policies)), services: [] })
    const before = lockWith({ name: 'm1', by: 'principal' }, { name: 'm2', by: 'tenant' })
    expect(compareLocks(before, before)).toEqual([])
    const said = (after: string): string[] =>
      compareLocks(before, after).map(({ severity, sentence }) => `${severity}: ${sentence}`)
    const without = { rows: (JSON.parse(before) as { rows: { guards: { name: string }[] }[] }).rows }
    const changed = JSON.parse(before) as {
      rows: { guards: { name: string; mode: string; facts: Record<string, unknown> }[] }[]
    }
    expect(without.rows[0]!.guards.map(({ name }) => name)).toEqual(['session', 'm1', 'm2'])
    changed.rows[0]!.guards[1]!.facts['limit'] = 90
    changed.rows[0]!.guards[2]!.mode = 'report'
    changed.rows[0]!.guards[2]!.facts['onOutage'] = 'deny'
    expect(said(JSON.stringify(changed))).toEqual([
      'weaker: POST /orders: rateLimit(m1) limit went from 60 to 90',
      'weaker: POST /orders: rateLimit(m2) went from enforce to report',
      'stronger: POST /orders: rateLimit(m2) onOutage went from local to deny',
    ])
  })

  it('are told by the doctor: those that report, and those in memory', () => {
    const app = express()
    app.use(limited({ name: 'd1' }, { name: 'd2', by: 'route', mode: 'report' }))
    const found = diagnose(app, { environment: { WEB_CONCURRENCY: '2' }, loadedFiles: [] })
    const messages = found.filter(({ code }) => /^(?:memory|report)/.test(code)).map(({ message }) => message)
    expect(
      messages.some((message) => message.includes('rateLimit(d2)') || message.includes('rateLimit "d2"')),
    ).toBe(true)
    expect(messages.join()).toContain('counts in memory')
    expect(messages.join()).not.toContain('rateLimit(d1)')
  })

  it('hold five thousand routes in a second', () => {
    const posture = postureOf((app) => {
      app.use(limited({ name: 'p1' }, { name: 'p2', by: 'route' }), authenticated())
      app.use(limited({ name: 'p3', by: 'principal' }, { name: 'p4', by: ['tenant', 'route'] }))
      for (let at = 0; at < 5000; at += 1) app.get(`/tenants/${at}`, handler)
    })
    const started = performance.now()
    expect(answerChecklist(posture)).toHaveLength(5)
    expect(asvsStatuses(posture).length).toBeGreaterThan(10)
    expect(lockOf(posture).length).toBeGreaterThan(5000)
    expect(performance.now() - started).toBeLessThan(5000)
  })
})

describe('guards that need the caller', () => {
  it.each<[string, RequestHandler]>([
    ['requireAuthnLevel', as(requireAuthnLevel({ acr: 'urn:mfa' }))],
    ['idempotency', custom('idempotency', 'traffic', { methods: ['POST', 'PATCH'] })],
    ['concurrencyLimit', custom('concurrencyLimit', 'traffic', { by: 'tenant' })],
    ['slowDown', custom('slowDown', 'traffic', { by: ['address', 'principal'] })],
    ['rateLimit', limited({}, { by: ['route', 'client'] })],
  ])('are at fault before authentication: %s', (kind, guard) => {
    expect(faults(routed(guard, authenticated())).join()).toMatch(new RegExp(`^guard_order: ${kind}`))
    expect(faults(routed(guard)).join()).toMatch(/^guard_order/)
    expect(faults(routed(authenticated(), guard))).toEqual([])
  })

  it.each<[string, (app: Express) => void]>([
    [
      'idempotency of another method',
      (app) =>
        app
          .use(custom('idempotency', 'traffic', { methods: ['POST'] }))
          .get('/a', publicRoute('a probe') as RequestHandler, handler),
    ],
    [
      'penalise before a log-in',
      (app) =>
        app.post(
          '/login',
          publicRoute('log-in') as RequestHandler,
          custom('penalise', 'traffic', { by: 'address' }),
          handler,
        ),
    ],
    [
      'what is the same for all',
      (app) =>
        app
          .use(custom('loadShed', 'traffic'), custom('requestTimeout', 'traffic'), authenticated())
          .get('/a', handler),
    ],
    [
      'what counts addresses',
      (app) =>
        app
          .use(
            custom('concurrencyLimit', 'traffic', { by: 'address' }),
            custom('slowDown', 'traffic', { by: 'route' }),
            authenticated(),
          )
          .get('/a', handler),
    ],
  ])('and others are not: %s', (_case, mount) => {
    expect(faults(postureOf(mount))).toEqual([])
  })

  it('and how somebody proved who it is says nothing of what it may do', () => {
    const posture = routed(authenticated(), as(requireAuthnLevel({ acr: 'urn:mfa' })))
    expect(codes(answerChecklist(posture)[0]!)).toContain('route-for-everybody')
    expect(renderMatrix(posture)).toContain('any credential')
    expect(renderMatrix(posture)).toContain('requireAuthnLevel(authn-level)')
  })

  it('stand in every output, whatever they are', () => {
    const kinds = [
      'concurrencyLimit',
      'loadShed',
      'slowDown',
      'requestTimeout',
      'penalise',
      'idempotency',
      'somethingNew',
    ]
    const posture = postureOf((app) => {
      for (const kind of kinds) app.use(custom(kind, 'traffic', { by: 'address', inner: { most: [1, 2] } }))
      app.get('/a', authenticated(), handler)
    })
    for (const text of [
      renderTable(posture, { columns: 300 }),
      renderMarkdown(posture),
      renderHtml(posture),
      lockOf(posture),
    ])
      for (const kind of kinds) expect(text).toContain(kind)
    expect(renderMatrix(posture)).toContain('any credential')
    expect(compareLocks(lockOf(posture), lockOf(posture))).toEqual([])
  })
})

const SECRET = { secret: { header: 'x-edge-secret', values: '0123456789abcdef'.repeat(3) } }
const NETWORK = { network: ['10.1.0.0/24'], reason: 'the subnet of the load balancer' }
const strong = (name = 'edge') => as(gateway(nginx({ name, provenBy: SECRET })))
const weak = () => as(gateway(nginx({ name: 'edge', provenBy: NETWORK }), { unproven: 'strip' }))

describe('a gateway', () => {
  const everywhere = (...guards: readonly RequestHandler[]): Posture =>
    postureOf((app) => {
      app.use(...guards)
      app.get('/a', handler)
    })

  it('shows its hops, how they are proven, and which are weak', () => {
    const text = renderTable(everywhere(weak()), { columns: 200 })
    expect(text).toContain(
      'gateway (edge (nginx) proven by network 10.1.0.0/24: the subnet of the load balancer; weak: edge)',
    )
    expect(renderTable(everywhere(strong()), { columns: 200 })).toContain('proven by shared secret')
    expect(renderTable(everywhere(strong()), { columns: 200 })).not.toContain('weak')
    expect(renderHtml(everywhere(weak()))).toContain('10.1.0.0/24')
  })

  it.each<[string, readonly RequestHandler[], string]>([
    ['authentication', [authenticated(), strong()], 'gateway() stands behind principalFrom "session"'],
    [
      'a limit by address',
      [limited({ name: 'early' }), strong(), authenticated()],
      'gateway() stands behind rateLimit "early"',
    ],
    [
      'several limits',
      [limitedAs('all', {}, { by: 'route' }), strong()],
      'gateway() stands behind rateLimit "all"',
    ],
    [
      'authorization',
      [as(internalOnly({ hops: ['edge'] })), strong()],
      'gateway() stands behind internalOnly "internal"',
    ],
    ['another gateway', [strong(), strong('inner')], 'gateway() is a second gateway()'],
  ])('is at fault behind %s', (_case, guards, says) => {
    expect(faults(everywhere(...guards)).join()).toContain(`guard_order: ${says}`)
  })

  it('is none in front of them, nor where it is mounted twice', () => {
    const twice = strong()
    const first = [
      as(auditLog({ logger: { info() {}, warn() {}, error() {} } })),
      custom('loadShed', 'traffic'),
      custom('concurrencyLimit', 'traffic', { by: 'everybody' }),
    ]
    expect(faults(everywhere(...first, twice, twice, limited({}), authenticated()))).toEqual([])
  })

  it('can refuse, so a record that begins behind it is late', () => {
    const guards = [strong(), as(auditLog({ logger: { info() {}, warn() {}, error() {} } }))]
    const logs = (...list: readonly RequestHandler[]) =>
      codes(answerChecklist(everywhere(...list)).find(({ id }) => id === 'logs')!)
    expect(logs(...guards)).toContain('audit-late')
    expect(logs(...guards.toReversed())).not.toContain('audit-late')
  })

  it.each<[string, readonly RequestHandler[], string]>([
    ['a proven hop', [strong()], 'partly'],
    ['a weak one', [weak()], 'unknown'],
    ['one behind what goes by the client', [limited({}), strong()], 'unknown'],
    ['none', [], 'unknown'],
  ])('is evidence for ASVS 4.1.3 with %s', (_case, guards, status) => {
    const posture = everywhere(...guards, custom('somethingNew', 'transport'))
    expect(asvsStatuses(posture).find(({ id }) => id === '4.1.3')?.status).toBe(status)
  })

  it('is weaker in the lock where the word of one more hop is taken for certificates', () => {
    const facts = { hops: ['edge'], unproven: 'refuse' }
    const [checked, one, two] = [undefined, ['edge'], ['edge', 'mesh']].map((believed) =>
      everywhere(custom('gateway', 'transport', believed === undefined ? facts : { ...facts, believed })),
    ) as [Posture, Posture, Posture]
    const severities = (before: Posture, after: Posture): string[] =>
      compareLocks(lockOf(before), lockOf(after))
        .filter(({ where }) => where === 'GET /a')
        .map(({ severity, sentence }) => `${severity} ${sentence.slice(sentence.indexOf('believed'))}`)
    expect(severities(checked, one)).toEqual(['weaker believed is new: edge'])
    expect(severities(one, two)).toEqual(['weaker believed gained mesh'])
    expect(severities(one, checked)).toEqual(['stronger believed is gone: it was edge'])
  })

  it('is compared in the lock by its weakness, not by the words for its proof', () => {
    const said = (before: Posture, after: Posture): string[] =>
      compareLocks(lockOf(before), lockOf(after))
        .filter(({ where }) => where === 'GET /a')
        .map(
          ({ severity, sentence }) => `${severity}: ${sentence.replace('GET /a: gateway ', '').slice(0, 24)}`,
        )
    expect(said(everywhere(strong()), everywhere(weak()))).toEqual([
      'weaker: unproven went from refus',
      'weaker: weak is new: edge',
      'changed: hops lost edge (nginx) p',
    ])
    expect(said(everywhere(weak()), everywhere(strong())).map((line) => line.split(':')[0])).toEqual([
      'changed',
      'stronger',
      'stronger',
    ])
  })
})

describe('the doctor', () => {
  const told = (trust: unknown, ...guards: readonly RequestHandler[]): string[] => {
    const app = express()
    if (trust !== undefined) app.set('trust proxy', trust)
    if (guards.length > 0) app.use(...guards)
    const options: DiagnoseOptions = { environment: {}, loadedFiles: [] }
    return diagnose(app, options)
      .filter(({ code }) => /^(?:trust|hop|internal)/.test(code))
      .map(({ code, severity }) => `${severity} ${code}`)
  }
  const inside = (...hops: readonly string[]) => as(internalOnly({ hops }))

  it.each<[string, unknown, readonly RequestHandler[], readonly string[]]>([
    ['nothing of a proven hop and one proxy', 1, [strong()], []],
    ['that Express reads nothing', undefined, [strong()], ['note trust-proxy-with-gateway']],
    ['that Express reads nothing', false, [strong()], ['note trust-proxy-with-gateway']],
    [
      'less of a range, where the entry is the gateway’s',
      'loopback',
      [strong()],
      ['note trust-proxy-loopback'],
    ],
    ['less of everybody', '0.0.0.0/1, 128.0.0.0/1', [strong()], ['warning trust-proxy-everyone']],
    ['as much of true', true, [strong()], ['error trust-proxy-true']],
    ['as much without a gateway', 'loopback', [], ['warning trust-proxy-loopback']],
    ['of a weak hop', 1, [weak()], ['warning hop-proof-weak']],
    ['of hops that nothing proves', 1, [inside('edge')], ['warning internal-hop-unproven']],
    ['nothing of those that are proven', 1, [strong(), inside('edge')], []],
    ['of another name', 1, [strong(), inside('edg')], ['warning internal-hop-unproven']],
    [
      'of a weak one',
      1,
      [weak(), inside('edge')],
      ['warning hop-proof-weak', 'warning internal-hop-unproven'],
    ],
    ['nothing where an own guard may prove it', 1, [custom('myHop', 'transport'), inside('edge')], []],
    ['nothing of certificates', 1, [as(internalOnly({ certificates: ['DNS:a.internal'] }))], []],
  ])('tells %s', (_case, trust, guards, expected) => {
    expect(told(trust, ...guards)).toEqual(expected)
  })
})
