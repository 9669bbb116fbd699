import { createPrincipal, type Principal } from '../../core/principal.js'
import { SecurityProblem } from '../../core/problem.js'
import { disarm } from '../../core/thenable.js'
import { refusal } from '../refusal.js'
import type { Examined } from './examine.js'
import type { AcceptedCertificate, CertificateMapping, CertificateVerifierOptions } from './options.js'

type PrincipalMaker = (examined: Examined, verifiedBy: string) => Principal

/** Makes principals of certificates. Without a mapping there is one for each certificate, made once. */
export function principalMaker(mapping: CertificateVerifierOptions['principal']): PrincipalMaker {
  if (mapping === undefined) {
    const made = new WeakMap<Examined, Principal>()
    return (examined) => {
      const principal = made.get(examined) ?? principalOf(examined, {})
      made.set(examined, principal)
      return principal
    }
  }
  return (examined, verifiedBy) => {
    const found: unknown = mapping(shown(examined, verifiedBy))
    if (found === undefined || found === null)
      throw refusal('certificate_refused', { problem: 'the application knows nobody by it' })
    if (disarm(found) || typeof found !== 'object')
      throw new SecurityProblem('guard_fault', {
        evidence: {
          problem: 'certificateVerifier: principal() must answer at once, with an object or undefined',
        },
      })
    return principalOf(examined, found)
  }
}

function shown(examined: Examined, verifiedBy: string): AcceptedCertificate {
  const { identity, names, issuer, thumbprint, serialNumber } = examined
  return Object.freeze({ identity, names, issuer, thumbprint, serialNumber, verifiedBy })
}

function principalOf(examined: Examined, mapping: CertificateMapping): Principal {
  const { identity, names, issuer, thumbprint, serialNumber, expiresAt } = examined
  return createPrincipal({
    type: mapping.type ?? 'certificate',
    subject: mapping.subject ?? identity,
    issuer,
    clientId: mapping.clientId,
    scopes: itemsOf(mapping.scopes),
    roles: itemsOf(mapping.roles),
    claims: { ...mapping.claims, names, serialNumber },
    authenticatedBy: 'certificate',
    credentialId: thumbprint,
    expiresAt,
  })
}

/** Text is iterable too, but its letters are no scopes. */
function itemsOf(values: Iterable<string> | undefined): Iterable<string> | undefined {
  return typeof values === 'string' ? values.split(' ').filter((item) => item !== '') : values
}
