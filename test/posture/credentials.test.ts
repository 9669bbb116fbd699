import { describe, expect, it } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import { revocation } from '../../src/authentication/revocation.js'
import type { Guard } from '../../src/core/guard.js'
import { requireScopes } from '../../src/authorization/require-scopes.js'
import { checkBaseline, defineBaseline, type BaselineRules } from '../../src/posture/baseline.js'
import { answerChecklist, asvsStatuses, type ChecklistAnswer } from '../../src/posture/checklist.js'
import { diagnose } from '../../src/posture/doctor.js'
import { credentialsOf } from '../../src/posture/evidence.js'
import { inspectPosture } from '../../src/posture/inspect-posture.js'
import { compareLocks, lockOf } from '../../src/posture/lock.js'
import type { Posture, PostureGuard } from '../../src/posture/model.js'
import { renderHtml } from '../../src/posture/render/html.js'
import { renderJson } from '../../src/posture/render/json.js'
import { renderMarkdown } from '../../src/posture/render/markdown.js'
import { renderTable } from '../../src/posture/render/table.js'
import { makeGuard, makePosture, makeRow } from './support-baseline.js'
import {
  accepting,
  anyAge,
  asked,
  bounded,
  certificates,
  fetched,
  jwts,
  keys,
  unbounded,
} from './support-verifiers.js'

function applicationWith(guard: Guard): express.Express {
  const app = express()
  app.use(guard as RequestHandler)
  app.get('/orders', requireScopes('orders:read') as RequestHandler, (_req, res) => {
    res.end()
  })
  return app
}
const postureWith = (guard: Guard): Posture => inspectPosture(applicationWith(guard))
const guardOf = (posture: Posture): PostureGuard => posture.rows[0]!.guards[0]!
const tokens = (posture: Posture): ChecklistAnswer =>
  answerChecklist(posture).find(({ id }) => id === 'tokens')!
const broken = (posture: Posture, rules: BaselineRules): string[] =>
  checkBaseline(posture, defineBaseline({ name: 'company', rules })).map(({ message }) => message)
const statusOf = (id: string, posture: Posture): string | undefined =>
  asvsStatuses(posture).find((answer) => answer.id === id)?.status
const changes = (before: Guard, after: Guard): string[] =>
  compareLocks(lockOf(postureWith(before)), lockOf(postureWith(after)))
    .filter(({ where }) => where === 'GET /orders')
    .map(({ severity, sentence }) => `${severity}: ${sentence.replace('GET /orders: authenticate ', '')}`)

const revoking = () => revocation({ name: 'posture-tests', maxTokenLifetimeSeconds: 3600 })
const everything = (): Guard => accepting([jwts(bounded, unbounded), asked(), keys(), certificates()])

describe('what an authenticate accepts', () => {
  it.each<[string, Guard, readonly string[]]>([
    ['one issuer', accepting([jwts(bounded)]), ['jwt https://a.example']],
    ['two', accepting([jwts(bounded, unbounded)]), ['jwt https://a.example', 'jwt https://b.example']],
    [
      'every kind',
      everything(),
      [
        'jwt https://a.example',
        'jwt https://b.example',
        'introspection tokens of https://c.example by introspection',
        'api-key API keys of api-keys:shop',
        'certificate certificates of internal',
      ],
    ],
  ])('is read of %s, each by itself', (_case, guard, expected) => {
    const read = credentialsOf(guardOf(postureWith(guard)))
    expect(read.map(({ kind, label }) => `${kind} ${label}`)).toEqual(expected)
  })

  it('is unknown where it is no verifier of this library, or was cut off', () => {
    const facts = {
      verifiers: [{ kind: 'session' }, 7, '[3 more]', { kind: '__proto__' }],
    }
    expect(credentialsOf(makeGuard('authenticate', facts)).map(({ kind }) => kind)).toEqual(
      Array.from({ length: 4 }, () => 'unknown'),
    )
    expect(credentialsOf(makeGuard('principalFrom', { issuer: 'https://a.example' }))).toEqual([])
  })
})

