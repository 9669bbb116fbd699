import type { CommandOptions } from '../arguments.js'
import type { Examination } from '../protocol.js'
import { findingsReport } from './findings.js'
import type { Report, Surroundings } from './report.js'

/** Set-ups that cannot protect. */
export function doctorReport(
  { posture, diagnoses }: Examination,
  options: CommandOptions,
  surroundings: Surroundings,
): Report {
  return findingsReport(posture.application, diagnoses, options, surroundings)
}
