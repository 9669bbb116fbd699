import type { GuardMetadata } from '../../core/metadata.js'
import { found } from '../catalogue.js'
import { countedBy } from '../limiters.js'
import type { Finding } from '../model.js'
import { onceEach, type Examined } from './examined.js'

/** Before a route is chosen there is no template to count by: such a limit refuses every request. */
export function routeLimits({ stations }: Examined): readonly Finding[] {
  return onceEach(
    stations,
    ({ mounted, about }) => mounted === 'use' && about !== undefined && countsBy(about, 'route'),
  ).map(({ about }) =>
    found('limit-by-route-outside-routes', `${labelOf(about)} counts by route, and stands outside of one.`, {
      ...about?.definedAt,
    }),
  )
}

/** Who comes over a UNIX socket has no address. */
export function addressLimits({ stations, server }: Examined): readonly Finding[] {
  const isKnownOtherwise = stations.some(({ about }) => about?.kind === 'gateway')
  if (typeof server?.address() !== 'string' || isKnownOtherwise) return []
  return onceEach(stations, ({ about }) => about !== undefined && countsBy(about, 'address')).map(
    ({ about }) =>
      found(
        'limit-by-address-on-socket',
        `${labelOf(about)} counts by address, and the server listens on a UNIX socket.`,
        { ...about?.definedAt },
      ),
  )
}

function countsBy({ layer, facts }: GuardMetadata, fact: 'address' | 'route'): boolean {
  if (fact === 'address' && layer === 'authentication') return facts['failureLimit'] !== undefined
  if (layer !== 'traffic') return false
  const policies: readonly unknown[] = Array.isArray(facts['policies']) ? facts['policies'] : [facts]
  return policies.some((policy) => countedBy((policy ?? {}) as GuardMetadata['facts']).includes(fact))
}

function labelOf(about: GuardMetadata | undefined): string {
  return `${about?.kind ?? ''} "${about?.name ?? ''}"`
}
