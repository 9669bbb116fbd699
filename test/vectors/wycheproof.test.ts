import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import type { JWK } from 'jose'
import { readCompact } from '../../src/authentication/jwt-verifier/compact.js'
import { verifySignature, type KeySelector } from '../../src/authentication/jwt-verifier/signature.js'
import { readKeySet, selectKeys } from '../../src/authentication/key-set/usable-keys.js'
import { isSecurityProblem } from '../../src/core/problem.js'
import { describeWith, vectors } from '../support/requirements.js'

interface Vector {
  readonly tcId: number
  readonly comment: string
  readonly result: 'valid' | 'invalid'
  readonly jws?: string
  readonly jwe?: string
}

interface Group {
  readonly comment?: string
  readonly public?: JWK | KeySet
  readonly private: JWK | KeySet
  readonly tests: readonly Vector[]
}

interface KeySet {
  readonly keys: readonly JWK[]
}

interface Cookbook {
  readonly input: { readonly key: JWK; readonly alg: string; readonly payload: string }
  readonly output: { readonly compact: string; readonly json_flat: object; readonly json: object }
}

type Case = readonly [tcId: number, title: string, group: Group, vector: Vector]

const ASYMMETRIC = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]
const SYMMETRIC = ['HS256', 'HS384', 'HS512']

const WRONG_ALG = 'the "alg" of the key contradicts the "alg" of the header that it is said to verify'
const SAME_AS_VALID = 'byte for byte the valid vector 357, and yet marked invalid'
const NOT_BASE64URL = 'a question mark is no base64url character, and yet marked valid'

/** Vectors of the signature file whose verdict contradicts the file itself or RFC 7515. */
const DEFECTIVE = new Map([
  [346, WRONG_ALG],
  [347, WRONG_ALG],
  [350, WRONG_ALG],
  [351, WRONG_ALG],
  [367, SAME_AS_VALID],
  [370, SAME_AS_VALID],
  [372, NOT_BASE64URL],
  [373, NOT_BASE64URL],
])

/** Valid vectors of the key file whose key is symmetric: what is published in a key set is no secret. */
const SYMMETRIC_IN_SET = [2, 13, 14, 15]

const found = vectors()

function load(...path: readonly string[]): unknown {
  return JSON.parse(readFileSync(join(found.folder, ...path), 'utf8'))
}

function groupsOf(file: string): readonly Group[] {
  return (load('wycheproof', file) as { readonly testGroups: readonly Group[] }).testGroups
}

function casesOf(groups: readonly Group[]): readonly Case[] {
  return groups.flatMap((group) =>
    group.tests.map((vector): Case => [
      vector.tcId,
      `${group.comment ?? ''} ${vector.comment}`,
      group,
      vector,
    ]),
  )
}

/** A suite of the vectors; where there are none, its tables cannot even be written down, so one test stands for all. */
function suite(title: string, body: () => void): void {
  const standIn = (): void => {
    it('has its vectors', () => {
      expect(found.met).toBe(true)
    })
  }
  describeWith(found, title, found.met ? body : standIn)
}

/** What this library says: refused with 401, or accepted. Whatever else happens fails the test. */
async function verdict(token: string, algorithms: readonly string[], keys: KeySelector): Promise<string> {
  try {
    await verifySignature(token, readCompact(token).header, algorithms, keys)
    return 'valid'
  } catch (cause) {
    if (isSecurityProblem(cause) && cause.status === 401) return 'invalid'
    throw cause
  }
}

/** The way of every key that is not given by hand: through the key set reader. */
async function publishedKeys(document: JWK | KeySet): Promise<KeySelector> {
  const ring = await readKeySet('keys' in document ? document : { keys: [document] })
  return (header) => selectKeys(ring, header)
}

/** A symmetric key, which the key set reader refuses by design, so that the rest of the way can be tested. */
function symmetricKey(jwk: JWK): KeySelector {
  return ({ kid, alg }) =>
    (kid === undefined || kid === jwk.kid) && alg === jwk.alg
      ? [{ jwk, kid: jwk.kid, thumbprint: 'symmetric' }]
      : []
}

