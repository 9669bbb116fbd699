import type { IncomingMessage, ServerResponse } from 'node:http'
import { SecurityProblem } from '../../core/problem.js'
import { countLines } from '../authenticate/credentials.js'
import { refusal } from '../refusal.js'
import { checkProof } from './dpop/claims.js'
import { dpopSettings, factsOf, type DpopOptions } from './dpop/options.js'
import { readProof } from './dpop/proof.js'
import { proofName, replaysOf } from './replay/replays.js'

export type { DpopNonceOptions, DpopOptions } from './dpop/options.js'

/** What `authenticate` asks of the proofs of possession that come with tokens (RFC 9449). */
export interface DpopProofs {
  /** Challenge with the accepted algorithms: `DPoP algs="ES256"`. */
  readonly challenge: string
  readonly facts: Readonly<Record<string, unknown>>
  /** Rejects with a `SecurityProblem` unless the request carries a good, fresh proof by the key `jkt` for `token`. */
  verify(req: IncomingMessage, token: string, jkt: string): void | Promise<void>
  warmUp?(): Promise<void>
  close?(): Promise<void>
}

/**
 * Checks proofs as RFC 9449 section 4.3 says, and lets each be used once. A proof is remembered last, when everything
 * else of it was found good: what is refused takes no room.
 *
 * `me` begins the message of every `TypeError` about the options.
 */
export function dpopProofs(me: string, options: DpopOptions): DpopProofs {
  const settings = dpopSettings(me, options)
  const { algorithms, nonces } = settings
  const replays = replaysOf(settings)

  async function verify(req: IncomingMessage, token: string, jkt: string): Promise<void> {
    const claims = await readProof(proofOf(req), algorithms, jkt)
    checkProof(claims, { req, token }, settings)
    const age = nonces?.ageOf(claims.nonce)
    if (age === 'unusable') throw nonceRequired()
    const isFirstUse = await replays.use({ name: proofName(jkt, claims.jti), key: jkt, request: req })
    if (!isFirstUse) throw refusal('dpop_proof_replayed')
    if (age === 'ageing') offerNonce(req)
  }

  function nonceRequired(): SecurityProblem {
    return new SecurityProblem('dpop_nonce_required', { headers: { 'dpop-nonce': nonces?.issue() ?? '' } })
  }

  /** RFC 9449 section 8.2: the next nonce before the last one ends, in an answer that nothing on the way may keep. */
  function offerNonce(req: IncomingMessage): void {
    // Express puts the response there. An upgrade has none, and its client is told when it asks next.
    const { res } = req as { readonly res?: ServerResponse }
    if (res === undefined || res.headersSent || nonces === undefined) return
    res.setHeader('DPoP-Nonce', nonces.issue())
    res.setHeader('Cache-Control', 'no-store')
  }

  return Object.freeze({
    challenge: `DPoP algs="${algorithms.join(' ')}"`,
    facts: factsOf(settings),
    verify,
  })
}

/** The one DPoP line. Node joins several with a comma, which no proof contains: they are counted all the same. */
function proofOf({ headers, rawHeaders }: IncomingMessage): string {
  const { dpop } = headers
  if (countLines(rawHeaders, 'dpop') > 1) throw refusal('credential_repeated')
  if (dpop === undefined) throw refusal('dpop_proof_missing')
  return String(dpop)
}
