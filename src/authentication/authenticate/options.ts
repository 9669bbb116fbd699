import type { IncomingMessage } from 'node:http'
import type { Principal } from '../../core/principal.js'
import type { StandardOutput, StandardSchema } from '../../core/standard-schema.js'
import type { DpopOptions } from '../binding/dpop.js'
import type { JwtVerifierOptions } from '../jwt-verifier/options.js'
import type { RevocationList } from '../revocation.js'
import type { Verifier } from '../verifier.js'

/** What `authenticate` takes whatever the credentials are. */
export interface CommonOptions {
  /** Longest credential that is looked at, in characters, 256 to 65536. @default 8192 */
  readonly maxTokenLength?: number
  /** Whether a request without any credential is refused. A bad credential always is. @default true */
  readonly required?: boolean
  /** Called with each principal, to put it where other code looks for it. This library itself writes only its context. */
  // A method, so that a function of Express's own Request may be given.
  expose?(req: IncomingMessage, principal: Principal): unknown
  /**
   * Most 401 answers to one address, 1 to 1000000, in a window of 1 to 86400 **seconds**; then 429 before any token is
   * looked at. That a nonce is demanded does not count. Counted in this process. @default no limit
   */
  readonly failureLimit?: { readonly limit: number; readonly windowSeconds: number }
  /** Accepts tokens under the scheme DPoP, with proof of the key they are bound to (RFC 9449). @default not accepted */
  readonly dpop?: DpopOptions
  /** Whether a token must be bound to a key or a certificate. One that is bound always needs its proof. @default 'when-bound' */
  readonly senderConstrained?: 'when-bound' | 'required'
  /** Asked about every accepted credential, remembered or not: what `revocation()` makes. @default nobody */
  readonly revocation?: RevocationList
  /**
   * An API key in a header of its own beside a token: refused with 400; or both may come and both must pass; or both must
   * come. The principal is the token's then. Any other two credentials are 400. @default 'refused'
   */
  readonly combine?: 'refused' | 'accepted' | 'required'
  /** Address of this service's protected resource metadata (RFC 9728), told in every challenge. */
  readonly resourceMetadata?: string
  /** The rule's id in audit and metrics. @default 'authenticate' */
  readonly name?: string
}

/** The short form: JWT access tokens of one issuer. */
export interface AuthenticateOptions<S extends StandardSchema | undefined = undefined>
  extends CommonOptions, JwtVerifierOptions<S> {}

/** The long form: any kinds of credential. The first verifier that recognises one decides about it. */
export interface AuthenticateWithVerifiers extends CommonOptions {
  readonly verifiers: readonly Verifier[]
  /** Belongs into `jwtVerifier`. */
  readonly issuer?: never
}

/** The type of a principal's claims, as the schema given to `claims` says. */
export type ClaimsOf<S> = S extends StandardSchema ? StandardOutput<S> : Principal['claims']
