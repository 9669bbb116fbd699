import type { X509Certificate } from 'node:crypto'
import { isForClients } from '../../core/certificate-path.js'
import { certificateThumbprint, type ClientCertificate } from '../../core/client-certificate.js'
import { wallClockMs } from '../../core/clock.js'
import { refusal } from '../refusal.js'
import {
  keyName,
  proveChain,
  readAuthorities,
  validityOf,
  type Authority,
  type Validity,
} from './authorities.js'
import { readNames, trustDomainOf, type AcceptedName } from './names.js'
import type { CertificateVerifierOptions } from './options.js'

/** A certificate that was accepted, and how long that holds. */
export interface Examined {
  readonly identity: string
  readonly names: readonly string[]
  readonly issuer: string
  readonly thumbprint: string
  readonly serialNumber: string
  readonly validity: Validity
  /** Its own times, in **seconds** since the epoch. */
  readonly issuedAt: number
  readonly expiresAt: number
}

interface CertificateExaminer {
  /** Throws a refusal for a certificate that is not accepted. Its key was seen, and its time is now. */
  readonly examine: (certificate: ClientCertificate) => Examined
  readonly facts: Readonly<Record<string, unknown>>
}

const SPIFFE = 'spiffe://'

/** Prepares the options once: reads the authorities, fixes the lists. */
export function certificateExaminer(
  me: string,
  { names: given, authorities: pem, issuer }: CertificateVerifierOptions,
): CertificateExaminer {
  const names = given?.map((name) => (typeof name === 'string' ? name : { ...name }))
  const authorities = pem === undefined ? undefined : readAuthorities(me, pem)
  const issuers = new Set(authorities?.map((authority) => issuerOf(authority, issuer)) ?? [issuer ?? ''])

  function examine(certificate: ClientCertificate): Examined {
    const { x509 } = certificate
    checkPurpose(x509)
    const { identity, all } = readNames(x509, names)
    const proven = authorities === undefined ? undefined : proveChain(certificate, authorities, wallClockMs())
    const speaker = proven === undefined ? (issuer ?? '') : issuerOf(proven.authority, issuer)
    checkTrustDomain(identity, speaker, issuers)
    const own = validityOf(x509)
    return Object.freeze({
      identity,
      names: Object.freeze([...all]),
      issuer: speaker,
      thumbprint: certificateThumbprint(x509),
      serialNumber: x509.serialNumber,
      validity: proven?.validity ?? own,
      issuedAt: Math.floor(own.fromMs / 1000),
      expiresAt: Math.floor(own.untilMs / 1000),
    })
  }

  return { examine, facts: factsOf(names, issuers, authorities) }
}

function issuerOf({ issuer, x509 }: Authority, common: string | undefined): string {
  return issuer ?? common ?? keyName(x509)
}

function checkPurpose(x509: X509Certificate): void {
  if (x509.ca) throw refusal('certificate_refused', { problem: 'an authority is no caller' })
  if (!isForClients(x509))
    throw refusal('certificate_refused', { problem: 'not for clients', purposes: x509.keyUsage })
}

/** No trust domain's authority may name the workloads of another (SPIFFE Trust Domain and Bundle, section 5.2). */
function checkTrustDomain(identity: string, issuer: string, issuers: ReadonlySet<string>): void {
  const domain = trustDomainOf(identity)
  const own = domain === undefined ? undefined : `${SPIFFE}${domain}`
  const speaksForAnother = issuer.startsWith(SPIFFE) && issuer !== own
  const isSpokenForByAnother = own !== undefined && issuers.has(own) && issuer !== own
  if (speaksForAnother || isSpokenForByAnother)
    throw refusal('certificate_refused', { problem: 'named by the authority of another trust domain' })
}

function factsOf(
  names: readonly AcceptedName[] | undefined,
  issuers: ReadonlySet<string>,
  authorities: readonly Authority[] | undefined,
): Readonly<Record<string, unknown>> {
  return Object.freeze({
    issuers: Object.freeze([...issuers]),
    names: names === undefined ? 'any' : Object.freeze(names.map(shownName)),
    authorities: authorities === undefined ? 'of the server' : authorities.length,
  })
}

function shownName(name: AcceptedName): string {
  if (typeof name === 'string') return name
  return 'spiffe' in name ? `URI:${SPIFFE}${name.spiffe}/*` : `subject ${name.subject.replaceAll('\n', ', ')}`
}
