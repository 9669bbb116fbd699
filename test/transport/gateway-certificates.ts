import { X509Certificate } from 'node:crypto'
import { certificateThumbprint } from '../../src/core/client-certificate.js'
import { authority, type Authority } from '../authorization/certificates-support.js'

/** A certificate as each kind of gateway writes it into a header. */
export interface Forwarded {
  readonly pem: string
  readonly thumbprint: string
  readonly x509: X509Certificate
  /** nginx's `$ssl_client_escaped_cert`. */
  readonly escaped: string
  /** HAProxy, Caddy. */
  readonly der: string
  /** Apache. */
  readonly spaced: string
}

export function forwarded(pem: string): Forwarded {
  const x509 = new X509Certificate(pem)
  return {
    pem,
    x509,
    thumbprint: certificateThumbprint(x509),
    escaped: encodeURIComponent(pem),
    der: x509.raw.toString('base64'),
    spaced: pem.trim().replaceAll('\n', ' '),
  }
}

export interface Certificates {
  readonly ca: Authority
  readonly strangers: Authority
  /** Of `ca`. */
  readonly orders: Forwarded
  /** The same names, of another authority. */
  readonly evil: Forwarded
  close(): void
}

export function certificates(): Certificates {
  const [ca, strangers] = [authority('clients'), authority('clients')]
  const names = ['DNS.1=orders.internal', 'URI.1=spiffe://example.org/orders']
  return {
    ca,
    strangers,
    orders: forwarded(ca.issue('orders', ...names).cert),
    evil: forwarded(strangers.issue('orders', ...names).cert),
    close() {
      ca.close()
      strangers.close()
    },
  }
}