describe('the checklist', () => {
  it.each<[string, Guard, string, readonly string[]]>([
    ['a bounded issuer', accepting([jwts(fetched(bounded))]), 'yes', []],
    ['one with its keys in the set-up', accepting([jwts(bounded)]), 'partly', ['token-keys-inline']],
    [
      'one bounded and one not',
      accepting([jwts(bounded, unbounded)]),
      'no',
      ['token-lifetime-unbounded', 'token-keys-inline', 'token-keys-inline'],
    ],
    ['introspection', accepting([asked()]), 'partly', []],
    ['API keys', accepting([keys()]), 'unknown', []],
    ['certificates', accepting([certificates()]), 'unknown', []],
    ['a bounded issuer beside API keys', accepting([jwts(fetched(bounded)), keys()]), 'unknown', []],
    [
      'revocation, which makes nothing short-lived',
      accepting([jwts(fetched(unbounded))], { revocation: revoking() }),
      'no',
      ['token-lifetime-unbounded'],
    ],
  ])('says of %s', (_case, guard, status, codes) => {
    const answer = tokens(postureWith(guard))
    expect(answer.status).toBe(status)
    expect(answer.findings.map(({ code }) => code).toSorted()).toEqual([...codes].toSorted())
  })

  it('has a line for each, and for what makes a leak worth less', () => {
    const guard = accepting([jwts(bounded, unbounded), asked(), keys(), certificates()], {
      revocation: revoking(),
      senderConstrained: 'required',
    })
    const { evidence } = tokens(postureWith(guard))
    for (const start of [
      'authenticate(https://a.example) accepts tokens for at most 600 s',
      'authenticate(https://b.example) accepts tokens however long they last',
      'authenticate(tokens of https://c.example by introspection) asks whether each token still holds, at most 10 s ago',
      'authenticate(API keys of api-keys:shop) accepts keys',
      'authenticate(certificates of internal) accepts certificates',
      'authenticate({ revocation })',
      'authenticate({ senderConstrained })',
    ])
      expect(evidence.filter((line) => line.startsWith(start))).toHaveLength(1)
    const [endpoints] = answerChecklist(postureWith(everything()))
    expect(endpoints?.evidence[0]).toBe(
      'GET /orders guarded by authenticate(https://a.example, https://b.example, tokens of https://c.example by introspection, API keys of api-keys:shop, certificates of internal)',
    )
  })

  it('knows nothing of a verifier that somebody else made', () => {
    const guards = [makeGuard('authenticate', { verifiers: [{ kind: 'session' }], required: true })]
    const posture = makePosture({ rows: [makeRow('GET /orders', guards)] })
    expect(tokens(posture).status).toBe('unknown')
    expect(statusOf('9.1.1', posture)).toBe('unknown')
  })
})

describe('ASVS', () => {
  const jwt = accepting([jwts(bounded)])
  const opaque = accepting([jwts(bounded), asked('opaque')])
  const withKeys = accepting([jwts(bounded), keys()])
  const revoked = accepting([jwts(unbounded), certificates()], { revocation: revoking() })

  it.each<[string, string, Guard, string]>([
    ['7.2.1', 'JWTs', jwt, 'enforced'],
    ['7.2.1', 'introspection', accepting([asked()]), 'enforced'],
    ['7.2.1', 'API keys beside them', withKeys, 'unknown'],
    ['7.2.2', 'API keys', accepting([keys()]), 'unknown'],
    ['9.1.1', 'JWTs', jwt, 'enforced'],
    ['9.1.1', 'opaque tokens beside them', opaque, 'enforced'],
    ['9.1.1', 'API keys beside them', withKeys, 'enforced'],
    ['9.1.1', 'introspection of whatever comes', accepting([jwts(bounded), asked()]), 'unknown'],
    ['9.1.1', 'API keys alone', accepting([keys()]), 'unknown'],
    ['9.1.1', 'certificates alone', accepting([certificates()]), 'unknown'],
    ['9.2.2', 'JWTs', jwt, 'enforced'],
    [
      '9.2.2',
      'one issuer of two whose type only reports',
      accepting([jwts(bounded, { ...unbounded, typ: { value: 'at+jwt', mode: 'report' } })]),
      'unknown',
    ],
    ['10.3.2', 'API keys', withKeys, 'unknown'],
    ['8.2.1', 'API keys', withKeys, 'enforced'],
    ['10.3.5', 'any token', jwt, 'unknown'],
    [
      '10.3.5',
      'bound tokens only',
      accepting([jwts(bounded)], { senderConstrained: 'required' }),
      'enforced',
    ],
    [
      '10.3.5',
      'API keys beside them',
      accepting([jwts(bounded), keys()], { senderConstrained: 'required' }),
      'unknown',
    ],
    ['8.3.2', 'a bound', jwt, 'partly'],
    ['8.3.2', 'no bound', accepting([jwts(unbounded)]), 'violated'],
    ['8.3.2', 'no bound, and revocation', revoked, 'partly'],
    ['8.3.2', 'introspection', accepting([asked()]), 'partly'],
    ['8.3.2', 'API keys', withKeys, 'unknown'],
    ['7.3.2', 'no bound, and revocation', revoked, 'violated'],
    ['10.3.4', 'anything', jwt, 'unknown'],
  ])('%s with %s', (id, _case, guard, status) => {
    expect(statusOf(id, postureWith(guard))).toBe(status)
  })
})

