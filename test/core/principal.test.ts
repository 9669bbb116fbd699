import { describe, expect, it } from '@jest/globals'
import type { SecurityProblem } from '../../src/index.js'
import { createPrincipal } from '../../src/core/principal.js'

/** The sentence for the record of what building a principal threw. */
const problemOf = (build: () => unknown): unknown => {
  try {
    build()
  } catch (error) {
    const { reason, evidence } = error as SecurityProblem
    return [reason, evidence?.['problem']]
  }
  return undefined
}

const principalWith = (claims: unknown): ReturnType<typeof createPrincipal> =>
  createPrincipal({ type: 'external', issuer: 'i', subject: 's', authenticatedBy: 'test', claims })

describe('createPrincipal', () => {
  it.each<[string, object]>([
    ['no subject', { subject: '' }],
    ['no issuer', { issuer: undefined }],
    ['a subject that is a number', { subject: 7 }],
  ])('throws for %s', (_case, wrong) => {
    const right = { type: 'user', issuer: 'i', subject: 's', authenticatedBy: 'test' }
    expect(problemOf(() => createPrincipal({ ...right, ...wrong } as never))).toEqual([
      'guard_fault',
      'a principal needs a subject and an issuer, both non-empty strings',
    ])
  })

  it.each<[string, unknown]>([
    ['a Date', { at: new Date() }],
    ['a Map', { map: new Map() }],
    ['an object of a class', { thing: new URL('https://a.test') }],
  ])('throws for claims that hold %s, which a copy would lose', (_case, claims) => {
    expect(problemOf(() => principalWith(claims))).toEqual([
      'guard_fault',
      'claims must be plain data: objects, arrays, text, numbers, booleans, null',
    ])
  })

  it('throws for claims without an end', () => {
    const claims: { self?: unknown } = {}
    claims.self = claims
    expect(problemOf(() => principalWith(claims))).toEqual([
      'guard_fault',
      'claims are nested deeper than 200 levels',
    ])
  })

  it('copies claims: a later change of the original changes nothing', () => {
    const claims = { list: [1] }
    const principal = principalWith(claims)
    claims.list.push(2)
    expect(principal.claims).toEqual({ list: [1] })
  })

  it('keeps a claim called __proto__ a claim', () => {
    const { claims } = principalWith(JSON.parse('{"__proto__":{"admin":true}}'))
    expect(Object.keys(claims)).toEqual(['__proto__'])
    expect((claims as { admin?: unknown }).admin).toBeUndefined()
    expect(Object.getPrototypeOf(claims)).toBeNull()
  })
})
