import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { SecurityProblem } from './problem.js'
import type { ExpressParts } from './route.js'
import { warnOnce } from './warnings.js'

/** Where a request comes from, as far as the application's `trust proxy` setting lets anyone know. */
export interface Client {
  /** IP address, or `undefined` where there is none: a UNIX socket, a connection that is already gone. */
  readonly address: string | undefined
  /** Whether the request came over TLS. */
  readonly tls: boolean
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
        remedy: 'name the proxies: a hop count, a list of addresses or subnets, or a function',
      },
    })
  }
  if (app !== undefined && trust !== undefined && trust !== false) {
    const { ip, secure } = req as ExpressParts
    return { address: ip, tls: secure === true }
  }
  if (app !== undefined && isForwarded(req)) {
    warnOnce(
      'forwarding_headers_ignored',
      'forwarding headers arrive but the application trusts no proxy: every client behind it shares one address',
    )
  }
  return { address: req.socket.remoteAddress, tls: (req.socket as Partial<TLSSocket>).encrypted === true }
}

function isForwarded({ headers }: IncomingMessage): boolean {
  return headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined
}
