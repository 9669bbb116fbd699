import { jsonObject } from '../jwt-verifier/compact.js'
import { refusal } from '../refusal.js'

type Json = Readonly<Record<string, unknown>>

const SEGMENT = /^[\w-]+={0,2}$/

/**
 * Takes an assertion of an AWS load balancer apart **without verifying anything**. It is a compact JWS but for the
 * padding of its base64url, which is signed along: whoever verifies it must be given the text as it came.
 *
 * Each segment has one spelling: padded to whole groups, or not padded at all, and without stray bits.
 */
export function readPaddedCompact(assertion: string): { readonly header: Json; readonly payload: Json } {
  const segments = assertion.split('.')
  if (segments.length !== 3 || !segments.every(isOneSpelling)) throw refusal('token_malformed')
  const [header = '', payload = ''] = segments
  return { header: jsonObject(decoded(header)), payload: jsonObject(decoded(payload)) }
}

function isOneSpelling(segment: string): boolean {
  if (!SEGMENT.test(segment)) return false
  const plain = Buffer.from(segment, 'base64url').toString('base64url')
  return segment === plain || segment === plain.padEnd(Math.ceil(plain.length / 4) * 4, '=')
}

function decoded(segment: string): string {
  return Buffer.from(segment, 'base64url').toString('utf8')
}
