import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { neutralise } from '../../core/text.js'
import { misused } from '../failure.js'

/** A service on this machine, and the addresses of it that were looked at. */
export interface Target {
  readonly url: URL
  readonly addresses: readonly Address[]
}

export interface Address {
  readonly address: string
  readonly family: number
}

export type Resolve = (host: string) => Promise<readonly Address[]>

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/** `127.0.0.0/8` and `::1`; neither their spellings inside IPv6 nor "this host" (`0.0.0.0`, `::`). */
export function isLoopback(address: string): boolean {
  const family = isIP(address)
  if (family === 0 || (family === 6 && address.includes('.'))) return false
  // A BlockList takes a mapped IPv4 address for the address inside.
  if (family === 6 && /^[0:]*:ffff:/i.test(address)) return false
  return LOOPBACK.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/**
 * The service that a URL names. Whatever is not plainly this machine is a failure: a run of this kind against somebody
 * else's service is an attack.
 */
export async function targetOf(
  text: string,
  path?: string,
  resolve: Resolve = resolveLocally,
): Promise<Target> {
  const called = `"${neutralise(text, 200)}"`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw misused(`${called} is no URL of a service.`, 'It is like http://127.0.0.1:3000/orders')
  if (url.username !== '' || url.password !== '')
    throw misused(`${called} holds a credential.`, 'Give it with --header.')
  // What the URL's parser had to translate (2130706433, 0x7f.1, 127.1) is not plain.
  if (!isWrittenPlainly(text, url)) throw elsewhere(called)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (isIP(host) === 0 && host !== 'localhost') throw elsewhere(called)
  const addresses = isIP(host) === 0 ? await resolve(host) : [{ address: host, family: isIP(host) }]
  if (addresses.length === 0 || !addresses.every(({ address }) => isLoopback(address)))
    throw elsewhere(called)
  if (path !== undefined) return { url: withPath(url, path), addresses }
  return { url, addresses }
}

function isWrittenPlainly(text: string, { protocol, hostname }: URL): boolean {
  const start = `${protocol}//${hostname}`
  return text.toLowerCase().startsWith(start) && /^$|^[:/?#]/.test(text.slice(start.length))
}

/** A path cannot lead to another host: `//example.com` would. */
function withPath(url: URL, path: string): URL {
  if (!/^\/(?!\/)[\x21-\x7e]*$/.test(path) || path.includes('\\') || path.includes('#'))
    throw misused(`--path must begin with one "/" and hold no spaces, got "${neutralise(path, 60)}".`)
  const changed = new URL(path, url)
  if (changed.host !== url.host) throw misused('--path must not name a host.')
  return changed
}

async function resolveLocally(host: string): Promise<readonly Address[]> {
  try {
    return await lookup(host, { all: true })
  } catch {
    return []
  }
}

function elsewhere(called: string): Error {
  return misused(
    `${called} is not on this machine: nothing was sent.`,
    'The host is 127.0.0.1 (or another of 127.0.0.0/8), [::1] or localhost.',
  )
}
