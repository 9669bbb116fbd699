import { escapedPem } from '../formats/escaped-pem.js'
import { MalformedValue } from '../formats/malformed-value.js'
import { viewerAddress } from '../formats/viewer-address.js'
import type { CertificateHeaders, Profile } from '../profile.js'
import { checkSameHex, modeRule, onlyOne, withMode, type CertificateMode } from './certificate-mode.js'
import { clientCertHeaders } from './rfc9440.js'
import { checkProfile, profileOf, type ProfileOptions } from './shared.js'

export interface CloudfrontOptions extends ProfileOptions {
  /**
   * The distribution's viewer mTLS mode. `verify` (required, optional) reads `cloudfront-viewer-cert-present`, `-pem`
   * and, where it is forwarded, `-sha256`; `passthrough` reads `Client-Cert` and `Client-Cert-Chain`. Without it no
   * certificate is believed.
   */
  readonly clientCertificate?: CertificateMode
}

const PRESENT = 'cloudfront-viewer-cert-present'
const PEM = 'cloudfront-viewer-cert-pem'
const SHA256 = 'cloudfront-viewer-cert-sha256'

/**
 * Amazon CloudFront whose origin request policy forwards `CloudFront-Viewer-Address` and `CloudFront-Forwarded-Proto`.
 * The host that the viewer asked for is known only where a policy forwards `Host`: then set `host: 'host'`.
 *
 * **Not checked:** that the distribution is yours: CloudFront's addresses are everybody's. Prove it by a secret header.
 */
export function cloudfront(options: CloudfrontOptions): Profile {
  checkProfile('cloudfront', options, { clientCertificate: modeRule })
  const { clientCertificate, ...shared } = options
  const settings = withMode('cloudfront', clientCertificate, options.certificateAuthorities)
  return profileOf(
    'cloudfront',
    { host: false, ...shared },
    {
      address: { header: 'cloudfront-viewer-address', writes: 'replaces', parse: viewerAddress },
      protocol: 'cloudfront-forwarded-proto',
      certificate: settings && (settings.mode === 'verify' ? VERIFIED : clientCertHeaders()),
    },
  )
}

const VERIFIED: CertificateHeaders = {
  headers: [PRESENT, PEM, SHA256],
  read(value) {
    const present = value(PRESENT)
    const pem = value(PEM)
    const sha256 = value(SHA256)
    if (present === undefined || present === '0') {
      if (pem !== undefined || sha256 !== undefined)
        throw new MalformedValue('a certificate that is said not to be present')
      return undefined
    }
    if (present !== '1') throw new MalformedValue('neither present nor absent')
    if (pem === undefined) throw new MalformedValue('a certificate that is present and not forwarded')
    const x509 = onlyOne(escapedPem(pem))
    if (sha256 !== undefined) checkSameHex(sha256, x509.fingerprint256, 'the hash')
    return { x509, chain: [], verified: true }
  },
}
