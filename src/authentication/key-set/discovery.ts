import { neutralise } from '../../core/text.js'
import { isSecureUrl } from '../../core/remote-json.js'
import { fetchJson } from './fetch-json.js'

/** As `discover`, of the key set. */
export function discoverJwksUri(issuer: string, signal: AbortSignal): Promise<string> {
  return discover(issuer, 'jwks_uri', signal)
}

/**
 * Finds an address in an issuer's metadata: OpenID Connect Discovery 1.0 section 4, else RFC 8414 section 3.
 *
 * The metadata must name the configured issuer byte for byte (a document of somebody else's says nothing about this
 * one) and an address that may be asked.
 */
export async function discover(
  issuer: string,
  member: 'jwks_uri' | 'introspection_endpoint',
  signal: AbortSignal,
): Promise<string> {
  const faults: unknown[] = []
  for (const url of metadataUrls(issuer)) {
    try {
      return addressIn(await fetchJson(url, signal), issuer, member)
    } catch (cause) {
      faults.push(cause)
    }
  }
  throw new AggregateError(
    faults,
    `no usable metadata of issuer ${issuer}: ${faults.map(messageOf).join('; ')}`,
  )
}

function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ]
}

function addressIn(metadata: unknown, issuer: string, member: string): string {
  const { issuer: named, [member]: address } = (metadata ?? {}) as Readonly<Record<string, unknown>>
  if (named !== issuer) {
    const other = typeof named === 'string' ? neutralise(named, 128) : typeof named
    throw new Error(`the metadata names the issuer ${other}, and configured is ${issuer}`)
  }
  if (typeof address !== 'string' || !isSecureUrl(address))
    throw new Error(`the metadata names no usable ${member}`)
  return address
}

/** `fetch failed` says nothing; the code of its cause (`ECONNREFUSED`, an expired certificate) does. */
export function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const { code } = (cause.cause ?? {}) as { code?: unknown }
  return typeof code === 'string' ? `${cause.message} (${code})` : cause.message
}
