import type { X509Certificate } from 'node:crypto'
import { checkOptions, either, oneOf, record, required, type OptionRule } from '../../../core/options.js'
import { MalformedValue } from '../formats/malformed-value.js'

/**
 * What the gateway does with client certificates. `verify`: one that it cannot verify is refused, or not forwarded.
 * `passthrough`: it forwards any certificate whose key the caller was seen to hold, and leaves it to this service who
 * issued it: `certificateAuthorities` is then required.
 */
export type CertificateMode = 'verify' | 'passthrough'

export const modeRule: OptionRule = oneOf('verify', 'passthrough')

/** A mode, or an object with a mode and more. */
export const modeOrMore: OptionRule = either(modeRule, record)

/** What all objects with a mode have. */
interface WithMode {
  readonly mode: CertificateMode
}

/**
 * Checks `clientCertificate` of a gateway that says nothing of a certificate's worth, and makes an object of it. Throws
 * a `TypeError`: also where nobody at all would look at who issued it.
 */
export function withMode<Options extends WithMode>(
  where: string,
  given: CertificateMode | Options | undefined,
  authorities: string | readonly string[] | undefined,
  rules: Readonly<Record<string, OptionRule>> = {},
): (Partial<Options> & WithMode) | undefined {
  if (given === undefined) return undefined
  const options = (typeof given === 'string' ? { mode: given } : given) as Partial<Options> & WithMode
  checkOptions(`${where}: clientCertificate`, options, { mode: required(modeRule), ...rules })
  if (options.mode === 'passthrough' && authorities === undefined)
    throw new TypeError(
      `${where}: with clientCertificate "passthrough" nobody has verified who issued a certificate: certificateAuthorities must name those who may`,
    )
  return options
}

/** The certificate where there is to be one alone. */
export function onlyOne(certificates: readonly X509Certificate[]): X509Certificate {
  const [certificate] = certificates
  if (certificate === undefined || certificates.length > 1) throw new MalformedValue('not one certificate')
  return certificate
}

/** Throws where a hexadecimal number that stands beside a certificate is not the one in it. */
export function checkSameHex(said: string, actual: string, what: string): void {
  if (plainHex(said) !== plainHex(actual)) throw new MalformedValue(`${what} is not that of the certificate`)
}

function plainHex(text: string): string {
  return text.replaceAll(':', '').toLowerCase().replace(/^0+/, '')
}
