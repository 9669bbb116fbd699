import type { Finding } from '../model.js'

type IsSame = (finding: Finding, diagnosis: Finding) => boolean

const sameRow: IsSame = (finding, diagnosis) =>
  finding.where !== undefined && finding.where === diagnosis.where

const sameGuard: IsSame = (finding, diagnosis) =>
  finding.file === undefined
    ? sameRow(finding, diagnosis)
    : finding.file === diagnosis.file && finding.line === diagnosis.line

/** What the doctor sees from afar the posture may have seen row by row, under this code and at the same place. */
const TWINS: Readonly<Record<string, { readonly code: string; readonly isSame: IsSame }>> = {
  'guard-behind-route': { code: 'guard-after-route', isSame: sameRow },
  'report-mode-left-on': { code: 'report-mode', isSame: sameGuard },
  'body-parser-before-authentication': { code: 'body-parser-before-authentication', isSame: sameRow },
}
const GRAVITY = ['note', 'warning', 'error']
const NAMED = 10

/** Findings of the posture and of the doctor; what both have found stands there once, as the graver of the two. */
export function toldOnce(findings: readonly Finding[], diagnoses: readonly Finding[]): readonly Finding[] {
  const told = [...findings]
  const matched = new Set<number>()
  for (const diagnosis of diagnoses) {
    const twin = Object.hasOwn(TWINS, diagnosis.code) ? TWINS[diagnosis.code] : undefined
    const at = findings.findIndex(
      (finding, index) =>
        !matched.has(index) && finding.code === twin?.code && twin.isSame(finding, diagnosis),
    )
    if (at === -1) {
      told.push(diagnosis)
      continue
    }
    matched.add(at)
    if (gravityOf(diagnosis) > gravityOf(findings[at] as Finding)) told[at] = diagnosis
  }
  return told
}

function gravityOf({ severity }: Finding): number {
  return GRAVITY.indexOf(severity)
}

/** One finding for all routes of which the same is said, at the same place. */
export function grouped(findings: readonly Finding[]): readonly Finding[] {
  const groups = new Map<string, Finding[]>()
  for (const finding of findings) {
    const { code, severity, file, line, where, message } = finding
    const saying = where === undefined ? message : message.replace(where, '')
    const key = JSON.stringify([code, severity, file, line, where !== undefined, saying])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [finding])
    else group.push(finding)
  }
  return [...groups.values()].map(asOne)
}

function asOne(group: readonly Finding[]): Finding {
  const [first, ...rest] = group as readonly [Finding, ...Finding[]]
  const routes = [...new Set(rest.flatMap(({ where }) => where ?? []))].filter(
    (route) => route !== first.where,
  )
  if (routes.length === 0) return first
  const named = routes.slice(0, NAMED).join(', ')
  const others = routes.length > NAMED ? ` and ${routes.length - NAMED} more` : ''
  return { ...first, message: `${first.message} So it is with ${named}${others}.` }
}
