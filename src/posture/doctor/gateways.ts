import { found } from '../catalogue.js'
import type { Finding } from '../model.js'
import { isForAll, onceEach, settingsOf, type Examined, type Station } from './examined.js'
import { FACTORIES } from './factories.js'

/** Of this library too, and told apart by other means than its parameters. */
const FURTHER: ReadonlySet<string> = new Set(['requireTls'])

/** Whether every request meets a `gateway`, which writes or removes what `trust proxy` looks at. */
export function isBehindGateway({ stations }: Pick<Examined, 'stations'>): boolean {
  return stations.some((station) => isGateway(station) && isForAll(station))
}

/** Hops that are taken for what they say because of their address. */
export function weakHops({ stations }: Examined): readonly Finding[] {
  return onceEach(stations, isGateway).flatMap(({ about }) => {
    const weak = textsOf(about?.facts['weak'])
    if (weak.length === 0) return []
    const message = `gateway "${about?.name ?? ''}" knows ${weak.join(', ')} by its address alone.`
    return [found('hop-proof-weak', message, { ...about?.definedAt })]
  })
}

/** `gateway` writes for Express what it has proven; without the setting nobody reads it. */
export function gatewayUnread(examined: Examined): readonly Finding[] {
  const trust = settingsOf(examined.application)['trust proxy']
  if (trust !== undefined && trust !== false && trust !== 0) return []
  if (!isBehindGateway(examined)) return []
  const [gateway] = onceEach(examined.stations, isGateway)
  const message = "gateway() is mounted, and 'trust proxy' names no proxy."
  return [found('trust-proxy-with-gateway', message, { ...gateway?.about?.definedAt })]
}

/** An `internalOnly` by hops that nothing here proves. */
export function unprovenHops({ stations }: Examined): readonly Finding[] {
  const gateways = stations.filter(isGateway).flatMap(({ about }) => about ?? [])
  const isOwn = stations.some(isOwnGuard)
  const nearest = gateways.flatMap(({ facts }) => textsOf(facts['hops']).slice(0, 1))
  const weak = gateways.flatMap(({ facts }) => textsOf(facts['weak']))
  const isProven = (hop: string): boolean =>
    nearest.some((text) => text.startsWith(`${hop} proven by `) || text.startsWith(`${hop} (`))
  return onceEach(stations, ({ about }) => about?.kind === 'internalOnly').flatMap(({ about }) => {
    const hops = textsOf(about?.facts['hops'])
    const weakly = hops.filter((hop) => weak.includes(hop))
    const missing = isOwn ? [] : hops.filter((hop) => !isProven(hop) && !weak.includes(hop))
    const who = `internalOnly "${about?.name ?? ''}"`
    return [
      ...(missing.length === 0 ? [] : [`${who} asks for ${missing.join(', ')}, which no gateway() proves.`]),
      ...(weakly.length === 0
        ? []
        : [`${who} asks for ${weakly.join(', ')}, which is known by its address alone.`]),
    ].map((message) => found('internal-hop-unproven', message, { ...about?.definedAt }))
  })
}

/** A guard of the application's own may prove hops too. */
export function isOwnGuard({ about }: Station): boolean {
  return about !== undefined && !Object.hasOwn(FACTORIES, about.kind) && !FURTHER.has(about.kind)
}

export function isGateway({ about }: Station): boolean {
  return about?.kind === 'gateway'
}

export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
