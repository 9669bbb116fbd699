import type { X509Certificate } from 'node:crypto'
import { checkOptions, record, required, text } from '../../../core/options.js'
import { clientCert, clientCertChain } from '../formats/client-cert-fields.js'
import { MalformedValue } from '../formats/malformed-value.js'
import type { CertificateHeaders, Profile } from '../profile.js'
import { headerName } from '../proofs/proof-of.js'
import { modeOrMore, onlyOne, withMode, type CertificateMode } from './certificate-mode.js'
import { checkProfile, profileOf, type ProfileOptions } from './shared.js'

export interface Rfc9440Options extends ProfileOptions {
  /**
   * Reads `Client-Cert` and `Client-Cert-Chain`. `verdict`: a header in which the gateway says whether it verified the
   * certificate, and the value by which it says so. Without `clientCertificate` no certificate is believed.
   */
  readonly clientCertificate?:
    | CertificateMode
    | {
        readonly mode: CertificateMode
        readonly verdict?: { readonly header: string; readonly value: string }
      }
}

const CERTIFICATE = 'client-cert'
const CHAIN = 'client-cert-chain'

/**
 * Any gateway that forwards certificates as RFC 9440 has it, appends to `X-Forwarded-For` and sets
 * `X-Forwarded-Proto`.
 *
 * **Not checked:** that the gateway removes both fields from what callers send (RFC 9440 section 2.4).
 */
export function rfc9440(options: Rfc9440Options): Profile {
  checkProfile('rfc9440', options, { clientCertificate: modeOrMore })
  const { clientCertificate, ...shared } = options
  const settings = withMode('rfc9440', clientCertificate, options.certificateAuthorities, { verdict: record })
  const verdict = settings?.verdict
  if (verdict !== undefined)
    checkOptions('rfc9440: clientCertificate.verdict', verdict, {
      header: required(headerName),
      value: required(text()),
    })
  return profileOf('rfc9440', shared, {
    address: { header: 'x-forwarded-for', writes: 'appends' },
    certificate: settings && clientCertHeaders(verdict),
  })
}

/** The two fields of RFC 9440, and the verdict beside them, where there is one. */
export function clientCertHeaders(verdict?: {
  readonly header: string
  readonly value: string
}): CertificateHeaders {
  const fixed = verdict === undefined ? undefined : { ...verdict }
  return {
    headers: [CERTIFICATE, CHAIN, ...(fixed === undefined ? [] : [fixed.header])],
    read(value) {
      const certificate = value(CERTIFICATE)
      const list = value(CHAIN)
      if (certificate === undefined) {
        if (list !== undefined) throw new MalformedValue('a chain without a certificate')
        return undefined
      }
      const x509 = onlyOne(clientCert(certificate))
      const chain = list === undefined ? [] : chainAbove(x509, clientCertChain(list))
      return { x509, chain, verified: fixed === undefined || value(fixed.header) === fixed.value }
    },
  }
}

/** RFC 9440 section 2.3: the certificate itself is not among them. */
function chainAbove(x509: X509Certificate, chain: readonly X509Certificate[]): readonly X509Certificate[] {
  if (chain.some(({ raw }) => raw.equals(x509.raw)))
    throw new MalformedValue('the chain repeats the certificate')
  return chain
}
