import {
  authenticatorsOf,
  boundedTokenSeconds,
  credentialsOf,
  issuersOf,
  type AcceptedCredential,
} from '../evidence.js'
import type { Posture, PostureGuard } from '../model.js'
import type { Breach, Checks } from './model.js'

type CredentialRule =
  'issuers' | 'algorithms' | 'requireAudience' | 'maxTokenAgeSeconds' | 'maxClockToleranceSeconds'

/** Rules about what an `authenticate` accepts: each issuer and each kind of credential is held against them by itself. */
export const CREDENTIAL_CHECKS: Pick<Checks, CredentialRule> = {
  issuers: (posture, allowed) =>
    ofAuthentication(posture, ({ kind, facts }) => {
      const foreign = issuersOf(facts).filter((issuer) => !allowed.includes(issuer))
      if (issuersOf(facts).length > 0 && foreign.length === 0) return undefined
      return `accepts ${WORDS[kind]} of ${foreign.join(', ') || 'unknown'}; the baseline allows ${allowed.join(', ')}`
    }),
  algorithms: (posture, allowed) =>
    ofAuthentication(posture, ({ kind, facts }) => {
      // Of what is looked up there is no signature to look at, unless JWTs are among it.
      if (isNoToken(kind) || (kind === 'introspection' && facts['tokens'] === 'opaque')) return undefined
      if (kind === 'introspection')
        return `leaves signatures to the issuer, whose algorithms cannot be told; the baseline allows ${allowed.join(', ')}`
      const foreign = texts(facts['algorithms']).filter((algorithm) => !allowed.includes(algorithm))
      if (texts(facts['algorithms']).length > 0 && foreign.length === 0) return undefined
      return `accepts the algorithms ${foreign.join(', ') || 'unknown'}; the baseline allows ${allowed.join(', ')}`
    }),
  requireAudience: (posture) =>
    ofAuthentication(posture, ({ kind, facts }) =>
      isNoToken(kind) || texts(facts['audience']).length > 0 ? undefined : 'names no audience',
    ),
  maxTokenAgeSeconds: (posture, most) =>
    ofAuthentication(posture, ({ kind, facts }) => {
      // Useless without its key, which never leaves the caller.
      if (kind === 'certificate') return undefined
      if (kind === 'introspection' || kind === 'api-key')
        return `accepts ${WORDS[kind]}, and how long they last cannot be told; the baseline allows ${most} s`
      const seconds = boundedTokenSeconds(facts) ?? Infinity
      if (seconds <= most) return undefined
      return `accepts tokens for ${seconds === Infinity ? 'any time' : `${seconds} s`}; the baseline allows ${most} s`
    }),
  maxClockToleranceSeconds: (posture, most) =>
    ofAuthentication(posture, ({ kind, facts }) => {
      if (isNoToken(kind)) return undefined
      const seconds = facts['clockToleranceSeconds']
      if (typeof seconds === 'number' && seconds <= most) return undefined
      return `tolerates ${shown(seconds)} s between clocks; the baseline allows ${most} s`
    }),
}

const WORDS: Readonly<Record<AcceptedCredential['kind'], string>> = {
  jwt: 'tokens',
  introspection: 'tokens that are asked about',
  'api-key': 'API keys',
  certificate: 'certificates',
  unknown: 'credentials of unknown kind',
}

/** What no issuer made for an audience, and nobody signed for the occasion. */
function isNoToken(kind: AcceptedCredential['kind']): boolean {
  return kind === 'api-key' || kind === 'certificate'
}

/** One breach for each credential that a row's authentications accept and that breaks a rule, or of which nothing is known. */
function ofAuthentication(
  posture: Posture,
  fault: (credential: AcceptedCredential) => string | undefined,
): readonly Breach[] {
  const known = new Map<PostureGuard, readonly string[]>()
  return posture.rows.flatMap((row) =>
    authenticatorsOf(row).flatMap((guard) => {
      const said = known.get(guard) ?? faultsOf(guard, fault)
      known.set(guard, said)
      return said.map((message): Breach => ({ row, guard, message }))
    }),
  )
}

function faultsOf(
  guard: PostureGuard,
  fault: (credential: AcceptedCredential) => string | undefined,
): readonly string[] {
  const who = `${guard.kind} "${guard.name}"`
  if (guard.kind !== 'authenticate')
    return [`${who} adopts a caller that something else authenticated, which cannot be checked`]
  const credentials = credentialsOf(guard)
  return credentials.flatMap((credential) => {
    const says = fault(credential)
    if (says === undefined) return []
    return [credentials.length > 1 ? `${who} (${credential.label}) ${says}` : `${who} ${says}`]
  })
}

function texts(value: unknown): readonly string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : []
  return items.filter((item) => typeof item === 'string' && item !== '') as readonly string[]
}

function shown(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : 'unknown'
}
