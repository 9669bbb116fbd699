/**
 * A logger for `auditLog` that writes one line for a person per record, in place of JSON for a machine.
 *
 * @param {(line: string) => void} write
 */
export function auditLines(write) {
  const log = (record) => {
    write(
      `${new Date().toTimeString().slice(0, 8)}  ${record.http === undefined ? event(record) : line(record)}`,
    )
  }
  return { info: log, warn: log, error: log }
}

function line(record) {
  const { event, http, rule, user } = record
  return [
    (rule === undefined ? 'answered' : event.mode === 'report' ? 'reported' : 'refused').padEnd(8),
    String(http.response.status_code ?? '---'),
    `${http.request.method} ${http.route}`.padEnd(16),
    (user?.id ?? '-').padEnd(6),
    rule === undefined ? `in ${(event.duration / 1e6).toFixed(1)} ms` : refusal(record),
    `(request ${http.request.id.slice(0, 8)})`,
  ].join('  ')
}

/** Why, and by which rule: what the caller was not told. */
export function refusal({ event, evidence, rule }) {
  const shown = Object.entries(evidence ?? {}).map(([name, value]) => `${name}: ${[value].flat().join(', ')}`)
  const by = rule.name === rule.ruleset ? rule.ruleset : `${rule.ruleset} "${rule.name}"`
  return [`${event.reason} by ${by}`, ...shown].join('  ')
}

function event({ event, evidence }) {
  return `event     ${event.action}  ${JSON.stringify(evidence)}`
}
