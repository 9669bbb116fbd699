import { describe, expect, it } from '@jest/globals'
import { requireService } from '../../src/authorization/require-service.js'
import { principalFrom } from '../../src/authentication/principal-from.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import type { PrincipalFacts } from '../../src/core/principal.js'
import { anonymous, caller, get, passing } from './guards-support.js'

const listed = requireService({ clients: ['billing', 'shipping'] })

describe('requireService', () => {
  it.each<[string, Partial<PrincipalFacts>, ReturnType<typeof requireService>, number]>([
    ['a user', { type: 'user' }, requireService(), 403],
    ['a user of a client that is listed', { type: 'user', clientId: 'billing' }, listed, 403],
    ['a user whose claims say service', { claims: { type: 'service' } }, requireService(), 403],
    ['a user with the scope service', { scopes: ['service'] }, requireService(), 403],
    ['a certificate', { type: 'certificate' }, requireService(), 403],
    ['a service that is not listed', { type: 'service', clientId: 'mail' }, listed, 403],
    ['a service in another case', { type: 'service', clientId: 'Billing' }, listed, 403],
    ['a service without client id', { type: 'service' }, listed, 403],
    [
      'a service whose subject is listed, not its client',
      { type: 'service', subject: 'billing', clientId: 'x' },
      listed,
      403,
    ],
    ['a service', { type: 'service' }, requireService(), 200],
    ['a service that is listed', { type: 'service', clientId: 'shipping' }, listed, 200],
  ])('with %s', async (_case, facts, guard, status) => {
    expect((await get([caller(facts), guard])).status).toBe(status)
  })

  it('never takes a principal of another library for a service', async () => {
    const external = principalFrom(() => ({ subject: 'x', type: 'service' }) as never, { name: 'test' })
    expect((await get([external, requireService()])).status).toBe(403)
  })

  it('answers 401 to nobody, and 500 where no authentication ran', async () => {
    expect((await get([anonymous, requireService()])).status).toBe(401)
    expect((await get([passing, requireService()])).record.event.reason).toBe('guard_order')
  })

  it('records whom it refused, and why', async () => {
    expect((await get([caller(), requireService()])).record).toMatchObject({
      event: { action: 'authz_fail', reason: 'service_required' },
      evidence: { problem: 'no service', type: 'user' },
      rule: { name: 'service', ruleset: 'requireService' },
      user: { id: 'ada' },
    })
    const other = await get([caller({ type: 'service', clientId: 'mail' }), listed])
    expect(other.record).toMatchObject({
      evidence: { problem: 'another service', required: ['billing', 'shipping'] },
      user: { client_id: 'mail' },
    })
    expect(other.text).not.toMatch(/billing|mail/)
  })

  it('lets a refusal pass in report mode, and records it', async () => {
    const { status, record } = await get([caller(), requireService({ mode: 'report' })])
    expect([status, record.event.mode, record.event.reason]).toEqual([200, 'report', 'service_required'])
  })

  it('says what it asks for', () => {
    expect(guardMetadataOf(listed)?.facts).toEqual({ clients: ['billing', 'shipping'] })
    expect(guardMetadataOf(requireService())).toMatchObject({ layer: 'authorization', facts: {} })
  })

  it.each<[string, unknown]>([
    ['an empty list', { clients: [] }],
    ['an empty client id', { clients: [''] }],
    ['a text', { clients: 'billing' }],
    ['undefined in the list', { clients: [undefined] }],
    ['an unknown option', { client: ['billing'] }],
    ['null', null],
  ])('throws at set-up for %s', (_case, given) => {
    expect(() => requireService(given as never)).toThrow(TypeError)
  })
})
