import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { addressKey, type AddressPrefix } from './address.js'
import type { ClientCertificate } from './client-certificate.js'
import { SecurityProblem } from './problem.js'
import { processRegistry } from './process-registry.js'
import type { ExpressParts } from './route.js'
import { neutralise } from './text.js'
import { warnOnce } from './warnings.js'

/** What `gateway` notes of itself, so that nobody is told to trust a proxy that is proven instead. */
export const gateways = processRegistry<true>('gateways')

/**
 * Where a request comes from: as the proven hop before this service says (`gateway`), else as far as the application's
 * `trust proxy` setting lets anyone know.
 */
export interface Client {
  /** IP address, or `undefined` where there is none: a UNIX socket, a connection that is already gone. */
  readonly address: string | undefined
  /** Whether the caller used TLS. */
  readonly tls: boolean
  readonly protocol: 'http' | 'https'
  /** Host that the caller asked for, with its port if it named one; only where a proven hop says so, else `undefined`. */
  readonly host: string | undefined
  /** The caller's certificate as a proven hop forwarded it. What came over this server's own TLS stays on the socket. */
  readonly certificate: ClientCertificate | undefined
}

/**
 * Reads address and TLS at the first moment, because neither is there any more when a connection is gone.
 *
 * `trust proxy: true` believes the leftmost `X-Forwarded-For` entry, which the caller writes: it is refused.
 */
export function clientOf(req: IncomingMessage): Client {
  const { app } = req as ExpressParts
  const trust = app?.settings?.['trust proxy']
  if (trust === true) {
    throw new SecurityProblem('trust_proxy_unsafe', {
      evidence: {
        problem: 'app.set("trust proxy", true) lets every caller choose its own address',
        remedy:
          'app.set("trust proxy", true) lets every caller choose its own address: give it a hop count (1), a list of addresses or subnets, or a function',
      },
    })
  }
  if (app !== undefined && trust !== undefined && trust !== false) {
    const { ip, secure } = req as ExpressParts
    return directClient(ip, secure === true)
  }
  if (app !== undefined && isForwarded(req) && gateways.size === 0) {
    warnOnce(
      'forwarding_headers_ignored',
      'forwarding headers arrive but app.set("trust proxy", ...) names no proxy: every client behind one shares its address',
    )
  }
  return directClient(req.socket.remoteAddress, (req.socket as Partial<TLSSocket>).encrypted === true)
}

function directClient(address: string | undefined, tls: boolean): Client {
  return { address, tls, protocol: tls ? 'https' : 'http', host: undefined, certificate: undefined }
}

function isForwarded({ headers }: IncomingMessage): boolean {
  return headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined
}

/**
 * The name under which a client is counted. Throws where there is none: the caller has gone already and taken its
 * address along, or the connection never had one.
 */
export function clientKey(
  { socket }: IncomingMessage,
  { address }: Client,
  addressPrefix: AddressPrefix = 64,
): string {
  const key = addressKey(address, addressPrefix)
  if (key !== undefined) return key
  if (address === undefined && socket.destroyed) throw new SecurityProblem('client_gone')
  const problem = `no IP address: ${neutralise(String(address), 64)}`
  throw new SecurityProblem('limiter_key_missing', { evidence: { problem } })
}
