import { hash } from 'node:crypto'
import { Generations } from '../../core/generations.js'
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
 * Only accepted tokens are kept: a rejected one would let anybody fill the memory.
 */
export class VerifiedTokens extends Generations<VerifiedToken> {
  static nameOf(token: string): string {
    return hash('sha256', token, 'base64')
  }
}
