import { certificatePath } from '../../core/certificate-path.js'
import { isCurrent, type ClientCertificate } from '../../core/client-certificate.js'
import { SecurityProblem } from '../../core/problem.js'
import { forwardedAddress } from './addresses.js'
import { reportDisagreement } from './disagreement.js'
import { MalformedValue } from './formats/malformed-value.js'
import type { HeaderLines } from './header-lines.js'
import type { Hop } from './hops.js'

/** What a proven hop says of whoever called it. */
export interface Statement {
  readonly address: string
  readonly protocol: 'http' | 'https'
  readonly host: string | undefined
  readonly certificate: ClientCertificate | undefined
}

/** What of a forwarding header nearer hops have written. */
interface Written {
  readonly entries: number
  /** Whether one of them adds a line of its own, after whatever farther hops wrote. */
  readonly several: boolean
}

/** What of each forwarding header nearer hops have written. */
export type EntriesRead = Map<string, Written>

const HOST = /^(?:[a-z0-9_](?:[a-z0-9._-]{0,252})|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i
const PROTOCOLS: ReadonlyMap<string, 'http' | 'https'> = new Map([
  ['http', 'http'],
  ['https', 'https'],
  // Of a WebSocket (Traefik).
  ['ws', 'http'],
  ['wss', 'https'],
])

/**
 * Reads what a hop wrote, after it was proven. Throws (400) for a header that stands twice and for what such a hop never
 * writes: it is configured otherwise than its profile says, or it is not alone.
 */
export function statementOf(hop: Hop, lines: HeaderLines, read: EntriesRead): Statement {
  hop.read.forEach((header) => {
    lines.checkOnce(header)
  })
  return {
    address: addressOf(hop, lines, read),
    protocol: protocolOf(hop, lines),
    host: hostOf(hop, lines),
    certificate: certificateOf(hop, lines),
  }
}

/** Counted from the right: what stands further left may be the caller's. */
function addressOf({ name, address }: Hop, lines: HeaderLines, read: EntriesRead): string {
  const { header, writes, parse = forwardedAddress } = address
  const written = read.get(header)
  const several = address.lines === 'several' || written?.several === true
  lines.checkOnce(header, several)
  const nearer = written?.entries ?? 0
  read.set(header, { entries: nearer + 1, several })
  const values = lines.all(header)
  if (values.length === 0) throw malformed(name, header, 'missing')
  const entries = values.join(',').split(',')
  const entry = entries.at(-1 - nearer)?.trim()
  if (writes === 'replaces' && entries.length !== nearer + 1) throw malformed(name, header)
  // A hop says from where it was called, each time: another address would be made up.
  if (entry === undefined || entry === '') throw malformed(name, header)
  return wellFormed(name, header, () => parse(entry))
}

function protocolOf({ name, protocol }: Hop, lines: HeaderLines): 'http' | 'https' {
  if (protocol === undefined) return 'http'
  if ('always' in protocol) return protocol.always
  const value = lines.only(protocol.header)
  if (value === undefined) return 'http'
  const known = PROTOCOLS.get(value.toLowerCase())
  if (known === undefined) throw malformed(name, protocol.header)
  return known
}

function hostOf({ name, host }: Hop, lines: HeaderLines): string | undefined {
  const value = host === undefined ? undefined : lines.only(host.header)
  if (host !== undefined && value !== undefined && !HOST.test(value)) throw malformed(name, host.header)
  return value
}

/** A certificate counts where the hop says that it verified it, and nothing that we see says otherwise. */
function certificateOf(hop: Hop, lines: HeaderLines): ClientCertificate | undefined {
  const { name, certificate, authorities } = hop
  if (certificate === undefined) return undefined
  const forwarded = wellFormed(name, certificate.headers.join(', '), () =>
    certificate.read((header) => lines.only(header)),
  )
  if (forwarded?.verified !== true) return undefined
  const { x509, chain } = forwarded
  const isIssued = authorities.length === 0 || certificatePath(x509, chain, authorities) !== undefined
  if (isIssued && isCurrent(x509)) return { x509, chain, verifiedBy: name }
  reportDisagreement(name, isIssued ? 'validity' : 'authority')
  return undefined
}

function wellFormed<T>(hop: string, header: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof MalformedValue) throw malformed(hop, header, error.message)
    throw error
  }
}

function malformed(hop: string, header: string, problem = 'not what such a gateway writes'): SecurityProblem {
  return new SecurityProblem('forwarded_header_malformed', { evidence: { hop, header, problem } })
}
