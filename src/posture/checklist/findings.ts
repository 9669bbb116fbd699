import { entryOf, found as inPosture, type FindingCode } from '../catalogue.js'
import type { RuleName } from '../baseline/model.js'
import type { Finding } from '../model.js'

/** A finding as an audit weighs it. */
export function found(
  code: FindingCode,
  message: string,
  about: Partial<Pick<Finding, 'severity' | 'where' | 'file' | 'line'>> = {},
): Finding {
  return inPosture(code, message, { severity: entryOf(code)?.inAudit, ...about })
}

/** The rule of a baseline whose waiver speaks of a finding too. */
export function ruleOf(code: string): RuleName | undefined {
  return entryOf(code)?.rule
}
