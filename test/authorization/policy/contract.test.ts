import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import express from 'express'
import request from 'supertest'
import { authorize } from '../../../src/authorization/authorize.js'
import { authzenPolicy } from '../../../src/authorization/policy/authzen.js'
import { cedarPolicy } from '../../../src/authorization/policy/cedar.js'
import { opaPolicy } from '../../../src/authorization/policy/opa.js'
import type { Policy, PolicyRequest } from '../../../src/core/policy.js'
import { auditLog, principalFrom, secureErrors } from '../../../src/index.js'
import { keepingLogger } from '../../support/records.js'
import { describeWith, vectors } from '../../support/requirements.js'
import {
  authzenServer,
  compiledRego,
  json,
  openFgaServer,
  type Fault,
  type FaultyServer,
} from './fixtures/engines.js'
import { fixture, mandated, plainPolicy } from './fixtures/scenario.js'
import { casbinPolicy } from './recipes/casbin.js'
import { openFgaPolicy } from './recipes/openfga.js'

const TIMEOUT_MS = 300
// OPA joins where its compiler is on the PATH: no registry that the tests may ask has it.
const rego = compiledRego()

let authzen: FaultyServer
let openFga: FaultyServer
beforeAll(async () => {
  ;[authzen, openFga] = await Promise.all([authzenServer(), openFgaServer()])
})
afterAll(() => Promise.all([authzen.close(), openFga.close()]))

const openFgaAt = (url: string): Policy =>
  openFgaPolicy({
    checkUrl: `${url}/stores/records/check`,
    modelId: '01H',
    apiToken: 'its-own',
    timeoutMs: TIMEOUT_MS,
  })

const engines: readonly (readonly [string, () => Policy | Promise<Policy>])[] = [
  ['a plain function', () => plainPolicy],
  ['Cedar', () => cedarPolicy({ policies: fixture('records.cedar') })],
  ...(rego === undefined ? [] : [['OPA', () => opaPolicy({ wasm: rego })] as const]),
  ['an AuthZEN server', () => authzenPolicy({ url: authzen.url, timeoutMs: TIMEOUT_MS })],
  ['Casbin', () => casbinPolicy(fixture('records.casbin.csv'))],
  ['OpenFGA', () => openFgaAt(openFga.url)],
]
/** A service that asks this policy this question, whoever calls. */
function serviceAsking(policy: Policy, { subject, action, resource }: PolicyRequest): express.Express {
  const app = express()
  const guards = [
    auditLog({ logger: keepingLogger() }),
    principalFrom(() => ({ subject: subject.id }), { name: 'test' }),
    authorize(policy, { subject: () => subject, action: () => action, resource, name: 'contract' }),
  ]
  app.get('/', ...(guards as express.RequestHandler[]), (_req, res) => {
    res.json({})
  })
  app.use(secureErrors())
  return app
}

describe.each(engines)('%s', (_name, make) => {
  it.each(mandated)('$sentence', async ({ request: question, decision }) => {
    const policy = await make()
    expect((await policy(question)).decision).toBe(decision)
    const answer = await request(serviceAsking(policy, question)).get('/')
    expect(answer.status).toBe(decision ? 200 : 403)
  })

  it('answers the same with a context that no rule asks for', async () => {
    const policy = await make()
    for (const { request: question, decision } of mandated) {
      const context = { time: '2025-06-27T18:03-07:00', ip: '192.168.1.1' }
      expect((await policy({ ...question, context })).decision).toBe(decision)
    }
  })

  it('allows nothing to somebody who is not mentioned, whatever the id looks like', async () => {
    const policy = await make()
    for (const id of [
      'carol',
      'Alice',
      'alice ',
      'alice"',
      '*',
      'alice::',
      'user:alice',
      '__proto__',
      '\u0000',
    ]) {
      const { action, resource } = mandated[0]!.request
      const decided = Promise.resolve()
        .then(() => policy({ subject: { type: 'user', id }, action, resource }))
        .catch(() => ({ decision: false }))
      expect((await decided).decision).toBe(false)
    }
  })
})

if (rego !== undefined) {
  it('OPA keeps nothing of ten thousand evaluations', async () => {
    const policy = await opaPolicy({ wasm: rego })
    const run = (times: number): void => {
      for (let n = 0; n < times; n += 1) void policy(mandated[n % mandated.length]!.request)
    }
    run(1000)
    const before = process.memoryUsage.rss()
    run(9000)
    expect(process.memoryUsage.rss() - before).toBeLessThan(48 * 1024 * 1024)
  }, 30_000)
}

