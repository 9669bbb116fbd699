import type { X509Certificate } from 'node:crypto'
import {
  checkOptions,
  either,
  listOf,
  oneOf,
  record,
  required,
  ruleName,
  type OptionRule,
} from '../../../core/options.js'
import { authoritiesRule } from '../issued-by.js'
import type { AddressHeader, CertificateHeaders, HeaderReader, Profile, ProvenBy } from '../profile.js'
import { checkProvenBy, headerName, provenByGiven } from '../proofs/proof-of.js'

/** Options of every profile. Header names are in lower case. */
export interface ProfileOptions {
  /** How this hop proves that a request came through it. Of a list all must hold. */
  readonly provenBy: ProvenBy | readonly ProvenBy[]
  /** Name of this hop in the context, the audit and the posture. @default the profile's own */
  readonly name?: string
  /** The header with the caller's address, and whether this hop appends to it or replaces it. */
  readonly address?: AddressHeader
  /** The header that says `http` or `https`; the one of both that callers can use at all; `false`: this hop writes none. */
  readonly protocol?: string | { readonly always: 'http' | 'https' } | false
  /** The header with the host that the caller asked for; `false`: this hop writes none. */
  readonly host?: string | false
  /** Headers that this hop always sets itself, and that handlers are to see. */
  readonly keeps?: readonly string[]
  /** Further headers by which this hop tells of callers, and that nobody reads here. */
  readonly removes?: readonly string[]
  /** Authorities in PEM form, one text or several, one of which must have issued a forwarded certificate, whatever the hop says. */
  readonly certificateAuthorities?: string | readonly string[]
}

/** Rules for the options that profiles share. */
const PROFILE_RULES: Readonly<Record<keyof ProfileOptions, OptionRule>> = {
  provenBy: provenByGiven,
  name: ruleName,
  address: record,
  protocol: either(headerName, record, oneOf(false)),
  host: either(headerName, oneOf(false)),
  keeps: listOf(headerName),
  removes: listOf(headerName),
  certificateAuthorities: authoritiesRule,
}

/** Checks the options of one kind of gateway. None at all is told what is missing, as `{}` is. Throws a `TypeError`. */
export function checkProfile(
  kind: string,
  options: ProfileOptions,
  rules: Readonly<Record<string, OptionRule>>,
): void {
  const given = (options as ProfileOptions | undefined) ?? ({} as ProfileOptions)
  checkOptions(kind, given, { ...PROFILE_RULES, ...rules })
  checkProvenBy(kind, given.provenBy)
}

/** What a kind of gateway writes where nobody says otherwise. */
export interface ProfileDefaults {
  readonly address: AddressHeader
  /** @default 'x-forwarded-proto' */
  readonly protocol?: string
  /** @default 'host' */
  readonly host?: string
  readonly certificate?: CertificateHeaders | undefined
}

/** Makes a profile of checked options. */
export function profileOf(
  kind: string,
  { provenBy, name = kind, keeps, removes, certificateAuthorities, ...options }: ProfileOptions,
  defaults: ProfileDefaults,
): Profile {
  const { address = defaults.address } = options
  const { protocol = defaults.protocol ?? 'x-forwarded-proto', host = defaults.host ?? 'host' } = options
  if (typeof protocol === 'object')
    checkOptions(`${kind}: protocol`, protocol, { always: required(oneOf('http', 'https')) })
  const { certificate } = defaults
  return Object.freeze({
    kind,
    name,
    provenBy,
    address,
    ...(protocol === false
      ? {}
      : { protocol: typeof protocol === 'string' ? { header: protocol } : protocol }),
    ...(host === false ? {} : { host: { header: host } }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(keeps === undefined ? {} : { keeps }),
    ...(removes === undefined ? {} : { removes }),
    ...(certificateAuthorities === undefined ? {} : { certificateAuthorities }),
  })
}

/** Names of headers, checked, with their defaults; `undefined` where the hop forwards no certificate. */
export function certificateNames<Names extends Readonly<Record<string, string>>>(
  where: string,
  given: true | Partial<Names> | undefined,
  defaults: Names,
): Names | undefined {
  if (given === undefined) return undefined
  if (given === true) return defaults
  const rules = Object.keys(defaults).map((name) => [name, headerName] as const)
  checkOptions(`${where}: clientCertificate`, given, Object.fromEntries(rules))
  return { ...defaults, ...given }
}

export const forwardedOrNot: OptionRule = either(oneOf(true), record)

/** Headers of a hop that forwards a certificate in one of them and tells in others what it thinks of it. */
export function certificateHeaders(
  headers: Readonly<Record<string, string>> & { readonly certificate: string },
  format: (value: string) => readonly X509Certificate[],
  isVerified: (value: HeaderReader) => boolean,
): CertificateHeaders {
  return {
    headers: Object.values(headers),
    read(value) {
      const text = value(headers.certificate)
      const verified = isVerified(value)
      const [x509, ...chain] = text === undefined ? [] : format(text)
      return x509 === undefined ? undefined : { x509, chain, verified }
    },
  }
}

/** Options of the gateways that forward OpenSSL's verdict in a header beside the certificate. */
export interface VerdictOptions extends ProfileOptions {
  readonly clientCertificate?: true | { readonly certificate?: string; readonly verify?: string }
}

const VERDICT_NAMES = { certificate: 'x-ssl-client-cert', verify: 'x-ssl-client-verify' } as const

/** A gateway that appends to `X-Forwarded-For`, and whose certificates count where the verdict is `SUCCESS`. */
export function verdictProfile(
  kind: string,
  options: VerdictOptions,
  format: (value: string) => readonly X509Certificate[],
): Profile {
  checkProfile(kind, options, { clientCertificate: forwardedOrNot })
  const { clientCertificate, ...shared } = options
  const names = certificateNames<{ certificate: string; verify: string }>(
    kind,
    clientCertificate,
    VERDICT_NAMES,
  )
  return profileOf(kind, shared, {
    address: { header: 'x-forwarded-for', writes: 'appends' },
    certificate: names && certificateHeaders(names, format, (value) => value(names.verify) === 'SUCCESS'),
  })
}
