import { describe, expect, it, jest } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import multer from 'multer'
import supertest from 'supertest'
import { contextOf, guardMetadataOf, inputOf } from '../../src/core.js'
import { secureErrors } from '../../src/errors/secure-errors.js'
import { validateBody, type ValidateBodyOptions } from '../../src/validation/validate-body.js'
import { rawRequest, sendRaw, serve } from '../support/server.js'
import { saidBy, serviceWith } from './support.js'

const ANYTHING = { type: 'object', additionalProperties: true }
const ORDER = { type: 'object', properties: { sku: { type: 'string' }, qty: { type: 'integer' } } }

describe('the media type', () => {
  const accepted = [
    'application/json',
    'Application/JSON',
    'APPLICATION/JSON; CHARSET=UTF-8',
    'application/json;charset=utf-8',
    'application/json ; charset=utf-8',
    ' application/json ',
    'application/json\t',
  ]
  it.each(accepted)('%j is JSON', async (type) => {
    const service = serviceWith(ORDER)
    const server = await serve(service.app)
    const answer = await sendRaw(
      server.port,
      rawRequest('POST', '/', [`Content-Type: ${type}`], '{"sku":"a"}'),
    )
    await server.close()
    expect(answer).toContain('200 OK')
    expect(service.accepted).toEqual([{ sku: 'a' }])
  })

  it.each(['application/json;', '\tapplication/json\t; charset="utf-8"', 'application/json; charset'])(
    '%j is what the parser takes it for: read, or 415',
    async (type) => {
      const service = serviceWith(ORDER)
      const server = await serve(service.app)
      const answer = await sendRaw(
        server.port,
        rawRequest('POST', '/', [`Content-Type: ${type}`], '{"sku":"a"}'),
      )
      await server.close()
      expect(answer).toMatch(/^HTTP\/1\.1 (200|415) /)
      expect(service.accepted).toEqual(answer.startsWith('HTTP/1.1 200') ? [{ sku: 'a' }] : [])
    },
  )

  const refused = [
    'text/plain',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/vnd.api+json',
    'application/json-patch+json',
    'application/jsonx',
    'application/json/x',
    'application/json, text/plain',
    'text/plain, application/json',
    'text/plain;application/json',
    'text/plain; application/json',
    'application /json',
    'application/ json',
    'application/json\ttext/plain',
    'application/json charset=utf-8',
    'application\u00a0/json',
    '"application/json"',
    ';application/json',
    'application',
    '/json',
    '*/*',
    '',
  ]
  // Whatever a parser makes of the type, the body is valid only where both read it alike.
  const parsers: readonly (readonly [string, readonly RequestHandler[]])[] = [
    ['express.json()', [express.json()]],
    ['a parser that takes every type', [express.json({ type: () => true })]],
    [
      'parsers for everything',
      [express.json(), express.urlencoded({ extended: true }), express.text(), express.raw()],
    ],
    ['no parser', []],
  ]
  it.each(refused.flatMap((type) => parsers.map(([name, mounted]) => [type, name, mounted] as const)))(
    '%j is 415 behind %s',
    async (type, _name, mounted) => {
      const service = serviceWith(ANYTHING, {}, mounted)
      const server = await serve(service.app)
      const body = '{"sku":"a"}'
      const answer = await sendRaw(server.port, rawRequest('POST', '/', [`Content-Type: ${type}`], body))
      await server.close()
      expect(answer).toContain('415 Unsupported Media Type')
      expect(answer.toLowerCase()).toContain('accept-post: application/json')
      expect(service.accepted).toEqual([])
    },
  )

  it('that is missing is 415', async () => {
    const service = serviceWith(ANYTHING)
    const server = await serve(service.app)
    const answer = await sendRaw(server.port, rawRequest('POST', '/', [], '{"sku":"a"}'))
    await server.close()
    expect(answer).toContain('415 Unsupported Media Type')
    expect(service.accepted).toEqual([])
  })

  it.each([
    ['text/plain first', ['text/plain', 'application/json'], 415],
    ['JSON first, which is the one that Node.js keeps', ['application/json', 'text/plain'], 200],
    ['the same twice', ['application/json', 'application/json'], 200],
  ])('given twice counts as the parser counts it: %s', async (_case, types, status) => {
    const service = serviceWith(ORDER)
    const server = await serve(service.app)
    const lines = types.map((type) => `Content-Type: ${type}`)
    const good = await sendRaw(server.port, rawRequest('POST', '/', lines, '{"sku":"a"}'))
    const bad = await sendRaw(server.port, rawRequest('POST', '/', lines, '{"isAdmin":true}'))
    await server.close()
    expect(good).toContain(`HTTP/1.1 ${status}`)
    expect(bad).toMatch(/^HTTP\/1\.1 4/)
  })

  it.each([
    ['a body of JSON', '{"sku":"a"}'],
    ['an empty object', '{}'],
  ])('is not enough where no parser is mounted: %s', async (_case, body) => {
    const service = serviceWith(ANYTHING, {}, [])
    const answer = await service.post(body)
    expect(answer.status).toBe(415)
    expect(service.log.reasons()).toEqual(['body_unparsed'])
    expect(JSON.stringify(service.log.kept)).toContain('mount express.json()')
  })

  it.each([
    ['a body of JSON', '{"sku":"a"}'],
    ['an empty object', '{}'],
  ])('is not enough where another parser is mounted: %s', async (_case, body) => {
    const service = serviceWith(ANYTHING, {}, [express.urlencoded({ extended: false })])
    expect((await service.post(body)).status).toBe(415)
  })

  it.each(['{}', '{ }', '[]'])('and %s is a body like any other', async (body) => {
    const service = serviceWith({ type: ['object', 'array'] })
    expect((await service.post(body)).status).toBe(200)
    expect(service.accepted).toEqual([JSON.parse(body)])
  })

  it('says Accept-Patch to a PATCH', async () => {
    const answer = await supertest(serviceWith(ANYTHING).app)
      .patch('/')
      .set('Content-Type', 'text/plain')
      .send('x')
    expect([answer.status, answer.headers['accept-patch']]).toEqual([415, 'application/json'])
  })

  it('may be others: exactly those that are named', async () => {
    const contentTypes = ['application/vnd.api+json']
    const service = serviceWith(ORDER, { contentTypes }, [express.json({ type: () => true })])
    expect((await service.post('{"sku":"a"}', 'application/vnd.api+json; ext=x')).status).toBe(200)
    expect((await service.post('{"sku":"a"}', 'application/json')).status).toBe(415)
  })

  it('may be a form', async () => {
    const contentTypes = ['application/x-www-form-urlencoded']
    const service = serviceWith(ORDER, { contentTypes }, [express.urlencoded({ extended: false })])
    expect((await service.post('sku=a', 'application/x-www-form-urlencoded')).body.body).toEqual({ sku: 'a' })
    expect((await service.post('sku=a&isAdmin=1', 'application/x-www-form-urlencoded')).status).toBe(400)
    expect((await service.post('', 'application/x-www-form-urlencoded')).status).toBe(400)
  })

  it('may be multipart, parsed by multer', async () => {
    const service = serviceWith(ORDER, { contentTypes: ['multipart/form-data'] }, [multer().none()])
    const good = await supertest(service.app).post('/').field('sku', 'a')
    const bad = await supertest(service.app).post('/').field('sku', 'a').field('isAdmin', '1')
    expect([good.status, bad.status]).toEqual([200, 400])
  })
})

