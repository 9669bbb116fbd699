import { isAuthentication } from '../core/metadata.js'
import { needsCaller } from './limiters.js'
import type { Posture, PostureGuard, PostureRow } from './model.js'

const BODY_METHODS: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'ALL'])
const WRITE_METHODS: ReadonlySet<string> = new Set([...BODY_METHODS, 'DELETE'])

/** What can answer a caller: every row but the handlers that are known to pass requests on. */
export function endpointsOf(posture: Posture): readonly PostureRow[] {
  return posture.rows.filter((row) => !passesOn(row))
}

/** By what it is, and not by its name alone; of the others that do more, those that nobody reaches without authentication. */
function passesOn(row: PostureRow): boolean {
  return row.proof === 'known' || (row.passesOn === true && (row.proof === 'held' || row.proof === 'guarded'))
}

/** `POST /orders`: how findings and waivers name a row. */
export function labelOf({ method, path }: PostureRow): string {
  return `${method} ${path}`
}

/** Whether a route takes a body by its method. `ALL` takes every method. */
export function takesBody({ kind, method }: PostureRow): boolean {
  return kind === 'route' && BODY_METHODS.has(method)
}

export function isWrite({ kind, method }: PostureRow): boolean {
  return kind === 'route' && WRITE_METHODS.has(method)
}

/** A row that says that it needs nobody, also where authentication runs for those who are somebody. */
export function isPublic({ proof, publicReason }: PostureRow): boolean {
  return proof === 'public' || (proof === 'optional' && publicReason !== undefined)
}

/** The guards of one kind that refuse. A guard that only reports protects nothing. */
export function enforcing(row: PostureRow, kind: string): readonly PostureGuard[] {
  return row.guards.filter((guard) => guard.kind === kind && guard.mode === 'enforce')
}

export function reporting(row: PostureRow, kind: string): readonly PostureGuard[] {
  return row.guards.filter((guard) => guard.kind === kind && guard.mode !== 'enforce')
}

/** What finds out who the caller is. `publicRoute` is of the same layer, and finds out nothing. */
export function authenticatorsOf(row: PostureRow): readonly PostureGuard[] {
  return row.guards.filter(isAuthentication)
}

/** Limiters that can work where they stand: one by caller only once somebody has been authenticated. */
export function limitersOf(row: PostureRow): readonly PostureGuard[] {
  const authenticated = row.guards.findIndex(isAuthentication)
  return row.guards.filter(
    ({ kind, mode, facts }, index) =>
      kind === 'rateLimit' &&
      mode === 'enforce' &&
      (!needsCaller(facts) || (authenticated !== -1 && index > authenticated)),
  )
}

type Facts = PostureGuard['facts']

/** One kind of credential that an `authenticate` accepts, of one issuer: what is said of one says nothing of another. */
export interface AcceptedCredential {
  /** `unknown`: of a verifier that this library did not make, or whose facts were cut off. */
  readonly kind: 'jwt' | 'introspection' | 'api-key' | 'certificate' | 'unknown'
  /** `https://id.example`, `API keys of api-keys:shop`: for a person. */
  readonly label: string
  readonly facts: Facts
}

/** What `authenticate` accepts, each issuer of JWTs by itself; nothing for any other guard, which says nothing of credentials. */
export function credentialsOf({ kind, name, facts }: PostureGuard): readonly AcceptedCredential[] {
  if (kind !== 'authenticate') return []
  const { verifiers, issuers } = facts
  if (Array.isArray(verifiers)) return (verifiers as readonly unknown[]).flatMap(ofVerifier)
  if (Array.isArray(issuers)) return (issuers as readonly unknown[]).map(ofIssuer)
  const { issuer } = facts
  return [{ kind: 'jwt', label: typeof issuer === 'string' ? issuer : name, facts }]
}

function ofVerifier(verifier: unknown): readonly AcceptedCredential[] {
  const facts = recordOf(verifier)
  const { kind, issuers } = facts ?? {}
  if (facts === undefined || typeof kind !== 'string' || !Object.hasOwn(LABELS, kind))
    return [{ kind: 'unknown', label: unknownText(verifier), facts: facts ?? {} }]
  if (kind === 'jwt' && Array.isArray(issuers)) return (issuers as readonly unknown[]).map(ofIssuer)
  const known = kind as keyof typeof LABELS
  return [{ kind: known, label: LABELS[known](issuersOf(facts).join(', ')), facts }]
}

function ofIssuer(issuer: unknown): AcceptedCredential {
  const facts = recordOf(issuer)
  if (facts === undefined) return { kind: 'unknown', label: unknownText(issuer), facts: {} }
  return { kind: 'jwt', label: LABELS.jwt(issuersOf(facts).join(', ')), facts }
}

const LABELS = {
  jwt: (issuer: string) => (issuer === '' ? 'JWTs' : issuer),
  introspection: (issuer: string) => `tokens of ${issuer} by introspection`,
  'api-key': (issuer: string) => `API keys of ${issuer}`,
  certificate: (issuer: string) => `certificates of ${issuer}`,
} as const

/** `[21 more, SHA-256 0123456789abcdef]`, where a list was cut off. */
function unknownText(said: unknown): string {
  return typeof said === 'string' ? said : 'a credential of unknown kind'
}

/** Who vouches for the callers of one credential. */
export function issuersOf({ issuer, issuers }: Facts): readonly string[] {
  const all: readonly unknown[] = Array.isArray(issuers) ? issuers : [issuer]
  return all.filter((one) => typeof one === 'string')
}

function recordOf(value: unknown): Facts | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Facts) : undefined
}

/** Longest time that a token can be used, in **seconds**, as far as `authenticate` refuses older ones. */
export function boundedTokenSeconds(facts: Facts): number | undefined {
  const bounds = (['maxTokenAge', 'maxTokenLifetime'] as const)
    .filter((rule) => facts[`${rule}Mode`] === 'enforce')
    .map((rule) => facts[`${rule}Seconds`])
    .filter((seconds) => typeof seconds === 'number')
  return bounds.length === 0 ? undefined : Math.min(...bounds)
}

/** Settings inside a guard that only report, by the name of the setting. */
export function reportedSettings(facts: Facts): readonly string[] {
  return Object.keys(facts)
    .filter((fact) => fact.endsWith('Mode') && facts[fact] === 'report')
    .map((fact) => fact.slice(0, -'Mode'.length))
}

/** Whether a body with fields that no schema names is refused before the handler. */
export function refusesUnknownFields(row: PostureRow): boolean {
  return enforcing(row, 'validateBody').some(({ facts }) => facts['unknownFields'] === 'refused')
}

export function serviceOf(posture: Posture, kind: string): PostureGuard | undefined {
  return posture.services.find((service) => service.kind === kind && service.mode === 'enforce')
}
