import type { X509Certificate } from 'node:crypto'
import type { HopProof } from '../../core/hop-proof.js'

/**
 * How a hop proves that a request came through it. Of the hop nearest to this service the connection itself is looked
 * at; of a farther one what the hop before it saw.
 */
export type ProvenBy =
  | {
      /** Names, one of which the verified TLS certificate of the hop must bear, as Node.js prints them: `DNS:edge.internal`. */
      readonly peerCertificate: { readonly names: readonly string[] }
    }
  | {
      readonly secret: {
        /** Header that carries the secret. */
        readonly header: string
        /** The live secrets, 32 drawn characters or more each (`openssl rand -base64 32`), or a function that returns them. */
        readonly values: string | readonly string[] | (() => string | readonly string[])
      }
    }
  | {
      /** This service listens on a UNIX domain socket, which only the hop may open. */
      readonly unixSocket: true
    }
  | {
      /** A signed statement in a header, or any other proof that was made elsewhere. */
      readonly assertion: HopProof
    }
  | {
      /** Addresses and networks in CIDR form. Weak: whoever can send from there is taken for the hop. */
      readonly network: readonly string[]
      /** Why that is enough here. It stands in the posture. */
      readonly reason: string
    }

/** Where a hop says which address it was called from. */
export interface AddressHeader {
  /** Lower-case name: `x-forwarded-for`. */
  readonly header: string
  /** `appends`: the hop's entry is the last one, after whatever the caller sent. `replaces`: it is the only one. */
  readonly writes: 'appends' | 'replaces'
  /** `several` where the hop adds a line of its own after those of the caller (HAProxy). @default 'one' */
  readonly lines?: 'one' | 'several'
  /**
   * Reads one entry. Throws `MalformedValue` where it is none.
   * @default an IP address, or one with a port: `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]:443`
   */
  readonly parse?: (entry: string) => string
}

/** A client certificate as a hop forwarded it, parsed, and what the hop says of it. Validity and authority are the frame's to check. */
export interface ForwardedCertificate {
  readonly x509: X509Certificate
  /** Certificates between it and its root, leaf first, without the leaf and as far as they were forwarded. */
  readonly chain: readonly X509Certificate[]
  /** Whether the hop says that it verified the chain and saw proof of the key. `false` where it says nothing of it. */
  readonly verified: boolean
}

/**
 * The value of one header of those that `headers` names, by its lower-case name. `undefined` where it is not there or
 * says "none" in one of the known ways (empty, `(null)`, `::`, `NONE`, `{...}`). There is exactly one line of each.
 */
export type HeaderReader = (header: string) => string | undefined

/** How a hop's headers about the client certificate are read. */
export interface CertificateHeaders {
  /** Lower-case names of all headers that `read` asks for. */
  readonly headers: readonly string[]
  /**
   * Answers with `undefined` where the hop says that there was no certificate. Throws `MalformedValue` for what such a
   * hop never writes, which refuses the request with 400. It trusts no text beside the certificate itself.
   */
  read(value: HeaderReader): ForwardedCertificate | undefined
}

/** What one kind of gateway sends, as it is configured here: made by `nginx()`, `haproxy()` and the other profiles. */
export interface Profile {
  /** The profile's name: `nginx`, `aws-alb`. */
  readonly kind: string
  /** Name of this hop in the context (`provenHop`), the audit and the posture. @default the kind */
  readonly name: string
  /** One proof, or several that must all hold, each way at most once. */
  readonly provenBy: ProvenBy | readonly ProvenBy[]
  readonly address: AddressHeader
  /** Lower-case name of the header that says `http` or `https`, or the one of both that clients can use at all; none: taken for `http`. */
  readonly protocol?: { readonly header: string } | { readonly always: 'http' | 'https' }
  /** Lower-case name of the header that holds the host which the caller asked for: `host`, `x-forwarded-host`. */
  readonly host?: { readonly header: string }
  readonly certificate?: CertificateHeaders
  /** Authorities, in PEM form, one of which must have issued the certificate, whatever the hop says. */
  readonly certificateAuthorities?: string | readonly string[]
  /** Lower-case names of headers that this hop always sets itself and that handlers are to see: exactly one line each. */
  readonly keeps?: readonly string[]
  /** Lower-case names of further headers that this kind of gateway writes. They are removed, proven or not. */
  readonly removes?: readonly string[]
}
