import { checklistFails, renderChecklist } from '../../posture/checklist.js'
import type { CommandOptions } from '../arguments.js'
import { EXIT } from '../failure.js'
import type { Examination } from '../protocol.js'
import type { Report, Surroundings } from './report.js'

/** The five questions of the checklist, answered with evidence. */
export function auditReport(
  { answers }: Examination,
  { format = 'table' }: CommandOptions,
  { layout }: Surroundings,
): Report {
  const isFailed = checklistFails(answers)
  return {
    text: renderChecklist(answers, {
      format: format === 'json' || format === 'markdown' ? format : 'table',
      columns: Math.min(400, Math.max(40, layout.columns)),
    }),
    remarks: isFailed ? ['The checklist is failed: there are findings that are more than notes.'] : [],
    exitCode: isFailed ? EXIT.findings : EXIT.fine,
  }
}
