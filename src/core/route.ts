import type { IncomingMessage } from 'node:http'

/** What Express adds to a request that this library reads. All of it may be missing: a plain server has none. */
export interface ExpressParts {
  readonly app?: {
    readonly settings?: Readonly<Record<string, unknown>>
    readonly router?: unknown
    readonly _router?: unknown
  }
  readonly baseUrl?: string
  readonly route?: { readonly path?: unknown }
  readonly originalUrl?: string
  readonly ip?: string | undefined
  readonly secure?: boolean
  readonly id?: unknown
}

/** What both versions' routers keep for each thing mounted on them. */
export interface RouterLayer {
  readonly route?: { readonly methods?: Readonly<Record<string, boolean>> }
  readonly match?: (path: string) => boolean | { readonly path?: string }
  /** What `match` matched last. */
  readonly path?: string
  readonly handle?: { readonly stack?: unknown; readonly router?: unknown; readonly _router?: unknown }
  /** Express 5 with router >= 2.3. */
  readonly rawPath?: unknown
  /** Express 4. */
  readonly regexp?: RegExp & { readonly fast_slash?: boolean }
  readonly keys?: readonly { readonly name: string | number }[]
}

export const UNMATCHED = 'unmatched'

// A route object belongs to one application for its life, so the template found once holds.
const templates = new WeakMap<object, string>()
const MAX_NESTING = 20

/**
 * The template of the route that is being served (`/tenants/:id/orders`), or `unmatched` before one is.
 *
 * Never the concrete path: `baseUrl` holds the caller's own values where a mount path has parameters. A mount path
 * that this version of Express does not show, and that of a router which is mounted twice, stands as `{mount}`.
 */
export function routeTemplate(req: IncomingMessage): string {
  const { route, baseUrl, app } = req as IncomingMessage & ExpressParts
  if (route === undefined) return UNMATCHED
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

function pathText(path: unknown): string {
  if (typeof path === 'string') return path
  if (Array.isArray(path)) return path.map(pathText).join(',')
  return path instanceof RegExp ? `{${path.source}}` : '{route}'
}

/** The layers of an application or a router; none where this version of Express keeps them elsewhere. */
export function stackOf(holder: {
  stack?: unknown
  router?: unknown
  _router?: unknown
}): readonly RouterLayer[] {
  if (Array.isArray(holder.stack)) return holder.stack as RouterLayer[]
  // In this order: on Express 4 `app.router` is a getter that throws.
  const router = (holder._router ?? holder.router) as { stack?: unknown } | undefined
  return Array.isArray(router?.stack) ? (router.stack as RouterLayer[]) : []
}

/** Every mount path that leads to a route: a router may be mounted more than once. */
function mountsOf(route: object, stack: readonly RouterLayer[], depth: number): readonly string[] {
  if (depth > MAX_NESTING) return []
  return stack.flatMap((layer) => {
    if (layer.route === route) return ['']
    if (layer.handle?.stack === undefined) return []
    return mountsOf(route, stackOf(layer.handle), depth + 1).map((inner) => `${mountPath(layer)}${inner}`)
  })
}

function mountPath(layer: RouterLayer): string {
  if (layer.rawPath !== undefined) return layer.rawPath === '/' ? '' : pathText(layer.rawPath)
  if (layer.regexp === undefined) return '{mount}'
  return layer.regexp.fast_slash === true ? '' : express4Path(layer.regexp, layer.keys ?? [])
}

/** Express 4 keeps only the compiled expression of `/tenants/:id`; this reads the text back out of it. */
function express4Path(regexp: RegExp, keys: readonly { readonly name: string | number }[]): string {
  let index = 0
  const text = regexp.source
    .replace(/^\^/, '')
    .replace(/\\\/\?\(\?=\\\/\|\$\)$/, '')
    .replace(/\(\?:\\\/\(\[\^\\?\/\]\+\?\)\)/g, () => `/:${keys[index++]?.name ?? 'param'}`)
    .replace(/\\(.)/g, '$1')
  return /[()[\]^$|+]/.test(text) ? '{mount}' : text
}
