import {
  authenticatorsOf,
  credentialsOf,
  endpointsOf,
  enforcing,
  type AcceptedCredential,
} from '../evidence.js'
import type { Posture, PostureGuard, PostureRow } from '../model.js'
import { ASVS, type AsvsEvidence, type AsvsRequirement } from './asvs.js'
import { endpointsSeen } from './endpoints.js'
import { limitsApplied } from './limits.js'
import { audited, answered } from './logs.js'
import { least, type AnswerStatus } from './model.js'
import { authenticatorsIn, lifetimeOf, tokensSeen } from './tokens.js'
import { validationSeen } from './validation.js'

/** `enforced`: every row shows it. `unknown` is where everything begins. */
export type AsvsStatus = 'enforced' | 'partly' | 'violated' | 'unknown'

export interface AsvsAnswer extends AsvsRequirement {
  readonly id: string
  readonly status: AsvsStatus
}

type Look = (posture: Posture, requirement: AsvsRequirement) => AnswerStatus

/** Guards that say who may call a function at all. Whose object it touches is another matter. */
const PERMISSIONS: ReadonlySet<string> = new Set([
  'authorize',
  'requireClaims',
  'requireRoles',
  'requireScopes',
])

const LOOKS: Readonly<Record<AsvsEvidence, Look>> = {
  endpointsDecided: (posture) => endpointsSeen(posture).status,
  tokensShortLived: (posture) => tokensSeen(posture).status,
  bodiesValidated: (posture) => validationSeen(posture).status,
  limitsApplied: (posture) => limitsApplied(posture).status,
  requestsAudited: (posture) => audited(posture).status,
  errorsAnswered: (posture) => answered(posture).status,
  tokensVerified: (posture) => everyCaller(posture, takesTokensOnly),
  selfContainedVerified: (posture) => everyCaller(posture, (row) => verifiesTokens(row, () => true)),
  tokenTypeEnforced: (posture) =>
    everyCaller(posture, (row) => verifiesTokens(row, ({ facts }) => facts['typesMode'] === 'enforce')),
  senderConstrained: (posture) =>
    everyCaller(
      posture,
      (row) =>
        takesTokensOnly(row) &&
        authenticatorsOf(row).every(({ facts }) => facts['senderConstrained'] === 'required'),
    ),
  changesFollowed: (posture) => least(authenticatorsIn(posture).flatMap(followsChanges)),
  intermediariesProven: (posture) => everyAnswer(posture, isBehindGateway),
  permissionRequired: (posture) =>
    everyCaller(posture, (row) => isVerified(row) && row.guards.some(asksPermission)),
  scopesRequired: (posture) =>
    everyCaller(posture, (row) => takesTokensOnly(row) && enforcing(row, 'requireScopes').length > 0),
  headersSent: (posture, { field }) => everyAnswer(posture, (row) => sends(row, field)),
  transportSecurityKept: (posture) => everyAnswer(posture, keepsTransportSecurity),
  'not checked': () => 'unknown',
}

/**
 * What a posture shows of each ASVS 5.0.0 requirement that the library can give evidence for. What is not shown is `unknown`:
 * another middleware may do it.
 */
export function asvsStatuses(posture: Posture): AsvsAnswer[] {
  const looked = new Map<string, AnswerStatus>()
  return Object.entries(ASVS).map(([id, requirement]) => {
    const key = `${requirement.evidence} ${requirement.field ?? ''}`
    const answer = looked.get(key) ?? LOOKS[requirement.evidence](posture, requirement)
    looked.set(key, answer)
    return { id, ...requirement, status: statusOf(answer, requirement) }
  })
}

function statusOf(answer: AnswerStatus, { part }: AsvsRequirement): AsvsStatus {
  if (answer === 'no') return 'violated'
  if (answer === 'yes') return part === undefined ? 'enforced' : 'partly'
  return answer
}