async function verdictOf({ tests: _tests, ...group }: Group, { jws = '' }: Vector): Promise<string> {
  const key = group.private as JWK
  if (group.public === undefined && key.kty === 'oct') return verdict(jws, SYMMETRIC, symmetricKey(key))
  return verdict(jws, ASYMMETRIC, await publishedKeys(group.public ?? group.private))
}

suite('Wycheproof: signatures', () => {
  const groups = groupsOf('json_web_signature_test.json')
  const cases = casesOf(groups)

  it('has the 401 vectors that were read', () => {
    expect(cases).toHaveLength(401)
  })

  it.each(cases.filter(([tcId]) => !DEFECTIVE.has(tcId)))(
    'agrees with vector %i: %s',
    async (_tcId, _title, group, vector) => {
      await expect(verdictOf(group, vector)).resolves.toBe(vector.result)
    },
  )

  it.each([...DEFECTIVE])('still disagrees with vector %i: %s', async (tcId) => {
    const [, , group, vector] = cases.find(([id]) => id === tcId) as Case
    await expect(verdictOf(group, vector)).resolves.not.toBe(vector.result)
  })

  it('calls two vectors defective because their very bytes are marked valid elsewhere', () => {
    const bytesOf = (tcId: number): string | undefined => cases.find(([id]) => id === tcId)?.[3].jws
    expect([bytesOf(367), bytesOf(370)]).toEqual([bytesOf(357), bytesOf(357)])
  })

  it('verifies the four vectors with a contradicting key once that key no longer says "alg"', async () => {
    for (const tcId of [346, 347, 350, 351]) {
      const [, , group, vector] = cases.find(([id]) => id === tcId) as Case
      const { alg: _alg, ...key } = group.public as JWK
      await expect(verdict(vector.jws ?? '', ASYMMETRIC, await publishedKeys(key))).resolves.toBe('valid')
    }
  })

  it('refuses each invalid vector of a public key also where symmetric algorithms were allowed', async () => {
    for (const [tcId, , group, vector] of cases) {
      if (group.public === undefined || vector.result === 'valid') continue
      const keys = await publishedKeys(group.public)
      expect([tcId, await verdict(vector.jws ?? '', [...ASYMMETRIC, ...SYMMETRIC], keys)]).toEqual([
        tcId,
        'invalid',
      ])
    }
  })

  it('takes no key from a set that publishes private ones', async () => {
    for (const group of groups) {
      const ring = await readKeySet({ keys: [group.private as JWK] })
      expect(ring.keys).toEqual([])
    }
  })
})

suite('Wycheproof: keys', () => {
  const cases = casesOf(groupsOf('json_web_key_test.json'))

  it('has the 26 vectors that were read', () => {
    expect(cases).toHaveLength(26)
  })

  it.each(cases.filter(([tcId]) => !SYMMETRIC_IN_SET.includes(tcId)))(
    'agrees with vector %i: %s',
    async (_tcId, _title, group, { jws = '', result }) => {
      const keys = await publishedKeys(group.public ?? group.private)
      await expect(verdict(jws, [...ASYMMETRIC, ...SYMMETRIC], keys)).resolves.toBe(result)
    },
  )

  it.each(SYMMETRIC_IN_SET)(
    'refuses vector %i, which is valid but has a symmetric key in a set',
    async (id) => {
      const [, , group, { jws = '', result }] = cases.find(([tcId]) => tcId === id) as Case
      const keys = await publishedKeys(group.private)
      expect(result).toBe('valid')
      await expect(verdict(jws, [...ASYMMETRIC, ...SYMMETRIC], keys)).resolves.toBe('invalid')
    },
  )

  it.each([
    [7, 'a modulus of the generator of CVE-2017-15361'],
    [8, 'a modulus of 1024 bits'],
    [9, 'the exponent 1'],
    [19, 'an algorithm that its curve does not have'],
    [20, 'an algorithm that does not exist'],
    [21, 'a use other than signatures'],
    [22, 'a point that is not on its curve'],
    [23, 'a curve that is not its own'],
    [24, 'a type that is not its own'],
  ])('skips the key of vector %i when the set is loaded: %s', async (id) => {
    const [, , group] = cases.find(([tcId]) => tcId === id) as Case
    await expect(readKeySet({ keys: [group.public] })).resolves.toMatchObject({ keys: [] })
  })
})

