import { either, listOf, text } from '../../core/options.js'
import { sharedKeySet, type RemoteKeySet } from '../key-set/remote-key-set.js'

const KEY_SET_POLICY = { timeoutMs: 5000, cooldownMs: 30_000, maxAgeMs: 600_000, staleMs: 3_600_000 }

export const names = either(text(), listOf(text()))

/** One value or several, as a list that stays as it is. */
export function listed(value: string | readonly string[]): readonly string[] {
  return Object.freeze(typeof value === 'string' ? [value] : [...value])
}

/** The keys at an address, loaded once for all that ask there for this issuer. */
export function remoteKeys(issuer: string, jwksUri: string): RemoteKeySet {
  return sharedKeySet(issuer, { jwksUri }, KEY_SET_POLICY)
}
