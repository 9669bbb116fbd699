import { placeText } from '../render/words.js'
import type { ClassifiedFinding } from './model.js'

const MOST_OTHERS = 20

/** A finding, and the other rows that have the very same. */
export interface Cause {
  readonly finding: ClassifiedFinding
  readonly others: readonly ClassifiedFinding[]
}

/** What is left out before many routes is told once: findings that differ by their row and its place only. */
export function causesOf(findings: readonly ClassifiedFinding[]): readonly Cause[] {
  const causes = new Map<string, { finding: ClassifiedFinding; others: ClassifiedFinding[] }>()
  for (const [index, finding] of findings.entries()) {
    const key = keyOf(finding) ?? String(index)
    const cause = causes.get(key)
    if (cause === undefined) causes.set(key, { finding, others: [] })
    else cause.others.push(finding)
  }
  return [...causes.values()]
}

function keyOf({ code, severity, message, remedy, where }: ClassifiedFinding): string | undefined {
  if (where === undefined || !message.includes(where)) return undefined
  return JSON.stringify([code, severity, remedy, message.replace(where, () => '')])
}

/** `GET /a, GET /b (orders.js:7) and 3 more, in the JSON`; the place where it is another than the finding's. */
export function othersText({ finding, others }: Cause, shown: (text: string) => string): string {
  const listed = others.slice(0, MOST_OTHERS).map((other) => {
    const place = placeText(other)
    const label = shown(other.where ?? '')
    return place === '' || place === placeText(finding) ? label : `${label} (${shown(place)})`
  })
  const rest = others.length - listed.length
  return `${listed.join(', ')}${rest > 0 ? ` and ${rest} more, in the JSON` : ''}`
}
