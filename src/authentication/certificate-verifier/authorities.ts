import { createHash, X509Certificate } from 'node:crypto'
import { certificatePath } from '../../core/certificate-path.js'
import type { ClientCertificate } from '../../core/client-certificate.js'
import { misuse } from '../../core/options.js'
import { refusal } from '../refusal.js'

/** PEM text of one or several authorities that speak for one issuer, or the same by the issuer's name. */
export type Authorities =
  string | readonly string[] | { readonly [issuer: string]: string | readonly string[] }

/** A certificate whose signature is believed. */
export interface Authority {
  /** Whom it speaks for, where that was named. */
  readonly issuer: string | undefined
  readonly x509: X509Certificate
}

/** When something is good, in **milliseconds** since the epoch. */
export interface Validity {
  readonly fromMs: number
  readonly untilMs: number
}

/** An authority, and when every certificate on the way to it is good. */
export interface ProvenChain {
  readonly authority: Authority
  readonly validity: Validity
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const SAYS = 'certificates of authorities (CA:TRUE) in PEM form, as text, a list, or by the name of an issuer'

/** Reads the option `authorities`, once. */
export function readAuthorities(me: string, given: Authorities): readonly Authority[] {
  if (typeof given === 'string' || Array.isArray(given))
    return readPem(me, given as string | readonly string[], undefined)
  if (typeof given !== 'object' || Object.keys(given).length === 0)
    throw misuse(me, 'authorities', SAYS, given)
  return Object.entries(given).flatMap(([issuer, pem]) => {
    if (issuer === '' || issuer.length > 256)
      throw misuse(me, 'authorities', 'given by names of 1 to 256 characters', issuer)
    return readPem(me, pem, issuer)
  })
}

function readPem(
  me: string,
  pem: string | readonly string[],
  issuer: string | undefined,
): readonly Authority[] {
  const texts: readonly unknown[] = typeof pem === 'string' ? [pem] : pem
  const blocks = texts.flatMap((text) => {
    const found = typeof text === 'string' ? text.match(PEM) : null
    if (found === null) throw misuse(me, 'authorities', SAYS, 'text without a certificate')
    return found
  })
  if (blocks.length === 0) throw misuse(me, 'authorities', SAYS, pem)
  return blocks.map((block) => ({ issuer, x509: readAuthority(me, block) }))
}

function readAuthority(me: string, block: string): X509Certificate {
  let x509: X509Certificate
  try {
    x509 = new X509Certificate(block)
  } catch {
    throw misuse(me, 'authorities', SAYS, 'a certificate that cannot be read')
  }
  if (!x509.ca) throw misuse(me, 'authorities', SAYS, 'a certificate that is no authority')
  return x509
}

/** The name of an issuer that was given none: SHA-256 of its public key, which outlives its certificates. */
export function keyName({ publicKey }: X509Certificate): string {
  const key = publicKey.export({ type: 'spki', format: 'der' })
  return `x509:${createHash('sha256').update(key).digest('base64url')}`
}

/** Finds the authority that is believed and stands above a certificate. Throws a refusal where there is none. */
export function proveChain(
  { x509, chain }: ClientCertificate,
  authorities: readonly Authority[],
  nowMs: number,
): ProvenChain {
  const believed = authorities.map((each) => each.x509)
  const path = certificatePath(x509, chain, believed, nowMs)
  const authority = authorities.find((each) => each.x509 === path?.authority)
  if (path === undefined || authority === undefined)
    throw refusal('certificate_refused', { problem: 'of no accepted authority' })
  const validity = [x509, ...path.between, path.authority].map(validityOf).reduce(common)
  return { authority, validity }
}

/** When a certificate is good. A time that cannot be read is never. */
export function validityOf({ validFrom, validTo }: X509Certificate): Validity {
  return { fromMs: Date.parse(validFrom), untilMs: Date.parse(validTo) }
}

export function isAt({ fromMs, untilMs }: Validity, nowMs: number): boolean {
  return fromMs <= nowMs && nowMs <= untilMs
}

function common(one: Validity, other: Validity): Validity {
  return { fromMs: Math.max(one.fromMs, other.fromMs), untilMs: Math.min(one.untilMs, other.untilMs) }
}
