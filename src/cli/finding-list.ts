import type { Finding } from '../posture/model.js'
import { wrap } from '../posture/render/table/layout.js'
import { jsonText } from '../posture/render/plain.js'
import { placeText, shown } from '../posture/render/words.js'
import { SEVERITIES } from './command-list.js'
import type { Layout } from './terminal.js'

const COLORS: Readonly<Record<Finding['severity'], number>> = { error: 31, warning: 33, note: 36 }
const INDENT = ' '.repeat(9)

/** Findings for a person: what is so, what happens, what to do, and where to read on. */
export function listFindings(findings: readonly Finding[], layout: Layout, pages?: string): string {
  const columns = Math.max(40, layout.columns)
  const lines = findings.flatMap((finding) => [...linesOf(finding, columns, layout.color), ''])
  const where = pages === undefined || findings.length === 0 ? [] : [`Pages: ${shown(pages)}`]
  return [...lines, summaryOf(findings), ...where, ''].join('\n')
}

function linesOf(finding: Finding, columns: number, color: boolean): readonly string[] {
  const { severity, code, message, consequence, remedy, where, page } = finding
  const paint = (text: string, style: number): string => (color ? `\u001b[${style}m${text}\u001b[0m` : text)
  const place = placeText(finding)
  // A message may name its route already.
  const route = where === undefined || message.includes(where) ? '' : shown(where)
  return [
    `${paint(severity.padEnd(INDENT.length), COLORS[severity])}${paint(shown(code, 80), 1)}`,
    ...paragraph(shown(message, 1000), columns),
    ...paragraph(shown(consequence, 1000), columns),
    ...paragraph(`Remedy: ${shown(remedy, 1000)}`, columns),
    ...paragraph([route, place, page].filter((part) => part !== '').join('  '), columns).map((line) =>
      paint(line, 2),
    ),
  ]
}

function paragraph(text: string, columns: number): readonly string[] {
  return wrap(text, columns - INDENT.length).map((line) => `${INDENT}${line}`)
}

export function summaryOf(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'No findings.'
  return `${findings.length} finding${findings.length === 1 ? '' : 's'}: ${countsText(findings)}`
}

/** `3 errors, 1 warning` */
export function countsText(findings: readonly Pick<Finding, 'severity'>[]): string {
  return SEVERITIES.map((severity) => ({
    severity,
    count: findings.filter((finding) => finding.severity === severity).length,
  }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => `${count} ${severity}${count === 1 ? '' : 's'}`)
    .join(', ')
}

/** Findings for a program. It grows by members; a member that is there keeps its meaning. */
export function findingsJson(application: string, findings: readonly Finding[]): string {
  return jsonText({ schemaVersion: 1, application, findings })
}

/** Whether there is a finding of a severity, or a graver one. */
export function reaches(findings: readonly Finding[], level: string): boolean {
  const least = SEVERITIES.findIndex((severity) => severity === level)
  return findings.some(({ severity }) => SEVERITIES.indexOf(severity) <= least)
}
