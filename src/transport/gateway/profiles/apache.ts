import { spacedPem } from '../formats/spaced-pem.js'
import type { Profile } from '../profile.js'
import { verdictProfile, type VerdictOptions } from './shared.js'

export interface ApacheOptions extends VerdictOptions {
  /**
   * The headers with `%{SSL_CLIENT_CERT}s` and `%{SSL_CLIENT_VERIFY}s`. `true` for `x-ssl-client-cert` and
   * `x-ssl-client-verify`. Without it no certificate is believed.
   */
  readonly clientCertificate?: true | { readonly certificate?: string; readonly verify?: string }
}

/**
 * Apache httpd with mod_proxy_http, which appends to `X-Forwarded-For`, `ProxyPreserveHost On`, and `X-Forwarded-Proto`
 * by `RequestHeader set`. A certificate counts where the verdict is `SUCCESS`.
 *
 * A caller that names a header in `Connection` makes this gateway remove the header it has itself set. What is missing
 * therefore says nothing good of a caller: no certificate, plain HTTP, and without an address 400.
 */
export function apache(options: ApacheOptions): Profile {
  return verdictProfile('apache', options, spacedPem)
}
