import type { HealthStatus } from '../../core/lifecycle.js'
import { misuse } from '../../core/options.js'
import { readKeySet, selectKeys, type KeyRing, type UsableKey } from './usable-keys.js'

type Header = Readonly<Record<string, unknown>>

/** Where a verifier gets its keys. */
export interface KeySet {
  /** The keys that a header may mean; none where the set, as fresh as it can be had, has no such key. */
  select(header: Header): readonly UsableKey[] | Promise<readonly UsableKey[]>
  /** Whether a key is in the set now and the set is young enough to say so. Starts a refresh where one is due. */
  stillTrusts(thumbprint: string): boolean
  warmUp(): Promise<void>
  status(): HealthStatus
  /** For a person: how old the keys are, and what went wrong last. */
  detail(): string
}

/** Keys given in the options: always there, never older. */
export class InlineKeySet implements KeySet {
  readonly #document: unknown
  #ring: KeyRing | undefined

  constructor(document: unknown) {
    this.#document = document
  }

  async select(header: Header): Promise<readonly UsableKey[]> {
    this.#ring ??= await readKeySet(this.#document)
    return selectKeys(this.#ring, header)
  }

  stillTrusts(thumbprint: string): boolean {
    return this.#ring?.thumbprints.has(thumbprint) ?? false
  }

  /** Rejects where not one of the keys can be used: every token would be refused. */
  async warmUp(): Promise<void> {
    await this.select({})
    if (this.#ring?.keys.length === 0) throw new Error('the key set has no usable key')
  }

  status(): HealthStatus {
    return this.#ring?.keys.length === 0 ? 'down' : 'ok'
  }

  detail(): string {
    return `${this.#ring?.keys.length ?? 'not yet read'} usable, from the options`
  }
}

/** The keys of an option named `jwks`, as they are now. Throws a `TypeError` where there is none. */
export function inlineKeySet(me: string, jwks: { readonly keys: readonly object[] }): InlineKeySet {
  const keys: unknown = jwks.keys
  if (!Array.isArray(keys) || keys.length === 0)
    throw misuse(me, 'jwks', 'a key set with at least one key', jwks)
  return new InlineKeySet(structuredClone(jwks))
}
