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

export interface HaproxyOptions extends ProfileOptions {
  /**
   * The headers with `ssl_c_der,base64`, `ssl_c_verify` and `ssl_c_used`. `true` for `x-ssl-client-cert`,
   * `x-ssl-client-verify` and `x-ssl-client-used`. Without it no certificate is believed.
   */
  readonly clientCertificate?:
    true | { readonly certificate?: string; readonly verify?: string; readonly used?: string }
}

interface Names extends Readonly<Record<string, string>> {
  readonly certificate: string
  readonly verify: string
  readonly used: string
}

const NAMES: Names = {
  certificate: 'x-ssl-client-cert',
  verify: 'x-ssl-client-verify',
  used: 'x-ssl-client-used',
}

/**
 * HAProxy with `option forwardfor`, which adds a second `X-Forwarded-For` line after the caller's, and
 * `X-Forwarded-Proto` by `set-header`. A certificate counts where `ssl_c_verify` is 0 and `ssl_c_used` is 1: the first
 * is 0 also where there was no certificate.
 *
 * **Not checked:** that headers are set and not added: `add-header` keeps the caller's line, which is 400 here.
 */
export function haproxy(options: HaproxyOptions): Profile {
  checkProfile('haproxy', options, { clientCertificate: forwardedOrNot })
  const { clientCertificate, ...shared } = options
  const names = certificateNames<Names>('haproxy', clientCertificate, NAMES)
  return profileOf('haproxy', shared, {
    address: { header: 'x-forwarded-for', writes: 'appends', lines: 'several' },
    certificate:
      names &&
      certificateHeaders(
        names,
        base64Der,
        (value) => value(names.verify) === '0' && value(names.used) === '1',
      ),
  })
}
