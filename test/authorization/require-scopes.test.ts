import { describe, expect, it } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { auditLog, principalFrom, requireScopes, secureErrors, type Guard } from '../../src/index.js'
import { keepingLogger } from '../support/records.js'

const holding = (...scopes: string[]): Guard =>
  principalFrom(() => ({ subject: 'ada', scopes }), { name: 'test' })
const anonymous = principalFrom(() => undefined, { name: 'test', required: false })

const appWith = (...guards: Guard[]): express.Express => {
  const app = express()
  app.get('/', ...(guards as express.RequestHandler[]), (_req, res) => {
    res.json({})
  })
  app.use(secureErrors())
  return app
}

describe('requireScopes', () => {
  it.each<[string, string[], Guard, number]>([
    ['the one scope', ['a'], requireScopes('a'), 200],
    ['all of several', ['a', 'b', 'c'], requireScopes('a', 'b'), 200],
    ['only one of several', ['a'], requireScopes('a', 'b'), 403],
    ['only the second of several', ['b'], requireScopes('a', 'b'), 403],
    ['all, in object form', ['a', 'b'], requireScopes({ all: ['a', 'b'] }), 200],
    ['one of any', ['b'], requireScopes({ any: ['a', 'b'] }), 200],
    ['none of any', ['c'], requireScopes({ any: ['a', 'b'] }), 403],
    ['a scope that contains it', ['thread_admin'], requireScopes('read'), 403],
    ['a scope that it contains', ['read'], requireScopes('read:all'), 403],
    ['it in another case', ['Orders:Write'], requireScopes('orders:write'), 403],
    ['nothing', [], requireScopes('a'), 403],
    ['a name that every object has', [], requireScopes('constructor'), 403],
  ])('with %s', async (_case, held, guard, status) => {
    expect((await request(appWith(holding(...held), guard)).get('/')).status).toBe(status)
  })

  it('answers 403 with the challenge of RFC 6750 and the scopes that are needed', async () => {
    const answer = await request(appWith(holding('c'), requireScopes('a', 'b'))).get('/')
    expect(answer.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="a b"')
    expect(answer.body.code).toBe('insufficient_scope')
  })

  it('answers 401 without an error to an anonymous caller', async () => {
    const answer = await request(appWith(anonymous, requireScopes('a'))).get('/')
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Bearer')
  })

  it('answers 500 where no authentication ran, and says so in the record', async () => {
    const logger = keepingLogger()
    const answer = await request(appWith(auditLog({ logger }), requireScopes('a'))).get('/')
    expect(answer.status).toBe(500)
    expect(logger.reasons()).toEqual(['guard_order'])
  })

  it('records what was needed and what was held', async () => {
    const logger = keepingLogger()
    await request(
      appWith(auditLog({ logger }), holding('c'), requireScopes({ any: ['a', 'b'], name: 'orders' })),
    ).get('/')
    expect(logger.kept[0]?.record).toMatchObject({
      event: { action: 'authz_fail', reason: 'scope_missing', outcome: 'failure' },
      evidence: { required: ['a', 'b'], held: ['c'] },
      rule: { name: 'orders', ruleset: 'requireScopes' },
      user: { id: 'ada' },
    })
  })

  it('lets a refusal pass in report mode, and records it', async () => {
    const logger = keepingLogger()
    const app = appWith(auditLog({ logger }), holding(), requireScopes({ all: ['a'], mode: 'report' }))
    expect((await request(app).get('/')).status).toBe(200)
    expect(logger.kept[0]?.record.event).toMatchObject({ mode: 'report', reason: 'scope_missing' })
  })

  it.each<[string, unknown[]]>([
    ['no scope', []],
    ['an empty scope', ['']],
    ['a padded scope', [' a']],
    ['two scopes in one text', ['a b']],
    ['a scope with a quote', ['a"']],
    ['a scope with a line break', ['a\n']],
    ['undefined', [undefined]],
    ['a number', [7]],
    ['an array', [['a', 'b']]],
    ['an empty list', [{ all: [] }]],
    ['both lists', [{ all: ['a'], any: ['b'] }]],
    ['neither list', [{ name: 'x' }]],
    ['options beside a scope', ['a', { any: ['b'] }]],
    ['an unknown option', [{ anyOf: ['a'] }]],
    ['an impossible mode', [{ all: ['a'], mode: 'off' }]],
  ])('throws at set-up for %s', (_case, given) => {
    expect(() => requireScopes(...(given as string[]))).toThrow(TypeError)
  })

  it('does not follow a list that is changed after set-up', async () => {
    const all = ['a']
    const guard = requireScopes({ all })
    all.length = 0
    expect((await request(appWith(holding(), guard)).get('/')).status).toBe(403)
  })
})