describeWith(vectors(), 'the schemas and the scenario of AuthZEN', () => {
  const read = (name: string): string => readFileSync(join(vectors().folder, 'authzen', name), 'utf8')
  const valid = (name: string) => new Ajv2020({ strict: false }).compile(JSON.parse(read(name)))

  it('mandates these eight decisions', () => {
    const section = /## Required Policy Behaviour .*?\n(.*?)\n## /s.exec(
      read('authorization-api-1_0-scenario.md'),
    )?.[1]
    const sentences = [...(section ?? '').matchAll(/^\d\. (.*)$/gm)].map(([, sentence]) => sentence)
    expect(sentences).toEqual(mandated.map(({ sentence }) => sentence))
  })

  it('describes what is asked and answered, as it went over the wire', async () => {
    const policy = authzenPolicy({ url: authzen.url })
    authzen.heard.length = authzen.said.length = 0
    for (const { request: question } of mandated) await policy({ ...question, context: { time: 'now' } })
    const [asked, answered] = [
      valid('evaluation-request.schema.json'),
      valid('evaluation-response.schema.json'),
    ]
    expect(authzen.heard.map(({ body }) => asked(body))).toEqual(mandated.map(() => true))
    expect(authzen.said.map((body) => answered(body))).toEqual(mandated.map(() => true))
  })

  it.each(engines)('%s: its decisions are evaluation responses', async (_name, make) => {
    const [policy, answered] = [await make(), valid('evaluation-response.schema.json')]
    for (const { request: question } of mandated) expect(answered(await policy(question))).toBe(true)
  })
})

const yes = JSON.stringify({ decision: true, allowed: true })
const faults: Readonly<Record<string, Fault>> = {
  'never answers': () => undefined,
  'answers half and stops': (res) => {
    res.writeHead(200, { 'content-type': 'application/json' }).write(yes.slice(0, 10))
  },
  'drips for ever': (res) => {
    res.writeHead(200, { 'content-type': 'application/json' })
    const timer = setInterval(() => res.write(' '), 20)
    res.on('close', () => {
      clearInterval(timer)
    })
  },
  'breaks the connection': (res) => res.destroy(),
  'answers garbage': json(200, 'yes'),
  'answers nothing': json(200, ''),
  'answers null': json(200, 'null'),
  'answers a list': json(200, `[${yes}]`),
  'answers "true" as text': json(200, '{"decision":"true","allowed":"true"}'),
  'answers 1': json(200, '{"decision":1,"allowed":1}'),
  'answers no decision': json(200, '{"context":{}}'),
  'answers a decision in the prototype': json(200, `{"__proto__":${yes}}`),
  'answers 201': json(201, yes),
  'answers 204': json(204, ''),
  'answers 401': json(401, yes),
  'answers 500': json(500, yes),
  'redirects elsewhere': json(307, yes, { location: 'https://elsewhere.example/access/v1/evaluation' }),
  'redirects to somebody who allows': (res) => {
    const isRedirected = res.req.url === '/allows'
    json(isRedirected ? 200 : 307, yes, isRedirected ? {} : { location: '/allows' })(res)
  },
  'answers a huge body': (res) => {
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(`{"decision":true,"allowed":true,"filler":"${'x'.repeat(1_000_000)}"}`)
  },
  'answers HTML': (res) => {
    res.writeHead(200, { 'content-type': 'text/html' }).end(yes)
  },
  'answers without a type': (res) => {
    res.writeHead(200).end(yes)
  },
}

const question = mandated[0]!.request

describe.each<[string, () => FaultyServer, (url: string) => Policy]>([
  ['an AuthZEN server', () => authzen, (url) => authzenPolicy({ url, timeoutMs: TIMEOUT_MS })],
  ['OpenFGA', () => openFga, openFgaAt],
])('%s that', (_name, server, policyAt) => {
  it.each(Object.entries(faults))('%s is no answer: rejected in time, and 503', async (_fault, fault) => {
    const policy = policyAt(server().url)
    server().fault = fault
    try {
      const startedAt = performance.now()
      await expect(policy(question)).rejects.toThrow()
      expect(performance.now() - startedAt).toBeLessThan(TIMEOUT_MS + 500)
      const answer = await request(serviceAsking(policy, question)).get('/')
      expect(answer.status).toBe(503)
      expect(answer.headers['retry-after']).toBeDefined()
    } finally {
      server().fault = undefined
    }
    await expect(policy(question)).resolves.toMatchObject({ decision: true })
  })

  it('is down is no answer', async () => {
    const gone = await authzenServer()
    await gone.close()
    const policy = policyAt(gone.url)
    await expect(policy(question)).rejects.toThrow()
    expect((await request(serviceAsking(policy, question)).get('/')).status).toBe(503)
  })
})

describe.each<[string, () => Policy | Promise<Policy>]>([
  [
    'a plain function',
    () => () => {
      throw new Error('broken')
    },
  ],
  [
    'Cedar',
    () =>
      cedarPolicy({
        policies: `${fixture('records.cedar')} forbid (principal, action, resource) when { context.x };`,
      }),
  ],
  ['Casbin', () => casbinPolicy('p, broken, r.subject.properties.a.b == 1')],
])('%s whose rule fails', (_name, make) => {
  it('is no answer: 503', async () => {
    const policy = await make()
    await expect((async () => policy(question))()).rejects.toThrow()
    expect((await request(serviceAsking(policy, question)).get('/')).status).toBe(503)
  })
})
