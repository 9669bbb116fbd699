import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import type { OptionRule } from '../../core/options.js'
import { MalformedValue } from './formats/malformed-value.js'

const WITH_PORT = /^(?:([\d.]{7,15})|\[([0-9a-f:.]{2,45})\]):\d{1,5}$/i
const BRACKETED = /^\[([0-9a-f:.]{2,45})\]$/i
const MAPPED = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/

/** The IP address in an entry of a forwarding header, with or without a port. Throws `MalformedValue`. */
export function forwardedAddress(entry: string): string {
  const [, ipv4, ipv6 = BRACKETED.exec(entry)?.[1]] = WITH_PORT.exec(entry) ?? []
  const address = ipv4 ?? ipv6 ?? entry
  const isAddress = ipv6 === undefined ? isIP(address) !== 0 : isIPv6(address)
  // A zone (`fe80::1%eth0`) is of another machine.
  if (!isAddress || address.includes('%')) throw new MalformedValue('no IP address')
  return plainAddress(address)
}

/** An address with IPv4 inside IPv6, as a socket for both shows it, in whatever spelling, written as what it is. */
export function plainAddress(address: string): string {
  if (!/ffff:/i.test(address) || !isIPv6(address) || address.includes('%')) return address
  const [, high, low] = MAPPED.exec(new URL(`http://[${address}]`).hostname) ?? []
  if (high === undefined || low === undefined) return address
  return [high, low].flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]).join('.')
}

/** An address, or a network with a prefix; not all there are. */
export const network: OptionRule = {
  says: 'an IP address or a network in CIDR form, with a prefix of at least 1 bit',
  holds: (value) => {
    if (typeof value !== 'string') return false
    const [address = '', prefix, ...rest] = value.split('/')
    const version = isIP(address)
    if (version === 0 || rest.length > 0 || address.includes('%')) return false
    if (prefix === undefined) return true
    return /^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128)
  },
}

/** Whether an address lies in one of the networks. */
export function networkTest(networks: readonly string[]): (address: string | undefined) => boolean {
  const list = new BlockList()
  for (const entry of networks) {
    const [address = '', prefix] = entry.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    list.addSubnet(address, prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix), family)
  }
  return (given) => {
    if (given === undefined) return false
    const address = plainAddress(given)
    if (isIP(address) === 0) return false
    return list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  }
}
