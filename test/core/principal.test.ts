import { describe, expect, it } from '@jest/globals'
import { createPrincipal } from '../../src/core/principal.js'

const principalWith = (claims: unknown): ReturnType<typeof createPrincipal> =>
  createPrincipal({ type: 'external', issuer: 'i', subject: 's', authenticatedBy: 'test', claims })

describe('createPrincipal', () => {
  it.each<[string, object]>([
    ['no subject', { subject: '' }],
    ['no issuer', { issuer: undefined }],
    ['a subject that is a number', { subject: 7 }],
  ])('throws for %s', (_case, wrong) => {
    const right = { type: 'user', issuer: 'i', subject: 's', authenticatedBy: 'test' }
    expect(() => createPrincipal({ ...right, ...wrong } as never)).toThrow(
      'a principal needs a subject and an issuer',
    )
  })

  it.each<[string, unknown]>([
    ['a Date', { at: new Date() }],
    ['a Map', { map: new Map() }],
    ['an object of a class', { thing: new URL('https://a.test') }],
  ])('throws for claims that hold %s, which a copy would lose', (_case, claims) => {
    expect(() => principalWith(claims)).toThrow('claims must be plain data')
  })

  it('throws for claims without an end', () => {
    const claims: { self?: unknown } = {}
    claims.self = claims
    expect(() => principalWith(claims)).toThrow('claims are nested deeper than 200 levels')
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
