import cluster from 'node:cluster'
import type { GuardMetadata } from '../../core/metadata.js'
import type { Finding } from '../model.js'
import { found, type About } from '../catalogue.js'
import { onceEach, type Examined } from './examined.js'

interface Memory {
  /** What is kept in one process: `counts in memory`. */
  readonly says: string
  /** @default that of the catalogue */
  readonly consequence?: string
  readonly remedy: string
  readonly severity?: About['severity']
}

/** By the kind of guard whose fact `store` says `memory`. */
const STORES: Readonly<Record<string, Memory>> = {
  rateLimit: {
    says: 'counts in memory',
    remedy: 'Share the counts: rateLimit({ ..., store: redisStore(client) }).',
  },
  slowDown: {
    says: 'counts in memory',
    consequence: 'Each process counts for itself: a caller is slowed down later than was meant.',
    remedy: 'Share the counts: slowDown({ ..., store: redisStore(client) }).',
  },
  penalise: {
    says: 'counts failures in memory, and blocks there',
    consequence:
      'Each process counts for itself: whoever guesses has the limit once with every one of them, and is blocked by one.',
    remedy: 'Share the counts and the blocks: penalise({ ..., store: redisStore(client) }).',
  },
  idempotency: {
    says: 'keeps answers in memory',
    consequence: 'A request that another process takes when it is repeated is done twice.',
    remedy: 'Share them: idempotency({ store: redisStore(client) }).',
  },
}

/** By the part of `authenticate` whose fact `store` says `memory`. */
const PARTS: Readonly<Record<string, Memory>> = {
  dpop: {
    says: 'remembers the proofs of DPoP in memory',
    consequence:
      'A proof that was used with one process is good once more with each of the others (RFC 9449 section 11.1).',
    remedy: 'Share them: authenticate({ dpop: { store: redisStore(client) } }).',
  },
  revocation: {
    says: 'keeps what was revoked in memory',
    consequence: 'What was revoked in one process is still accepted by the others.',
    remedy: 'Share it: revocation({ store: redisStore(client) }).',
  },
}

/** A failureLimit has no other store. */
const FAILURES: Memory = {
  says: 'counts in memory',
  consequence:
    'Each process counts for itself: an address may fail as often as the limit says with every one of them.',
  remedy:
    "Limit before it with shared counts: rateLimit({ by: 'address', ..., store: redisStore(client) }); or divide the limit by the number of processes.",
}

/** Nor has a concurrencyLimit: what is under way is so in one process. */
const UNDER_WAY: Memory = {
  severity: 'note',
  says: 'counts what is under way in this process',
  consequence: 'Each process counts for itself: together they let as many times more through at once.',
  remedy: 'Divide its limit by the number of processes.',
}

/** What one process keeps for itself where several serve. */
export function memoryStores({ stations, environment }: Examined): readonly Finding[] {
  const workers = workersOf(environment)
  if (workers === undefined) return []
  return onceEach(stations, ({ about }) => about !== undefined).flatMap(({ about }) => {
    const { kind, name, definedAt } = about as GuardMetadata
    return memoriesOf(about as GuardMetadata).map(({ part, memory }) => {
      const { says, ...others } = memory
      const message = `${part === undefined ? '' : `The ${part} of `}${kind} "${name}" ${says}, and ${workers}.`
      return found('memory-store-with-workers', message, { ...definedAt, ...others })
    })
  })
}

function memoriesOf({
  kind,
  facts,
}: GuardMetadata): readonly { readonly memory: Memory; readonly part?: string }[] {
  if (kind === 'concurrencyLimit') return [{ memory: UNDER_WAY }]
  const own = Object.hasOwn(STORES, kind) ? STORES[kind] : undefined
  if (own !== undefined) return isInMemory(facts) ? [{ memory: own }] : []
  if (kind !== 'authenticate') return []
  return [
    ...(facts['failureLimit'] === undefined ? [] : [{ memory: FAILURES, part: 'failureLimit' }]),
    ...Object.entries(PARTS).flatMap(([part, memory]) => (isInMemory(facts[part]) ? [{ memory }] : [])),
  ]
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
