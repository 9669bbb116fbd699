import type { IncomingMessage } from 'node:http'
import { innerStackOf, pathsOf, stackOf, type RouterLayer } from './router.js'

/** What this library reads of an application. */
interface ApplicationParts {
  readonly settings?: Readonly<Record<string, unknown>>
  readonly router?: unknown
  readonly _router?: unknown
  /** The application that this one is mounted on, and where: at the last place, if there are several. */
  readonly parent?: ApplicationParts
  readonly mountpath?: unknown
}

/** What Express adds to a request that this library reads. All of it may be missing: a plain server has none. */
export interface ExpressParts {
  readonly app?: ApplicationParts
  readonly baseUrl?: string
  readonly route?: { readonly path?: unknown }
  readonly originalUrl?: string
  readonly ip?: string | undefined
  readonly secure?: boolean
  readonly id?: unknown
}

export const UNMATCHED = 'unmatched'

// A route object belongs to one application for its life, so the template found once holds.
const templates = new WeakMap<object, string>()
const MAX_NESTING = 20

/**
 * The template of the route that is being served (`/tenants/:id/orders`), or `unmatched` before one is.
 *
 * Never the concrete path: `baseUrl` holds the caller's own values where a mount path has parameters. A mount path
 * that this version of Express does not show, and that of a router or an application which is mounted twice, stands as
 * `{mount}`.
 */
export function routeTemplate(req: IncomingMessage): string {
  const { route } = req as IncomingMessage & ExpressParts
  if (route === undefined) return UNMATCHED
  const { app, originalUrl } = req as IncomingMessage & ExpressParts
  const template = templateWithin(req, route)
  return app?.parent === undefined ? template : `${mountOf(app, originalUrl ?? '')}${template}`
}

/** Of the application that holds the route. */
function templateWithin(req: IncomingMessage, route: { readonly path?: unknown }): string {
  const { baseUrl, app } = req as IncomingMessage & ExpressParts
  const known = templates.get(route)
  if (known !== undefined) return known
  const path = pathText(route.path)
  // Not by `baseUrl`: after an error inside a router Express has already put it back to what it was outside.
  const mounts = app === undefined ? [] : mountsOf(route, stackOf(app), 0)
  if (mounts.length === 0 && (baseUrl === undefined || baseUrl === '')) return path
  const template = mounts.length === 1 ? `${mounts[0] ?? ''}${path}` : `{mount}${path}`
  if (mounts.length > 0) templates.set(route, template)
  return template
}

/** Where an application is mounted. A plain path is compared with what was asked for: it may be another place. */
function mountOf({ parent, mountpath }: ApplicationParts, url: string, depth = 0): string {
  if (parent === undefined) return ''
  if (depth > MAX_NESTING) return '{mount}'
  const outer = mountOf(parent, url, depth + 1)
  if (mountpath === '/') return outer
  const text = `${outer}${pathText(mountpath)}`
  const isPlain = !/[{,(*:?+]/.test(text)
  return isPlain && !url.toLowerCase().startsWith(text.toLowerCase()) ? '{mount}' : text
}

function pathText(path: unknown): string {
  if (typeof path === 'string') return path
  if (Array.isArray(path)) return path.map(pathText).join(',')
  return path instanceof RegExp ? `{${path.source}}` : '{route}'
}

/** Every mount path that leads to a route: a router may be mounted more than once. */
function mountsOf(route: object, stack: readonly RouterLayer[], depth: number): readonly string[] {
  if (depth > MAX_NESTING) return []
  return stack.flatMap((layer) => {
    if (layer.route === route) return ['']
    const inner = innerStackOf(layer)
    if (inner === undefined) return []
    return mountsOf(route, inner, depth + 1).map((inner) => `${mountPath(layer)}${inner}`)
  })
}

function mountPath(layer: RouterLayer): string {
  const paths = pathsOf(layer)
  if (paths === undefined || (layer.rawPath === undefined && paths.some((path) => typeof path !== 'string')))
    return '{mount}'
  return paths.length === 1 && paths[0] === '/' ? '' : pathText(paths)
}
