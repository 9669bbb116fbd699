import { describe, expect, it } from '@jest/globals'
import type { Settings } from '../../src/authentication/authenticate/settings.js'
import { possessionChecker } from '../../src/authentication/binding/possession.js'
import { certificateThumbprint } from '../../src/core/client-certificate.js'
import { SecurityProblem } from '../../src/core/problem.js'
import { ORIGIN, authenticateBound, boundService, holder, outcomeOf, proofsOf } from './dpop-client.js'
import { service } from './harness.js'

const caller = holder()
const token = caller.token()

describe('the proof of a key', () => {
  it('is used up last: after a 503 of the revocation list the same one passes', async () => {
    let isOut = true
    const check = (): void => {
      if (isOut) throw new SecurityProblem('store_unavailable', { headers: { 'retry-after': '1' } })
    }
    const to = service(authenticateBound({}, { revocation: { check, facts: {} } }))
    const proof = caller.proof(token)
    expect(await outcomeOf(to, token, proof)).toEqual([503, 'store_unavailable'])
    isOut = false
    expect((await outcomeOf(to, token, proof))[0]).toBe(200)
    expect(await outcomeOf(to, token, proof)).toEqual([401, 'dpop_proof_replayed'])
  })

  it('for another address: the record says where this service is, and nothing that was sent', async () => {
    const to = boundService()
    for (const [htu, differs] of [
      [`https://evil.example/`, 'origin'],
      [`${ORIGIN}/secret-path`, 'path'],
      ['no address', 'origin'],
    ] as const) {
      expect(await outcomeOf(to, token, caller.proof(token, { htu }))).toEqual([401, 'dpop_proof_mismatch'])
      expect(to.decisions.at(-1)?.evidence).toEqual({ mismatch: 'url', differs, expected: [ORIGIN] })
    }
  })
})

describe('a token that is bound to a certificate alone', () => {
  const times = { validFrom: new Date(0).toISOString(), validTo: new Date(Date.now() + 60_000).toISOString() }
  const x509 = { raw: Buffer.from('a certificate'), ...times }
  const confirmation = { 'x5t#S256': certificateThumbprint(x509 as never) }
  const prove = possessionChecker({ dpop: proofsOf(), senderConstrained: 'when-bound' } as Settings)
  const shownBy = (scheme: string, certificate?: object): (() => unknown) => {
    const context = { provenHop: {}, client: { certificate } }
    return () => prove({ scheme, value: token }, { confirmation } as never, {} as never, context as never)
  }

  it('passes as Bearer with it, and with no other', () => {
    expect(shownBy('bearer', { x509 })).not.toThrow()
    const mismatch = expect.objectContaining({ reason: 'confirmation_mismatch' })
    expect(shownBy('bearer')).toThrow(mismatch)
    expect(shownBy('bearer', { x509: { ...x509, raw: Buffer.from('another') } })).toThrow(mismatch)
  })

  it('is refused under the scheme DPoP, also with its certificate: nobody looks at the proof', () => {
    expect(shownBy('dpop', { x509 })).toThrow(expect.objectContaining({ reason: 'confirmation_missing' }))
  })
})
