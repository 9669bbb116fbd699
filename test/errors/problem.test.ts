import { describe, expect, it } from '@jest/globals'
import supertest from 'supertest'
import { isSecurityProblem } from '../../src/core.js'
import { problem, type ProblemOptions } from '../../src/errors/problem.js'
import { appThat, failing } from './support.js'

const closed: ProblemOptions = { status: 409, code: 'order_closed', detail: 'This order is closed.' }

describe('a problem of the application', () => {
  it('is answered as it says', async () => {
    const thrown = problem({
      ...closed,
      type: 'https://errors.shop.example/order-closed',
      title: 'Order closed',
      headers: { 'Retry-After': '30' },
      members: { orderState: 'shipped' },
      cause: new Error('canary'),
    })
    const { app, log } = appThat(failing(thrown))
    const answer = await supertest(app).get('/')
    expect(answer.status).toBe(409)
    expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json', 'retry-after': '30' })
    expect(answer.body).toEqual({
      type: 'https://errors.shop.example/order-closed',
      title: 'Order closed',
      status: 409,
      detail: 'This order is closed.',
      code: 'order_closed',
      orderState: 'shipped',
      requestId: expect.any(String),
    })
    expect(log.reasons()).toEqual(['application_problem'])
    expect(JSON.stringify(log.kept)).not.toContain('canary')
  })

  it('says the phrase of its status where no title is given', async () => {
    const { body } = await supertest(appThat(failing(problem(closed))).app).get('/')
    expect([body.title, body.type]).toEqual(['Conflict', 'about:blank'])
  })

  it('cannot take the place of the members that every problem has', async () => {
    const members = {
      status: 200,
      code: 'fine',
      requestId: 'x',
      detail: 'x',
      title: 'x',
      type: 'x',
      instance: '/kept',
    }
    const { body, status } = await supertest(appThat(failing(problem({ ...closed, members }))).app).get('/')
    expect(status).toBe(409)
    expect(body).toMatchObject({
      status: 409,
      code: 'order_closed',
      detail: 'This order is closed.',
      instance: '/kept',
    })
    expect(body.requestId).not.toBe('x')
  })

  it('of 500 and more may be sent too', async () => {
    const answer = await supertest(
      appThat(failing(problem({ ...closed, status: 503, headers: { 'Retry-After': '5' } }))).app,
    ).get('/')
    expect([answer.status, answer.headers['retry-after'], answer.body.detail]).toEqual([
      503,
      '5',
      closed.detail,
    ])
  })

  it('is recognised as a problem and thrown like an error', () => {
    expect(isSecurityProblem(problem(closed))).toBe(true)
    expect(problem(closed)).toMatchObject({ message: closed.detail, statusCode: 409, expose: true })
  })

  const wrong: readonly (readonly [string, object])[] = [
    ['a status of success', { status: 200 }],
    ['a redirect', { status: 302 }],
    ['a status beyond', { status: 600 }],
    ['a status in quotes', { status: '409' }],
    ['no status', { status: undefined }],
    ['no code', { code: undefined }],
    ['a code with a line break', { code: 'a\r\nb' }],
    ['an empty detail', { detail: '' }],
    ['a detail that is an Error', { detail: new Error('canary') }],
    ['a header with a line break', { headers: { 'x-a': 'b\r\nset-cookie: c' } }],
    ['a header with a lone line feed', { headers: { 'x-a': 'b\nset-cookie: c' } }],
    ['a header with a null character', { headers: { 'x-a': 'b\0' } }],
    ['a header beyond ASCII', { headers: { 'x-a': 'é' } }],
    ['a header name with a colon', { headers: { 'x-a: b': 'c' } }],
    ['a header name with a line break', { headers: { 'x-a\r\nset-cookie': 'c' } }],
    ['a header name of nothing', { headers: { '': 'c' } }],
    ['a header that is a list', { headers: { 'x-a': ['b'] } }],
    ['a header that is a number', { headers: { 'x-a': 1 } }],
    ['members that are a list', { members: [1] }],
    ['a misspelt option', { detials: 'x' }],
  ]
  it.each(wrong)('with %s throws when it is made, and so is a 500', async (_case, options) => {
    const make = (): unknown => problem({ ...closed, ...options })
    expect(make).toThrow(TypeError)
    expect(make).toThrow(/^problem: /)
    const { app } = appThat(() => {
      throw make()
    })
    const answer = await supertest(app).get('/')
    expect(answer.status).toBe(500)
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(answer.text).not.toContain('canary')
  })
})
