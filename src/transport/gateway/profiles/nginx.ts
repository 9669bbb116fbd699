import { escapedPem } from '../formats/escaped-pem.js'
import type { Profile } from '../profile.js'
import {
  checkProfile,
  certificateHeaders,
  certificateNames,
  forwardedOrNot,
  profileOf,
  type ProfileOptions,
} from './shared.js'

export interface NginxOptions extends ProfileOptions {
  /**
   * The headers with `$ssl_client_escaped_cert` and `$ssl_client_verify`. `true` for `x-ssl-client-cert` and
   * `x-ssl-client-verify`. Without it no certificate is believed.
   */
  readonly clientCertificate?: true | { readonly certificate?: string; readonly verify?: string }
}

const NAMES = { certificate: 'x-ssl-client-cert', verify: 'x-ssl-client-verify' } as const

/**
 * nginx, with `X-Forwarded-For` from `$proxy_add_x_forwarded_for`, `X-Forwarded-Proto` from `$scheme` and `Host` from
 * `$host`. A certificate counts where the verdict is `SUCCESS`.
 *
 * **Not checked:** that each `location` sets them: one `proxy_set_header` of its own drops all that it would inherit.
 */
export function nginx(options: NginxOptions): Profile {
  checkProfile('nginx', options, { clientCertificate: forwardedOrNot })
  const { clientCertificate, ...shared } = options
  const names = certificateNames<{ certificate: string; verify: string }>('nginx', clientCertificate, NAMES)
  return profileOf('nginx', shared, {
    address: { header: 'x-forwarded-for', writes: 'appends' },
    certificate: names && certificateHeaders(names, escapedPem, (value) => value(names.verify) === 'SUCCESS'),
  })
}