describe('a baseline', () => {
  it.each<[string, BaselineRules, readonly string[]]>([
    [
      'issuers',
      { issuers: ['https://a.example'] },
      [
        'https://b.example',
        'tokens of https://c.example by introspection',
        'API keys of api-keys:shop',
        'certificates of internal',
      ],
    ],
    [
      'algorithms',
      { algorithms: ['EdDSA'] },
      ['https://b.example', 'tokens of https://c.example by introspection'],
    ],
    ['audience', { requireAudience: true }, []],
    [
      'age',
      { maxTokenAgeSeconds: 600 },
      ['https://b.example', 'tokens of https://c.example by introspection', 'API keys of api-keys:shop'],
    ],
    ['clocks', { maxClockToleranceSeconds: 5 }, ['https://b.example']],
  ])('holds each credential against its rule about %s', (_case, rules, labels) => {
    const messages = broken(postureWith(everything()), rules)
    expect(messages.map((message) => /^authenticate "authenticate" \((.*?)\) /.exec(message)?.[1])).toEqual(
      labels,
    )
  })

  it('finds nothing in opaque tokens without a signature, and no rule kept by the unknown', () => {
    expect(broken(postureWith(accepting([asked('opaque')])), { algorithms: ['EdDSA'] })).toEqual([])
    const guards = [makeGuard('authenticate', { verifiers: [{ kind: 'session' }] })]
    const rules = {
      issuers: ['https://a.example'],
      algorithms: ['EdDSA'],
      requireAudience: true,
      maxTokenAgeSeconds: 600,
      maxClockToleranceSeconds: 5,
    }
    expect(broken(makePosture({ rows: [makeRow('GET /orders', guards)] }), rules)).toHaveLength(5)
  })

  it('sees a setting that only reports, whichever issuer it is of', () => {
    const guard = accepting([jwts(bounded, { ...unbounded, maxTokenAge: { seconds: 60, mode: 'report' } })])
    expect(broken(postureWith(guard), { refuseReportMode: true })).toEqual([
      'authenticate "authenticate" only reports (maxTokenAge) (before 2 rows)',
    ])
  })
})