describe('the presence of a body', () => {
  const none: readonly (readonly [string, readonly string[]])[] = [
    ['no length', []],
    ['Content-Length 0', ['Content-Length: 0']],
    ['Content-Length 0 and a media type', ['Content-Length: 0', 'Content-Type: application/json']],
    ['Content-Length 00', ['Content-Length: 00', 'Content-Type: application/json']],
  ]
  const call = async (service: ReturnType<typeof serviceWith>, text: string): Promise<string> => {
    const server = await serve(service.app)
    const answer = await sendRaw(server.port, text)
    await server.close()
    return answer
  }

  it.each(none)('is required: %s is 400', async (_case, lines) => {
    const service = serviceWith(ANYTHING)
    const answer = await call(service, rawRequest('POST', '/', lines))
    expect(answer).toContain('400 Bad Request')
    expect(answer).toContain('"errors":[{"in":"body","pointer":"","code":"required"}]')
    expect(service.log.reasons()).toEqual(['body_missing'])
  })

  it.each(none)('may be optional, and is then undefined: %s', async (_case, lines) => {
    const service = serviceWith(ANYTHING, { required: false })
    expect(await call(service, rawRequest('POST', '/', lines))).toContain('"type":"undefined"')
    expect(service.accepted).toEqual([undefined])
  })

  it('may be optional; what is there must match all the same', async () => {
    const service = serviceWith(ORDER, { required: false })
    expect((await service.post('{"isAdmin":true}')).status).toBe(400)
    expect((await service.post('x', 'text/plain')).status).toBe(415)
    expect((await service.post('{"sku":"a"}')).status).toBe(200)
  })

  it.each(['GET', 'DELETE', 'POST'])('is read from the headers, also of a %s', async (method) => {
    const service = serviceWith(ORDER)
    const lines = ['Content-Type: application/json']
    expect(await call(service, rawRequest(method, '/', lines, '{"isAdmin":true}'))).toContain(
      '400 Bad Request',
    )
    expect(await call(service, rawRequest(method, '/', lines, '{"sku":"a"}'))).toContain('200 OK')
    expect(await call(service, rawRequest(method, '/', lines))).toContain('400 Bad Request')
  })

  it('of no bytes in chunks is what the parser makes of it, an empty object, and is judged as one', async () => {
    const lines = ['Content-Type: application/json', 'Transfer-Encoding: chunked']
    const text = `${rawRequest('POST', '/', lines)}0\r\n\r\n`
    expect(await call(serviceWith({ ...ORDER, required: ['sku'] }), text)).toContain('400 Bad Request')
    expect(await call(serviceWith(ORDER), text)).toContain('"body":{}')
    expect(await call(serviceWith(ORDER, {}, []), text)).toContain('415 Unsupported Media Type')
  })

  it('in chunks is a body', async () => {
    const lines = ['Content-Type: application/json', 'Transfer-Encoding: chunked']
    const chunk = (body: string): string =>
      `${rawRequest('POST', '/', lines)}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    expect(await call(serviceWith(ORDER), chunk('{"sku":"a"}'))).toContain('200 OK')
    expect(await call(serviceWith(ORDER), chunk('{"isAdmin":1}'))).toContain('400 Bad Request')
  })
})

describe('the body', () => {
  it('reaches the handler as the very object that the parser made', async () => {
    let parsed: unknown
    let handled: unknown
    const app = express()
    const keep: RequestHandler = (req, _res, next) => {
      parsed = req.body
      next()
    }
    app.post('/', express.json(), keep, validateBody(ORDER), (req, res) => {
      handled = req.body
      res.json({})
    })
    await supertest(app).post('/').send({ sku: 'a' })
    expect(handled).toBe(parsed)
  })

  it.each([
    ['too deep, in a schema that refers to itself', '{"next":'.repeat(8000) + '{}' + '}'.repeat(8000)],
    ['too deep, in arrays', '['.repeat(20_000) + ']'.repeat(20_000)],
    ['of one level too many', '{"next":'.repeat(32) + '{}' + '}'.repeat(32)],
    ['of too many values', `[${'0,'.repeat(40_000)}0]`],
  ])('%s is 413', async (_case, json) => {
    const service = serviceWith({
      type: ['object', 'array'],
      properties: { next: { $ref: '#' } },
      items: { anyOf: [{ $ref: '#' }, { type: 'integer' }] },
    })
    const answer = await service.post(json)
    expect([answer.status, answer.body.code]).toEqual([413, 'body_too_large'])
    expect(service.log.reasons()).toEqual(['body_too_deep'])
  })

  it.each([
    [{ maxDepth: 2 }, '{"a":{}}', '{"a":{"b":{}}}'],
    [{ maxDepth: 1 }, '{"a":1}', '{"a":[]}'],
    [{ maxNodes: 3 }, '{"a":1,"b":2}', '{"a":1,"b":2,"c":3}'],
    [{}, '{"a":'.repeat(31) + '{}' + '}'.repeat(31), '{"a":'.repeat(32) + '{}' + '}'.repeat(32)],
    [{ maxNodes: 10_000 }, `{"a":[${'0,'.repeat(9997)}0]}`, `{"a":[${'0,'.repeat(9998)}0]}`],
    [{}, `{"a":[${'0,'.repeat(9997)}0]}`, `{"a":[${'0,'.repeat(9998)}0]}`],
  ])('is bounded as %j says', async (options: ValidateBodyOptions, good, bad) => {
    const service = serviceWith(ANYTHING, options)
    expect([(await service.post(good)).status, (await service.post(bad)).status]).toEqual([200, 413])
  })

  it('is refused untouched in report mode: the handler gets it as it came, and no input is kept', async () => {
    const guard = validateBody(ORDER as object, { mode: 'report', coerce: true, name: 'trial' })
    const app = express()
    app.post('/', express.json(), guard, (req, res) => {
      let input: string
      try {
        input = JSON.stringify(inputOf(req, guard))
      } catch (problem) {
        input = (problem as { reason: string }).reason
      }
      const decisions = contextOf(req).decisions.map(
        ({ outcome, mode, rule }) => `${outcome} ${mode} ${rule}`,
      )
      res.json({ body: req.body, input, decisions })
    })
    const bad = await supertest(app).post('/').send({ qty: '5', isAdmin: true })
    expect(bad.body).toEqual({
      body: { qty: '5', isAdmin: true },
      input: 'guard_order',
      decisions: ['refuse report trial'],
    })
    const deep = await supertest(app)
      .post('/')
      .send(`{"a":${'['.repeat(50)}${']'.repeat(50)}}`)
      .type('json')
    expect(deep.body.decisions).toEqual(['refuse report trial'])
  })

  it('is what inputOf() answers, for the guard that accepted it', async () => {
    const first = validateBody(ORDER as object)
    const other = validateBody(ORDER as object)
    const app = express()
    app.post('/', express.json(), first, (req, res) => {
      res.json({ same: inputOf(req, first) === req.body, other: inputOf(req, other) })
    })
    app.get('/', (req, res) => {
      res.json(inputOf(req, first))
    })
    app.use(secureErrors())
    jest.spyOn(console, 'error').mockImplementation(() => undefined)
    const seen: unknown[] = []
    const observed = express()
    observed.post('/', express.json(), first, (req, res) => {
      seen.push(inputOf(req, first) === req.body)
      res.json({})
    })
    await supertest(observed).post('/').send({ sku: 'a' })
    expect(seen).toEqual([true])
    expect((await supertest(app).post('/').send({ sku: 'a' })).status).toBe(500)
    expect((await supertest(app).get('/')).status).toBe(500)
  })
})

describe('coercion', () => {
  const order = {
    type: 'object',
    properties: { qty: { type: 'integer' }, note: { type: 'string' }, on: { type: 'boolean' } },
  }

  it.each([
    ['{"qty":"5"}', { qty: 5 }],
    ['{"qty":"5","note":7,"on":"true"}', { qty: 5, note: '7', on: true }],
  ])('is off unless asked for: %s', async (json, coerced) => {
    expect((await serviceWith(order).post(json)).status).toBe(400)
    expect((await serviceWith(order, { coerce: true }).post(json)).body.body).toEqual(coerced)
  })

  it.each(['{"qty":"5x"}', '{"qty":["5"]}', '{"note":{}}', '{"qty":"5","isAdmin":true}', '{"on":"yes"}'])(
    'makes nothing of %s',
    async (json) => {
      expect((await serviceWith(order, { coerce: true }).post(json)).status).toBe(400)
    },
  )

  it('does not make an array of one value', async () => {
    const list = { type: 'object', properties: { tags: { type: 'array', items: { type: 'string' } } } }
    expect((await serviceWith(list, { coerce: true }).post('{"tags":"x"}')).status).toBe(400)
  })

  it('reaches a body that is a scalar itself', async () => {
    const service = serviceWith({ type: 'integer' }, { coerce: true }, [express.json({ strict: false })])
    expect((await service.post('"5"')).body).toEqual({ type: 'number', body: 5 })
  })

  it('changes a copy, not what the parser made', async () => {
    const seen: unknown[] = []
    const app = express()
    app.post(
      '/',
      express.json(),
      (req, _res, next) => {
        seen.push(req.body)
        next()
      },
      validateBody(order as object, { coerce: true }),
      (req, res) => {
        seen.push(req.body)
        res.json({})
      },
    )
    await supertest(app).post('/').send({ qty: '5' })
    expect(seen).toEqual([{ qty: '5' }, { qty: 5 }])
  })
})

describe('the errors', () => {
  it.each<[string, object, string, object[]]>([
    ['a missing field', { type: 'object', required: ['sku'] }, '{}', [{ pointer: '/sku', code: 'required' }]],
    [
      'a name with a slash',
      { type: 'object', properties: { 'a/b': { type: 'string' } } },
      '{"a/b":1}',
      [{ pointer: '/a~1b', code: 'type' }],
    ],
    [
      'a name with a tilde',
      { type: 'object', properties: { 'a~b': { type: 'string' } } },
      '{"a~b":1}',
      [{ pointer: '/a~0b', code: 'type' }],
    ],
    [
      'a name with both',
      { type: 'object', properties: { '~1/': { type: 'string' } } },
      '{"~1/":1}',
      [{ pointer: '/~01~1', code: 'type' }],
    ],
    [
      'a missing name with both',
      { type: 'object', required: ['~1/'] },
      '{}',
      [{ pointer: '/~01~1', code: 'required' }],
    ],
    [
      'a name of the schema in any script',
      { type: 'object', properties: { größe: { type: 'string' } } },
      '{"größe":1}',
      [{ pointer: '/größe', code: 'type' }],
    ],
    [
      'an item',
      { type: 'array', items: { type: 'object', properties: { n: { type: 'integer' } } } },
      '[{"n":1},{"n":"x"}]',
      [{ pointer: '/1/n', code: 'type' }],
    ],
    [
      'a name that the caller chose',
      { type: 'object', additionalProperties: { type: 'object', properties: { n: { type: 'integer' } } } },
      '{"alice@shop.example":{"n":"x"}}',
      [{ pointer: '/*/n', code: 'type' }],
    ],
    [
      'a number that the caller chose as a name',
      { type: 'object', additionalProperties: { type: 'integer' } },
      '{"4111111111111111":"x"}',
      [{ pointer: '/*', code: 'type' }],
    ],
  ])('point with RFC 6901 to %s', async (_case, schema, json, errors) => {
    const { status, body } = await serviceWith(schema).post(json)
    expect(status).toBe(400)
    expect(body.errors).toEqual(errors.map((error) => ({ in: 'body', ...error })))
  })

  it('are at most 20, and say that there are more', async () => {
    const list = { type: 'array', items: { type: 'integer' } }
    const many = await serviceWith(list).post(JSON.stringify(Array(21).fill('x')))
    expect([many.body.errors.length, many.body.truncated]).toEqual([20, true])
    const few = await serviceWith(list).post(JSON.stringify(Array(20).fill('x')))
    expect([few.body.errors.length, few.body.truncated]).toEqual([20, undefined])
  })

  it('of a body of 100 KB are few, soon found and short', async () => {
    const service = serviceWith({ type: 'array', items: { type: 'integer' } }, { maxNodes: 1_000_000 })
    const json = JSON.stringify(Array(25_000).fill('x'))
    const started = performance.now()
    const answer = await service.post(json)
    expect(performance.now() - started).toBeLessThan(1000)
    expect(answer.status).toBe(400)
    expect(answer.text.length).toBeLessThan(500)
    expect(JSON.stringify(service.log.kept).length).toBeLessThan(3000)
  })

  it.each<[string, object, (canary: string) => unknown]>([
    ['an unknown field', ORDER, (canary) => ({ [canary]: canary })],
    ['an unknown field at depth', { properties: { a: ORDER } }, (canary) => ({ a: { [canary]: canary } })],
    ['a wrong type', { properties: { a: { type: 'integer' } } }, (canary) => ({ a: canary })],
    ['a pattern', { properties: { a: { type: 'string', pattern: '^a$' } } }, (canary) => ({ a: canary })],
    ['a format', { properties: { a: { type: 'string', format: 'email' } } }, (canary) => ({ a: canary })],
    ['an enum', { properties: { a: { enum: ['x'] } } }, (canary) => ({ a: canary })],
    ['a const', { properties: { a: { const: 'x' } } }, (canary) => ({ a: canary })],
    ['a key of a map', { additionalProperties: { type: 'integer' } }, (canary) => ({ [canary]: 'x' })],
    [
      'a key of a map at depth',
      { additionalProperties: { properties: { a: { type: 'integer' } } } },
      (canary) => ({ [canary]: { a: 'x' } }),
    ],
    [
      'a key by pattern',
      { patternProperties: { '^[cC]': { type: 'integer' } } },
      (canary) => ({ [canary]: 'x' }),
    ],
    [
      'a property name',
      { type: 'object', propertyNames: { maxLength: 3 }, additionalProperties: true },
      (canary) => ({ [canary]: 1 }),
    ],
    [
      'a dependent field',
      { additionalProperties: true, dependentRequired: { a: ['b'] } },
      (canary) => ({ a: canary }),
    ],
    [
      'equal items',
      { type: 'array', items: { type: 'string' }, uniqueItems: true },
      (canary) => [canary, canary],
    ],
    [
      'no branch',
      { anyOf: [{ properties: { a: { const: 1 } }, required: ['a'] }] },
      (canary) => ({ a: canary }),
    ],
    ['a name that a prototype has', ORDER, (canary) => JSON.parse(`{"__proto__":{"${canary}":"${canary}"}}`)],
  ])('repeat nothing that was submitted: %s', async (_case, schema, bodyOf) => {
    for (const canary of ['canary-7f3a', '4111111111111111', 'Canary<script>\u202e']) {
      const service = serviceWith(schema)
      const answer = await service.post(JSON.stringify(bodyOf(canary)))
      expect(answer.status).toBe(400)
      expect(saidBy(answer, service.log)).not.toContain(canary.slice(0, 11))
    }
  })

  it('repeat nothing of a body that is no JSON', async () => {
    const service = serviceWith(ORDER)
    const answer = await service.post('{"sku": canary-7f3a}')
    expect(answer.status).toBe(400)
    expect(saidBy(answer, service.log)).not.toContain('canary')
  })
})

describe('set-up', () => {
  it.each<[string, unknown, string]>([
    ['no schema', undefined, 'schema must be'],
    ['null', null, 'schema must be'],
    ['a string', 'order', 'schema must be'],
    ['an unknown keyword', { type: 'object', propertys: {} }, 'unknown keyword: "propertys"'],
    ['an unknown type', { type: 'objekt' }, 'schema is invalid'],
    ['a reference to nowhere', { $ref: '#/$defs/nowhere' }, "can't resolve reference"],
    ['a reference to another document', { $ref: 'https://other.test/schema' }, "can't resolve reference"],
    ['draft-07', { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' }, 'draft-07'],
    ['draft-07 items', { type: 'array', items: [{ type: 'string' }] }, 'schema is invalid'],
    ['an unknown format', { type: 'string', format: 'phone' }, 'unknown format "phone"'],
    [
      'equal items sought among any number of objects',
      { type: 'array', uniqueItems: true },
      'uniqueItems needs',
    ],
    ['a broken pattern', { type: 'string', pattern: '(' }, 'Invalid regular expression'],
  ])('refuses %s, in the name of the middleware', (_case, schema, message) => {
    expect(() => validateBody(schema as object)).toThrow(TypeError)
    expect(() => validateBody(schema as object)).toThrow(
      /^validateBody: schema must be a JSON Schema \(draft 2020-12\)/,
    )
    expect(() => validateBody(schema as object)).toThrow(message)
  })

  it.each<[object, string]>([
    [{ contentTypes: [] }, 'validateBody: contentTypes must be'],
    [{ contentTypes: ['application/json; charset=utf-8'] }, 'validateBody: contentTypes must be'],
    [{ contentTypes: ['Application/JSON'] }, 'validateBody: contentTypes must be'],
    [{ contentTypes: 'application/json' }, 'validateBody: contentTypes must be'],
    [{ contentTypes: ['*/*'] }, 'validateBody: contentTypes must be'],
    [{ required: 'yes' }, 'validateBody: required must be'],
    [{ coerce: 1 }, 'validateBody: coerce must be'],
    [{ maxDepth: 0 }, 'validateBody: maxDepth must be'],
    [{ maxDepth: 201 }, 'validateBody: maxDepth must be'],
    [{ maxDepth: NaN }, 'validateBody: maxDepth must be'],
    [{ maxNodes: 0 }, 'validateBody: maxNodes must be'],
    [{ maxNodes: Infinity }, 'validateBody: maxNodes must be'],
    [{ name: 'a b' }, 'validateBody: name must be'],
    [{ mode: 'warn' }, 'validateBody: mode must be'],
    [{ maxdepth: 3 }, 'Did you mean maxDepth?'],
  ])('refuses the options %j', (options, message) => {
    expect(() => validateBody(ORDER, options)).toThrow(message)
  })

  it.each<[object, string]>([
    [{ title: 'order' }, 'order'],
    [{ $id: 'https://api.test/order' }, 'https://api.test/order'],
    [{ title: 'An order, with spaces' }, 'body'],
    [{}, 'body'],
  ])('names the rule after %j', (more, name) => {
    expect(guardMetadataOf(validateBody({ ...ORDER, ...more }))?.name).toBe(name)
  })

  it('takes two schemas with one $id, and keeps them apart', async () => {
    const $id = 'https://api.test/same'
    const first = serviceWith({ $id, type: 'object', properties: { a: true } })
    const second = serviceWith({ $id, type: 'object', properties: { b: true } })
    expect((await first.post({ a: 1 })).status).toBe(200)
    expect((await second.post({ a: 1 })).status).toBe(400)
  })

  it.each([
    ['at the same place', 'thing', 'thing'],
    ['at different places', 'thing', 'other'],
  ])(
    'takes two schemas whose definitions have one $id, %s, and keeps them apart',
    async (_case, one, two) => {
      const $id = 'https://api.test/shared'
      const make = (name: string, field: string): ReturnType<typeof serviceWith> =>
        serviceWith({ $ref: $id, $defs: { [name]: { $id, type: 'object', properties: { [field]: true } } } })
      const first = make(one, 'a')
      const second = make(two, 'b')
      expect((await first.post({ a: 1 })).status).toBe(200)
      expect((await first.post({ b: 1 })).status).toBe(400)
      expect((await second.post({ b: 1 })).status).toBe(200)
      expect((await second.post({ a: 1 })).status).toBe(400)
    },
  )

  it('takes one schema object twice', () => {
    const schema = { $id: 'https://api.test/twice', ...ORDER }
    expect(() => [
      validateBody(schema),
      validateBody(schema),
      validateBody(schema, { coerce: true }),
    ]).not.toThrow()
  })

  it.each([
    [true, '{"anything":1}', 200],
    [false, '{}', 400],
  ])('takes the schema %s', async (schema, json, status) => {
    expect((await serviceWith(schema).post(json)).status).toBe(status)
  })
})
