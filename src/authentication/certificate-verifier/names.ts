import type { X509Certificate } from 'node:crypto'
import { namesOfCertificate } from '../../core/client-certificate.js'
import type { OptionRule } from '../../core/options.js'
import { refusal } from '../refusal.js'

/**
 * Who may come: one alternative name as Node.js prints it (`DNS:orders.internal`, `URI:spiffe://example.org/orders`,
 * `email:`, `IP Address:`); every SPIFFE id of a trust domain; or one subject (distinguished name), exactly as
 * `X509Certificate.subject` prints it, for certificates that bear no other name.
 */
export type AcceptedName = string | { readonly spiffe: string } | { readonly subject: string }

/** The names of a certificate that may stand for its owner. */
export interface CertificateNames {
  /** Who it is: a SPIFFE id (`spiffe://...`), else a name with its kind (`DNS:orders.internal`). */
  readonly identity: string
  /** All its alternative names, as Node.js prints them. */
  readonly all: readonly string[]
}

// SPIFFE-ID section 2: lower-case authority without port or user, segments without escapes, no empty and no dot ones.
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/
const SPIFFE_ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+)$/
const MAX_SPIFFE_ID_LENGTH = 2048
const LOOKS_LIKE_SPIFFE = /^URI:\s*spiffe:/i

/** What may stand for somebody, best first. A wildcard names nobody; a name of another kind is no address of anybody. */
const KINDS: readonly RegExp[] = [
  /^spiffe:\/\//,
  /^URI:[A-Za-z][\w+.-]*:[\x21-\x7e]+$/,
  /^DNS:[\w-]+(?:\.[\w-]+)*$/,
  /^email:[\x21-\x7e]+@[\w.-]+$/,
  /^IP Address:[\da-fA-F.:]+$/,
]

export const acceptedName: OptionRule = {
  says: 'DNS: and a host name without wildcard, URI: and an absolute URI, email:, IP Address:, { spiffe: "trust.domain" } or { subject: "CN=..." }',
  holds: (value) => {
    if (typeof value === 'string') return isPinnable(value)
    if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return false
    const { spiffe, subject } = value as { readonly spiffe?: unknown; readonly subject?: unknown }
    if (typeof spiffe === 'string') return TRUST_DOMAIN.test(spiffe)
    return typeof subject === 'string' && /^[A-Za-z\d.]+=./.test(subject) && subject.length <= 4096
  },
}

function isPinnable(name: string): boolean {
  if (name.length > MAX_SPIFFE_ID_LENGTH + 4 || /[",]/.test(name)) return false
  const identity = identityIn(name)
  if (LOOKS_LIKE_SPIFFE.test(name) && trustDomainOf(identity) === undefined) return false
  return !name.startsWith('spiffe:') && KINDS.some((kind) => kind.test(identity))
}

/** The trust domain of a SPIFFE id with a path, as a workload has it; `undefined` for everything else. */
export function trustDomainOf(identity: string): string | undefined {
  return identity.length > MAX_SPIFFE_ID_LENGTH ? undefined : SPIFFE_ID.exec(identity)?.[1]
}

/**
 * Whom a certificate names. Throws a refusal where it names nobody that is accepted, where its names can be read in
 * more than one way, and where it breaks the rules of an X.509-SVID.
 */
export function readNames(
  x509: X509Certificate,
  accepted: readonly AcceptedName[] | undefined,
): CertificateNames {
  const all = namesOfCertificate(x509)
  if (all.length === 0 && x509.subjectAltName !== undefined) throw refused('its names are ambiguous')
  checkSpiffe(all)
  const identities = all.map(identityIn)
  const identity = accepted === undefined ? bestOf(identities) : acceptedOf(identities, x509, accepted)
  if (identity === undefined)
    throw refused(accepted === undefined ? 'no name' : 'no accepted name', { names: all })
  return { identity, all }
}

/** The identity is the first that the caller of `certificateVerifier` named, whatever the order in the certificate. */
function acceptedOf(
  identities: readonly string[],
  { subject }: X509Certificate,
  accepted: readonly AcceptedName[],
): string | undefined {
  for (const name of accepted) {
    if (typeof name === 'string') {
      const pinned = identityIn(name)
      if (identities.includes(pinned)) return pinned
    } else if ('spiffe' in name) {
      const found = identities.find((identity) => trustDomainOf(identity) === name.spiffe)
      if (found !== undefined) return found
    } else if (identities.length === 0 && subject === name.subject) {
      return `DN:${subject.replaceAll('\n', ', ')}`
    }
  }
  return undefined
}

function bestOf(identities: readonly string[]): string | undefined {
  for (const kind of KINDS) {
    const found = identities.find((identity) => kind.test(identity))
    if (found !== undefined) return found
  }
  return undefined
}

/** X.509-SVID section 2: exactly one URI, and that a SPIFFE id; section 4.1: a workload's has a path. */
function checkSpiffe(names: readonly string[]): void {
  if (!names.some((name) => LOOKS_LIKE_SPIFFE.test(name))) return
  const uris = names.filter((name) => name.startsWith('URI:'))
  if (uris.length > 1) throw refused('a SPIFFE id beside another URI')
  if (trustDomainOf(identityIn(uris[0] ?? '')) === undefined) throw refused('no valid SPIFFE id')
}

/** Host names have no case; a SPIFFE id says itself what it is. */
function identityIn(name: string): string {
  if (name.startsWith('DNS:')) return `DNS:${name.slice(4).toLowerCase()}`
  return name.startsWith('URI:spiffe://') ? name.slice(4) : name
}

function refused(problem: string, evidence: { readonly names?: readonly string[] } = {}): Error {
  return refusal('certificate_refused', { problem, ...evidence })
}
