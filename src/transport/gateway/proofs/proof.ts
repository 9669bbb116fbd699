import type { IncomingMessage } from 'node:http'
import type { ClientCertificate } from '../../../core/client-certificate.js'
import type { HopAnswer, HopProof, HopStatement } from '../../../core/hop-proof.js'
import type { RequestContext } from '../../../core/request-context.js'
import type { HeaderLines } from '../header-lines.js'

/** What is known of whoever claims to be a hop. */
export interface Approach {
  readonly req: IncomingMessage
  readonly context: RequestContext
  /** Headers that were taken from the request before anything was proven. */
  readonly lines: HeaderLines
  /** As the connection shows it or, of a farther hop, as the hop before it says. */
  readonly address: string | undefined
  /** Verified, and of this moment; by this server or by the hop before. */
  readonly certificate: ClientCertificate | undefined
}

/** How one hop is proven: checked options made into a question. */
export interface Proof {
  /** A word or two for the posture: `peer certificate`. */
  readonly kind: string
  /** What the posture shows beside it. Never a secret. */
  readonly detail: string
  /** Whether nothing better than an address is asked for. */
  readonly isWeak: boolean
  /** Headers that carry it and are read from `Approach.lines`. */
  readonly headers: readonly string[]
  /** What was made elsewhere, reads the request itself and may have state. */
  readonly made?: readonly HopProof[]
  /** Whether it looks at the connection to this server, and so is of the nearest hop alone. */
  readonly isOfConnection?: boolean
  prove(approach: Approach): HopAnswer | Promise<HopAnswer>
}

/** A proof that says nothing more than that it is one. */
export const PROVEN: HopStatement = Object.freeze({})
