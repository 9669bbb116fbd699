import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import express from 'express'
import {
  apiKeyVerifier,
  apiKeys,
  auditLog,
  authenticate,
  authorize,
  certificateVerifier,
  concurrencyLimit,
  denyByDefault,
  forbidTogether,
  fromRateLimiterFlexible,
  gateway,
  idempotency,
  internalOnly,
  introspectionVerifier,
  loadShed,
  nginx,
  penalise,
  principalFrom,
  protectedResourceMetadata,
  rateLimit,
  redisStore,
  requestTimeout,
  requireAuthnLevel,
  requireClaims,
  requireResource,
  requireRoles,
  requireScopes,
  requireService,
  requireTenant,
  revocation,
  secureErrors,
  secureHeaders,
  slowDown,
  validateBody,
} from '../src/index.js'
import { PROBLEMS, REFUSALS, type ProblemFace } from '../src/core/catalogue.js'

const read = (file: string): string => readFileSync(join(process.cwd(), file), 'utf8')
const pages = readdirSync(join(process.cwd(), 'docs/middlewares'))

const knownOptions = (make: (options: never) => unknown): string[] => {
  try {
    make({ noSuchOption: 1 } as never)
  } catch (error) {
    return /Known options: (.*)\.$/.exec((error as Error).message)?.[1]?.split(', ') ?? []
  }
  return []
}

describe('the documentation', () => {
  it('lists every reason with the status and the code that it has', () => {
    const page = read('docs/errors.md')
    for (const [reason, code] of Object.entries(REFUSALS)) {
      if (reason === 'application_problem' || reason === 'request_refused') continue
      const { status } = PROBLEMS[code] as ProblemFace
      expect(page).toMatch(new RegExp(`\\| \`${reason}\`\\s+\\| ${status}\\s+\\| \`${code}\``))
    }
    const documented = [...page.matchAll(/^\| `([a-z_]+)`\s+\| (?:\d{3}|4xx|any)/gm)].map(
      ([, reason]) => reason,
    )
    expect(new Set(documented)).toEqual(new Set(Object.keys(REFUSALS)))
  })

  it.each<[string, (options: never) => unknown]>([
    ['api-key-verifier', apiKeyVerifier],
    ['api-keys', apiKeys],
    ['audit-log', auditLog],
    ['authenticate', authenticate],
    ['authorize', (options) => authorize(() => ({ decision: true }), options)],
    [
      'deny-by-default',
      (options) => {
        denyByDefault(express(), options)
      },
    ],
    ['certificate-verifier', certificateVerifier],
    ['concurrency-limit', concurrencyLimit],
    ['forbid-together', forbidTogether],
    ['gateway', (options) => gateway(nginx({ provenBy: { unixSocket: true } }), options)],
    ['introspection-verifier', introspectionVerifier],
    ['protected-resource-metadata', protectedResourceMetadata],
    ['request-timeout', requestTimeout],
    ['require-authn-level', requireAuthnLevel],
    ['slow-down', slowDown],
    ['revocation', revocation],
    ['from-rate-limiter-flexible', (options) => fromRateLimiterFlexible(() => undefined as never, options)],
    ['idempotency', idempotency],
    ['internal-only', internalOnly],
    ['load-shed', loadShed],
    ['penalise', penalise],
    ['principal-from', (options) => principalFrom(() => undefined, options)],
    ['rate-limit', rateLimit],
    ['redis', (options) => redisStore({ defineCommand: () => undefined }, options)],
    ['require-claims', (options) => requireClaims({ a: 1 }, options)],
    ['require-resource', requireResource],
    ['require-roles', requireRoles],
    ['require-scopes', requireScopes],
    ['require-service', requireService],
    ['require-tenant', requireTenant],
    ['secure-errors', secureErrors],
    ['secure-headers', secureHeaders],
    ['validate-body', (options) => validateBody(true, options)],
  ])('has a row for every option of %s, and for no other', (page, make) => {
    const rows = [...read(`docs/middlewares/${page}.md`).matchAll(/^\| `(\w+)`\s+\|/gm)].map(
      ([, name]) => name,
    )
    expect(new Set(rows)).toEqual(new Set(knownOptions(make)))
  })

  it.each([
    'authenticate',
    'require-scopes',
    'validate-body',
    'rate-limit',
    'audit-log',
    'redis',
    'principal-from',
  ])('names every option of %s in the README', (page) => {
    const rows = [...read(`docs/middlewares/${page}.md`).matchAll(/^\| `(\w+)`\s+\|/gm)]
    expect(rows.length).toBeGreaterThan(0)
    for (const [, name] of rows) expect(read('README.md')).toContain(`\`${String(name)}`)
  })

  it.each(pages)('%s says what is not checked', (page) => {
    expect(read(`docs/middlewares/${page}`)).toMatch(/^## Not checked$/m)
  })

  it('links only to files that exist', () => {
    for (const file of ['README.md', 'docs/rules.md', ...pages.map((page) => `docs/middlewares/${page}`)]) {
      for (const [, target] of read(file).matchAll(/\]\(([^)#]+)\)/g)) {
        if (target === undefined || /^https?:/.test(target)) continue
        expect(() => readdirSync(join(process.cwd(), file, '..', target, '..'))).not.toThrow()
      }
    }
  })

  it('shows a service that compiles: test/types/readme-example.ts is README’s, to the letter', () => {
    const shown = /## A protected service\s+```ts\n(.*?)```/s.exec(read('README.md'))?.[1]
    const compiled = read('test/types/readme-example.ts').replace(/^.*\n/, '')
    expect(compiled.replace('../../src/index.js', 'express-bulwark')).toBe(shown)
  })

  it('names the tests of each feature of authentication, and they are there', () => {
    const rows = [...read('docs/authentication.md').matchAll(/^\| .* \| ([a-z0-9/, -]+?)\s*\|$/gm)]
    expect(rows.length).toBeGreaterThan(20)
    for (const [, tests] of rows.slice(1))
      for (const test of (tests ?? '').split(', ')) {
        if (!/^-+$/.test(test)) expect(() => read(`test/${test.trim()}.test.ts`)).not.toThrow()
      }
  })

  it('names the tests of each rule, and they are there', () => {
    for (const [, , tests] of read('docs/rules.md').matchAll(/^\| (\d+)\s+\|.*\| ([a-z/, -]+?)\s*\|$/gm)) {
      for (const test of (tests ?? '').split(', ')) expect(() => read(`test/${test}.test.ts`)).not.toThrow()
    }
    expect(read('docs/rules.md').match(/attacks\/rules/g)?.length).toBeGreaterThan(10)
  })
})
