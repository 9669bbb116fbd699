import { authenticatorsOf, endpointsOf, enforcing } from '../evidence.js'
import type { Posture, PostureRow } from '../model.js'
import { ASVS, type AsvsEvidence, type AsvsRequirement } from './asvs.js'
import { endpointsSeen } from './endpoints.js'
import { limitsApplied } from './limits.js'
import { audited, answered } from './logs.js'
import type { AnswerStatus } from './model.js'
import { tokensSeen } from './tokens.js'
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
  tokensVerified: (posture) => everyCaller(posture, (row) => isVerified(row)),
  tokenTypeEnforced: (posture) =>
    everyCaller(posture, (row) => isVerified(row) && authenticatorsOf(row).every(enforcesType)),
  permissionRequired: (posture) =>
    everyCaller(posture, (row) => isVerified(row) && row.guards.some(asksPermission)),
  scopesRequired: (posture) =>
    everyCaller(posture, (row) => isVerified(row) && enforcing(row, 'requireScopes').length > 0),
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

function enforcesType({ facts }: PostureRow['guards'][number]): boolean {
  return facts['typesMode'] === 'enforce'
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
