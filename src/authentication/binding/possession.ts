import type { IncomingMessage } from 'node:http'
import { certificateThumbprint, clientCertificateOf } from '../../core/client-certificate.js'
import type { RequestContext } from '../../core/context.js'
import type { Settings } from '../authenticate/settings.js'
import { refusal } from '../refusal.js'
import type { Credential, Verified } from '../verifier.js'

type PossessionChecker = (
  credential: Credential,
  verified: Verified,
  req: IncomingMessage,
  context: RequestContext,
) => void | Promise<void>

/**
 * Checks that whoever brings a token is the one it was issued to. A bound token never passes without its proof,
 * whatever the options are; an unbound one does unless `senderConstrained` is `required`.
 */
export function possessionChecker({ dpop, senderConstrained }: Settings): PossessionChecker {
  return function provePossession({ scheme, value }, { confirmation }, req, context) {
    if (confirmation === undefined) {
      // Whoever sends a proof expects it to be what lets the token pass (RFC 9449 section 7.1).
      if (scheme === 'dpop') throw refusal('confirmation_missing')
      if (scheme === 'bearer' && senderConstrained === 'required') throw refusal('confirmation_missing')
      return
    }
    const { jkt, 'x5t#S256': x5t } = confirmation
    if (x5t !== undefined) matchCertificate(x5t, req, context)
    if (jkt === undefined) {
      if (scheme === 'dpop') throw refusal('confirmation_missing')
      return
    }
    if (dpop === undefined) throw refusal('confirmation_unsupported')
    if (scheme !== 'dpop') throw refusal('bound_token_as_bearer')
    return dpop.verify(req, value, jkt)
  }
}

/** RFC 8705 section 3: the certificate of the connection, or the one that the proven hop saw, is the one of the token. */
function matchCertificate(thumbprint: string, req: IncomingMessage, context: RequestContext): void {
  const certificate = clientCertificateOf(req, context)
  if (certificate === undefined) throw refusal('confirmation_mismatch', { certificate: 'none' })
  const actual = certificateThumbprint(certificate.x509)
  if (actual !== thumbprint) throw refusal('confirmation_mismatch', { certificate: actual })
}
