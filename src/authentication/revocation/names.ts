import { hash } from 'node:crypto'
import type { Principal } from '../../core/principal.js'
import type { Verified } from '../verifier.js'

export type RevocationKind = 'token' | 'subject' | 'session' | 'client' | 'issuer'

/** A revocation that would reach a credential. */
export interface Name {
  readonly kind: RevocationKind
  readonly digest: string
}

/** All revocations that would reach one credential, and a name for them together. */
export interface Names {
  readonly sessionId: string | undefined
  readonly names: readonly Name[]
  readonly id: string
}

/** Digests only: what a list holds says nobody's name to whoever reads it. */
export function digestOf(kind: RevocationKind, issuer: string, value: string): string {
  return hash('sha256', JSON.stringify([kind, issuer, value]), 'base64url')
}

/** Names of remembered principals are made once; a principal that nobody remembers any more takes them along. */
export class NamesOf {
  readonly #known = new WeakMap<Principal, Names>()

  of({ principal, sessionId }: Verified): Names {
    const known = this.#known.get(principal)
    if (known !== undefined && known.sessionId === sessionId) return known
    const names = namesOf(principal, sessionId)
    this.#known.set(principal, names)
    return names
  }
}

function namesOf(
  { issuer, subject, clientId, credentialId }: Principal,
  sessionId: string | undefined,
): Names {
  const values: readonly (readonly [RevocationKind, string | undefined])[] = [
    ['token', credentialId],
    ['session', sessionId],
    ['subject', subject],
    ['client', clientId],
    ['issuer', ''],
  ]
  const names = values.flatMap(([kind, value]) =>
    value === undefined ? [] : [{ kind, digest: digestOf(kind, issuer, value) }],
  )
  const id = hash('sha256', names.map(({ digest }) => digest).join(), 'base64url')
  return Object.freeze({ sessionId, names, id })
}
