import { describe, expect, it } from '@jest/globals'
import { requireRoles } from '../../src/authorization/require-roles.js'
import { guardMetadataOf } from '../../src/core/metadata.js'
import type { Guard } from '../../src/core/guard.js'
import { anonymous, caller, get, passing } from './guards-support.js'

describe('requireRoles', () => {
  it.each<[string, string[], Guard, number]>([
    ['a name that every object has', [], requireRoles('constructor'), 403],
    ['another name that every object has', [], requireRoles('__proto__'), 403],
    ['it in another case', ['Admin'], requireRoles('admin'), 403],
    ['it padded', [' admin', 'admin '], requireRoles('admin'), 403],
    ['a role that contains it', ['administrator'], requireRoles('admin'), 403],
    ['a role that it contains', ['admin'], requireRoles('admin:all'), 403],
    ['its words as roles of their own', ['order', 'manager'], requireRoles('order manager'), 403],
    ['it in another normal form', ['e\u0301diteur'], requireRoles('\u00e9diteur'), 403],
    ['nothing', [], requireRoles('admin'), 403],
    ['only one of several', ['a'], requireRoles('a', 'b'), 403],
    ['none of any', ['c'], requireRoles({ any: ['a', 'b'] }), 403],
    ['the one role', ['admin'], requireRoles('admin'), 200],
    ['all of several', ['a', 'b', 'c'], requireRoles('a', 'b'), 200],
    ['all, in object form', ['a', 'b'], requireRoles({ all: ['a', 'b'] }), 200],
    ['one of any', ['b'], requireRoles({ any: ['a', 'b'] }), 200],
    ['a role with a space inside', ['order manager'], requireRoles('order manager'), 200],
  ])('with %s', async (_case, roles, guard, status) => {
    expect((await get([caller({ roles }), guard])).status).toBe(status)
  })

  it('does not take a scope for a role', async () => {
    expect((await get([caller({ scopes: ['admin'] }), requireRoles('admin')])).status).toBe(403)
  })

  it('answers 401 to nobody, and 500 where no authentication ran', async () => {
    const nobody = await get([anonymous, requireRoles('admin')])
    expect([nobody.status, nobody.headers['www-authenticate']]).toEqual([401, 'Bearer'])
    const unordered = await get([passing, requireRoles('admin')])
    expect([unordered.status, unordered.record.event.reason]).toEqual([500, 'guard_order'])
  })

  it('answers 403 without a challenge and without the roles, and records who lacked what', async () => {
    const { text, headers, record } = await get([
      caller({ roles: ['clerk'] }),
      requireRoles({ any: ['admin', 'support'], name: 'back-office' }),
    ])
    expect(headers['www-authenticate']).toBeUndefined()
    expect(text).not.toMatch(/admin|support|clerk/)
    expect(record).toMatchObject({
      event: { action: 'authz_fail', reason: 'role_missing', outcome: 'failure' },
      evidence: { required: ['admin', 'support'], held: ['clerk'] },
      rule: { name: 'back-office', ruleset: 'requireRoles' },
      user: { id: 'ada' },
    })
  })

  it('lets a refusal pass in report mode, and records it', async () => {
    const { status, record } = await get([caller(), requireRoles({ all: ['admin'], mode: 'report' })])
    expect(status).toBe(200)
    expect(record.event).toMatchObject({ mode: 'report', reason: 'role_missing' })
  })

  it.each<[string, unknown[]]>([
    ['no role', []],
    ['an empty role', ['']],
    ['a padded role', [' admin']],
    ['a role that ends in a no-break space', ['admin\u00a0']],
    ['a role of a space', [' ']],
    ['a role with a line break', ['ad\nmin']],
    ['a role with an invisible character', ['ad\u200bmin']],
    ['a role of 257 characters', ['a'.repeat(257)]],
    ['undefined', [undefined]],
    ['a list', [['a', 'b']]],
    ['an empty list', [{ all: [] }]],
    ['both lists', [{ all: ['a'], any: ['b'] }]],
    ['neither list', [{ name: 'x' }]],
    ['options beside a role', ['a', { any: ['b'] }]],
    ['an unknown option', [{ anyOf: ['a'] }]],
    ['an impossible mode', [{ all: ['a'], mode: 'off' }]],
  ])('throws at set-up for %s', (_case, given) => {
    expect(() => requireRoles(...(given as string[]))).toThrow(TypeError)
  })

  it('says what it asks for, and does not follow a list that is changed after set-up', async () => {
    const any = ['admin', 'support']
    const guard = requireRoles({ any })
    any.push('clerk')
    expect(guardMetadataOf(guard)).toMatchObject({
      layer: 'authorization',
      name: 'admin|support',
      facts: { any: ['admin', 'support'] },
    })
    expect((await get([caller({ roles: ['clerk'] }), guard])).status).toBe(403)
  })
})
