import { integer } from '../../../core/options.js'
import { xfcc } from '../formats/xfcc.js'
import type { CertificateHeaders, Profile } from '../profile.js'
import { modeOrMore, withMode, type CertificateMode } from './certificate-mode.js'
import { checkProfile, profileOf, type ProfileOptions } from './shared.js'

export interface EnvoyOptions extends ProfileOptions {
  /**
   * Reads `x-forwarded-client-cert`. `verify`: a validation context without `ACCEPT_UNTRUSTED`. `elements`: how many
   * elements there always are, one for each Envoy that appends, 1 to 5; the last is read, and with more than one none may
   * have `URI` or `DNS`. Without it no certificate is
   * believed. @default 1 element
   */
  readonly clientCertificate?:
    CertificateMode | { readonly mode: CertificateMode; readonly elements?: number }
}

const HEADER = 'x-forwarded-client-cert'

/**
 * Envoy with `use_remote_address: true`, which appends to `X-Forwarded-For` and sets `X-Forwarded-Proto`; with
 * `forward_client_cert_details: SANITIZE_SET` and `set_current_client_cert_details: { cert: true }`.
 *
 * Of `X-Forwarded-Client-Cert` the certificate itself is read, and nothing else believed: names in it are written
 * without quotes, and may hold what looks like another element.
 *
 * **Not checked:** that Envoy writes the header: with `FORWARD_ONLY` and `ALWAYS_FORWARD_ONLY` it is the caller's.
 */
export function envoy(options: EnvoyOptions): Profile {
  checkProfile('envoy', options, { clientCertificate: modeOrMore })
  const { clientCertificate, ...shared } = options
  const settings = withMode('envoy', clientCertificate, options.certificateAuthorities, {
    elements: integer(1, 5),
  })
  return profileOf('envoy', shared, {
    address: { header: 'x-forwarded-for', writes: 'appends' },
    certificate: settings && certificateIn(settings.elements ?? 1),
  })
}

function certificateIn(elements: number): CertificateHeaders {
  return {
    headers: [HEADER],
    read(value) {
      const text = value(HEADER)
      if (text === undefined) return undefined
      const { certificate, chain } = xfcc(text, elements)
      return { x509: certificate, chain, verified: true }
    },
  }
}
