import { endpointsOf, enforcing, labelOf, refusesUnknownFields, reporting, takesBody } from '../evidence.js'
import { placeOf } from '../baseline/rows.js'
import type { Posture, PostureGuard, PostureRow } from '../model.js'
import { found } from './findings.js'
import { least, seen, type Seen } from './model.js'

const SEEN = 'Not looked at: path parameters, query strings, header fields, and how much a schema says.'

/** Question 3, answered from the `validateBody` of each route that takes a body. */
export function validationSeen(posture: Posture): Seen {
  const rows = endpointsOf(posture).filter(takesBody)
  const hidden = endpointsOf(posture).filter(({ kind, proof }) => kind !== 'route' && proof === 'unknown')
  const answers = [...rows.map(answerOf), ...hidden.map(hiddenAnswer)]
  const none = answers.length === 0 ? ['No route takes a body by POST, PUT or PATCH.'] : []
  return {
    status: least(answers.map(({ status }) => status)),
    evidence: [...none, ...answers.flatMap(({ evidence }) => evidence), SEEN],
    findings: answers.flatMap(({ findings }) => findings),
  }
}

function answerOf(row: PostureRow): Seen {
  const label = labelOf(row)
  const about = { where: label, ...placeOf(row) }
  if (refusesUnknownFields(row)) {
    const guards = enforcing(row, 'validateBody').map(validationText)
    return seen('yes', `${label} validated by ${guards.join(', ')}, unknown fields refused.`)
  }
  if (enforcing(row, 'validateBody').length > 0) {
    const message = `${label} has a schema that does not refuse unknown fields.`
    return seen('partly', message, found('body-unknown-fields', message, about))
  }
  if (reporting(row, 'validateBody').length > 0) {
    const message = `${label} has a validateBody that only reports.`
    return seen('partly', message, found('body-validation-reported', message, about))
  }
  const message = `${label} may take a body that no validateBody checks.`
  return seen('no', message, found('body-unvalidated', message, about))
}

function hiddenAnswer(row: PostureRow): Seen {
  return seen('unknown', `${labelOf(row)} is unknown: it may take a body.`)
}

function validationText({ kind, name }: PostureGuard): string {
  return `${kind}(${name})`
}
