import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { auditLog, type AuditLogOptions } from '../../src/audit/audit-log.js'
import { Coalescer } from '../../src/audit/audit-log/coalescer.js'
import { principalFrom } from '../../src/authentication/principal-from.js'
import { SecurityProblem, defineGuard, type Guard } from '../../src/core.js'
import { openContext } from '../../src/core/context.js'
import type { RefusalReason } from '../../src/core/catalogue.js'
import type { Layer, Mode } from '../../src/core/decision.js'
import { keepingLogger } from '../support/records.js'

type Log = ReturnType<typeof keepingLogger>

const refusing = (
  reason: RefusalReason,
  { layer = 'traffic', mode = 'enforce', name = 'rule' }: { layer?: Layer; mode?: Mode; name?: string } = {},
): Guard => defineGuard({ kind: 'test', layer, name, mode, check: () => new SecurityProblem(reason) })

let audit: ReturnType<typeof auditLog>
let log: Log
const service = (guard: Guard, options: AuditLogOptions = {}): Guard => {
  log = keepingLogger()
  audit = auditLog({ logger: log, ...options })
  return guard
}

/** A request without a network, so that a test can hold the clock. */
const send = (guard: Guard, remoteAddress = '192.0.2.1'): void => {
  const req = { method: 'GET', url: '/', headers: {}, socket: { remoteAddress } } as never
  const finished: (() => void)[] = []
  const res = {
    statusCode: 200,
    headersSent: true,
    writableFinished: true,
    on: (event: string, listener: () => void) => {
      if (event === 'finish') finished.push(listener)
    },
  }
  audit(req, res as never, () => {
    guard(req, res as never, (problem) => {
      if (problem instanceof SecurityProblem) res.statusCode = problem.status
      for (const end of finished) end()
    })
  })
}
const refusals = (): { count?: number }[] =>
  log.kept.filter(({ record }) => record.event.reason !== undefined).map(({ record }) => record.event)
const ends = (): number => log.kept.filter(({ record }) => record.event.action === 'http_request').length

beforeEach(() => {
  jest.useFakeTimers({ now: Date.UTC(2026, 10, 22, 12) })
})
afterEach(async () => {
  await audit.close()
  jest.useRealTimers()
})

