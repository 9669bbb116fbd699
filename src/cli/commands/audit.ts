import { checklistFails, renderChecklist } from '../../posture/checklist.js'
import type { CommandOptions } from '../arguments.js'
import { EXIT } from '../failure.js'
import { countsText } from '../finding-list.js'
import type { Examination } from '../protocol.js'
import type { Report, Surroundings } from './report.js'

/** The five questions of the checklist, answered with evidence. */
export function auditReport(
  { answers }: Examination,
  { format = 'table' }: CommandOptions,
  { layout }: Surroundings,
): Report {
  const isFailed = checklistFails(answers)
  const problems = answers.flatMap(({ findings }) => findings).filter(({ severity }) => severity !== 'note')
  return {
    text: renderChecklist(answers, {
      format: format === 'json' || format === 'markdown' ? format : 'table',
      columns: Math.min(400, Math.max(40, layout.columns)),
    }),
    remarks: isFailed ? [`The audit found problems: ${countsText(problems)}.`] : [],
    exitCode: isFailed ? EXIT.findings : EXIT.fine,
  }
}
