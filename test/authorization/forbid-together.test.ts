import { describe, expect, it } from '@jest/globals'
import { forbidTogether } from '../../src/authorization/forbid-together.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import type { Guard } from '../../src/core/guard.js'
import { anonymous, caller, get, passing } from './guards-support.js'

const scopes = forbidTogether({ scopes: ['orders:create', 'orders:approve'] })
const mixed = forbidTogether({ scopes: ['orders:approve'], roles: ['clerk'] })

describe('forbidTogether', () => {
  it.each<[string, object, Guard, number]>([
    ['both scopes', { scopes: ['orders:create', 'orders:approve'] }, scopes, 403],
    ['both scopes among others', { scopes: ['a', 'orders:approve', 'b', 'orders:create'] }, scopes, 403],
    ['both roles', { roles: ['clerk', 'auditor'] }, forbidTogether({ roles: ['clerk', 'auditor'] }), 403],
    ['a scope and a role', { scopes: ['orders:approve'], roles: ['clerk'] }, mixed, 403],
    ['only the first', { scopes: ['orders:create'] }, scopes, 200],
    ['only the second', { scopes: ['orders:approve'] }, scopes, 200],
    ['the scope, and the role as a scope', { scopes: ['orders:approve', 'clerk'] }, mixed, 200],
    ['the role only', { roles: ['clerk'] }, mixed, 200],
    ['two of three', { roles: ['a', 'b'] }, forbidTogether({ roles: ['a', 'b', 'c'] }), 200],
    ['nothing', {}, scopes, 200],
  ])('with %s', async (_case, facts, guard, status) => {
    expect((await get([caller(facts), guard])).status).toBe(status)
  })

  it('answers 401 to nobody, and 500 where no authentication ran', async () => {
    expect((await get([anonymous, scopes])).status).toBe(401)
    expect((await get([passing, scopes])).record.event.reason).toBe('guard_order')
  })

  it('records who held what together', async () => {
    const { record, text } = await get([caller({ scopes: ['orders:approve'], roles: ['clerk'] }), mixed])
    expect(record).toMatchObject({
      event: { action: 'authz_fail', reason: 'duties_conflict' },
      evidence: { scopes: ['orders:approve'], roles: ['clerk'] },
      rule: { name: 'orders:approve+clerk', ruleset: 'forbidTogether' },
      user: { id: 'ada' },
    })
    expect(text).not.toMatch(/approve|clerk/)
  })

  it('lets a refusal pass in report mode, and records it', async () => {
    const guard = forbidTogether({ roles: ['a', 'b'], mode: 'report' })
    const { status, record } = await get([caller({ roles: ['a', 'b'] }), guard])
    expect([status, record.event.mode, record.event.reason]).toEqual([200, 'report', 'duties_conflict'])
  })

  it('says what it forbids, and does not follow a list that is changed after set-up', async () => {
    const roles = ['a', 'b']
    const guard = forbidTogether({ roles })
    roles.push('c')
    expect(guardMetadataOf(guard)).toMatchObject({
      layer: 'authorization',
      facts: { scopes: [], roles: ['a', 'b'] },
    })
    expect((await get([caller({ roles: ['a', 'b'] }), guard])).status).toBe(403)
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['no power', {}],
    ['one power', { scopes: ['a'] }],
    ['one power twice, which would keep out all who hold it', { scopes: ['a', 'a'] }],
    ['a power that stands twice', { scopes: ['a', 'b', 'a'] }],
    ['an empty list', { scopes: [], roles: ['a', 'b'] }],
    ['a padded scope', { scopes: ['a ', 'b'] }],
    ['a padded role', { roles: ['a ', 'b'] }],
    ['a text', { scopes: 'a b' }],
    ['an unknown option', { scope: ['a', 'b'] }],
    ['an impossible mode', { scopes: ['a', 'b'], mode: 'off' }],
  ])('throws at set-up for %s', (_case, given) => {
    expect(() => forbidTogether(given as never)).toThrow(TypeError)
  })
})
