import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { wallClockMs } from '../../../core/clock.js'
import type { ExpressParts } from '../../../core/route.js'
import { refusal } from '../../refusal.js'
import type { ProofClaims } from './proof.js'
import { requestPath, targetUri } from './target-uri.js'

interface ProofPolicy {
  readonly publicOrigins: ReadonlySet<string>
  readonly proofMaxAgeSeconds: number
  readonly clockToleranceSeconds: number
}

/** What a proof must have been made for. */
interface Presented {
  readonly req: IncomingMessage
  readonly token: string
}

/** Refuses a proof that was made for another request or another token, too long ago, or for later. */
export function checkProof(claims: ProofClaims, { req, token }: Presented, policy: ProofPolicy): void {
  if (claims.htm !== req.method) throw mismatch('method')
  checkUrl(req, claims.htu, policy.publicOrigins)
  if (claims.ath !== createHash('sha256').update(token).digest('base64url')) throw mismatch('token')
  checkTimes(claims, policy)
}

/** The path as it came in: Express cuts `url` down on the way, and only the way here is none of the caller's business. */
function checkUrl(req: IncomingMessage & ExpressParts, htu: string, origins: ReadonlySet<string>): void {
  const path = requestPath(req.originalUrl ?? req.url ?? '')
  const target = targetUri(htu)
  // Our own origins are told; the path is the caller's, and may hold what no record should.
  const wrong = (differs: string): Error =>
    refusal('dpop_proof_mismatch', { mismatch: 'url', differs, expected: [...origins] })
  if (target === undefined || !origins.has(target.origin)) throw wrong('origin')
  if (target.path !== path) throw wrong(path === undefined ? 'request path has no normal form' : 'path')
}

function checkTimes({ iat, exp, nbf }: ProofClaims, policy: ProofPolicy): void {
  const { proofMaxAgeSeconds, clockToleranceSeconds: tolerance } = policy
  const now = wallClockMs() / 1000
  if (iat > now + tolerance) throw expired('from the future')
  if (iat < now - proofMaxAgeSeconds - tolerance) throw expired('too old')
  // RFC 9449 knows neither; whoever writes them means what RFC 7519 says.
  if (exp !== undefined && exp <= now - tolerance) throw expired('exp')
  if (nbf !== undefined && nbf > now + tolerance) throw expired('nbf')
}

function mismatch(what: 'method' | 'token'): Error {
  return refusal('dpop_proof_mismatch', { mismatch: what })
}

function expired(problem: string): Error {
  return refusal('dpop_proof_expired', { problem })
}
