import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { clientCertificateOf, type ClientCertificate } from '../core/client-certificate.js'
import { wallClockMs } from '../core/clock.js'
import type { RequestContext } from '../core/context.js'
import { callback, checkOptions, either, listOf, misuse, record, text } from '../core/options.js'
import type { Evidence } from '../core/problem.js'
import { isAt } from './certificate-verifier/authorities.js'
import { certificateExaminer, type Examined } from './certificate-verifier/examine.js'
import { acceptedName } from './certificate-verifier/names.js'
import type { CertificateVerifierOptions } from './certificate-verifier/options.js'
import { principalMaker } from './certificate-verifier/principal.js'
import { refusal } from './refusal.js'
import type { Credential, Verified, Verifier } from './verifier.js'

export type { Authorities } from './certificate-verifier/authorities.js'
export type { AcceptedName } from './certificate-verifier/names.js'
export type {
  AcceptedCertificate,
  CertificateMapping,
  CertificateVerifierOptions,
} from './certificate-verifier/options.js'

const ME = 'certificateVerifier'

// What other libraries call the same things.
const ALIASES: Readonly<Record<string, string>> = {
  ca: 'authorities',
  cas: 'authorities',
  trustedCas: 'authorities',
  allowedNames: 'names',
  subjects: 'names ({ subject: "CN=..." })',
  spiffe: 'names ({ spiffe: "trust.domain" })',
  trustDomain: 'names ({ spiffe: "trust.domain" })',
}

// Some 2 KiB each. Beyond that the oldest goes, and is examined again when it comes back.
const MAX_REMEMBERED = 4096

/**
 * Verifies client certificates (RFC 8705, X.509-SVID) as who the caller is: for `authenticate({ verifiers })`. Beside a
 * token a certificate is evidence of who holds that, and never asked for here.
 *
 * The certificate is the one of the connection, which this server verified (`requestCert`), or the one that a proven hop
 * forwarded; every other one is refused with 401 `certificate_refused`, and is never taken for none. Checked here: its
 * time; that it is no authority; that it is for clients, where it says what it is for; its alternative names, of which
 * the subject is no part; and, with `authorities`, each signature of its chain. A certificate that was accepted is
 * remembered by its SHA-256; its time, and whether its key was seen, is looked at with every request.
 *
 * **Not checked:** whether it was revoked, unless the server or the hop has a `crl`, or `authenticate` a `revocation`;
 * path length and name constraints, which are the server's or the hop's to check; key usage beyond the extended one.
 *
 * Throws a `TypeError` where neither `authorities` nor both `names` and `issuer` are given: a server without a `ca` of its
 * own believes every public authority. Also for impossible names, and for authorities that are none.
 */
export function certificateVerifier(options: CertificateVerifierOptions): Verifier {
  checkOptions(
    ME,
    options,
    {
      names: listOf(acceptedName),
      authorities: either(text(1_000_000), listOf(text(1_000_000)), record),
      issuer: text(256),
      principal: callback,
    },
    ALIASES,
  )
  checkTogether(options)
  const { examine, facts } = certificateExaminer(ME, options)
  const principalFor = principalMaker(options.principal)
  const remembered = new Map<string, Examined>()

  function verify(_credential: Credential, req: IncomingMessage, context: RequestContext): Verified {
    const certificate = clientCertificateOf(req, context)
    if (certificate === undefined) throw refusal('certificate_refused', whyNone(req, context))
    const known = recall(certificate)
    const examined = known ?? examine(certificate)
    const principal = principalFor(examined, certificate.verifiedBy)
    if (known === undefined) remember(certificate.x509.fingerprint256, examined)
    return {
      principal,
      reason: known === undefined ? 'verified' : 'remembered',
      issuedAt: examined.issuedAt,
    }
  }

  /** By the bytes that are there now: a connection may be given another certificate while it lasts (TLS 1.2). */
  function recall({ x509 }: ClientCertificate): Examined | undefined {
    const known = remembered.get(x509.fingerprint256)
    return known !== undefined && isAt(known.validity, wallClockMs()) ? known : undefined
  }

  function remember(fingerprint: string, examined: Examined): void {
    if (remembered.size >= MAX_REMEMBERED) {
      for (const oldest of remembered.keys()) {
        remembered.delete(oldest)
        break
      }
    }
    remembered.set(fingerprint, examined)
  }

  return Object.freeze({
    kind: 'certificate',
    challenge: 'ClientCertificate',
    facts,
    recognises: ({ scheme, value }: Credential) => scheme === 'certificate' && value === '',
    verify,
    close: async () => {
      remembered.clear()
      await Promise.resolve()
    },
  })
}

function checkTogether({ names, authorities, issuer }: CertificateVerifierOptions): void {
  if (authorities === undefined) {
    if (names === undefined)
      throw misuse(ME, 'authorities', 'given, or names and issuer in its place', authorities)
    if (issuer === undefined)
      throw misuse(ME, 'issuer', 'given where there are no authorities: who names these callers', issuer)
    return
  }
  const areNamed = typeof authorities === 'object' && !Array.isArray(authorities)
  if (areNamed && issuer !== undefined)
    throw misuse(ME, 'issuer', 'left out where authorities are given by the names of issuers', issuer)
}

/** For the record: why the certificate that is there counts for nothing. */
function whyNone({ socket }: IncomingMessage, { provenHop }: RequestContext): Evidence {
  const { authorized, authorizationError } = socket as Partial<TLSSocket>
  const error: unknown = authorizationError ?? null
  if (provenHop !== undefined || (authorized === true && error === null))
    return { problem: 'its time is not now' }
  return { problem: 'this server did not verify it', error: shownError(error) }
}

/** Node's own word (`DEPTH_ZERO_SELF_SIGNED_CERT`), as it is typed nowhere. */
function shownError(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : error
  return typeof code === 'string' ? code : 'none'
}
