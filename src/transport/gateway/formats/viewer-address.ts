import { isIP } from 'node:net'
import { MalformedValue } from './malformed-value.js'

const WITH_PORT = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9A-Fa-f:.]{2,45})):(\d{1,5})$/

/**
 * The address in `CloudFront-Viewer-Address`, which ends in a port: `198.51.100.10:46532`, and IPv6 without brackets,
 * `2001:db8::1:46532`, or with them. The last number is always the port.
 *
 * Throws `MalformedValue`, also where the port is missing of an IPv4 address; of an IPv6 address nobody can tell.
 */
export function viewerAddress(value: string): string {
  const [, bracketed, plain, port] = WITH_PORT.exec(value) ?? []
  const address = bracketed ?? plain ?? ''
  if (isIP(address) === 0 || (bracketed !== undefined && isIP(bracketed) !== 6))
    throw new MalformedValue('no IP address with a port')
  if (Number(port) > 65_535 || !isDecimalPort(port)) throw new MalformedValue('no port')
  return address
}

function isDecimalPort(port: string | undefined): boolean {
  return port !== undefined && /^(?:0|[1-9]\d*)$/.test(port)
}
