import type { X509Certificate } from 'node:crypto'
import { checkOptions, listOf, misuse, oneOf, record, required, ruleName } from '../../core/options.js'
import { canonicalName } from './known-headers.js'
import { authoritiesIn, authoritiesRule } from './issued-by.js'
import type { Profile } from './profile.js'
import { checkProvenBy, headerName, proofOf, provenByGiven } from './proofs/proof-of.js'
import type { Proof } from './proofs/proof.js'

/** A profile with everything checked, and its proof. */
export interface Hop extends Profile {
  readonly proof: Proof
  readonly authorities: readonly X509Certificate[]
  /** Every header that is read of it, but for the one of `address`. */
  readonly read: readonly string[]
}

const ME = 'gateway'
const MAX_HOPS = 5

/** Checks the hops of one service, nearest first. Throws a `TypeError`. */
export function hopsOf(profiles: Profile | readonly Profile[]): readonly Hop[] {
  const list = Array.isArray(profiles) ? (profiles as readonly Profile[]) : [profiles as Profile]
  if (list.length === 0 || list.length > MAX_HOPS)
    throw misuse(ME, 'profile', `a profile, or a list of 1 to ${MAX_HOPS}, nearest first`, profiles)
  const hops = list.map(hopOf)
  hops.forEach((hop, index) => {
    checkBetween(hop, hops.slice(0, index))
    checkProof(hop, hops)
  })
  return hops
}

function hopOf(profile: Profile): Hop {
  if (!record.holds(profile) || typeof profile.kind !== 'string')
    throw misuse(ME, 'profile', 'what nginx(), haproxy() and the other profiles make', profile)
  const where = profile.kind
  checkOptions(where, profile, {
    kind: required(ruleName),
    name: required(ruleName),
    provenBy: provenByGiven,
    address: required(record),
    protocol: record,
    host: record,
    certificate: record,
    certificateAuthorities: authoritiesRule,
    keeps: listOf(headerName),
    removes: listOf(headerName),
  })
  checkProvenBy(where, profile.provenBy)
  const { address, protocol, host, certificate, keeps = [], removes = [] } = profile
  checkOptions(`${where}: address`, address, {
    header: required(headerName),
    writes: required(oneOf('appends', 'replaces')),
    lines: oneOf('one', 'several'),
    parse: { says: 'a function', holds: (value) => typeof value === 'function' },
  })
  if (protocol !== undefined && 'header' in protocol)
    checkOptions(`${where}: protocol`, protocol, { header: required(headerName) })
  if (host !== undefined) checkOptions(`${where}: host`, host, { header: required(headerName) })
  if (profile.certificateAuthorities !== undefined && certificate === undefined)
    throw new TypeError(`${where}: certificateAuthorities without headers about a client certificate`)
  const read = [
    ...(protocol !== undefined && 'header' in protocol ? [protocol.header] : []),
    ...(host === undefined ? [] : [host.header]),
    ...(certificate?.headers ?? []),
    ...keeps,
  ]
  const own = keeps.find((header) => header === address.header || CANONICAL.has(header))
  if (own !== undefined) throw misuse(where, 'keeps', 'of headers that gateway does not write itself', own)
  for (const header of [...read, ...removes]) {
    if (!headerName.holds(header) || RESERVED.has(header))
      throw misuse(where, 'a header name', `${headerName.says}, and not of HTTP's own`, header)
  }
  const proof = proofOf(where, profile.provenBy)
  for (const header of proof.headers) {
    if (!headerName.holds(header) || header === 'host' || RESERVED.has(header) || CANONICAL.has(header))
      throw misuse(where, 'the header of a proof', 'one that has no other meaning', header)
  }
  return Object.freeze({
    ...profile,
    keeps,
    removes,
    read,
    proof,
    authorities: [profile.certificateAuthorities ?? []].flat().flatMap(authoritiesIn),
  })
}

/** What `gateway` writes itself when the hops are proven. */
export const CANONICAL: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
])

// What carries the request itself; `host` may be read, never kept or removed.
const RESERVED: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'dpop',
  'expect',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** What a hop farther out says must still be there when the nearer ones have written their own. */
function checkBetween(hop: Hop, nearer: readonly Hop[]): void {
  const where = `${ME}: ${hop.name}`
  if ([...(hop.keeps ?? []), ...(hop.removes ?? [])].includes('host'))
    throw new TypeError(`${where}: host can be read, not kept or removed`)
  if (nearer.length > 0 && hop.proof.isOfConnection === true)
    throw new TypeError(`${where}: only the nearest hop can be proven by a UNIX socket`)
  for (const one of nearer) {
    if (one.name === hop.name)
      throw new TypeError(`${where} stands twice in the list: give each hop a name of its own`)
    if (one.address.header === hop.address.header && one.address.writes === 'replaces')
      throw new TypeError(
        `${where}: ${one.name} replaces ${hop.address.header}, so that what ${hop.name} writes there is lost`,
      )
    const lost = hop.read.find((header) => header !== 'host' && one.read.includes(header))
    if (lost !== undefined)
      throw new TypeError(
        `${where}: ${one.name} writes ${lost} itself, so that what ${hop.name} writes there is lost. Let ${one.name} pass it on, and say so with false for that header in its profile`,
      )
  }
}

/**
 * The header of a proof carries that one proof. Of two hops with one header the nearer writes over what the farther one
 * wrote, so that its proof would prove them both; one that is read, or kept, would show the proof.
 */
function checkProof({ name, proof }: Hop, hops: readonly Hop[]): void {
  for (const header of proof.headers) {
    const reader = hops.find(({ address, read }) => address.header === header || read.includes(header))
    const other = hops.find((hop) => hop.name !== name && hop.proof.headers.includes(header))
    if (reader !== undefined || other !== undefined)
      throw new TypeError(
        `${ME}: ${name} is proven by ${header}, which ${(reader ?? other)?.name ?? ''} uses too: give each proof a header of its own`,
      )
  }
}

/** Every header, by canonical name, that some of the hops write and that is looked at here. */
export function headersOf(hops: readonly Hop[]): ReadonlySet<string> {
  return new Set(
    hops.flatMap(({ address, read, removes = [], proof }) =>
      [address.header, ...read, ...removes, ...proof.headers].map(canonicalName),
    ),
  )
}
