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
  if (!isForUrlOf(req, claims.htu, policy.publicOrigins)) throw mismatch('url')
  if (claims.ath !== createHash('sha256').update(token).digest('base64url')) throw mismatch('token')
  checkTimes(claims, policy)
}

/** The path as it came in: Express cuts `url` down on the way, and only the way here is none of the caller's business. */
function isForUrlOf(req: IncomingMessage & ExpressParts, htu: string, origins: ReadonlySet<string>): boolean {
  const path = requestPath(req.originalUrl ?? req.url ?? '')
  const target = targetUri(htu)
  return path !== undefined && target?.path === path && origins.has(target.origin)
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

function mismatch(what: 'method' | 'url' | 'token'): Error {
  return refusal('dpop_proof_mismatch', { mismatch: what })
}

function expired(problem: string): Error {
  return refusal('dpop_proof_expired', { problem })
}
