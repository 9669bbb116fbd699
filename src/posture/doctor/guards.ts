import { Server as TlsServer } from 'node:tls'
import type { GuardMetadata } from '../../core/metadata.js'
import type { Finding } from '../model.js'
import { found } from '../catalogue.js'
import { nameOf } from './chain.js'
import { onceEach, settingsOf, type Examined } from './examined.js'

export function reportMode({ stations, environment }: Examined): readonly Finding[] {
  // Trying a rule out is what the mode is for, until the callers are real.
  const severity = environment['NODE_ENV'] === 'production' ? 'error' : 'warning'
  return onceEach(stations, ({ about }) => about !== undefined).flatMap(({ about, ...station }) =>
    reportingIn(about as GuardMetadata).map((name) =>
      found('report-mode-left-on', `${about?.kind ?? ''} "${name}" only reports.`, {
        where: station.mounted === 'route' ? nameOf({ about, ...station }) : undefined,
        ...about?.definedAt,
        severity,
      }),
    ),
  )
}

/** Of a `rateLimit` with several limits, each that is being tried out. */
function reportingIn({ mode, name, facts }: GuardMetadata): readonly string[] {
  const policies: readonly unknown[] = Array.isArray(facts['policies']) ? facts['policies'] : []
  const named = policies.flatMap((policy) => {
    const one = (policy ?? {}) as { readonly mode?: unknown; readonly name?: unknown }
    return typeof one.name === 'string' && (one.mode === 'report' || mode === 'report') ? [one.name] : []
  })
  return mode === 'report' && named.length === 0 ? [name] : named
}

/** `secureHeaders` sends HSTS over TLS only; without a proxy to believe, TLS is what this very process ends. */
export function strictTransport({ application, stations, server }: Examined): readonly Finding[] {
  const trust = settingsOf(application)['trust proxy']
  const believesProxy = trust !== undefined && trust !== false && trust !== 0
  const proves = stations.some(({ about }) => about?.kind === 'requireTls' || about?.kind === 'gateway')
  if (believesProxy || proves || server instanceof TlsServer) return []
  return onceEach(
    stations,
    ({ about }) => about?.kind === 'secureHeaders' && about.facts['hsts'] !== false,
  ).map(({ about }) =>
    found('hsts-without-proven-tls', "secureHeaders() has HSTS on, and 'trust proxy' names no proxy.", {
      ...about?.definedAt,
    }),
  )
}

export function upgrades({ server }: Examined): readonly Finding[] {
  const listeners = server?.listenerCount('upgrade') ?? 0
  if (listeners === 0) return []
  return [found('upgrade-unguarded', "The server has a listener for 'upgrade'.")]
}
