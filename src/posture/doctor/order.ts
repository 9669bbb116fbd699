import { isNamedLikeBodyParser } from '../inspect/known-handlers.js'
import type { Finding } from '../model.js'
import { found } from '../catalogue.js'
import { nameOf } from './chain.js'
import { covers, isAuthentication, type Examined, type Station } from './examined.js'

const NAMED = 3
const MAX_FINDINGS = 20

/** A station, and how many come before it. */
interface Gate {
  readonly station: Station
  readonly index: number
}

function gatesAmong(stations: readonly Station[], isMeant: (station: Station) => boolean): readonly Gate[] {
  return stations.flatMap((station, index) => (isMeant(station) ? [{ station, index }] : []))
}

function isAuthorization({ about }: Station): boolean {
  return about?.layer === 'authorization'
}

/** Guards mounted behind routes that they seem meant for: nothing of the route says that it needs none. */
export function guardsBehindRoutes({ stations }: Examined): readonly Finding[] {
  return [
    ...behindRoutes(stations, isAuthentication),
    ...behindRoutes(stations, isAuthorization).map((finding) => ({
      ...finding,
      // Authentication may still stand before these routes: then no stranger gets through.
      severity: 'warning' as const,
    })),
  ]
}

function behindRoutes(
  stations: readonly Station[],
  isKind: (station: Station) => boolean,
): readonly Finding[] {
  const guards = gatesAmong(stations, (station) => station.mounted === 'use' && isKind(station))
  const without = routesWithout(stations, guards, isKind)
  return guards.flatMap(({ station: guard, index }) => {
    const missed = without.filter((route) => route.index < index && covers(guard.path, route.station.path))
    const routes = routesAmong(missed)
    if (routes.length === 0) return []
    const message = `${nameOfGuard(guard)} stands behind ${someOf(routes)}.`
    return [found('guard-behind-route', message, { where: routes[0], ...guard.about?.definedAt })]
  })
}

/** Routes on the path of a notFound() that stands before them. */
export function routesBehindNotFound({ stations }: Examined): readonly Finding[] {
  const routes = gatesAmong(stations, ({ mounted }) => mounted === 'route')
  return gatesAmong(
    stations,
    ({ about, mounted }) => about?.kind === 'notFound' && mounted === 'use',
  ).flatMap(({ station, index }) => {
    const hidden = routesAmong(
      routes.filter((route) => route.index > index && covers(station.path, route.station.path) === true),
    )
    if (hidden.length === 0) return []
    const message = `notFound() stands before ${someOf(hidden)}.`
    return [found('not-found-not-last', message, { where: hidden[0], ...station.about?.definedAt })]
  })
}

function routesAmong(gates: readonly Gate[]): readonly string[] {
  return [...new Set(gates.map(({ station }) => nameOf(station)))]
}

function someOf(routes: readonly string[]): string {
  const others = routes.length > NAMED ? ` and ${routes.length - NAMED} more` : ''
  return `${routes.slice(0, NAMED).join(', ')}${others}`
}

function nameOfGuard({ about }: Station): string {
  return `${about?.kind ?? ''} "${about?.name ?? ''}"`
}

/** Stations of routes that no guard of a kind covers, that have none of their own, and that are not public. */
function routesWithout(
  stations: readonly Station[],
  guards: readonly Gate[],
  isKind: (station: Station) => boolean,
): readonly Gate[] {
  const decided = new Set(
    stations
      .filter((station) => station.about?.kind === 'publicRoute' || isKind(station))
      .map(({ route }) => route),
  )
  return gatesAmong(stations, ({ mounted, route }) => mounted === 'route' && !decided.has(route)).filter(
    ({ station, index }) =>
      !guards.some((guard) => guard.index < index && covers(guard.station.path, station.path) === true),
  )
}

/** Body parsers that run before anybody is authenticated; nothing where nothing authenticates at all. */
export function parsersBeforeAuthentication({ stations }: Examined): readonly Finding[] {
  const gates = gatesAmong(stations, isAuthentication)
  const findings: Finding[] = []
  for (const [index, parser] of stations.entries()) {
    if (findings.length >= MAX_FINDINGS) break
    if (!readsBodies(parser)) continue
    const meeting = gates.filter((gate) =>
      gate.index < index ? reaches(gate.station, parser) : reaches(parser, gate.station),
    )
    const [first] = meeting
    if (first === undefined || first.index < index) continue
    const { station } = first
    const where = parser.mounted === 'route' ? nameOf(parser) : rowOf(parser)
    const message = `${String(parser.handle.name)} runs before ${nameOfGuard(station)}.`
    findings.push(found('body-parser-before-authentication', message, { where, ...station.about?.definedAt }))
  }
  return findings
}

function readsBodies({ handle }: Station): boolean {
  return isNamedLikeBodyParser(handle) || handle.name === 'multerMiddleware'
}

/** As the posture names a handler outside any route. */
function rowOf({ path }: Station): string | undefined {
  return path === undefined ? undefined : `ALL ${path === '/' ? '' : path}/*`
}

/** Whether a request that meets the first may go on to meet the second. */
function reaches(first: Station, second: Station): boolean {
  if (first.mounted === 'route') return first.route === second.route
  return covers(first.path, second.path) !== false || covers(second.path, first.path) === true
}
