import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { Client } from '../../core/client.js'
import { plainAddress } from './addresses.js'
import { writeHeader, type HeaderLines } from './header-lines.js'
import type { Hop } from './hops.js'
import type { Statement } from './statement.js'

/** Whoever is at the other end of the connection, whatever `trust proxy` made of its headers. */
export function connectedClient({ socket }: IncomingMessage): Client {
  const tls = (socket as Partial<TLSSocket>).encrypted === true
  const { remoteAddress } = socket
  return {
    address: remoteAddress === undefined ? undefined : plainAddress(remoteAddress),
    tls,
    protocol: tls ? 'https' : 'http',
    host: undefined,
    certificate: undefined,
  }
}

/** The client, as the outermost proven hop says. */
export function clientOfStatement({ address, protocol, host, certificate }: Statement): Client {
  return { address, tls: protocol === 'https', protocol, host, certificate }
}

/**
 * Writes what was proven back into the request: the forwarding headers, each with one value, so that `trust proxy` set
 * to 1 reads the client from them, and the headers that hops keep for the application.
 */
export function writeProven(
  req: IncomingMessage,
  lines: HeaderLines,
  { address, protocol, host }: Statement,
  proven: readonly Hop[],
): void {
  for (const header of new Set(proven.flatMap(({ keeps = [] }) => keeps))) {
    const value = lines.only(header)
    if (value !== undefined) writeHeader(req, header, value)
  }
  writeHeader(req, 'x-forwarded-for', address)
  writeHeader(req, 'x-forwarded-proto', protocol)
  if (host !== undefined) writeHeader(req, 'x-forwarded-host', host)
}
