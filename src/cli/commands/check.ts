import type { CommandOptions } from '../arguments.js'
import type { Examination } from '../protocol.js'
import { findingsReport } from './findings.js'
import type { Report, Surroundings } from './report.js'

/** What breaks the organisation's baseline. */
export function checkReport(
  { posture, breaches }: Examination,
  options: CommandOptions,
  surroundings: Surroundings,
): Report {
  return findingsReport(posture.application, breaches, options, surroundings)
}
