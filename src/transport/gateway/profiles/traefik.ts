import { flag } from '../../../core/options.js'
import { escapedTraefikList, traefikList } from '../formats/traefik-list.js'
import type { Profile } from '../profile.js'
import { modeOrMore, withMode, type CertificateMode } from './certificate-mode.js'
import { checkProfile, certificateHeaders, profileOf, type ProfileOptions } from './shared.js'

export interface TraefikOptions extends ProfileOptions {
  /**
   * Reads `x-forwarded-tls-client-cert` (`passTLSClientCert` with `pem: true`). `verify`: `clientAuthType` is
   * `RequireAndVerifyClientCert` or `VerifyClientCertIfGiven`. `escaped`: Traefik 2 escapes it as in a URL. Without
   * `clientCertificate` no certificate is believed. @default not escaped
   */
  readonly clientCertificate?:
    CertificateMode | { readonly mode: CertificateMode; readonly escaped?: boolean }
}

/**
 * Traefik, which writes `X-Forwarded-For` and `X-Forwarded-Proto`, and passes `Host` on.
 *
 * **Not checked:** that the entry point removes what callers send. With `forwardedHeaders.insecure`, or callers among
 * its `trustedIPs`, one without a certificate can send any other's: `passTLSClientCert` removes nothing.
 */
export function traefik(options: TraefikOptions): Profile {
  checkProfile('traefik', options, { clientCertificate: modeOrMore })
  const { clientCertificate, ...shared } = options
  const settings = withMode('traefik', clientCertificate, options.certificateAuthorities, { escaped: flag })
  const format = settings?.escaped === true ? escapedTraefikList : traefikList
  return profileOf('traefik', shared, {
    address: { header: 'x-forwarded-for', writes: 'appends' },
    certificate:
      settings && certificateHeaders({ certificate: 'x-forwarded-tls-client-cert' }, format, () => true),
  })
}
