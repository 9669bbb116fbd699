import type { IncomingMessage } from 'node:http'
import type { Health } from './lifecycle.js'
import type { Claims } from './principal.js'
import type { RequestContext } from './request-context.js'

/** What a proof says beyond "this request came through the hop". */
export interface HopStatement {
  /** What a signed assertion says, verified: whom the gateway authenticated, and how. Nobody may change it any more. */
  readonly claims?: Claims
}

/**
 * What a proof says of a request. A statement: it came through the hop. `undefined`: nothing in it says so. `'refused'`:
 * something says so and does not hold, as an assertion that is malformed or for another path. That is not the same as
 * nothing: a hop that writes its proof into every request forwarded this one too, with a proof that its caller could
 * spoil, and then the connection is the hop's while the request is anybody's.
 */
export type HopAnswer = HopStatement | 'refused' | undefined

/**
 * How a hop before this service proves that a request came through it. What proves it is never the address alone, nor
 * anything that a caller could send as well.
 */
export interface HopProof {
  /** One word or two for the posture: `peer certificate`, `shared secret`, `assertion`. */
  readonly kind: string
  /** Set-up facts for the posture report. Never a secret. */
  readonly facts: Readonly<Record<string, unknown>>
  /** Lower-case names of the headers that carry the proof. Nobody behind `gateway` sees them. */
  readonly headers: readonly string[]
  /**
   * Answers with a statement where the request is proven; with `undefined` where it has no proof, which is refused or
   * stripped as `gateway` is set up (`unproven`); with `'refused'` where its proof does not hold, which is refused
   * whatever `unproven` says. Throws a `SecurityProblem` (503) where that cannot be told. Answers at once where it can.
   */
  prove(req: IncomingMessage, context: RequestContext): HopAnswer | Promise<HopAnswer>
  warmUp?(): Promise<void>
  health?(): Health
  close?(): Promise<void>
}