suite('Wycheproof: signatures and encryption together', () => {
  const cases = casesOf(groupsOf('json_web_crypto_test.json'))
  const isSingleKey = ({ public: open, private: secret }: Group): boolean =>
    open !== undefined || 'kty' in secret

  it.each(cases.filter(([, , group, { jws }]) => jws !== undefined && isSingleKey(group)))(
    'agrees with vector %i: %s',
    async (_tcId, _title, group, vector) => {
      await expect(verdictOf(group, vector)).resolves.toBe(vector.result)
    },
  )
})

suite('Wycheproof: encryption', () => {
  const cases = ['json_web_encryption_test.json', 'json_web_crypto_test.json']
    .flatMap((file) => casesOf(groupsOf(file)))
    .filter(([, , , { jwe }]) => jwe !== undefined)

  it('has the vectors that were read', () => {
    expect(cases.length).toBeGreaterThanOrEqual(139)
  })

  it.each(cases)('refuses encrypted token %i: %s', async (_tcId, _title, group, { jwe = '' }) => {
    const offered = (): never => {
      throw new Error('no key must be looked for')
    }
    await expect(verdict(jwe, [...ASYMMETRIC, ...SYMMETRIC], offered)).resolves.toBe('invalid')
    const keys = await publishedKeys(group.private)
    await expect(verdict(jwe, ASYMMETRIC, keys)).resolves.toBe('invalid')
  })
})

suite('The examples of RFC 7520, RFC 8037 and RFC 7797', () => {
  const read = (path: string): Cookbook => load('jose-cookbook', path) as Cookbook
  const publicPart = ({ kty, kid, n, e, crv, x, y }: JWK): JWK =>
    JSON.parse(JSON.stringify({ kty, kid, n, e, crv, x, y })) as JWK

  it.each([
    ['RS256', 'jws/4_1.rsa_v15_signature.json'],
    ['PS384', 'jws/4_2.rsa-pss_signature.json'],
    ['ES512', 'jws/4_3.ecdsa_signature.json'],
    ['EdDSA', 'curve25519/jws.json'],
  ])('verifies the %s signature of %s', async (algorithm, path) => {
    const { input, output } = read(path)
    const keys = await publishedKeys(publicPart(input.key))
    const { header, payload } = readCompact(output.compact)
    await expect(verifySignature(output.compact, header, [algorithm], keys)).resolves.toMatch(/^[\w-]{43}$/)
    expect(header['alg']).toBe(algorithm)
    expect(payload).toBe(input.payload)
  })

  it('verifies the HS256 signature where a symmetric key and its algorithm are allowed, and only there', async () => {
    const { input, output } = read('jws/4_4.hmac-sha2_integrity_protection.json')
    await expect(verdict(output.compact, SYMMETRIC, symmetricKey(input.key))).resolves.toBe('valid')
    await expect(verdict(output.compact, ASYMMETRIC, symmetricKey(input.key))).resolves.toBe('invalid')
    await expect(verdict(output.compact, SYMMETRIC, await publishedKeys(input.key))).resolves.toBe('invalid')
  })

  it.each(['jws/4_1.rsa_v15_signature.json', 'rfc7797/4.2.hmac-sha2_b64_false.json'])(
    'refuses the JSON serialisations of %s',
    async (path) => {
      const { input, output } = read(path)
      const keys =
        input.key.kty === 'oct' ? symmetricKey(input.key) : await publishedKeys(publicPart(input.key))
      for (const form of [output.json, output.json_flat]) {
        const token = JSON.stringify(form)
        await expect(verdict(token, [...ASYMMETRIC, ...SYMMETRIC], keys)).resolves.toBe('invalid')
      }
    },
  )
})
