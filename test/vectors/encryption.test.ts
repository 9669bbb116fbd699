// Whoever encrypts a token to this service gets no further than whoever sends noise: no key is looked for, and nothing is
// decrypted. The signature reader is asked about the same vectors in wycheproof.test.ts.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { authenticate } from '../../src/authentication/authenticate.js'
import { jwtVerifier } from '../../src/authentication/jwt-verifier.js'
import { incoming } from '../authentication/harness.js'
import { describeWith, vectors } from '../support/requirements.js'

interface Vector {
  readonly tcId: number
  readonly comment: string
  readonly result: 'valid' | 'invalid'
  readonly jwe?: string
}

const found = vectors()

function encrypted(file: string): Vector[] {
  const { testGroups } = JSON.parse(readFileSync(join(found.folder, 'wycheproof', file), 'utf8')) as {
    readonly testGroups: readonly { readonly tests: readonly Vector[] }[]
  }
  return testGroups.flatMap(({ tests }) => tests).filter(({ jwe }) => jwe !== undefined)
}

describeWith(found, 'Wycheproof: encrypted tokens, brought to authenticate', () => {
  const cases = ['json_web_encryption_test.json', 'json_web_crypto_test.json'].flatMap(encrypted)
  // Nobody listens there: a request for keys would be seen as 503.
  const unreachable = { issuer: 'https://id.test', audience: 'a', jwksUri: 'http://127.0.0.1:1/keys' }
  const short = authenticate({ ...unreachable, maxTokenLength: 65_536 })
  const long = authenticate({ verifiers: [jwtVerifier([unreachable])], maxTokenLength: 65_536 })

  it('are 139 and more, valid and invalid ones', () => {
    expect(cases.length).toBeGreaterThanOrEqual(139)
    expect(new Set(cases.map(({ result }) => result))).toEqual(new Set(['valid', 'invalid']))
  })

  it.each(cases.map((vector) => [vector.tcId, vector.comment, vector.jwe ?? ''] as const))(
    'refuses %i: %s',
    async (_tcId, _comment, jwe) => {
      for (const guard of [short, long]) {
        const problem: unknown = await guard
          .verifyRequest(incoming(`Bearer ${jwe}`))
          .catch((cause: unknown) => cause)
        expect(problem).toMatchObject(
          /^[\w.~+/-]+=*$/.test(jwe)
            ? { status: 401, code: 'invalid_token', reason: 'token_malformed' }
            : { status: /\s/.test(jwe) ? 400 : 401 },
        )
      }
    },
  )
})