describe('refusals that repeat themselves', () => {
  it('are one record at once and one with their number: a thousand are two', () => {
    const app = service(refusing('limit_exceeded'))
    send(app)
    expect(refusals()).toHaveLength(1)
    jest.advanceTimersByTime(1000)
    for (let i = 0; i < 999; i += 1) send(app)
    expect([refusals().length, ends()]).toEqual([1, 1])
    jest.advanceTimersByTime(9000)
    expect(log.kept.at(-1)).toMatchObject({
      level: 'warn',
      message: 'limit_exceeded',
      record: {
        client: { address: '192.0.2.1' },
        event: {
          action: 'excess_rate_limit_exceeded',
          reason: 'limit_exceeded',
          mode: 'enforce',
          outcome: 'failure',
          count: 999,
          start: '2026-11-22T12:00:01.000Z',
          end: '2026-11-22T12:00:01.000Z',
        },
        rule: { name: 'rule', ruleset: 'test' },
      },
    })
    expect(log.kept.at(-1)?.record.http).toBeUndefined()
    expect([refusals().length, ends()]).toEqual([2, 1])
  })

  it('leave nothing out: the numbers add up, however long it goes on', () => {
    const app = service(refusing('limit_exceeded'))
    for (let i = 0; i < 500; i += 1) {
      send(app)
      jest.advanceTimersByTime(130)
    }
    jest.advanceTimersByTime(30_000)
    expect(refusals().reduce((sum, { count = 1 }) => sum + count, 0)).toBe(500)
    expect(refusals().length).toBeLessThan(10)
    // Who stopped and comes back is told at once.
    send(app)
    expect(refusals().at(-1)?.count).toBeUndefined()
  })

  it('are counted apart for each caller, an IPv6 subscriber being one', () => {
    const app = service(refusing('limit_exceeded'))
    for (const address of ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2', '::ffff:192.0.2.1'])
      send(app, address)
    expect(refusals()).toHaveLength(3)
  })

  it('name every address that one principal is refused from', () => {
    const guard = refusing('limit_exceeded')
    const caller = principalFrom(() => ({ subject: 'ada', issuer: 'test' }), { name: 'test' })
    const app = service((req, res, next) => {
      caller(req, res, (problem) => {
        if (problem === undefined) guard(req, res, next)
        else next(problem)
      })
    })
    const addresses = Array.from({ length: 28 }, (_, index) => `203.0.113.${index + 1}`)
    for (const address of [...addresses, ...addresses, ...addresses]) send(app, address)
    jest.advanceTimersByTime(10_000)
    const records = log.kept.filter(({ record }) => record.event.reason !== undefined)
    expect(records).toHaveLength(56)
    for (const address of addresses)
      expect(
        records
          .filter(({ record }) => record.client?.address === address)
          .map(({ record }) => [record.user?.id, record.event.count]),
      ).toEqual([
        ['ada', undefined],
        ['ada', 2],
      ])
  })

  it('are counted apart for each rule, reason and mode', () => {
    const trials = [
      refusing('limit_exceeded', { mode: 'report' }),
      refusing('limit_exceeded', { mode: 'report', name: 'other' }),
      refusing('caller_blocked', { mode: 'report' }),
    ]
    const app = service((req, res, next) => {
      for (const trial of trials) trial(req, res, () => undefined)
      refusing('limit_exceeded')(req, res, next)
    })
    send(app)
    send(app)
    expect(refusals()).toHaveLength(4)
  })

  it('keep the end of a request that only a trial would have refused', () => {
    const app = service(refusing('limit_exceeded', { mode: 'report' }))
    send(app)
    send(app)
    expect([refusals().length, ends()]).toEqual([1, 2])
  })

  it.each<[string, RefusalReason, Layer]>([
    ['a limiter without a key', 'limiter_key_missing', 'traffic'],
    ['a fault of a limiter', 'guard_fault', 'traffic'],
    ['a missing scope', 'scope_missing', 'authorization'],
    ['a forged token', 'signature_invalid', 'authentication'],
    ['a key server that is down', 'key_set_unavailable', 'authentication'],
    ['a reused key', 'idempotency_key_reused', 'traffic'],
    ['a request that took too long, whose handler goes on and may do its work', 'time_exceeded', 'traffic'],
  ])('are each a record where they are of %s', (_case, reason, layer) => {
    const app = service(refusing(reason, { layer }))
    for (let i = 0; i < 5; i += 1) send(app)
    expect([refusals().length, ends()]).toEqual([5, 5])
  })

  it('are each a record with coalesceSeconds: 0, and each end is one with completions: all', () => {
    const each = service(refusing('load_shed'), { coalesceSeconds: 0 })
    for (let i = 0; i < 5; i += 1) send(each)
    expect([refusals().length, ends()]).toEqual([5, 5])
    const all = service(refusing('load_shed'), { completions: 'all' })
    for (let i = 0; i < 5; i += 1) send(all)
    expect([refusals().length, ends()]).toEqual([1, 5])
  })

  it('are told apart by the policies that refused, and name them', () => {
    const full = (...policies: string[]): Guard =>
      defineGuard({
        kind: 'test',
        layer: 'traffic',
        name: 'rule',
        check: () => new SecurityProblem('limit_exceeded', { evidence: { policies, limits: ['1'] } }),
      })
    const [minute, day] = [full('minute'), full('day', 'month')]
    service(minute)
    for (let i = 0; i < 3; i += 1) {
      send(minute)
      send(day)
    }
    jest.advanceTimersByTime(60_000)
    const counted = log.kept.filter(({ record }) => record.event.count !== undefined)
    expect(counted.map(({ record }) => [record.event.count, record.evidence])).toEqual([
      [2, { policies: ['minute'] }],
      [2, { policies: ['day', 'month'] }],
    ])
  })

  it.each<[RefusalReason, string]>([
    ['limit_exceeded', 'excess_rate_limit_exceeded'],
    ['principal_missing', 'authn_token_fail'],
    ['idempotency_key_missing', 'input_validation_fail'],
    ['idempotency_key_reused', 'input_validation_fail'],
  ])('are called an excess only where a limit was reached: %s', (reason, action) => {
    const app = service(refusing(reason))
    send(app)
    expect(log.kept.map(({ record }) => record.event.action)).toContain(action)
  })

  it('are written when the log is closed, and counted no more', async () => {
    const app = service(refusing('load_shed'))
    for (let i = 0; i < 3; i += 1) send(app)
    await audit.close()
    expect(log.kept.at(-1)).toMatchObject({ level: 'error', record: { event: { count: 2 } } })
    send(app)
    expect(refusals()).toHaveLength(3)
    expect(jest.getTimerCount()).toBe(0)
  })

  it('leave no timer behind when they have ended', () => {
    const app = service(refusing('load_shed'))
    expect(jest.getTimerCount()).toBe(0)
    send(app)
    expect(jest.getTimerCount()).toBe(1)
    jest.advanceTimersByTime(10_000)
    expect(jest.getTimerCount()).toBe(0)
  })

  it.each([
    ['of more callers', undefined],
    ['of one principal from more addresses', 'ada'],
  ])('%s than can be told apart are one number, which names none of them', (_case, principal) => {
    const written: { event: { count: number }; client?: unknown }[] = []
    const coalescer = new Coalescer(10, (_level, record) => written.push(record as never), 3)
    const decision = {
      layer: 'traffic',
      guard: 'g',
      rule: 'r',
      mode: 'enforce',
      reason: 'limit_exceeded',
      outcome: 'refuse',
      route: 'unmatched',
      durationMs: 0,
    }
    let own = 0
    for (let i = 0; i < 1000; i += 1) {
      const req = {
        headers: {},
        method: 'GET',
        url: '/',
        socket: { remoteAddress: `10.0.${i >> 8}.${i & 255}` },
      } as never
      const context = openContext(req)
      if (principal !== undefined)
        context.authenticateAs(
          {
            subject: principal,
            issuer: 'test',
            key: principal,
            authenticatedBy: 'test',
            type: 'user',
          } as never,
          {},
        )
      if (!coalescer.folds(decision as never, context, req)) own += 1
    }
    coalescer.close()
    expect(own).toBe(4)
    expect(written).toMatchObject([{ event: { count: 996 } }])
    expect(written[0]?.client).toBeUndefined()
  })

  it.each([-1, 1.5, NaN, 4000, '10'])('throws for %s seconds', (coalesceSeconds) => {
    expect(() => auditLog({ coalesceSeconds: coalesceSeconds as number })).toThrow(/coalesceSeconds must be/)
  })
})