/** Of rows where nobody is asked for a credential there is nothing to see; of one that cannot be told, nothing to say. */
function everyCaller(posture: Posture, holds: (row: PostureRow) => boolean): AnswerStatus {
  const rows = endpointsOf(posture).filter(({ proof }) => proof !== 'public')
  return rows.length > 0 && rows.every(holds) ? 'yes' : 'unknown'
}

function everyAnswer(posture: Posture, holds: (row: PostureRow) => boolean): AnswerStatus {
  const rows = endpointsOf(posture)
  return rows.length > 0 && rows.every((row) => row.proof !== 'unknown' && holds(row)) ? 'yes' : 'unknown'
}

function isVerified(row: PostureRow): boolean {
  const authenticators = authenticatorsOf(row)
  return (
    row.proof === 'guarded' &&
    authenticators.length > 0 &&
    authenticators.every(({ kind, mode }) => kind === 'authenticate' && mode === 'enforce')
  )
}

function asksPermission({ kind, mode }: PostureRow['guards'][number]): boolean {
  return PERMISSIONS.has(kind) && mode === 'enforce'
}

/** API keys and certificates are verified too, and are no tokens that somebody issued for a session. */
function takesTokensOnly(row: PostureRow): boolean {
  return isVerified(row) && everyCredential(row, ({ kind }) => kind === 'jwt' || kind === 'introspection')
}

/**
 * Whether tokens are taken that say themselves who the caller is, each of which is verified here, and `holds`. What is no
 * such token need not be; an introspection that may be asked about one leaves it to the issuer.
 */
function verifiesTokens(row: PostureRow, holds: (credential: AcceptedCredential) => boolean): boolean {
  const isMet = (credential: AcceptedCredential): boolean => {
    const { kind, facts } = credential
    if (kind === 'jwt') return holds(credential)
    return kind === 'introspection' ? facts['tokens'] === 'opaque' : kind !== 'unknown'
  }
  const takesThem = authenticatorsOf(row).some((guard) =>
    credentialsOf(guard).some(({ kind }) => kind === 'jwt'),
  )
  return isVerified(row) && takesThem && everyCredential(row, isMet)
}

function everyCredential(row: PostureRow, holds: (credential: AcceptedCredential) => boolean): boolean {
  return authenticatorsOf(row).every((guard) => {
    const credentials = credentialsOf(guard)
    return credentials.length > 0 && credentials.every(holds)
  })
}

/** What makes a change of rights count before whoever holds an old credential has long forgotten it. */
function followsChanges(guard: PostureGuard): readonly AnswerStatus[] {
  const credentials = credentialsOf(guard)
  if (credentials.length === 0) return ['unknown']
  const isRevoked = guard.facts['revocation'] !== undefined
  return credentials.map((credential) => {
    if (credential.kind === 'unknown') return 'unknown'
    if (isRevoked || credential.kind === 'introspection') return 'yes'
    return credential.kind === 'jwt' ? lifetimeOf(credential, guard).status : 'unknown'
  })
}

/** Behind one that proves its hops by more than an address, and where nothing ran before it that goes by the client. */
function isBehindGateway(row: PostureRow): boolean {
  const gateways = enforcing(row, 'gateway')
  return (
    gateways.length > 0 &&
    gateways.every(({ facts }) => facts['weak'] === undefined) &&
    row.faults.every(({ code }) => code !== 'guard_order')
  )
}

function sends(row: PostureRow, field: string | undefined): boolean {
  return enforcing(row, 'secureHeaders').some(({ facts }) => {
    if (field === undefined) return true
    const fields: unknown = facts['fields']
    return Array.isArray(fields) && fields.some((sent) => String(sent).toLowerCase() === field.toLowerCase())
  })
}

/** ASVS asks for a year at least, and from level 2 for the sub-domains. */
function keepsTransportSecurity(row: PostureRow): boolean {
  return enforcing(row, 'secureHeaders').some(({ facts }) => {
    const value = typeof facts['hsts'] === 'string' ? facts['hsts'] : ''
    const seconds = Number(/max-age=(\d+)/i.exec(value)?.[1] ?? 0)
    return seconds >= 31_536_000 && /includeSubDomains/i.test(value)
  })
}
