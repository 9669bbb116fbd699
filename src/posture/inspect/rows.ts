import { isAuthentication, type GuardMetadata } from '../../core/metadata.js'
import { neutralise } from '../../core/text.js'
import { needsCaller } from '../limiters.js'
import type { PostureFault, PostureGuard, PostureRow, Proof } from '../model.js'
import { labelOf, type Evidence, type Passed } from './evidence.js'
import type { GuardWriter } from './guard-writer.js'
import { isBodyParser, isKnownHandler, passesOn } from './known-handlers.js'

/** What a row says besides what was found out about its way. */
export interface RowSubject {
  readonly kind: PostureRow['kind']
  readonly method: string
  readonly path: string
  readonly handle: unknown
  readonly handler: string | undefined
  /** Why nothing can be said of it, where that is so. */
  readonly isUnknownBecause?: string
}

// A bound for absurd applications: a report is for reading.
const MAX_GUARDS = 200

/** Those that ask who the caller is, and answer 500 where nobody looked. */
const NEED_PRINCIPAL = new Set([
  'authorize',
  'forbidTogether',
  'requireAuthnLevel',
  'requireClaims',
  'requireResource',
  'requireRoles',
  'requireScopes',
  'requireService',
  'requireTenant',
])
/** Those that count, or keep, something for whom `by` names. */
const COUNT = new Set(['concurrencyLimit', 'penalise', 'rateLimit', 'slowDown'])
/** Layers that go by the client: what ran there before `gateway` looked at the gateway itself. */
const BY_CLIENT: ReadonlySet<string> = new Set(['authentication', 'authorization', 'traffic'])
/** Of these layers, but the same for every client. */
const FOR_ALL_ALIKE: ReadonlySet<string> = new Set(['loadShed', 'requestTimeout'])

export function rowOf(
  subject: RowSubject,
  evidence: Evidence,
  deniesByDefault: boolean,
  writer: GuardWriter,
): PostureRow {
  const { kind, method, path, handle, handler } = subject
  const publicReason = kind === 'route' ? evidence.publicReason : undefined
  const [proof, why] = conclude(subject, evidence, deniesByDefault)
  const guards = evidence.passed.slice(0, MAX_GUARDS).flatMap((passed) => writer.write(passed))
  const faults = faultsOf(subject, evidence, proof, guards)
  return {
    kind,
    method,
    path,
    proof,
    why: neutralise(why, 500),
    publicReason: publicReason === undefined ? undefined : neutralise(publicReason, 500),
    refusedByDefault:
      deniesByDefault && kind === 'route' && isUndecided(proof, publicReason) && !isLate(faults),
    guards: guards.slice(0, MAX_GUARDS),
    faults,
    handler: handler === undefined ? undefined : neutralise(handler, 100),
    ...(kind === 'handler' && passesOn(handle) ? { passesOn: true } : {}),
  }
}

/** Where the route's own stack authenticates, deny-by-default lets what stands before that run. */
function isLate(faults: readonly PostureFault[]): boolean {
  return faults.some(({ code }) => code === 'handler_before_authentication')
}

/** An anonymous caller of a route where authentication is optional is no decision: `publicRoute` is. */
function isUndecided(proof: Proof, publicReason: string | undefined): boolean {
  return proof === 'open' || proof === 'unknown' || (proof === 'optional' && publicReason === undefined)
}

function conclude(
  { kind, handle, isUnknownBecause }: RowSubject,
  evidence: Evidence,
  deniesByDefault: boolean,
): readonly [Proof, string] {
  const { guarded, optional, publicReason, doubts } = evidence
  if (guarded !== undefined) return ['guarded', guarded]
  if (kind === 'route' && publicReason !== undefined)
    return optional === undefined ? ['public', publicReason] : ['optional', optional]
  const doubted = doubts.slice(0, 3).join('; ')
  if (isUnknownBecause !== undefined)
    return ['unknown', [isUnknownBecause, doubted].filter(Boolean).join('; ')]
  if (kind === 'handler') return concludeHandler(handle, evidence, deniesByDefault)
  if (doubted !== '') return ['unknown', doubted]
  if (optional !== undefined) return ['optional', optional]
  return ['open', 'nothing of this library authenticates the caller']
}

