import { endpointsOf, enforcing, labelOf, serviceOf } from '../evidence.js'
import type { Posture, PostureGuard, PostureRow } from '../model.js'
import { found } from './findings.js'
import { least, seen, type Seen } from './model.js'

const CANARY =
  'auditLog writes listed members only; the tests of the library send a canary secret in every place a caller can reach and find none in a record.'
const SEEN = 'Not visible from here: what handlers write to logs of their own, and how long records are kept.'

/** Question 5, answered from where `auditLog` and `secureErrors` stand and from how they are set up. */
export function logsSeen(posture: Posture): Seen {
  const answers = [audited(posture), answered(posture)]
  return {
    status: least(answers.map(({ status }) => status)),
    evidence: [...answers.flatMap(({ evidence }) => evidence), SEEN],
    findings: answers.flatMap(({ findings }) => findings),
  }
}

/** Whether every request is recorded from the start, with nothing in the records that may be a secret. */
export function audited(posture: Posture): Seen {
  const rows = endpointsOf(posture)
  const logs = rows.flatMap((row) => enforcing(row, 'auditLog'))
  const service = serviceOf(posture, 'auditLog') ?? logs[0]
  if (service === undefined) {
    const message = 'auditLog() is not mounted.'
    return seen('no', message, found('audit-missing', message))
  }
  const settings = settingsOf([service, ...logs])
  const unseen = rows.filter((row) => !isAuditedFirst(row))
  if (rows.length === 0) return { ...settings, status: 'unknown' }
  return {
    status: least([settings.status, unseen.length === 0 ? 'yes' : 'partly']),
    evidence: [
      unseen.length === 0
        ? `auditLog stands before everything that can refuse, on all ${rows.length} rows.`
        : `auditLog stands first on ${rows.length - unseen.length} of ${rows.length} rows.`,
      ...settings.evidence,
    ],
    findings: [
      ...settings.findings,
      ...unseen.map((row) => {
        const message = `auditLog does not stand first on the way to ${labelOf(row)}.`
        return found('audit-late', message, { where: labelOf(row), file: service.file, line: service.line })
      }),
    ],
  }
}

/** Of the layer that writes headers. */
const REFUSING: ReadonlySet<string> = new Set(['gateway', 'requireTls'])

/** Headers are written before it without harm: nothing else in that layer refuses a request. */
function isAuditedFirst({ guards }: PostureRow): boolean {
  const first = guards.find(({ layer, kind }) => layer !== 'transport' || REFUSING.has(kind))
  return first?.kind === 'auditLog' && first.mode === 'enforce'
}

function settingsOf(logs: readonly PostureGuard[]): Seen {
  const talkative = logs.find(({ facts }) => facts['errorMessages'] !== false)
  if (talkative !== undefined) {
    const message = 'auditLog({ errorMessages }) writes messages of errors into the records.'
    const about = { file: talkative.file, line: talkative.line }
    return seen('partly', message, found('audit-error-messages', message, about))
  }
  if (logs.some(({ facts }) => facts['completions'] === 'none'))
    return seen('partly', 'auditLog records refusals and faults only (completions: none).')
  return seen('yes', CANARY)
}

/** Whether every error comes to `secureErrors`. */
export function answered(posture: Posture): Seen {
  const service = serviceOf(posture, 'secureErrors')
  if (service === undefined) {
    const message = 'secureErrors() is not mounted.'
    return seen('no', message, found('secure-errors-missing', message))
  }
  if (posture.services.at(-1)?.kind === 'secureErrors')
    return seen('yes', 'secureErrors stands last: errors are recorded, and nothing of them is sent.')
  const message = 'secureErrors() does not stand last.'
  // Only middlewares of this library are seen here; the doctor sees the handlers behind it, and makes it an error.
  const about = { severity: 'warning', file: service.file, line: service.line } as const
  return seen('partly', message, found('secure-errors-not-last', message, about))
}
