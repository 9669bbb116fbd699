import { isIPv4, isIPv6 } from 'node:net'

/** Bits of an IPv6 address that one subscriber keeps: what is behind them is the subscriber's own to choose. */
export type AddressPrefix = 48 | 56 | 64

const WITH_PORT = /^(?:([\d.]+):\d{1,5}|\[([^\]]+)\](?::\d{1,5})?)$/

/**
 * The text under which one network client is counted, or `undefined` for what is no IP address.
 *
 * IPv4 as it is. IPv6 by its first 64 bits (or fewer), because one subscriber has at least as many addresses. An IPv4
 * address inside IPv6 counts as that IPv4 address, whatever its spelling: mapped (`::ffff:0:0/96`), translated
 * (`64:ff9b::/96` of NAT64, `::ffff:0:0:0/96` of SIIT), 6to4 (`2002::/16`) and the client's of Teredo (`2001::/32`): by
 * prefix many clients would be one, or one would be many. In the NAT64 prefix for local use (`64:ff9b:1::/48`, RFC 8215)
 * the whole address counts: its operator chooses where the IPv4 address stands. Zone ids are dropped.
 */
export function addressKey(address: string | undefined, prefix: AddressPrefix = 64): string | undefined {
  if (address === undefined) return undefined
  if (isIPv4(address)) return address
  const known = KNOWN[prefix]
  const found = known.get(address)
  if (found !== undefined) return found
  const key = keyOf(address, prefix)
  if (key === undefined || address.length > MAX_KNOWN_LENGTH) return key
  // Whoever has many addresses must not fill the memory with them.
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(address, key)
  return key
}

// Reading an IPv6 address costs as much as a whole limit, and most callers come again.
const MAX_KNOWN = 1000
const MAX_KNOWN_LENGTH = 64
const KNOWN = {
  48: new Map<string, string>(),
  56: new Map<string, string>(),
  64: new Map<string, string>(),
}

function keyOf(address: string, prefix: AddressPrefix): string | undefined {
  // Some proxies write the port into X-Forwarded-For.
  const [, ipv4, ipv6] = WITH_PORT.exec(address) ?? []
  if (ipv4 !== undefined) return isIPv4(ipv4) ? ipv4 : undefined
  const [plain = ''] = (ipv6 ?? address).split('%', 1)
  if (!isIPv6(plain)) return undefined
  const groups = groupsOf(plain)
  const embedded = embeddedIPv4(groups)
  if (embedded !== undefined) return embedded
  if (isLocalNat64(groups)) return `${groups.map(hexadecimal).join(':')}/128`
  const network = groups.slice(0, 4)
  network[3] = (network[3] ?? 0) & SUBNET[prefix]
  return `${network.map(hexadecimal).join(':')}::/${prefix}`
}

// Of the fourth group.
const SUBNET: Readonly<Record<AddressPrefix, number>> = { 48: 0, 56: 0xff00, 64: 0xffff }

function hexadecimal(group: number): string {
  return group.toString(16)
}

/** The eight 16-bit groups of a valid IPv6 address. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = withoutDottedQuad(address).split('::')
  const front = parseGroups(head)
  if (tail === undefined) return front
  const back = parseGroups(tail)
  return [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back]
}

function parseGroups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => parseInt(group, 16))
}

function withoutDottedQuad(address: string): string {
  const start = address.lastIndexOf(':') + 1
  const quad = address.slice(start)
  if (!quad.includes('.')) return address
  const [a = 0, b = 0, c = 0, d = 0] = quad.split('.').map(Number)
  return `${address.slice(0, start)}${hexadecimal(a * 256 + b)}:${hexadecimal(c * 256 + d)}`
}

function embeddedIPv4(groups: readonly number[]): string | undefined {
  const [a, b = 0, c = 0, d, e, f, high = 0, low = 0] = groups
  const zeros = (...some: (number | undefined)[]): boolean => some.every((group) => group === 0)
  const mapped = zeros(a, b, c, d, e) && f === 0xffff
  const translated = zeros(a, b, c, d, f) && e === 0xffff
  const nat64 = a === 0x64 && b === 0xff9b && zeros(c, d, e, f)
  if (mapped || translated || nat64) return dottedQuad(high, low)
  // RFC 3056 section 2; RFC 4380 section 4, where the client's address stands with its bits turned over.
  if (a === 0x2002) return dottedQuad(b, c)
  return a === 0x2001 && b === 0 ? dottedQuad(high ^ 0xffff, low ^ 0xffff) : undefined
}

function dottedQuad(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

function isLocalNat64([a, b, c]: readonly number[]): boolean {
  return a === 0x64 && b === 0xff9b && c === 1
}
