import { pageOf } from './catalogue.js'
import { REFUSED_OPTIONAL, adviceOf, type Advice, type PostureCode } from './findings/advice.js'
import type { Finding, Posture, PostureGuard, PostureRow } from './model.js'
import { guardText, nearestGuard, placeText, routeText, shown } from './render/words.js'

/**
 * What is wrong in a posture, or cannot be told, each with what happens and what to do: rows in their order, then the
 * guards that only report, each named once however many routes it stands before.
 *
 * The place of a finding about a row is that of the guard nearest to its handler, which is not the line of the route
 * itself; where that guard is mounted before the route, `placed` says so. Where no guard is known it is `undefined`.
 *
 * **Not checked:** whether a scope, a limit or a schema is the right one.
 */
export function findingsOf(posture: Posture): readonly Finding[] {
  return [...posture.rows.flatMap(findingsOfRow), ...reportingFindings(posture)]
}

function findingsOfRow(row: PostureRow): readonly Finding[] {
  const code = codeOf(row)
  const faults = row.faults
    // Named once for its guard, below, where the row shows the guard.
    .filter(
      ({ code: name }) => dashed(name) !== 'report-mode' || row.guards.every(({ mode }) => mode !== 'report'),
    )
    .map((fault) => findingOf(dashed(fault.code), `${routeText(row)}: ${sentence(fault.message)}`, row))
  return code === undefined ? faults : [findingOf(code, messageOf(row), row), ...faults]
}

function codeOf({ kind, proof, publicReason, refusedByDefault }: PostureRow): PostureCode | undefined {
  switch (proof) {
    case 'guarded':
    case 'public':
    case 'held':
    case 'known':
      return undefined
    case 'optional':
      return publicReason === undefined ? 'route-optional' : undefined
    case 'open':
      if (kind === 'application') return 'application-unknown'
      if (kind === 'handler') return 'handler-open'
      return refusedByDefault ? 'route-refused' : 'route-open'
    case 'unknown':
      if (kind === 'application') return 'application-unknown'
      return kind === 'handler' ? 'handler-unknown' : 'route-unknown'
  }
}

function messageOf(row: PostureRow): string {
  const subject =
    row.kind === 'route' ? routeText(row) : `${row.kind} ${shown(row.handler ?? '', 80)} at ${routeText(row)}`
  return `${subject.replace('  ', ' ')} is ${row.proof}: ${sentence(row.why)}`
}

function findingOf(code: string, message: string, row: PostureRow): Finding {
  const guard = nearestGuard(row.guards)
  return {
    code,
    ...adviceFor(code, row),
    message: shown(message, 1000),
    page: pageOf(code),
    where: routeText(row),
    file: guard?.file,
    line: guard?.line,
    ...(guard?.mounted === 'before' ? { placed: `${guardText(guard)}, mounted before it` } : {}),
  }
}

function adviceFor(code: string, { refusedByDefault }: PostureRow): Advice {
  return code === 'route-optional' && refusedByDefault ? REFUSED_OPTIONAL : adviceOf(code)
}

interface Reporting {
  readonly guard: PostureGuard
  readonly routes: Set<string>
}

function reportingFindings({ services, rows }: Posture): readonly Finding[] {
  const found = new Map<string, Reporting>()
  const note = (guard: PostureGuard, route?: string): void => {
    if (guard.mode !== 'report') return
    const key = JSON.stringify([guard.kind, guard.name, guard.file, guard.line])
    const entry = found.get(key) ?? { guard, routes: new Set<string>() }
    found.set(key, entry)
    if (route !== undefined) entry.routes.add(route)
  }
  for (const guard of services) note(guard)
  for (const row of rows) for (const guard of row.guards) note(guard, routeText(row))
  return [...found.values()].map(reportingFinding)
}

function reportingFinding({ guard, routes }: Reporting): Finding {
  const [first] = routes
  const label = guardText({ ...guard, mode: 'enforce' })
  const place = placeText(guard)
  const subject = `${label}${place === '' ? '' : ` of ${place}`}`
  const reach = routes.size > 1 ? `, on ${routes.size} routes: ${listed([...routes])}` : ''
  return {
    code: 'report-mode',
    ...adviceOf('report-mode'),
    message: `${routes.size === 1 && first !== undefined ? `${first}: ` : ''}${subject} is in report mode${reach}.`,
    page: pageOf('report-mode'),
    where: routes.size === 1 ? first : undefined,
    file: guard.file,
    line: guard.line,
  }
}

function listed(routes: readonly string[]): string {
  const named = routes.slice(0, 3).join(', ')
  return routes.length > 3 ? `${named} and ${routes.length - 3} more` : named
}

/** Codes of faults are those of the audit record, with underscores; codes of findings have dashes. */
function dashed(code: string): string {
  const words = code
    .toLowerCase()
    .slice(0, 64)
    .match(/[a-z0-9]+/g) ?? ['fault']
  return words.join('-')
}

function sentence(text: string): string {
  const safe = shown(text)
  return /[.!?]$/.test(safe) ? safe : `${safe === '' ? 'no reason is known' : safe}.`
}
