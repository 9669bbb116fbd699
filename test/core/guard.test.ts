import { describe, expect, it, jest } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import {
  SecurityProblem,
  contextOf,
  defineGuard,
  guardMetadataOf,
  secureErrors,
  type Guard,
  type Verdict,
} from '../../src/index.js'
import { PASSED } from '../../src/core/guard.js'
import { serve } from '../support/server.js'

type Check = () => Verdict | Promise<Verdict>

const guardOf = (check: Check, mode?: 'enforce' | 'report'): Guard =>
  defineGuard({ kind: 'testGuard', layer: 'authorization', name: 'rule-1', mode, check })

const appWith = (guard: Guard): express.Express => {
  const app = express()
  app.get('/', guard, (req, res) => {
    res.json(contextOf(req).decisions.map(({ outcome, mode, reason }) => ({ outcome, mode, reason })))
  })
  app.use(secureErrors())
  return app
}

const refuse = (): SecurityProblem => new SecurityProblem('scope_missing')

describe('defineGuard', () => {
  it('passes a request on, and records that it did', async () => {
    const { body } = await request(appWith(guardOf(() => PASSED))).get('/')
    expect(body).toEqual([{ outcome: 'allow', mode: 'enforce', reason: 'passed' }])
  })

  it('answers synchronously where its check does', () => {
    const next = jest.fn()
    const guard = guardOf(() => PASSED)
    guard({ headers: {}, socket: {}, method: 'GET', url: '/' } as never, {} as never, next)
    expect(next).toHaveBeenCalledTimes(1)
  })

  it.each<[string, Check, number]>([
    ['returns a refusal', refuse, 403],
    [
      'throws a refusal',
      () => {
        throw refuse()
      },
      403,
    ],
    ['resolves to a refusal', () => Promise.resolve(refuse()), 403],
    ['rejects with a refusal', () => Promise.reject(refuse()), 403],
    [
      'throws an Error',
      () => {
        throw new Error('hunter2')
      },
      500,
    ],
    [
      'throws a string',
      () => {
        throw 'hunter2'
      },
      500,
    ],
    [
      'throws undefined',
      () => {
        throw undefined
      },
      500,
    ],
    ['rejects with an Error', () => Promise.reject(new Error('hunter2')), 500],
    ['rejects with nothing', () => Promise.reject(), 500],
    ['answers nothing', () => undefined as never, 500],
    ['answers true', () => true as never, 500],
    ['resolves to nothing', () => Promise.resolve(undefined as never), 500],
    ['resolves to true', () => Promise.resolve(true as never), 500],
    ['answers a reason that is none', () => ({ reason: 'denied' }) as never, 500],
    [
      'answers what Promise.allSettled says of a failure',
      () => ({ status: 'rejected', reason: new Error('x') }) as never,
      500,
    ],
    [
      'rejects with something that throws when it is looked at',
      () =>
        Promise.reject(
          new Proxy(
            {},
            {
              get() {
                throw new Error('hunter2')
              },
            },
          ),
        ),
      500,
    ],
  ])('refuses when its check %s', async (_case, check, status) => {
    const error = jest.spyOn(console, 'error').mockImplementation(() => undefined)
    const answer = await request(appWith(guardOf(check))).get('/')
    expect(answer.status).toBe(status)
    expect(answer.text).not.toContain('hunter2')
    error.mockRestore()
  })

  it('lets a refusal pass in report mode and says so in the decision', async () => {
    const { body, status } = await request(appWith(guardOf(refuse, 'report'))).get('/')
    expect(status).toBe(200)
    expect(body).toEqual([{ outcome: 'refuse', mode: 'report', reason: 'scope_missing' }])
  })

  it('does nothing more when the caller has gone before its check ended', async () => {
    let finish: (verdict: Verdict) => void = () => undefined
    let started: () => void = () => undefined
    const checking = new Promise<void>((resolve) => {
      started = resolve
    })
    const handler = jest.fn()
    const app = express()
    const guard = guardOf(() => {
      started()
      return new Promise<Verdict>((resolve) => {
        finish = resolve
      })
    })
    let closed: Promise<void> = Promise.resolve()
    app.use((_req, res, next) => {
      closed = new Promise((resolve) => res.once('close', resolve))
      next()
    })
    app.get('/', guard, handler as never)
    const server = await serve(app)
    const controller = new AbortController()
    const answer = fetch(server.url, { signal: controller.signal }).catch(() => 'aborted')
    await checking
    controller.abort()
    await closed
    finish(PASSED)
    await new Promise(setImmediate)
    expect(await answer).toBe('aborted')
    expect(handler).not.toHaveBeenCalled()
    await server.close()
  })

  it('does nothing more when something else has answered before its check ended', async () => {
    let finish: (verdict: Verdict) => void = () => undefined
    const handler = jest.fn()
    const app = express()
    app.get(
      '/',
      (_req, res, next) => {
        setImmediate(() => {
          res.status(503).end()
          finish(PASSED)
        })
        next()
      },
      guardOf(
        () =>
          new Promise<Verdict>((resolve) => {
            finish = resolve
          }),
      ),
      handler as never,
    )
    expect((await request(app).get('/')).status).toBe(503)
    expect(handler).not.toHaveBeenCalled()
  })

  it.each<[string, object, string]>([
    ['no kind', { kind: '' }, 'defineGuard: kind must be'],
    ['an unknown layer', { layer: 'x' }, 'defineGuard: layer must be "transport" or'],
    ['no name', { name: undefined }, 'defineGuard: name must be'],
    ['an impossible mode', { mode: 'off' }, 'defineGuard: mode must be "enforce" or "report", got "off"'],
    ['no check', { check: undefined }, 'defineGuard: check must be a function, got undefined'],
    ['an unknown option', { handler: () => undefined }, 'defineGuard: unknown option "handler"'],
  ])('throws for %s', (_case, wrong, message) => {
    const right = { kind: 'x', layer: 'traffic', name: 'x', check: () => PASSED }
    expect(() => defineGuard({ ...right, ...wrong } as never)).toThrow(message)
  })

  it('gives its function a name, and metadata that a wrapper does not inherit', () => {
    const guard = guardOf(() => PASSED)
    expect(guard.name).toBe('testGuardMiddleware')
    expect(Object.keys(guard)).toEqual([])
    expect(guardMetadataOf(guard)).toMatchObject({
      kind: 'testGuard',
      layer: 'authorization',
      name: 'rule-1',
      mode: 'enforce',
    })
    const wrapper: Guard = (req, res, next) => {
      guard(req, res, next)
    }
    for (const key of Reflect.ownKeys(guard)) {
      const property = Object.getOwnPropertyDescriptor(guard, key)
      if (typeof key === 'symbol' && property !== undefined) Object.defineProperty(wrapper, key, property)
    }
    expect(guardMetadataOf(wrapper)).toBeUndefined()
    expect(guardMetadataOf(undefined)).toBeUndefined()
    expect(guardMetadataOf(() => undefined)).toBeUndefined()
  })
})
