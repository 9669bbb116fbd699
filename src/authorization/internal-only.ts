import type { TLSSocket } from 'node:tls'
import { certificateName } from '../core/certificate-name.js'
import { certificateOfConnection, namesOfCertificate } from '../core/client-certificate.js'
import { PASSED, defineGuard, type Guard } from '../core/guard.js'
import { checkOptions, enforceOnly, listOf, misuse, ruleName, text } from '../core/options.js'
import { SecurityProblem } from '../core/problem.js'

export interface InternalOnlyOptions {
  /** Names of hops before this service that something proved (`contextOf(req).provenHop`). */
  readonly hops?: readonly string[]
  /** Names in client certificates, as Node.js prints them: `DNS:orders.internal`, `URI:spiffe://example.org/orders`. */
  readonly certificates?: readonly string[]
  /** The rule's id in audit and metrics. @default 'internal' */
  readonly name?: string
}

/**
 * Lets pass only what comes through a proven hop that `hops` names, or straight to this server with a client
 * certificate that it verified itself and that bears a name in `certificates`; refuses all else with 403 `hop_unproven`.
 * A hop that is known by its network alone opens nothing, nor does a certificate that a hop forwarded: authorities for
 * callers from outside may issue any name.
 *
 * An address proves nothing and is never looked at: whoever reaches the port has one. Names of certificates are
 * compared exactly, with the subject alternative names only (RFC 6125 section 6.4.4); a certificate with a name that
 * needs quoting, or that stands twice, bears none. A way that no option names stays shut.
 *
 * **Not checked:** who the caller is (that is `authenticate`'s); and whether the certificate was revoked, unless the
 * server was given a `crl`.
 *
 * Throws a `TypeError` where neither `hops` nor `certificates` is given, for an impossible name, and for `mode: 'report'`.
 */
export function internalOnly(options: InternalOnlyOptions): Guard {
  checkOptions('internalOnly', options, {
    hops: listOf(text(256)),
    certificates: listOf(certificateName),
    name: ruleName,
    mode: enforceOnly,
  })
  const hops = [...(options.hops ?? [])]
  const certificates = [...(options.certificates ?? [])]
  if (hops.length + certificates.length === 0)
    throw misuse('internalOnly', 'options', 'an object with hops, certificates or both', options)

  return defineGuard({
    kind: 'internalOnly',
    layer: 'authorization',
    name: options.name ?? 'internal',
    facts: { hops, certificates },
    check(req, context) {
      const { provenHop, isHopWeak } = context
      // A hop that is known by its network alone is known by its address.
      if (provenHop !== undefined && !isHopWeak && hops.includes(provenHop)) return PASSED
      // Behind a proven hop the connection's certificate is the hop's, and a forwarded one came from outside.
      const certificate =
        provenHop === undefined && certificates.length > 0
          ? certificateOfConnection(req.socket as Partial<TLSSocket>)
          : undefined
      const names = certificate === undefined ? [] : namesOfCertificate(certificate.x509)
      if (names.some((name) => certificates.includes(name))) return PASSED
      return new SecurityProblem('hop_unproven', {
        evidence: { hop: provenHop ?? 'none', certificate: names },
      })
    },
  })
}
