import { authenticatorsOf, credentialsOf, endpointsOf, isPublic, labelOf } from '../evidence.js'
import { placeOf, saysWhoMay } from '../baseline/rows.js'
import type { PostureCode } from '../findings/advice.js'
import type { Finding, Posture, PostureGuard, PostureRow } from '../model.js'
import { found } from './findings.js'
import { least, type AnswerStatus, type Seen } from './model.js'

/** Question 1, answered from the proof of each row. */
export function endpointsSeen(posture: Posture): Seen {
  const rows = endpointsOf(posture)
  if (rows.length === 0) {
    const message = 'No route was found.'
    return { status: 'unknown', evidence: [message], findings: [found('routes-missing', message)] }
  }
  return {
    status: least(rows.map(statusOf)),
    evidence: [...rows.flatMap(evidenceOf), defaultOf(posture), SEEN],
    findings: rows.flatMap(findingsOf),
  }
}

const SEEN =
  'Not visible from here: upgrades (WebSocket), what answers beside the application, and whose object a handler touches.'

function findingsOf(row: PostureRow): readonly Finding[] {
  const label = labelOf(row)
  const about = { where: label, ...placeOf(row) }
  if (isForEverybody(row)) {
    const message = `${label} asks who the caller is, and no requireScopes() or other guard asks what it may do.`
    return [found('route-for-everybody', message, about)]
  }
  const code = codeOf(row)
  return code === undefined
    ? []
    : [found(code, `${label} is ${row.proof}: ${row.why.replace(/\.$/, '')}.`, about)]
}

function isForEverybody(row: PostureRow): boolean {
  return row.proof === 'guarded' && row.kind === 'route' && !row.guards.some(saysWhoMay)
}

function codeOf(row: PostureRow): PostureCode | undefined {
  const { kind, proof, refusedByDefault } = row
  if (isPublic(row) || proof === 'guarded' || proof === 'held' || proof === 'known') return undefined
  if (proof === 'optional') return 'route-optional'
  if (kind === 'application') return 'application-unknown'
  if (proof === 'unknown') return kind === 'handler' ? 'handler-unknown' : 'route-unknown'
  if (kind === 'handler') return 'handler-open'
  return refusedByDefault ? 'route-refused' : 'route-open'
}

function statusOf(row: PostureRow): AnswerStatus {
  if (row.proof === 'unknown') return 'unknown'
  // Nobody gets through, with a credential or without: it is safe, and nobody has decided.
  if (isForEverybody(row) || row.proof === 'held' || codeOf(row) === 'route-refused') return 'partly'
  if (codeOf(row) !== undefined) return 'no'
  return row.faults.length === 0 ? 'yes' : 'partly'
}

function evidenceOf(row: PostureRow): readonly string[] {
  const by = authenticatorsOf(row).map(authenticationText).join(', ')
  const says = row.proof === 'guarded' && by !== '' ? `guarded by ${by}` : `${row.proof}${reasonOf(row)}`
  return [
    `${labelOf(row)} ${says}`,
    ...row.faults.map(({ code, message }) => `${labelOf(row)} ${code}: ${message}`),
  ]
}

function reasonOf(row: PostureRow): string {
  const { proof, publicReason, why } = row
  return proof === 'optional' && isPublic(row) ? `, public: ${publicReason ?? why}` : `: ${why}`
}

/** `authenticate(https://id.example, API keys of api-keys:shop)`. */
export function authenticationText(guard: PostureGuard): string {
  const labels = credentialsOf(guard).map(({ label }) => label)
  return `${guard.kind}(${labels.length === 0 ? guard.name : labels.join(', ')})`
}

function defaultOf({ denyByDefault }: Posture): string {
  if (denyByDefault === 'off')
    return 'denyByDefault is off: a route that somebody adds without a guard is open.'
  return `denyByDefault is ${denyByDefault}: a route that somebody adds without a guard is refused.`
}
