import { denyByDefaultOf } from '../../core/deny-by-default.js'
import type { Finding } from '../model.js'
import { found } from '../catalogue.js'
import { isErrorHandler, isForAll, settingsOf, type Examined, type Station } from './examined.js'

/** What stands for all requests: error handler, audit, headers. */
export function services(examined: Examined): readonly Finding[] {
  const { application, stations } = examined
  const has = (kind: string): boolean =>
    stations.some((station) => station.about?.kind === kind && isForAll(station))
  const findings: Finding[] = [...errorHandling(stations)]
  if (!has('auditLog')) findings.push(found('audit-missing', 'No auditLog() is mounted for all requests.'))
  if (!has('notFound'))
    findings.push(found('not-found-missing', 'No notFound() is mounted for all requests.'))
  if (namesFramework(examined) && !has('secureHeaders'))
    findings.push(found('x-powered-by', 'Answers carry X-Powered-By: Express.'))
  if (denyByDefaultOf(application) === undefined)
    findings.push(found('no-deny-by-default', 'The application does not refuse by default.'))
  return findings
}

function errorHandling(stations: readonly Station[]): readonly Finding[] {
  const isOurs = ({ about }: Station): boolean => about?.kind === 'secureErrors'
  const last = stations.findLastIndex((station) => isOurs(station) && isForAll(station))
  if (last === -1) {
    const own = ownErrorHandler(stations)
    if (own !== undefined) return [ownAnswers(own)]
    const partial = stations.find(isOurs)
    const message =
      partial === undefined
        ? 'No secureErrors() is mounted.'
        : `secureErrors() is mounted at ${partial.path ?? 'a hidden path'} only, not for all requests.`
    return [found('secure-errors-missing', message, { ...partial?.about?.definedAt })]
  }
  const behind = stations.slice(last + 1)
  const [first] = behind
  if (first === undefined) return []
  const site = stations[last]?.about?.definedAt
  const message = behind.every(isErrorHandler)
    ? 'An error handler stands behind secureErrors() and is never asked.'
    : `${numbered(behind.length)} behind secureErrors(), the first being ${nameOf(first)}.`
  return [
    found('secure-errors-not-last', message, {
      ...site,
      // Never asked, it takes nothing away: refusals and faults are answered as they should be.
      severity: behind.every(isErrorHandler) ? 'warning' : undefined,
    }),
  ]
}

/** One of the application's own, behind everything else. */
function ownErrorHandler(stations: readonly Station[]): Station | undefined {
  const last = stations.at(-1)
  const isOwn = last !== undefined && last.about === undefined && isErrorHandler(last) && isForAll(last)
  return isOwn ? last : undefined
}

function ownAnswers(own: Station): Finding {
  return found(
    'secure-errors-missing',
    `Errors are answered by an error handler of the application's own, ${nameOf(own)}, and no secureErrors() is mounted.`,
    {
      // It may do all that secureErrors() does.
      severity: 'note',
      consequence:
        'What a refusal answers, and whether its status, headers and record are kept, is up to that handler; it cannot be seen from here.',
      remedy:
        'Turn own errors into problems with secureErrors({ map }), mounted last, in its place or behind it.',
    },
  )
}

function numbered(count: number): string {
  return count === 1 ? '1 handler stands' : `${count} handlers stand`
}

export function nameOf({ mounted, method, path, about, handle }: Station): string {
  if (mounted === 'route') return `${method ?? 'ALL'} ${path ?? 'of a hidden path'}`
  const name = about?.kind ?? handle.name
  return name === undefined || name === '' ? 'a middleware without a name' : name
}

function namesFramework({ application, stations }: Examined): boolean {
  const hidden = stations.some((station) => station.handle.name === 'helmetMiddleware' && isForAll(station))
  return settingsOf(application)['x-powered-by'] === true && !hidden
}
