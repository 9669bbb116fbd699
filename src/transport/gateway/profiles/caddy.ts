import { base64Der } from '../formats/base64-der.js'
import type { Profile } from '../profile.js'
import {
  checkProfile,
  certificateHeaders,
  certificateNames,
  forwardedOrNot,
  profileOf,
  type ProfileOptions,
} from './shared.js'

export interface CaddyOptions extends ProfileOptions {
  /**
   * The header with `{http.request.tls.client.certificate_der_base64}`. `true` for `x-ssl-client-cert`. Caddy has no
   * verdict to forward: `certificateAuthorities` is needed with it.
   */
  readonly clientCertificate?: true | { readonly certificate?: string }
}

/**
 * Caddy, which replaces `X-Forwarded-For` and `-Proto` unless it has `trusted_proxies` (give `address` then, with
 * `writes: 'appends'`), and passes `Host` on.
 *
 * Throws a `TypeError` for `clientCertificate` without `certificateAuthorities`.
 */
export function caddy(options: CaddyOptions): Profile {
  checkProfile('caddy', options, { clientCertificate: forwardedOrNot })
  const { clientCertificate, ...shared } = options
  const names = certificateNames<{ certificate: string }>('caddy', clientCertificate, {
    certificate: 'x-ssl-client-cert',
  })
  if (names !== undefined && shared.certificateAuthorities === undefined)
    throw new TypeError(
      'caddy: clientCertificate needs certificateAuthorities: Caddy does not say whether it verified a certificate',
    )
  return profileOf('caddy', shared, {
    address: { header: 'x-forwarded-for', writes: 'replaces' },
    // Held to be verified because an authority of ours must have issued it.
    certificate: names && certificateHeaders(names, base64Der, () => true),
  })
}
