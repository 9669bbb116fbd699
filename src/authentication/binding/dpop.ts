import type { IncomingMessage } from 'node:http'
import type { RequestContext } from '../../core/context.js'
import { refusal } from '../refusal.js'

export interface DpopOptions {
  /** Where clients reach this service: `https://orders.example`. What a proof's `htu` must begin with. */
  readonly publicOrigin: string
}

/** What `authenticate` asks of the proofs of possession that come with tokens (RFC 9449). */
export interface DpopProofs {
  /** Challenge with the accepted algorithms: `DPoP algs="ES256"`. */
  readonly challenge: string
  readonly facts: Readonly<Record<string, unknown>>
  /** Rejects with a `SecurityProblem` unless the request carries a good, fresh proof by the key `jkt` for `token`. */
  verify(req: IncomingMessage, context: RequestContext, token: string, jkt: string): void | Promise<void>
  warmUp?(): Promise<void>
  close?(): Promise<void>
}

export function dpopProofs(me: string, { publicOrigin }: DpopOptions): DpopProofs {
  return {
    challenge: 'DPoP algs="ES256"',
    facts: { me, publicOrigin },
    verify: () => {
      throw refusal('confirmation_unsupported')
    },
  }
}
