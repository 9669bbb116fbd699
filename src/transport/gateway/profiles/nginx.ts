import { escapedPem } from '../formats/escaped-pem.js'
import type { Profile } from '../profile.js'
import { verdictProfile, type VerdictOptions } from './shared.js'

export interface NginxOptions extends VerdictOptions {
  /**
   * The headers with `$ssl_client_escaped_cert` and `$ssl_client_verify`. `true` for `x-ssl-client-cert` and
   * `x-ssl-client-verify`. Without it no certificate is believed.
   */
  readonly clientCertificate?: true | { readonly certificate?: string; readonly verify?: string }
}

/**
 * nginx, with `X-Forwarded-For` from `$proxy_add_x_forwarded_for`, `X-Forwarded-Proto` from `$scheme` and `Host` from
 * `$host`. A certificate counts where the verdict is `SUCCESS`.
 *
 * **Not checked:** that each `location` sets them: one `proxy_set_header` of its own drops all that it would inherit.
 */
export function nginx(options: NginxOptions): Profile {
  return verdictProfile('nginx', options, escapedPem)
}
