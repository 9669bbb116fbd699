import { describe, expect, it } from '@jest/globals'
import type { Request } from 'express'
import { requireTenant } from '../../src/authorization/require-tenant.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import { anonymous, caller, get, passing } from './guards-support.js'

const answering = (tenant: unknown): ReturnType<typeof requireTenant> =>
  requireTenant({ from: () => tenant as string })
const inPath = requireTenant({ from: (req: Request) => req.params['tenant'] })

describe('requireTenant', () => {
  it.each<[string, object, unknown, number]>([
    ['undefined on both sides', {}, undefined, 403],
    ['undefined claim, and "undefined"', {}, 'undefined', 403],
    ['null on both sides', { tenant: null }, null, 403],
    ['empty text on both sides', { tenant: '' }, '', 403],
    ['an empty text in a list', { tenant: [''] }, '', 403],
    ['an empty list', { tenant: [] }, [], 403],
    ['a number on both sides', { tenant: 7 }, 7, 403],
    ['a number and its text', { tenant: 7 }, '7', 403],
    ['a list on both sides', { tenant: ['acme'] }, ['acme'], 403],
    ['the claim in a list of the request', { tenant: 'acme' }, ['acme'], 403],
    ['an object that says so', { tenant: 'acme' }, { toString: () => 'acme' }, 403],
    ['a name that every object has', {}, 'constructor', 403],
    ['a list inside the list', { tenant: [['acme']] }, 'acme', 403],
    ['another tenant', { tenant: 'acme' }, 'umbrella', 403],
    ['another case', { tenant: 'acme' }, 'Acme', 403],
    ['padding', { tenant: 'acme' }, 'acme ', 403],
    ['a part of it', { tenant: 'acme' }, 'acm', 403],
    ['another normal form', { tenant: '\u00e9' }, 'e\u0301', 403],
    ['no tenant in the request', { tenant: 'acme' }, undefined, 403],
    ['no claim', {}, 'acme', 403],
    ['a promise of the tenant', { tenant: 'acme' }, Promise.resolve('acme'), 500],
    ['the tenant', { tenant: 'acme' }, 'acme', 200],
    ['one of the tenants', { tenant: ['umbrella', 'acme'] }, 'acme', 200],
    ['one of a list that holds other things', { tenant: [7, null, 'acme'] }, 'acme', 200],
  ])('with %s', async (_case, claims, tenant, status) => {
    expect((await get([caller({ claims }), answering(tenant)])).status).toBe(status)
  })

  it('refuses with 500 where from throws, and shows nothing of it', async () => {
    const guard = requireTenant({
      from: () => {
        throw new Error('hunter2')
      },
    })
    const { status, text } = await get([caller({ claims: { tenant: 'acme' } }), guard])
    expect(status).toBe(500)
    expect(text).not.toContain('hunter2')
  })

  it('refuses with 500 where from answers with a promise that rejects', async () => {
    const guard = requireTenant({ from: () => Promise.reject(new Error('no')) as never })
    expect((await get([caller({ claims: { tenant: 'acme' } }), guard])).status).toBe(500)
  })

  it('reads the path as Express decoded it', async () => {
    const acme = caller({ claims: { tenant: 'acme' } })
    expect((await get([acme, inPath], '/t/acme', '/t/:tenant')).status).toBe(200)
    expect((await get([acme, inPath], '/t/%61cme', '/t/:tenant')).status).toBe(200)
    expect((await get([acme, inPath], '/t/ACME', '/t/:tenant')).status).toBe(403)
    expect((await get([acme, inPath], '/t/acme%00', '/t/:tenant')).status).toBe(403)
  })

  it('reads the claim by a path of own properties', async () => {
    const guard = requireTenant({ claim: 'org.id', from: () => 'acme' })
    expect((await get([caller({ claims: { org: { id: 'acme' } } }), guard])).status).toBe(200)
    expect((await get([caller({ claims: { tenant: 'acme' } }), guard])).status).toBe(403)
  })

  it('answers 401 to nobody, and 500 where no authentication ran', async () => {
    expect((await get([anonymous, answering('acme')])).status).toBe(401)
    expect((await get([passing, answering('acme')])).record.event.reason).toBe('guard_order')
  })

  it.each([
    [{}, 'acme', 'the caller has none'],
    [{ tenant: 'acme' }, undefined, 'the request names none'],
    [{ tenant: 'acme' }, 'hunter2', 'another one'],
  ])('records whom it refused and why, and no tenant: %j, %s', async (claims, tenant, problem) => {
    const { record, text } = await get([caller({ claims }), answering(tenant)])
    expect(record).toMatchObject({
      event: { action: 'authz_fail', reason: 'tenant_mismatch' },
      evidence: { claim: 'tenant', problem },
      rule: { name: 'tenant', ruleset: 'requireTenant' },
      user: { id: 'ada' },
    })
    expect(JSON.stringify(record) + text).not.toMatch(/acme|hunter2/)
  })

  it('lets a refusal pass in report mode, and records it', async () => {
    const { status, record } = await get([caller(), requireTenant({ from: () => 'acme', mode: 'report' })])
    expect([status, record.event.mode, record.event.reason]).toEqual([200, 'report', 'tenant_mismatch'])
  })

  it('says which claim it reads', () => {
    expect(guardMetadataOf(inPath)).toMatchObject({ layer: 'authorization', facts: { claim: 'tenant' } })
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['no from', {}],
    ['a text for from', { from: 'params.tenant' }],
    ['an empty claim', { from: () => 'a', claim: '' }],
    ['a path with a gap', { from: () => 'a', claim: 'org..id' }],
    ['an unknown option', { from: () => 'a', claims: 'org' }],
    ['an impossible mode', { from: () => 'a', mode: 'off' }],
  ])('throws at set-up for %s', (_case, given) => {
    expect(() => requireTenant(given as never)).toThrow(TypeError)
  })
})
