import type { Claims } from '../../core/principal.js'
import type { Authorities } from './authorities.js'
import type { AcceptedName } from './names.js'

/** A certificate that was accepted, as a mapping sees it. */
export interface AcceptedCertificate {
  /** Whom it names: a SPIFFE id, or a name with its kind (`DNS:orders.internal`). */
  readonly identity: string
  /** All its alternative names, as Node.js prints them. */
  readonly names: readonly string[]
  /** Who speaks for it. */
  readonly issuer: string
  /** Its `x5t#S256` (RFC 8705 section 3.1). */
  readonly thumbprint: string
  /** In hexadecimal. */
  readonly serialNumber: string
  /** Who saw its key: `tls`, this server itself, or the name of a proven hop. */
  readonly verifiedBy: string
}

/** What an application knows of the owner of a certificate. */
export interface CertificateMapping {
  /** @default the certificate's identity */
  readonly subject?: string | undefined
  readonly clientId?: string | undefined
  /** A list, or text separated by spaces. @default none */
  readonly scopes?: Iterable<string> | undefined
  /** As `scopes`. */
  readonly roles?: Iterable<string> | undefined
  /** `service` where `requireService` shall take it for one. @default 'certificate' */
  readonly type?: 'certificate' | 'service' | 'user' | undefined
  /** Plain data, beside `names` and `serialNumber`. */
  readonly claims?: Claims | undefined
}

export interface CertificateVerifierOptions {
  /**
   * Who may come: alternative names as Node.js prints them, SPIFFE trust domains, subjects; the first that a certificate
   * bears is whom it stands for. @default whoever `authorities` name: its SPIFFE id, else URI, host name, mail, address
   */
  readonly names?: readonly AcceptedName[]
  /**
   * Whose signature is believed, as PEM text: one, several, or by the name of the issuer that each speaks for. Checked
   * here once more, whoever verified the chain before. An issuer called `spiffe://trust.domain` speaks for that trust
   * domain only, and no other issuer speaks for it. @default whoever this server, or the proven hop, believes
   */
  readonly authorities?: Authorities
  /**
   * The principal's issuer. @default the name in `authorities`, else `x509:` and the SHA-256 of the authority's key;
   * required where there are no `authorities`
   */
  readonly issuer?: string
  /**
   * What the application knows of the owner: asked with every request, answers at once; `undefined` is nobody, and
   * refused.
   */
  readonly principal?: (certificate: AcceptedCertificate) => CertificateMapping | null | undefined
}
