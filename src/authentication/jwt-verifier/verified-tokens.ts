import { hash } from 'node:crypto'
import type { Principal } from '../../core/principal.js'
import type { SecurityProblem } from '../../core/problem.js'
import type { Confirmation } from '../binding/confirmation.js'
import type { TokenTimes } from './claims.js'

/** A token that was accepted, and all that must be looked at again before it is accepted again. */
export interface VerifiedToken {
  readonly principal: Principal
  readonly times: TokenTimes
  readonly confirmation: Confirmation | undefined
  readonly sessionId: string | undefined
  /** RFC 7638 thumbprint of the key that verified it. */
  readonly thumbprint: string
  /** Rules in report mode that this token breaks. */
  readonly reported: readonly SecurityProblem[]
  /** What it is taken to occupy. */
  readonly bytes: number
}

export interface VerifiedTokensPolicy {
  readonly maxEntries: number
  readonly maxBytes: number
}

interface Generation {
  readonly entries: Map<string, VerifiedToken>
  bytes: number
}

// Measured, upwards: an entry beside its claims; a character of claims; an object or array among them, which has no
// prototype and so a table of its own.
const ENTRY_BYTES = 1500
const BYTES_PER_CHARACTER = 4
const BYTES_PER_OBJECT = 300
const BRACE = 0x7b
const BRACKET = 0x5b

/** What claims that came as this JSON text occupy as frozen objects, at most. */
export function bytesOf(claims: string): number {
  let objects = 0
  for (let index = 0; index < claims.length; index += 1) {
    const code = claims.charCodeAt(index)
    if (code === BRACE || code === BRACKET) objects += 1
  }
  return ENTRY_BYTES + claims.length * BYTES_PER_CHARACTER + objects * BYTES_PER_OBJECT
}

/**
 * Remembers accepted tokens under the SHA-256 of their compact form, so that a token's signature is checked once.
 *
 * Only accepted tokens are kept: a rejected one would let anybody fill the memory. Two generations of half the bound
 * each; what is used moves to the young one, and when that is full the old one goes, in one step.
 */
export class VerifiedTokens {
  readonly #maxEntries: number
  readonly #maxBytes: number
  #young: Generation = emptyGeneration()
  #old: Generation = emptyGeneration()

  constructor({ maxEntries, maxBytes }: VerifiedTokensPolicy) {
    this.#maxEntries = Math.floor(maxEntries / 2)
    this.#maxBytes = maxBytes / 2
  }

  static nameOf(token: string): string {
    return hash('sha256', token, 'base64')
  }

  get size(): number {
    return this.#young.entries.size + this.#old.entries.size
  }

  get(name: string): VerifiedToken | undefined {
    const young = this.#young.entries.get(name)
    if (young !== undefined) return young
    const old = this.#old.entries.get(name)
    if (old === undefined) return undefined
    this.#old.entries.delete(name)
    this.set(name, old)
    return old
  }

  set(name: string, entry: VerifiedToken): void {
    const { bytes } = entry
    if (bytes > this.#maxBytes) return
    if (this.#young.entries.size >= this.#maxEntries || this.#young.bytes + bytes > this.#maxBytes) {
      this.#old = this.#young
      this.#young = emptyGeneration()
    }
    // Requests that came together verified the same token each for itself: it is one entry.
    if (!this.#young.entries.has(name)) this.#young.bytes += bytes
    this.#young.entries.set(name, entry)
  }

  delete(name: string): void {
    this.#young.entries.delete(name)
    this.#old.entries.delete(name)
  }

  clear(): void {
    this.#young = emptyGeneration()
    this.#old = emptyGeneration()
  }
}

function emptyGeneration(): Generation {
  return { entries: new Map(), bytes: 0 }
}
