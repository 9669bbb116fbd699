import type { IncomingMessage } from 'node:http'
import { wrappedMetadataOf } from '../../core/metadata.js'
import type { RouteObject, RouterLayer } from '../../core/router.js'

/** In a route's stack: the key under which Express looks for its handlers (HEAD is GET where it has none of its own). */
function methodOf({ method = '' }: IncomingMessage, { methods }: RouteObject): string {
  const name = method.toLowerCase()
  return name === 'head' && methods?.['head'] !== true ? 'get' : name
}

function serves(layer: RouterLayer, method: string): boolean {
  return layer.method === undefined || layer.method === method
}

/**
 * Whether a layer is an authentication of this library, or says that none is needed, also under a tracing tool's wrapper.
 * That lets the route begin; what comes after it asks for the decision.
 */
export function authenticates({ handle }: RouterLayer): boolean {
  const metadata = wrappedMetadataOf(handle)
  return metadata?.layer === 'authentication' && metadata.mode === 'enforce'
}

/** The layers of a route that a request would come to, by its method. */
export function servingLayers(route: RouteObject, req: IncomingMessage): readonly RouterLayer[] {
  const method = methodOf(req, route)
  return (route.stack ?? []).filter((layer) => serves(layer, method))
}
