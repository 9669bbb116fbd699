import { neutralise } from '../../core/text.js'
import type { Finding, Limit, Result } from '../abuse/findings.js'
import { planOf, type Plan } from '../abuse/plan.js'
import { prove } from '../abuse/prove.js'
import type { CommandOptions } from '../arguments.js'
import { EXIT } from '../failure.js'
import { writeWhole } from '../write-file.js'
import type { Report } from './report.js'

/**
 * Proves the limit of a service on this machine by using it up, within bounds of its own. The evidence is what
 * `audit --load-evidence` takes; a run that failed is none, and leaves an empty list.
 */
export async function abuseReport(
  url: string,
  options: CommandOptions,
  { cwd }: { readonly cwd: string },
): Promise<Report> {
  const plan = await planOf(url, options, cwd)
  const { output } = options
  // A file that cannot be written is told before anything is sent, and an old one is no evidence of this run.
  if (output !== undefined) writeWhole(cwd, output, '[]\n')
  const result = await prove(plan)
  const isProven = holds(result.findings)
  const { evidence } = result
  if (output !== undefined && isProven && evidence !== undefined)
    writeWhole(cwd, output, `${JSON.stringify([evidence], null, 2)}\n`)
  return {
    text: textOf(plan, result),
    remarks: remarksOn(result, isProven, output),
    exitCode: isProven ? EXIT.fine : EXIT.findings,
  }
}

/** The first is the count itself: where that could not be judged, nothing is proven. */
function holds(findings: readonly Finding[]): boolean {
  return findings[0]?.outcome === 'kept' && findings.every(({ outcome }) => outcome !== 'failed')
}

function textOf({ targets, method }: Plan, { limit, findings }: Result): string {
  const wide = Math.max(...findings.map(({ promise }) => promise.length))
  const lines = findings.map(
    ({ outcome, promise, says }) =>
      `${(outcome === 'failed' ? 'FAILED' : outcome).padEnd(12)}${promise.padEnd(wide + 2)}${neutralise(says, 400)}`,
  )
  const services = targets.map(({ url }) => `${method} ${neutralise(`${url.origin}${url.pathname}`, 200)}`)
  const burst = limit?.burst === undefined ? '' : `, ${limit.burst} at once`
  const about =
    limit === undefined ? [] : [`limit${nameOf(limit)}: ${limit.limit} in ${limit.windowSeconds} s${burst}`]
  return [...services, ...about, '', ...lines, ''].join('\n')
}

function nameOf({ rule }: Limit): string {
  return rule === undefined ? '' : ` ${neutralise(rule, 64)}`
}

function remarksOn(
  { findings, evidence }: Result,
  isProven: boolean,
  output: string | undefined,
): readonly string[] {
  const remarks = isProven ? [] : [`The limit is not proven: ${failedIn(findings)}.`]
  if (output === undefined || (isProven && evidence !== undefined)) return remarks
  const why = isProven ? 'the limit has no name; give it with --rule' : 'there is none of a run that failed'
  return [...remarks, `${neutralise(output, 200)} holds no evidence: ${why}.`]
}

function failedIn(findings: readonly Finding[]): string {
  const count = findings.filter(({ outcome }) => outcome === 'failed').length
  return count === 0 ? 'the count could not be judged' : `${count} of ${findings.length} checks failed`
}
