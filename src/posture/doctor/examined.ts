import type { Server } from 'node:http'
import {
  isAuthentication as authenticates,
  guardMetadataOf,
  type GuardMetadata,
} from '../../core/metadata.js'
import {
  applicationOf,
  innerStackOf,
  pathsOf,
  stackOf,
  type LayerHandle,
  type RouterLayer,
} from '../../core/router.js'

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

/** Walks through all that is mounted, in the order in which requests meet it. */
export function walk(application: object): Walk {
  const found = {
    applications: [{ application, path: '/' as string | undefined }],
    routers: [] as object[],
    stations: [] as Station[],
  }
  visit(stackOf(application), '', [application])
  return found

  function visit(stack: readonly RouterLayer[], prefix: string | undefined, inside: readonly object[]): void {
    for (const layer of stack) {
      if (found.stations.length >= MAX_STATIONS) return
      const path = joined(prefix, layer)
      const { route, handle } = layer
      if (route !== undefined) {
        visitRoute(layer, path, inside.length === 1)
        continue
      }
      if (handle === undefined) continue
      const inner = innerStackOf(layer)
      if (inner === undefined) {
        found.stations.push({
          mounted: 'use',
          path,
          method: undefined,
          handle,
          about: guardMetadataOf(handle),
          route: undefined,
          outermost: inside.length === 1,
        })
        continue
      }
      const mounted = applicationOf(layer)
      const holder = mounted ?? handle
      if (inside.includes(holder) || inside.length > MAX_NESTING) continue
      if (mounted === undefined) found.routers.push(handle)
      else found.applications.push({ application: mounted, path })
      visit(inner, path, [...inside, holder])
    }
  }

  function visitRoute({ route }: RouterLayer, path: string | undefined, outermost: boolean): void {
    for (const { handle, method } of route?.stack ?? []) {
      if (handle === undefined) continue
      found.stations.push({
        mounted: 'route',
        path,
        method: method?.toUpperCase() ?? 'ALL',
        handle,
        about: guardMetadataOf(handle),
        route,
        outermost,
      })
    }
  }
}

function joined(prefix: string | undefined, layer: RouterLayer): string | undefined {
  const paths = pathsOf(layer)
  if (prefix === undefined || paths === undefined || paths.length === 0) return undefined
  const text = paths.map((path) => (typeof path === 'string' ? path : `{${path.source}}`)).join(',')
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
