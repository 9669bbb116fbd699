import { describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { authorize } from '../../../src/authorization/authorize.js'
import { opaPolicy, type OpaPolicyOptions } from '../../../src/authorization/policy/opa.js'
import type { Policy, PolicyRequest } from '../../../src/core/policy.js'
import { auditLog, principalFrom, secureErrors } from '../../../src/index.js'
import { keepingLogger } from '../../support/records.js'
import { ENTRYPOINTS, opaModule } from './fixtures/opa-module.js'

const wasm = opaModule()
const asking = (name: string, subject = 'ada'): PolicyRequest => ({
  subject: { type: 'user', id: subject },
  action: { name },
  resource: { type: 'order', id: '7' },
})
const policyOf = (entrypoint: string, options: Partial<OpaPolicyOptions> = {}): Promise<Policy> =>
  opaPolicy({ wasm, entrypoint: `test/${entrypoint}`, version: '1', ...options })

describe('opaPolicy, with the real engine', () => {
  it('decides by the first entrypoint, where none is named', async () => {
    const policy = await opaPolicy({ wasm })
    expect(policy(asking('read'))).toEqual({ decision: true, version: expect.stringMatching(/^sha256:/) })
    expect(policy(asking('write'))).toMatchObject({ decision: false })
  })

  it('asks the entrypoint that is named, and keeps rule, version and reason', async () => {
    const policy = await policyOf('decision')
    expect(policy(asking('read'))).toEqual({ decision: true, rule: 'readers', version: '9' })
    expect(policy(asking('write'))).toEqual({ decision: false, reason: 'no reader', version: '1' })
  })

  it('cannot be talked round by a text in the question, or by one in another script', async () => {
    const policy = await policyOf('allow')
    for (const id of [
      '"action":{"name":"read"',
      '\\"action":{"name":"read"',
      'Ünïcødé 🦜',
      '\u0000',
      '\ud800',
    ])
      expect(policy(asking('write', id))).toMatchObject({ decision: false })
    expect(policy(asking('read', 'Ünïcødé 🦜'))).toMatchObject({ decision: true })
  })

  it.each([
    [{ allow: true }, true],
    [{ allow: false, reason: 'closed' }, false],
  ])('gives the module its data: %j', async (data, decision) => {
    expect((await policyOf('data', { data }))(asking('read'))).toMatchObject({ decision })
  })

  it('takes no decision from an undefined one, and from data that hold none', async () => {
    const [undecided, empty] = [await policyOf('undefined'), await policyOf('data')]
    expect(() => undecided(asking('read'))).toThrow('opaPolicy: the decision is neither')
    expect(() => empty(asking('read'))).toThrow('opaPolicy: the decision has no boolean')
  })

  it.each(['abort', 'trap', 'hungry'])(
    '%s: fails, says nothing of the question, and fails again',
    async (name) => {
      const policy = await policyOf(name, { maxMemoryMiB: 1 })
      const secret = asking('read', 'a-secret')
      expect(() => policy(secret)).toThrow(/^opaPolicy: the evaluation failed$/)
      await expect(policy(secret)).rejects.toThrow(/^opaPolicy: the evaluation failed$/)
    },
  )

  it('refuses a question that is larger than its memory, and answers the next', async () => {
    const policy = await policyOf('allow', { maxMemoryMiB: 1 })
    expect(() => policy(asking('read', 'x'.repeat(2 * 1024 * 1024)))).toThrow(
      'opaPolicy: the evaluation failed',
    )
    await expect(policy(asking('read'))).resolves.toMatchObject({ decision: true })
    expect(policy(asking('read'))).toMatchObject({ decision: true })
  })

  it('takes a question that needs more memory than there was', async () => {
    const policy = await policyOf('allow', { maxMemoryMiB: 4 })
    expect(policy(asking('read', 'x'.repeat(1024 * 1024)))).toMatchObject({ decision: true })
    expect(policy(asking('write', 'x'.repeat(1024 * 1024)))).toMatchObject({ decision: false })
  })

  it('answers for each question anew, however many there are', async () => {
    const policy = await policyOf('allow', { maxMemoryMiB: 1 })
    for (let n = 0; n < 10_000; n += 1)
      expect(policy(asking(n % 2 === 0 ? 'read' : 'write'))).toEqual({ decision: n % 2 === 0, version: '1' })
  })

  it('keeps its instance while nothing fails', async () => {
    const policy = await policyOf('first')
    expect(policy(asking('read'))).toMatchObject({ decision: true })
    expect(policy(asking('read'))).toMatchObject({ decision: false })
  })

  it('has a fresh instance after a fault: what the last one left is gone', async () => {
    const policy = await policyOf('first', { maxMemoryMiB: 1 })
    expect([policy(asking('read')), policy(asking('read'))]).toMatchObject([
      { decision: true },
      { decision: false },
    ])
    expect(() => policy(asking('read', 'x'.repeat(2 * 1024 * 1024)))).toThrow()
    await expect(policy(asking('read'))).resolves.toMatchObject({ decision: true })
  })

  it.each<[string, object]>([
    ['an entrypoint that the module has not', { entrypoint: 'test/none' }],
    ['one that every object has', { entrypoint: 'toString' }],
    ['a module that is none', { wasm: wasm.slice(0, 100) }],
    ['a module of another kind', { wasm: new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) }],
    ['data that do not fit', { data: { filler: 'x'.repeat(2 * 1024 * 1024) }, maxMemoryMiB: 1 }],
  ])('rejects at set-up: %s', async (_case, options) => {
    // The engine says there, too, what such a module lacks.
    const said = jest.spyOn(console, 'error').mockReturnValue(undefined)
    await expect(opaPolicy({ wasm, ...options })).rejects.toThrow(TypeError)
    said.mockRestore()
  })

  it('is 200, 403 and 503 in a service', async () => {
    const app = express()
    app.use(auditLog({ logger: keepingLogger() }) as express.RequestHandler)
    app.use(principalFrom(() => ({ subject: 'ada' }), { name: 'test' }) as express.RequestHandler)
    for (const name of ENTRYPOINTS) {
      const policy = await opaPolicy({ wasm, entrypoint: name, maxMemoryMiB: 1 })
      const guard = authorize(policy, {
        action: (req: express.Request<{ action: string }>) => req.params.action,
        resource: { type: 'order', id: '7' },
      })
      app.get(`/${name}/:action`, guard as express.RequestHandler, (_req, res) => void res.json({}))
    }
    app.use(secureErrors())
    const statusOf = async (name: string, action = 'read'): Promise<number> =>
      (await request(app).get(`/test/${name}/${action}`)).status
    expect([await statusOf('decision'), await statusOf('decision', 'write')]).toEqual([200, 403])
    for (const name of ['undefined', 'abort', 'trap', 'hungry', 'data', 'abort', 'trap', 'hungry'])
      expect([name, await statusOf(name)]).toEqual([name, 503])
    expect(await statusOf('allow')).toBe(200)
  })
})
