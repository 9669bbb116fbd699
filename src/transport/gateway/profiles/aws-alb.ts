import { escapedPem } from '../formats/escaped-pem.js'
import { MalformedValue } from '../formats/malformed-value.js'
import type { CertificateHeaders, Profile } from '../profile.js'
import { checkSameHex, modeRule, onlyOne, withMode, type CertificateMode } from './certificate-mode.js'
import { checkProfile, certificateHeaders, profileOf, type ProfileOptions } from './shared.js'

export interface AwsAlbOptions extends ProfileOptions {
  /**
   * The listener's mutual TLS mode. `verify` reads `x-amzn-mtls-clientcert-leaf`, `passthrough` the chain in
   * `x-amzn-mtls-clientcert`, which the load balancer does not verify. Without it no certificate is believed.
   */
  readonly clientCertificate?: CertificateMode
}

const LEAF = 'x-amzn-mtls-clientcert-leaf'
const SERIAL = 'x-amzn-mtls-clientcert-serial-number'

/**
 * AWS Application Load Balancer, with `routing.http.xff_header_processing.mode` as it is from the start: `append`.
 *
 * **Not checked:** that mode, and the listener's; revocation, where its trust store has no revocation list.
 */
export function awsAlb(options: AwsAlbOptions): Profile {
  checkProfile('aws-alb', options, { clientCertificate: modeRule })
  const { clientCertificate, ...shared } = options
  const settings = withMode('aws-alb', clientCertificate, options.certificateAuthorities)
  const passthrough = certificateHeaders({ certificate: 'x-amzn-mtls-clientcert' }, escapedPem, () => true)
  return profileOf('aws-alb', shared, {
    address: { header: 'x-forwarded-for', writes: 'appends' },
    certificate: settings && (settings.mode === 'verify' ? VERIFIED : passthrough),
  })
}

/** In this mode the load balancer writes the certificate and, beside it, its serial number; never one alone. */
const VERIFIED: CertificateHeaders = {
  headers: [LEAF, SERIAL],
  read(value) {
    const leaf = value(LEAF)
    const serial = value(SERIAL)
    if (leaf === undefined && serial === undefined) return undefined
    if (leaf === undefined || serial === undefined)
      throw new MalformedValue('the certificate or its serial number is missing')
    const x509 = onlyOne(escapedPem(leaf))
    checkSameHex(serial, x509.serialNumber, 'the serial number')
    return { x509, chain: [], verified: true }
  },
}