function concludeHandler(
  handle: unknown,
  { optional, doubts }: Evidence,
  deniesByDefault: boolean,
): readonly [Proof, string] {
  if (deniesByDefault)
    return ['held', 'deny-by-default holds its answer back until somebody was authenticated']
  if (isKnownHandler(handle))
    return ['known', 'it has the name and the source of a middleware that passes requests on']
  if (doubts.length > 0) return ['unknown', doubts.slice(0, 3).join('; ')]
  if (optional !== undefined) return ['optional', optional]
  return ['unknown', 'nothing authenticates before it, and whether it answers cannot be seen']
}

function faultsOf(
  { kind, handle, method }: RowSubject,
  evidence: Evidence,
  proof: Proof,
  guards: readonly PostureGuard[],
): readonly PostureFault[] {
  const { passed, publicReason, doubts } = evidence
  const faults = new Map(evidence.faults.map((fault) => [fault.code, fault]))
  const add = (code: string, message: string): void => void faults.set(code, { code, message })
  // Nothing that comes later would help: these say themselves what is so.
  if (proof === 'guarded' || proof === 'public') faults.delete('guard_after_route')
  if (kind === 'handler') {
    if (faults.delete('guard_after_route') && isBodyParser(handle))
      add('body_parser_before_authentication', 'it parses the bodies of callers that nobody knows yet')
  }
  if (proof === 'guarded' && publicReason !== undefined)
    add(
      'public_behind_authentication',
      'it says that it is public, and an authentication refuses anonymous callers',
    )
  const early = doubts.length > 0 ? undefined : earlyGuard(passed, method)
  const disorder = [
    ...(early === undefined
      ? []
      : [`${labelOf(early.about)} needs to know the caller, and no authentication runs before it`]),
    ...lateGateways(passed),
  ]
  if (disorder.length > 0) add('guard_order', disorder.join('; '))
  for (const [index, report] of guards.filter(({ mode }) => mode === 'report').entries())
    faults.set(`report_mode ${index}`, { code: 'report_mode', message: `${labelOf(report)} only reports` })
  return [...faults.values()]
}

function earlyGuard(passed: readonly Passed[], method: string): Passed | undefined {
  const first = passed.findIndex(({ about }) => isAuthentication(about))
  const before = first === -1 ? passed : passed.slice(0, first)
  return before.find(({ about }) => needsPrincipal(about, method))
}

function needsPrincipal({ layer, kind, facts }: GuardMetadata, method: string): boolean {
  if (kind === 'idempotency') return isForMethod(facts['methods'], method)
  if (COUNT.has(kind)) return limitsOf(facts).some(needsCaller)
  return layer === 'authorization' && NEED_PRINCIPAL.has(kind)
}

/** Of the others it lets everything pass. */
function isForMethod(methods: unknown, method: string): boolean {
  return !Array.isArray(methods) || method === 'ALL' || methods.includes(method)
}

type Facts = GuardMetadata['facts']

function limitsOf(facts: Facts): readonly Facts[] {
  const { policies } = facts
  if (!Array.isArray(policies)) return [facts]
  return (policies as readonly unknown[]).map((policy) =>
    typeof policy === 'object' && policy !== null ? (policy as Facts) : {},
  )
}

/** `gateway` refuses everything with 500 where what goes by the client, or another `gateway`, ran before it. */
function lateGateways(passed: readonly Passed[]): readonly string[] {
  const at = passed.findIndex(({ about }) => about.kind === 'gateway')
  if (at === -1) return []
  const gateway = passed[at]?.about as GuardMetadata
  const second = passed.slice(at + 1).find(({ about }) => about.kind === 'gateway' && about !== gateway)
  const before = passed
    .slice(0, at)
    .find(({ about }) => BY_CLIENT.has(about.layer) && !isForAllAlike(about))?.about
  return [
    ...(before === undefined
      ? []
      : [`${labelOf(gateway)} stands behind ${labelOf(before)}, which took the gateway for the client`]),
    ...(second === undefined ? [] : [`${labelOf(second.about)} is a second gateway()`]),
  ]
}

function isForAllAlike({ kind, facts }: GuardMetadata): boolean {
  return FOR_ALL_ALIKE.has(kind) || (kind === 'concurrencyLimit' && facts['by'] === 'everybody')
}
