import cluster from 'node:cluster'
import { Server as TlsServer } from 'node:tls'
import type { GuardMetadata } from '../../core/metadata.js'
import type { Finding } from '../model.js'
import { found } from '../catalogue.js'
import { nameOf } from './chain.js'
import { onceEach, settingsOf, type Examined, type Station } from './examined.js'

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

export function memoryStores({ stations, environment }: Examined): readonly Finding[] {
  const workers = workersOf(environment)
  if (workers === undefined) return []
  const limiters = onceEach(
    stations,
    ({ about }) => about?.kind === 'rateLimit' && about.facts['store'] === 'memory',
  ).map(({ about }) =>
    found('memory-store-with-workers', `rateLimit "${about?.name ?? ''}" counts in memory, and ${workers}.`, {
      ...about?.definedAt,
    }),
  )
  return [...limiters, ...failureLimits(stations, workers), ...otherMemories(stations, workers)]
}

/** A failureLimit has no other store. */
function failureLimits(stations: readonly Station[], workers: string): readonly Finding[] {
  return onceEach(
    stations,
    ({ about }) => about?.kind === 'authenticate' && about.facts['failureLimit'] !== undefined,
  ).map(({ about }) =>
    found(
      'memory-store-with-workers',
      `The failureLimit of authenticate "${about?.name ?? ''}" counts in memory, and ${workers}.`,
      {
        ...about?.definedAt,
        consequence:
          'Each process counts for itself: an address may fail as often as the limit says with every one of them.',
        remedy:
          "Limit before it with shared counts: rateLimit({ by: 'address', ..., store: redisStore(client) }); or divide the limit by the number of processes.",
      },
    ),
  )
}

interface Memory {
  readonly says: string
  readonly consequence: string
  readonly remedy: string
}

/** What else is kept in one process, by the fact of `authenticate` or the kind of guard that says so. */
const MEMORIES: Readonly<Record<'dpop' | 'revocation' | 'idempotency', Memory>> = {
  dpop: {
    says: 'remembers the proofs of DPoP',
    consequence:
      'A proof that was used with one process is good once more with each of the others (RFC 9449 section 11.1).',
    remedy: 'Share them: authenticate({ dpop: { store: redisStore(client) } }).',
  },
  revocation: {
    says: 'keeps what was revoked',
    consequence: 'What was revoked in one process is still accepted by the others.',
    remedy: 'Share it: revocation({ store: redisStore(client) }).',
  },
  idempotency: {
    says: 'keeps answers',
    consequence: 'A request that another process takes when it is repeated is done twice.',
    remedy: 'Share them: idempotency({ store: redisStore(client) }).',
  },
}

function otherMemories(stations: readonly Station[], workers: string): readonly Finding[] {
  return onceEach(stations, ({ about }) => about !== undefined).flatMap(({ about }) => {
    const { kind, name, facts, definedAt } = about as GuardMetadata
    const kept = (['dpop', 'revocation', 'idempotency'] as const).filter((memory) =>
      memory === 'idempotency'
        ? kind === memory && isInMemory(facts)
        : kind === 'authenticate' && isInMemory(facts[memory]),
    )
    return kept.map((memory) => {
      const { says, consequence, remedy } = MEMORIES[memory]
      const message = `${kind} "${name}" ${says} in memory, and ${workers}.`
      return found('memory-store-with-workers', message, { ...definedAt, consequence, remedy })
    })
  })
}

function isInMemory(facts: unknown): boolean {
  return (facts as { readonly store?: unknown } | null | undefined)?.store === 'memory'
}

/** How one can tell that more than one process serves: Node.js's cluster, PM2, and what Heroku and others set. */
function workersOf(environment: Examined['environment']): string | undefined {
  const above = (name: string, least: number): boolean => Number(environment[name] ?? 0) > least
  if (cluster.isWorker) return 'this process is a worker of a cluster'
  if (above('WEB_CONCURRENCY', 1)) return 'WEB_CONCURRENCY asks for several processes'
  if (above('instances', 1) || above('NODE_APP_INSTANCE', 0)) return 'PM2 runs several instances'
  return undefined
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
