import type { IncomingMessage } from 'node:http'
import type { ExpressParts } from '../../core/route.js'
import { stackOf, type RouterLayer } from '../../core/router.js'

const MAX_NESTING = 20

/**
 * The methods that the application's routes have for this path; none where no route has the path, or where Express
 * does not show its routes.
 *
 * Older versions' `match` leaves its result on the layer, but a router reads that before it gives up control, so asking
 * again between two requests' steps disturbs nobody.
 */
export function allowedMethods(req: IncomingMessage): readonly string[] {
  const { app, originalUrl, baseUrl = '' } = req as IncomingMessage & ExpressParts
  if (app === undefined) return []
  const path = (originalUrl ?? req.url ?? '').replace(/[?#].*$/s, '')
  const methods = new Set<string>()
  try {
    const mount = mountOf(app, baseUrl)
    collect(stackOf(app), path.startsWith(mount) ? path.slice(mount.length) || '/' : path, methods, 0)
  } catch {
    return []
  }
  if (methods.has('GET')) methods.add('HEAD')
  return [...methods].toSorted()
}

/**
 * The part of the path that lies before an application's own routes: as much of `baseUrl` as the path it is mounted at
 * is long. `baseUrl` itself also holds the routers inside the application.
 */
function mountOf(app: object, baseUrl: string): string {
  // The mount path as it was written, `/tenants/:id`; empty where the application is mounted in none.
  const { path } = app as { readonly path?: () => string }
  const segments = path?.call(app).replace(/\/$/, '').split('/').length ?? 1
  return baseUrl.split('/').slice(0, segments).join('/')
}

function collect(stack: readonly RouterLayer[], path: string, methods: Set<string>, depth: number): void {
  if (depth > MAX_NESTING) return
  for (const layer of stack) {
    if (layer.route === undefined && layer.handle?.stack === undefined) continue
    const matched = matchedPath(layer, path)
    if (matched === undefined) continue
    if (layer.route === undefined) {
      const rest = path.slice(matched.length)
      collect(stackOf(layer.handle ?? {}), rest.startsWith('/') ? rest : `/${rest}`, methods, depth + 1)
      continue
    }
    for (const method of Object.keys(layer.route.methods ?? {})) {
      if (method !== '_all') methods.add(method.toUpperCase())
    }
  }
}

/** The part of the path that a layer takes. Express 5 with router >= 2.3 answers it; others leave it on the layer. */
function matchedPath(layer: RouterLayer, path: string): string | undefined {
  const answer = layer.match?.(path)
  if (answer === undefined || answer === false) return undefined
  return (answer === true ? layer.path : answer.path) ?? ''
}
