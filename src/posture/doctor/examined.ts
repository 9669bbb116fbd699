import type { Server } from 'node:http'
import {
  isAuthentication as authenticates,
  guardMetadataOf,
  type GuardMetadata,
} from '../../core/metadata.js'
import { applicationOf, type LayerHandle } from '../../core/router.js'
import { Reader, type Step } from '../inspect/steps.js'

/** One function on the way of requests, in the order in which they meet it. */
export interface Station {
  /** `use`: mounted for whatever comes by; `route`: in the stack of one route. */
  readonly mounted: 'use' | 'route'
  /** Mount path and route path; `undefined` where this version of Express hides one of them. */
  readonly path: string | undefined
  /** `GET`, or `ALL`; for a route only. */
  readonly method: string | undefined
  readonly handle: LayerHandle
  readonly about: GuardMetadata | undefined
  /** The route it stands in. */
  readonly route: object | undefined
  /** Not inside a router or a mounted application. */
  readonly outermost: boolean
}

/** What the rules look at. */
export interface Examined {
  readonly application: object
  /** The application and those mounted on it, as far as they can be seen. */
  readonly applications: readonly { readonly application: object; readonly path: string | undefined }[]
  /** Routers, the application's own first, whose kind tells which copy of Express made them. */
  readonly routers: readonly object[]
  readonly stations: readonly Station[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly server: Server | undefined
  /** Files that Node has loaded as CommonJS. */
  readonly loadedFiles: readonly string[]
  /** Source of the module that makes the application. */
  readonly source: { readonly file: string; readonly text: string } | undefined
}

// A router may be mounted on itself, and a hundred times on others.
const MAX_NESTING = 20
const MAX_STATIONS = 100_000

type Walk = Pick<Examined, 'applications' | 'routers' | 'stations'>

/** All that is mounted, as the inspection reads it, in the order in which requests meet it. */
export function walk(application: object): Walk {
  const reader = new Reader()
  const found = {
    applications: [{ application, path: '/' as string | undefined }],
    routers: [] as object[],
    stations: [] as Station[],
  }
  visit(application, '', [])
  return found

  function visit(holder: object, prefix: string | undefined, outer: readonly object[]): void {
    const inside = [...outer, holder]
    for (const step of reader.planOf(holder).steps) {
      if (found.stations.length >= MAX_STATIONS) return
      const path = joined(prefix, step)
      found.stations.push(...stationsAt(step, path, inside.length === 1))
      const { holder: inner } = step
      if (inner !== undefined && (inside.includes(inner) || inside.length > MAX_NESTING)) continue
      noteHolder(step, path)
      if (inner !== undefined) visit(inner, path, inside)
    }
  }

  function noteHolder({ layer, holder }: Step, path: string | undefined): void {
    const mounted = applicationOf(layer)
    if (mounted !== undefined) found.applications.push({ application: mounted, path })
    else if (holder !== undefined) found.routers.push(holder)
  }
}

function stationsAt(step: Step, path: string | undefined, outermost: boolean): readonly Station[] {
  const { kind, about, layer } = step
  const { route, handle } = layer
  if (kind === 'inner') return []
  if (route === undefined)
    return handle === undefined
      ? []
      : [{ mounted: 'use', path, method: undefined, handle, about, route, outermost }]
  return (route.stack ?? []).flatMap((own) => {
    if (own.handle === undefined) return []
    const method = own.method?.toUpperCase() ?? 'ALL'
    const about = guardMetadataOf(own.handle)
    return [{ mounted: 'route', path, method, handle: own.handle, about, route, outermost }]
  })
}

function joined(prefix: string | undefined, { paths }: Step): string | undefined {
  if (prefix === undefined || paths.some(({ kind }) => kind === 'hidden')) return undefined
  const text = paths.map(({ shown }) => shown).join(',')
  return text === '/' || text === '' ? prefix || '/' : `${prefix === '/' ? '' : prefix}${text}`
}

/** Whether what is mounted at one path stands on the way to another; `undefined` where it cannot be said. */
export function covers(mount: string | undefined, path: string | undefined): boolean | undefined {
  if (mount === '/') return true
  if (mount === undefined || path === undefined || /[{,(*:]/.test(mount)) return undefined
  return path === mount || path.startsWith(mount.endsWith('/') ? mount : `${mount}/`)
}

/** Whether a station reaches all requests that come that far. */
export function isForAll({ mounted, path, outermost }: Station): boolean {
  return mounted === 'use' && path === '/' && outermost
}

export function isAuthentication({ about }: Station): boolean {
  return about !== undefined && authenticates(about)
}

export function settingsOf(application: object): Readonly<Record<string, unknown>> {
  return (application as { settings?: Readonly<Record<string, unknown>> }).settings ?? {}
}

/** An error middleware, by its four parameters, as Express tells it. */
export function isErrorHandler({ handle }: Station): boolean {
  return handle.length === 4
}

/** Each guard once, however often it is mounted. */
export function onceEach(
  stations: readonly Station[],
  isMeant: (station: Station) => boolean,
): readonly Station[] {
  const first = new Map<unknown, Station>()
  for (const station of stations)
    if (isMeant(station) && !first.has(station.handle)) first.set(station.handle, station)
  return [...first.values()]
}
