import { renderSarif } from '../../posture/render/sarif.js'
import type { Finding } from '../../posture/model.js'
import type { CommandOptions } from '../arguments.js'
import { EXIT } from '../failure.js'
import { findingsJson, listFindings, reaches, summaryOf } from '../finding-list.js'
import type { Report, Surroundings } from './report.js'

/** A list of findings, and whether one of them is as grave as it must not be. */
export function findingsReport(
  application: string,
  findings: readonly Finding[],
  options: CommandOptions,
  { layout, version, pages }: Surroundings,
): Report {
  const { format = 'table', 'fail-on': level = 'error' } = options
  const isFailed = reaches(findings, level)
  return {
    text: rendered(),
    remarks: isFailed && format !== 'table' ? [`${summaryOf(findings)}.`] : [],
    exitCode: isFailed ? EXIT.findings : EXIT.fine,
  }

  function rendered(): string {
    if (format === 'json') return findingsJson(application, findings)
    if (format === 'sarif') return renderSarif(findings, version === undefined ? {} : { version })
    return listFindings(findings, layout, pages)
  }
}
