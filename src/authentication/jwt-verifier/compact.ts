import { refusal } from '../refusal.js'

// Two dots, or the four of an encrypted token; whatever else it holds.
const SHAPED = /^[^.]+\.[^.]*\.[^.]*(?:\.[^.]*\.[^.]*)?$/

/** How many objects and arrays may stand inside each other: more than any token means, and far less than a stack holds. */
export const MAX_DEPTH = 64

const COMPACT = /^[\w-]+\.[\w-]*\.[\w-]+$/

// The last character of a segment whose length is 2 or 3 modulo 4 has 4 or 2 bits that carry nothing: they must be zero.
const CANONICAL_END: Readonly<Record<number, string>> = { 2: 'AQgw', 3: 'AEIMQUYcgkosw048' }

type Json = Readonly<Record<string, unknown>>

/** A compact JWS taken apart, and **not verified**. */
export interface CompactToken {
  readonly header: Json
  /** The payload as text, decoded. */
  readonly payload: string
}

/**
 * Whether somebody might read a text as a JWT, well formed or not: a text that is refused as one here must not be shown to
 * a server that drops padding, takes another alphabet, or looks at the first three parts alone.
 */
export function isJwtShaped(token: string): boolean {
  if (SHAPED.test(token)) return true
  const [header = '', , signature] = token.split('.', 3)
  return signature !== undefined && isJsonObject(decoded(header))
}

/**
 * Whether a text is a JWS in compact form (RFC 7515 section 7.1), character by character: three segments, base64url
 * without padding, white space or stray bits. The payload may be empty, as in any JWS; no JWT's is.
 *
 * Decoders accept more than one text for the same bytes. A token that has several spellings has several names in a
 * memory, a revocation list and a log.
 */
export function isStrictCompact(token: string): boolean {
  return COMPACT.test(token) && token.split('.').every(isCanonicalBase64url)
}

/** Whether base64url text is the one spelling of its bytes. */
export function isCanonicalBase64url(segment: string): boolean {
  const rest = segment.length % 4
  if (rest === 0) return true
  return CANONICAL_END[rest]?.includes(segment.charAt(segment.length - 1)) ?? false
}

/**
 * Takes a token apart **without verifying anything**. Strict form has one reading: what is read here is what the
 * signature will be found to cover, or the token is refused.
 */
export function readCompact(token: string): CompactToken {
  if (!isStrictCompact(token)) throw refusal('token_malformed')
  const [header = '', payload = ''] = token.split('.')
  return { header: jsonObject(decoded(header)), payload: decoded(payload) }
}

/** The JSON object in a text, of at most `MAX_DEPTH` levels: what looks at it may call itself. */
export function jsonObject(text: string): Json {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw refusal('token_malformed', undefined, cause)
  }
  if (!isObject(value) || nestsDeeper(value, MAX_DEPTH)) throw refusal('token_malformed')
  return value
}

/** Whether objects and arrays stand inside each other in more than so many levels. It goes no deeper than that itself. */
export function nestsDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((each) => nestsDeeper(each, levels - 1))
}

function isJsonObject(text: string): boolean {
  try {
    return isObject(JSON.parse(text))
  } catch {
    return false
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function decoded(segment: string): string {
  return Buffer.from(segment, 'base64url').toString('utf8')
}
