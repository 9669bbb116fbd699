import type { IncomingMessage } from 'node:http'
import type { RequestContext } from '../core/context.js'
import type { Health } from '../core/lifecycle.js'
import type { Principal } from '../core/principal.js'
import type { SecurityProblem } from '../core/problem.js'
import type { Confirmation } from './binding/confirmation.js'

/** What a request shows of its caller, by form alone. Nothing of it is verified. */
export interface Credential {
  /** Lower case: scheme of the Authorization field (`bearer`), name of another header (`x-api-key`), or `certificate`. */
  readonly scheme: string
  /** Token, key; empty for a certificate, which is read from the connection or the proven hop. */
  readonly value: string
}

/** A credential that was accepted, and what the rest of `authenticate` must know to accept the request. */
export interface Verified {
  readonly principal: Principal
  /** @default 'verified' */
  readonly reason?: 'verified' | 'remembered'
  /** What the credential is bound to (`cnf`), where it is: whoever brings it must prove to hold that. */
  readonly confirmation?: Confirmation | undefined
  /** When it was issued, in **seconds** since the epoch, and of which session: what it can be revoked by. */
  readonly issuedAt?: number | undefined
  readonly sessionId?: string | undefined
  /** Rules in report mode that the credential breaks. */
  readonly reported?: readonly SecurityProblem[]
}

/**
 * Verifies one kind of credential. `authenticate({ verifiers })` asks each in order whether it recognises a credential;
 * the first that does decides, and after its refusal no other is asked.
 */
export interface Verifier {
  /** One word: `jwt`. */
  readonly kind: string
  /** What a 401 says of it (RFC 9110 section 11.6.1): `Bearer`. */
  readonly challenge: string
  /** Set-up facts for the posture report. Never a secret. */
  readonly facts: Readonly<Record<string, unknown>>
  /**
   * Lower-case name of a header, other than Authorization, that its credentials come in; no scheme may be called so. A
   * verifier with one reads nothing of the Authorization field.
   */
  readonly header?: string
  /** By form alone, at once, and without an opinion on whether it is any good. */
  recognises(credential: Credential): boolean
  /**
   * Throws, or rejects with, a `SecurityProblem` (401 for the credential, 503 where it cannot be told). Answers at once
   * where it can.
   */
  verify(credential: Credential, req: IncomingMessage, context: RequestContext): Verified | Promise<Verified>
  warmUp?(): Promise<void>
  health?(): Health
  close?(): Promise<void>
}