describe('the lock', () => {
  it('names each credential, and can be read again', () => {
    const lock = lockOf(postureWith(everything()))
    expect(compareLocks(lock, lock)).toEqual([])
    const { facts } = (JSON.parse(lock) as { rows: { guards: { facts: Record<string, unknown> }[] }[] })
      .rows[0]!.guards[0]!
    expect(facts).toMatchObject({
      credentials: [
        'jwt https://a.example',
        'jwt https://b.example',
        'introspection https://c.example',
        'api-key api-keys:shop',
        'certificate',
      ],
      'jwt https://a.example maxTokenAgeSeconds': 600,
      'jwt https://b.example algorithms': ['RS256'],
      'certificate names': ['DNS:orders.internal'],
    })
  })

  it.each<[string, Guard, Guard, readonly string[]]>([
    [
      'a second issuer',
      accepting([jwts(bounded)]),
      accepting([jwts(bounded, unbounded)]),
      ['weaker: credentials gained jwt https://b.example'],
    ],
    [
      'API keys',
      accepting([jwts(bounded)]),
      accepting([jwts(bounded), keys()]),
      ['weaker: credentials gained api-key api-keys:shop'],
    ],
    [
      'an issuer that is gone',
      accepting([jwts(bounded, unbounded)]),
      accepting([jwts(bounded)]),
      ['stronger: credentials lost jwt https://b.example'],
    ],
    [
      'a bound of one of two that is gone',
      accepting([jwts(bounded, unbounded)]),
      accepting([jwts(anyAge(bounded), unbounded)]),
      [
        'weaker: jwt https://a.example maxTokenAgeMode is gone: it was enforce',
        'weaker: jwt https://a.example maxTokenAgeSeconds is gone: it was 600',
      ],
    ],
    [
      'fewer algorithms of one of two',
      accepting([jwts({ ...bounded, algorithms: ['EdDSA', 'RS256'] }, unbounded)]),
      accepting([jwts(bounded, unbounded)]),
      ['stronger: jwt https://a.example algorithms lost RS256'],
    ],
    [
      'a bound that went as another issuer came',
      accepting([jwts(bounded)]),
      accepting([jwts({ ...bounded, maxTokenAgeSeconds: 900 }), keys()]),
      [
        'weaker: credentials gained api-key api-keys:shop',
        'weaker: jwt https://a.example maxTokenAgeSeconds went from 600 to 900',
      ],
    ],
    [
      'revocation',
      accepting([jwts(bounded)]),
      accepting([jwts(bounded)], { revocation: revoking() }),
      ['stronger: revocation is new: on'],
    ],
    [
      'bound tokens only, no more',
      accepting([jwts(bounded)], { senderConstrained: 'required' }),
      accepting([jwts(bounded)]),
      ['weaker: senderConstrained is gone: it was required'],
    ],
    [
      'proofs of possession, which let bound tokens in',
      accepting([jwts(bounded)]),
      accepting([jwts(bounded)], { dpop: { publicOrigin: 'https://api.example' } }),
      ['changed: dpop is new: on'],
    ],
  ])('says of %s', (_case, before, after, expected) => {
    expect(changes(before, after)).toEqual(expected)
  })

  it('holds a hundred issuers and more', () => {
    const many = Array.from({ length: 120 }, (_, at) => ({ ...bounded, issuer: `https://i${at}.example` }))
    const lock = lockOf(postureWith(accepting([jwts(...many), keys()])))
    expect(compareLocks(lock, lock)).toEqual([])
    const last = accepting([
      jwts(...many.slice(0, -1), { ...bounded, issuer: 'https://other.example' }),
      keys(),
    ])
    expect(compareLocks(lock, lockOf(postureWith(last)))).not.toEqual([])
  })
})

describe('every output', () => {
  it('shows all of them', () => {
    const posture = postureWith(everything())
    for (const text of [renderHtml(posture), renderJson(posture)])
      for (const name of [
        'https://a.example',
        'https://b.example',
        'https://c.example',
        'api-keys:shop',
        'DNS:orders.internal',
      ])
        expect(text).toContain(name)
    expect(renderHtml(posture)).toContain('jwt https://b.example algorithms')
    for (const text of [renderTable(posture), renderMarkdown(posture)]) expect(text).toContain('authenticate')
  })
})

describe('the doctor', () => {
  it('tells of what one process keeps and others ask for', () => {
    const guard = accepting([jwts(bounded)], {
      revocation: revoking(),
      dpop: { publicOrigin: 'https://api.example' },
    })
    const several = { environment: { WEB_CONCURRENCY: '4' }, loadedFiles: [] }
    const told = (options: object): string[] =>
      diagnose(applicationWith(guard), { ...several, ...options })
        .filter(({ code }) => code === 'memory-store-with-workers')
        .map(({ message }) => message)
    expect(told({})).toEqual([
      'authenticate "authenticate" remembers the proofs of DPoP in memory, and WEB_CONCURRENCY asks for several processes.',
      'authenticate "authenticate" keeps what was revoked in memory, and WEB_CONCURRENCY asks for several processes.',
    ])
    expect(told({ environment: {} })).toEqual([])
  })
})
