import type { HopProof } from '../../core/hop-proof.js'
import type { Health, HealthStatus } from '../../core/lifecycle.js'
import { callback, checkOptions, enforceOnly, listOf, misuse, oneOf, ruleName } from '../../core/options.js'
import type { Claims, Principal } from '../../core/principal.js'
import { warnOnce } from '../../core/warnings.js'
import { CANONICAL, headersOf, hopsOf, type Hop } from './hops.js'
import { isKnownHeader } from './known-headers.js'
import type { Profile } from './profile.js'
import { headerName } from './proofs/proof-of.js'

export interface GatewayOptions {
  /**
   * What becomes of a request that did not provably come through every hop. `refuse`: 403. `strip`: it goes on as what
   * it is, a request of whoever the last proven hop, or this server, is connected to. @default 'refuse'
   */
  readonly unproven?: 'refuse' | 'strip'
  /** Lower-case names of further headers that say who the caller is. Nobody behind this sees them. */
  readonly removes?: readonly string[]
  /** Lower-case names of headers that look like a gateway's but are the caller's own in this service. Left as they are. */
  readonly ignores?: readonly string[]
  /** Whether the caller whom a hop's assertion names is the principal that was found here. @default `sub` is the subject */
  readonly sameCaller?: (claims: Claims, principal: Principal) => boolean
  /** The rule's id in audit and metrics. @default 'gateway' */
  readonly name?: string
}

/** All that one `gateway` goes by. */
export interface Settings {
  readonly name: string
  readonly unproven: 'refuse' | 'strip'
  readonly hops: readonly Hop[]
  readonly sameCaller: GatewayOptions['sameCaller']
  /** Proofs that were made elsewhere. */
  readonly proofs: readonly HopProof[]
  /** Whether a header, by its canonical name, is one of those that only a hop may write. */
  readonly isTrusted: (header: string) => boolean
  /** Whether it carries a proof that was made elsewhere, which reads it from the request. */
  readonly isOfProof: (header: string) => boolean
}

const ME = 'gateway'

export function settingsOf(
  profiles: Profile | readonly Profile[],
  { removes = [], ignores = [], ...options }: GatewayOptions,
): Settings {
  const { name = ME, unproven = 'refuse', sameCaller } = options
  const hops = hopsOf(profiles)
  const own = new Set([...headersOf(hops), ...removes])
  own.delete('host')
  const ignored = new Set(ignores)
  const clash = ignores.find((header) => own.has(header) || CANONICAL.has(header))
  if (clash !== undefined) throw misuse(ME, 'ignores', 'of headers that no hop writes', clash)
  const proofs = hops.flatMap(({ proof }) => proof.made ?? [])
  const ofProofs = new Set(proofs.flatMap(({ headers }) => headers))
  warnOfWeakness(hops)
  return {
    name,
    unproven,
    hops,
    sameCaller,
    proofs,
    isTrusted: (header) => own.has(header) || (isKnownHeader(header) && !ignored.has(header)),
    isOfProof: (header) => ofProofs.has(header),
  }
}

export function checkGatewayOptions(options: GatewayOptions): void {
  checkOptions(ME, options, {
    unproven: oneOf('refuse', 'strip'),
    removes: listOf(headerName),
    ignores: listOf(headerName),
    sameCaller: callback,
    name: ruleName,
    mode: enforceOnly,
  })
}

/** Whoever can open a connection from that network can say anything about any caller. */
function warnOfWeakness([nearest]: readonly Hop[]): void {
  if (nearest?.proof.isWeak !== true) return
  warnOnce(
    'hop_proven_by_address',
    `gateway: ${nearest.name} is known by its address alone; prove it by a certificate, a secret, an assertion or a UNIX socket`,
    nearest.name,
  )
}

/**
 * What the posture shows: hop by hop, and by name those that nothing better than an address stands for, those that
 * forward certificates, and those of them whose word for one is taken (`believed`), because no authority is named here.
 */
export function factsOf({ hops, unproven }: Settings): Readonly<Record<string, unknown>> {
  const weak = hops.filter(({ proof }) => proof.isWeak).map(({ name }) => name)
  const forwarding = hops.filter(({ certificate }) => certificate !== undefined)
  const certificates = forwarding.map(({ name }) => name)
  const believed = forwarding.filter(({ authorities }) => authorities.length === 0).map(({ name }) => name)
  return {
    hops: hops.map(({ name, kind, proof }) =>
      [name === kind ? name : `${name} (${kind})`, 'proven by', proof.kind, proof.detail].join(' ').trim(),
    ),
    ...(weak.length > 0 ? { weak } : {}),
    certificates: certificates.length > 0 ? certificates : 'none',
    ...(believed.length > 0 ? { believed } : {}),
    unproven,
  }
}

export function healthOf(name: string, proofs: readonly HopProof[]): Health {
  const parts = proofs.flatMap((proof) => proof.health?.() ?? [])
  const order: readonly HealthStatus[] = ['ok', 'degraded', 'down']
  const worst = Math.max(0, ...parts.map(({ status }) => order.indexOf(status)))
  const details = parts.flatMap(({ detail }) => detail ?? [])
  return {
    name,
    status: order[worst] ?? 'down',
    ...(details.length > 0 ? { detail: details.join('; ') } : {}),
  }
}
